#include "data/tokens/llama3_chat.h"

#include <fmt/format.h>

#include "data/tokens/chat_turns.h"

namespace entune {
namespace {

constexpr std::string_view kName = "llama3";
constexpr std::string_view kDates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";

class Llama3Chat : public ChatEncoder {
 public:
  explicit Llama3Chat(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
    bos_ = require_control_id(tokenizer, "<|begin_of_text|>", kName);
    begin_header_ = require_control_id(tokenizer, "<|start_header_id|>", kName);
    end_header_ = require_control_id(tokenizer, "<|end_header_id|>", kName);
    end_ = require_control_id(tokenizer, "<|eot_id|>", kName);
    stop_ids_.push_back(end_);
    append_if_there(stop_ids_, tokenizer, "<|end_of_text|>");
    append_if_there(stop_ids_, tokenizer, "<|eom_id|>");
    has_dates_ = tokenizer.control_id("<|eom_id|>").has_value();
  }

  EncodedSample encode(std::span<const Turn> turns, std::optional<std::string_view> answer) const override {
    check_last_is_user(turns, kName);
    EncodedSample sample;
    sample.ids.push_back(bos_);
    if (has_dates_) {
      const bool has_system = turns.front().role == Role::system;
      add_turn(sample.ids, Role::system, std::string(kDates) + (has_system ? turns.front().text : ""));
      if (has_system) turns = turns.subspan(1);
    }
    for (const Turn& turn : turns) add_turn(sample.ids, turn.role, turn.text);
    add_header(sample.ids, Role::assistant);
    append(sample.ids, tokenizer_.encode("\n\n"));
    finish(sample, tokenizer_, answer, end_);
    return sample;
  }

  std::vector<TokenId> stop_ids() const override { return stop_ids_; }

  std::string chat_template() const override {
    std::string text = "{{ '<|begin_of_text|>' }}";
    if (has_dates_) {
      text += kJinjaSplitsSystem;
      text += fmt::format(
          "{{{{ '<|start_header_id|>system<|end_header_id|>\\n\\n' + {} + (system or '') + '<|eot_id|>' }}}}",
          jinja_literal(kDates));
    }
    text += fmt::format("{{% for turn in {} %}}", has_dates_ ? "turns" : "messages");
    return text +
           "{{ '<|start_header_id|>' + turn['role'] + '<|end_header_id|>\\n\\n' + turn['content'] + '<|eot_id|>' }}"
           "{% endfor %}"
           "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";
  }

 private:
  void add_header(std::vector<TokenId>& ids, Role role) const {
    ids.push_back(begin_header_);
    append(ids, tokenizer_.encode(name_of(role)));
    ids.push_back(end_header_);
  }

  void add_turn(std::vector<TokenId>& ids, Role role, const std::string& text) const {
    add_header(ids, role);
    append(ids, tokenizer_.encode("\n\n" + text));
    ids.push_back(end_);
  }

  const Tokenizer& tokenizer_;
  TokenId bos_;
  TokenId begin_header_;
  TokenId end_header_;
  TokenId end_;
  bool has_dates_;
  std::vector<TokenId> stop_ids_;
};

}  // namespace

std::unique_ptr<ChatEncoder> make_llama3_chat(const Tokenizer& tokenizer) {
  return std::make_unique<Llama3Chat>(tokenizer);
}

}  // namespace entune
