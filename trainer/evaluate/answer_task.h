#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/batches/batch_loader.h"
#include "data/formats/output_format.h"
#include "data/prompts/prompt.h"
#include "data/tokens/chat_encoder.h"
#include "trainer/generate/generator.h"

namespace entune {

/// How many tokens an answer may have, as a line over the tokens of the text: slope * (text tokens + kOffset).
struct AnswerBudget {
  static constexpr std::int64_t kOffset = 16;
  double slope = 8.0;
  std::int64_t longest_text = 0;  ///< tokens of the longest text that it is fitted to
  std::int64_t usual_text = 0;    ///< tokens that 95 % of these texts have at most

  std::int64_t max_new_tokens(std::int64_t text_tokens) const;
};

/// How many tokens a free answer to a text of so many may have: what `options` say, or else `budget`.
std::int64_t free_answer_tokens(std::int64_t text_tokens, const AnswerBudget& budget, const GenerationOptions& options);

/// The task of one cell: text -> conversation -> ids, and ids -> entities. The same object serves training, evaluation
/// and prediction.
class AnswerTask {
 public:
  /// Loads nothing; `tokenizer` must outlive the task. Throws InputError as make_output_format, Prompt and
  /// make_chat_encoder do.
  AnswerTask(const std::string& format, const PromptOptions& prompt, const LabelList& labels,
             const std::string& chat_family, const Tokenizer& tokenizer);

  const OutputFormat& format() const { return *format_; }
  const Prompt& prompt() const { return prompt_; }
  const LabelList& labels() const { return labels_; }
  std::vector<TokenId> stop_ids() const { return encoder_->stop_ids(); }

  std::int64_t num_tokens(std::string_view text) const;
  /// How many tokens an answer about the text, which has `text_tokens`, may have: as a free one, or, if it is
  /// constrained, as many as it needs to be whole where these are more.
  std::int64_t answer_tokens(std::string_view text, std::int64_t text_tokens, const AnswerBudget& budget,
                             const GenerationOptions& options) const;
  /// The conversation with the right answer.
  EncodedSample with_answer(const Example& example) const;
  /// The conversation up to the answer, of at most answer_tokens(), with the constraint and the draft that `options`
  /// ask for.
  GenerationRequest request(const std::string& text, const AnswerBudget& budget,
                            const GenerationOptions& options) const;
  /// Any turns of this task's family up to the model's next answer (draft-prompt).
  GenerationRequest continue_turns(const std::vector<Turn>& turns, std::int64_t max_new_tokens) const;
  std::string answer_text(const GeneratedAnswer& answer) const { return tokenizer_.decode(answer.ids); }

  /// The smallest slope, with a quarter to spare, that fits the right answers of `examples`, and their longest text;
  /// the default one for none.
  AnswerBudget fit_budget(const std::vector<Example>& examples) const;

 private:
  const PieceTrie& pieces() const;
  std::shared_ptr<AnswerGuide> guide(std::string_view text) const;

  LabelList labels_;
  std::unique_ptr<OutputFormat> format_;
  Prompt prompt_;
  const Tokenizer& tokenizer_;
  std::unique_ptr<ChatEncoder> encoder_;
  mutable std::unique_ptr<PieceTrie> pieces_;  // of the tokenizer, made when first asked for
};

}  // namespace entune
