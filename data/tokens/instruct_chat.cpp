#include "data/tokens/instruct_chat.h"

#include <fmt/format.h>

#include <utility>

#include "data/input_error.h"
#include "data/tokens/chat_turns.h"

namespace entune {
namespace {

constexpr std::string_view kVicunaFirst =
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the user's questions. USER: ";

/// What a family writes around the texts. The first user turn begins with the system turn or without one, the later
/// ones begin alike.
struct Style {
  std::string_view name;
  std::string_view before_system, after_system;
  std::string_view first;  // before the first user's text where there is no system turn
  std::string_view later;  // before a later one
  std::string_view after_user;
  std::string_view after_answer;  // behind an earlier answer, in the same call
  bool bos_each_turn;
};

constexpr Style kStyles[] = {
    {"mistral", "[INST] ", "\n\n", "[INST] ", "[INST] ", " [/INST]", "", false},
    {"llama2", "[INST] <<SYS>>\n", "\n<</SYS>>\n\n", "[INST] ", "[INST] ", " [/INST]", " ", true},
    {"vicuna", "", " USER: ", kVicunaFirst, "USER: ", " ASSISTANT:", "", false},
};

class InstructChat : public ChatEncoder {
 public:
  InstructChat(const Style& style, const Tokenizer& tokenizer) : style_(style), tokenizer_(tokenizer) {
    bos_ = require_control_id(tokenizer, "<s>", style.name);
    eos_ = require_control_id(tokenizer, "</s>", style.name);
    if (tokenizer.control_id("[INST]")) {
      throw InputError(
          fmt::format("model.chat: expected for {} a tokenizer that writes [INST] as text, found one that has it as a "
                      "control token (Mistral v3); set model.chat to mistral",
                      style.name));
    }
  }

  EncodedSample encode(std::span<const Turn> turns, std::optional<std::string_view> answer) const override {
    check_alternating(turns, style_.name);
    EncodedSample sample;
    const std::string* system = nullptr;
    bool first = true;
    for (const Turn& turn : turns) {
      switch (turn.role) {
        case Role::system:
          system = &turn.text;
          break;
        case Role::user:
          if (first || style_.bos_each_turn) sample.ids.push_back(bos_);
          append(sample.ids, tokenizer_.encode(fmt::format("{}{}{}", before_user(first, system), turn.text,  //
                                                           style_.after_user)));
          first = false;
          break;
        case Role::assistant:
          append(sample.ids, tokenizer_.encode(fmt::format("{}{}", turn.text, style_.after_answer)));
          sample.ids.push_back(eos_);
          break;
      }
    }
    finish(sample, tokenizer_, answer, eos_);
    return sample;
  }

  std::vector<TokenId> stop_ids() const override { return {eos_}; }

  /// The space that the tokenizer puts before a text of its own stands here before an answer, which is encoded in one
  /// go with the user's turn; behind <s> and </s> the tokenizer puts it.
  std::string chat_template() const override {
    std::string text(kJinjaSplitsSystem);
    if (!style_.bos_each_turn) text += "{{ '<s>' }}";
    text += "{% for turn in turns %}";
    text += kJinjaChecksTurn;
    text += fmt::format(
        "{{% if turn['role'] == 'user' %}}"
        "{{{{ {}(({} + system + {} if system is not none else {}) if loop.first else {}) + turn['content'] + {} }}}}",
        style_.bos_each_turn ? "'<s>' + " : "", jinja_literal(style_.before_system), jinja_literal(style_.after_system),
        jinja_literal(style_.first), jinja_literal(style_.later), jinja_literal(style_.after_user));
    text += fmt::format("{{% else %}}{{% set answer = turn['content'] + ('' if loop.last else {}) %}}",
                        jinja_literal(style_.after_answer));
    return text + "{{ (' ' + answer if answer else '') + '</s>' }}{% endif %}{% endfor %}";
  }

 private:
  std::string before_user(bool first, const std::string* system) const {
    if (!first) return std::string(style_.later);
    if (system == nullptr) return std::string(style_.first);
    return fmt::format("{}{}{}", style_.before_system, *system, style_.after_system);
  }

  const Style& style_;
  const Tokenizer& tokenizer_;
  TokenId bos_;
  TokenId eos_;
};

}  // namespace

std::unique_ptr<ChatEncoder> make_instruct_chat(std::string_view name, const Tokenizer& tokenizer) {
  for (const Style& style : kStyles) {
    if (style.name == name) return std::make_unique<InstructChat>(style, tokenizer);
  }
  throw std::logic_error(fmt::format("no instruct chat \"{}\"", name));
}

}  // namespace entune
