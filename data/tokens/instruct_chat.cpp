#include "data/tokens/instruct_chat.h"

#include <fmt/format.h>

#include <utility>

#include "data/input_error.h"
#include "data/tokens/chat_turns.h"

namespace entune {
namespace {

constexpr std::string_view kVicunaSystem =
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to "
    "the user's questions.";

/// How a family writes the first user turn, with what the system turn says, and a later one.
struct Style {
  std::string_view name;
  std::string (*first)(const std::string* system, const std::string& user);
  std::string (*later)(const std::string& user);
  std::string_view after_answer;  // behind an earlier answer, in the same call
  bool bos_each_turn;
};

std::string bracketed(const std::string& user) { return "[INST] " + user + " [/INST]"; }
std::string vicuna_turn(const std::string& user) { return "USER: " + user + " ASSISTANT:"; }

constexpr Style kStyles[] = {
    {"mistral",
     [](const std::string* system, const std::string& user) {
       return bracketed(system ? *system + "\n\n" + user : user);
     },
     bracketed, "", false},
    {"llama2",
     [](const std::string* system, const std::string& user) {
       return bracketed(system ? "<<SYS>>\n" + *system + "\n<</SYS>>\n\n" + user : user);
     },
     bracketed, " ", true},
    {"vicuna",
     [](const std::string* system, const std::string& user) {
       return (system ? *system : std::string(kVicunaSystem)) + " " + vicuna_turn(user);
     },
     vicuna_turn, "", false},
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
          append(sample.ids, tokenizer_.encode(first ? style_.first(system, turn.text) : style_.later(turn.text)));
          first = false;
          break;
        case Role::assistant:
          append(sample.ids, tokenizer_.encode(turn.text + std::string(style_.after_answer)));
          sample.ids.push_back(eos_);
          break;
      }
    }
    finish(sample, tokenizer_, answer, eos_);
    return sample;
  }

  std::vector<TokenId> stop_ids() const override { return {eos_}; }

 private:
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
