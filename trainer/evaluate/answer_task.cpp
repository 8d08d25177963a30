#include "trainer/evaluate/answer_task.h"

#include <algorithm>
#include <cmath>

#include "data/constraints/text_draft.h"

namespace entune {

std::int64_t AnswerBudget::max_new_tokens(std::int64_t text_tokens) const {
  return static_cast<std::int64_t>(std::ceil(slope * static_cast<double>(text_tokens + kOffset)));
}

std::int64_t free_answer_tokens(std::int64_t text_tokens, const AnswerBudget& budget,
                                const GenerationOptions& options) {
  return options.max_new_tokens > 0 ? options.max_new_tokens : budget.max_new_tokens(text_tokens);
}

AnswerTask::AnswerTask(const std::string& format, const PromptOptions& prompt, const LabelList& labels,
                       const std::string& chat_family, const Tokenizer& tokenizer)
    : labels_(labels),
      format_(make_output_format(format, labels)),
      prompt_(prompt, *format_, labels),
      tokenizer_(tokenizer),
      encoder_(make_chat_encoder(chat_family, tokenizer)) {}

std::int64_t AnswerTask::num_tokens(std::string_view text) const {
  return static_cast<std::int64_t>(tokenizer_.encode(text).size());
}

EncodedSample AnswerTask::with_answer(const Example& example) const {
  const std::string answer = format_->render(example);
  return encoder_->encode(prompt_.turns_for(example.text), answer);
}

const PieceTrie& AnswerTask::pieces() const {
  if (!pieces_) pieces_ = std::make_unique<PieceTrie>(tokenizer_);
  return *pieces_;
}

std::shared_ptr<AnswerGuide> AnswerTask::guide(std::string_view text) const {
  return std::make_shared<AnswerGuide>(*format_, text, tokenizer_, pieces());
}

std::int64_t AnswerTask::answer_tokens(std::string_view text, std::int64_t text_tokens, const AnswerBudget& budget,
                                       const GenerationOptions& options) const {
  const std::int64_t limit = free_answer_tokens(text_tokens, budget, options);
  return options.constrain ? std::max(limit, guide(text)->smallest_limit()) : limit;
}

GenerationRequest AnswerTask::request(const std::string& text, const AnswerBudget& budget,
                                      const GenerationOptions& options) const {
  GenerationRequest request =
      continue_turns(prompt_.turns_for(text), free_answer_tokens(num_tokens(text), budget, options));
  if (!options.constrain && !options.draft) return request;
  const std::shared_ptr<AnswerGuide> of_text = guide(text);
  if (options.constrain) {
    request.constraint = of_text;
    request.max_new_tokens = std::max(request.max_new_tokens, of_text->smallest_limit());
  }
  if (options.draft) request.draft = TextDraft(of_text, stop_ids().front());
  return request;
}

GenerationRequest AnswerTask::continue_turns(const std::vector<Turn>& turns, std::int64_t max_new_tokens) const {
  return {.ids = encoder_->encode(turns, std::nullopt).ids, .max_new_tokens = max_new_tokens};
}

AnswerBudget AnswerTask::fit_budget(const std::vector<Example>& examples) const {
  if (examples.empty()) return {};
  AnswerBudget budget{.slope = 1.0};
  std::vector<std::int64_t> lengths;
  for (const Example& example : examples) {
    if (!format_->can_carry(example)) continue;
    const double answer = static_cast<double>(tokenizer_.encode(format_->render(example)).size()) + 1.0;
    const std::int64_t text_tokens = num_tokens(example.text);
    const double text = static_cast<double>(text_tokens);
    lengths.push_back(text_tokens);
    budget.slope = std::max(budget.slope, 1.25 * answer / (text + static_cast<double>(AnswerBudget::kOffset)));
  }
  if (lengths.empty()) return budget;
  std::sort(lengths.begin(), lengths.end());
  budget.longest_text = lengths.back();
  budget.usual_text = lengths[(lengths.size() * 95 - 1) / 100];
  return budget;
}

}  // namespace entune
