#include "data/tokens/chatml_chat.h"

#include <fmt/format.h>

#include "data/tokens/chat_turns.h"

namespace entune {
namespace {

constexpr std::string_view kSmollm2System = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";
constexpr std::string_view kQwen2System = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";

class ChatmlChat : public ChatEncoder {
 public:
  ChatmlChat(std::string_view name, const Tokenizer& tokenizer) : name_(name), tokenizer_(tokenizer) {
    start_ = require_control_id(tokenizer, "<|im_start|>", name);
    end_ = require_control_id(tokenizer, "<|im_end|>", name);
    line_break_ = tokenizer.encode("\n");
    stop_ids_.push_back(end_);
    append_if_there(stop_ids_, tokenizer, "<|endoftext|>");
    if (name == "yi") {
      append_if_there(stop_ids_, tokenizer, "<|im_start|>");
      append_if_there(stop_ids_, tokenizer, "<|im_sep|>");
    } else if (name == "smollm2") {
      default_system_ = kSmollm2System;
    } else if (name == "qwen" && tokenizer.encode("<think>").size() == 1) {  // Qwen3: a plain token, matched in text
      opening_text_ += "<think>\n\n</think>\n\n";
    } else if (name == "qwen") {
      default_system_ = kQwen2System;
    }
    opening_ = tokenizer.encode(opening_text_);
  }

  EncodedSample encode(std::span<const Turn> turns, std::optional<std::string_view> answer) const override {
    check_last_is_user(turns, name_);
    EncodedSample sample;
    if (!default_system_.empty() && turns.front().role != Role::system)
      add_turn(sample.ids, Role::system, default_system_);
    for (const Turn& turn : turns) add_turn(sample.ids, turn.role, turn.text);
    sample.ids.push_back(start_);
    append(sample.ids, opening_);
    finish(sample, tokenizer_, answer, end_);
    return sample;
  }

  std::vector<TokenId> stop_ids() const override { return stop_ids_; }

  std::string chat_template() const override {
    const std::string opening = jinja_literal("<|im_start|>" + opening_text_);
    std::string text;
    if (is_qwen3()) text += "{#- enable_thinking is not asked for: the model was trained to answer without -#}";
    text += "{% for turn in messages %}";
    if (!default_system_.empty()) {
      text += fmt::format("{{% if loop.first and turn['role'] != 'system' %}}{{{{ {} }}}}{{% endif %}}",
                          jinja_literal(fmt::format("<|im_start|>system\n{}<|im_end|>\n", default_system_)));
    }
    // The answer to be learned is encoded apart from its opening: with a space in front, where the tokenizer adds one.
    const bool adds_space = adds_space_before_text(tokenizer_);
    if (adds_space || is_qwen3()) {
      text += fmt::format(
          "{{% if loop.last and turn['role'] == 'assistant' %}}{{{{ {} + {} + '<|im_end|>\\n' }}}}"
          "{{% else %}}",
          opening, adds_space ? "(' ' + turn['content'] if turn['content'] else '')" : "turn['content']");
    }
    text += "{{ '<|im_start|>' + turn['role'] + '\\n' + turn['content'] + '<|im_end|>\\n' }}";
    if (adds_space || is_qwen3()) text += "{% endif %}";
    return text + fmt::format("{{% endfor %}}{{% if add_generation_prompt %}}{{{{ {} }}}}{{% endif %}}", opening);
  }

 private:
  bool is_qwen3() const { return opening_text_.ends_with("</think>\n\n"); }

  void add_turn(std::vector<TokenId>& ids, Role role, std::string_view text) const {
    ids.push_back(start_);
    append(ids, tokenizer_.encode(std::string(name_of(role)) + "\n" + std::string(text)));
    ids.push_back(end_);
    append(ids, line_break_);
  }

  std::string name_;
  const Tokenizer& tokenizer_;
  TokenId start_;
  TokenId end_;
  std::vector<TokenId> line_break_;
  std::string opening_text_ = "assistant\n";  // of the answer's turn, behind <|im_start|>
  std::vector<TokenId> opening_;
  std::string_view default_system_;  // put first where the conversation has none; empty: nothing is
  std::vector<TokenId> stop_ids_;
};

}  // namespace

std::unique_ptr<ChatEncoder> make_chatml_chat(std::string_view name, const Tokenizer& tokenizer) {
  return std::make_unique<ChatmlChat>(name, tokenizer);
}

}  // namespace entune
