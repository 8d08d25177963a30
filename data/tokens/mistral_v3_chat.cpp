#include "data/tokens/mistral_v3_chat.h"

#include "data/input_error.h"
#include "data/tokens/chat_turns.h"

namespace entune {
namespace {

constexpr std::string_view kName = "mistral";

class MistralV3Chat : public ChatEncoder {
 public:
  explicit MistralV3Chat(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
    bos_ = require_control_id(tokenizer, "<s>", kName);
    eos_ = require_control_id(tokenizer, "</s>", kName);
    begin_user_ = require_control_id(tokenizer, "[INST]", kName);
    end_user_ = require_control_id(tokenizer, "[/INST]", kName);
    if (tokenizer.control_id("[SYSTEM_PROMPT]")) {
      throw InputError(
          "model.chat: expected for mistral a tokenizer of version 1 to 3, found the control token [SYSTEM_PROMPT] "
          "(version 7 or later); use Mistral-7B-Instruct v0.1, v0.2 or v0.3");
    }
  }

  EncodedSample encode(std::span<const Turn> turns, std::optional<std::string_view> answer) const override {
    check_alternating(turns, kName);
    EncodedSample sample;
    sample.ids.push_back(bos_);
    const std::string* system = nullptr;
    for (const Turn& turn : turns) {
      switch (turn.role) {
        case Role::system:
          system = &turn.text;
          break;
        case Role::user: {
          const bool last = &turn == &turns.back();
          sample.ids.push_back(begin_user_);
          append(sample.ids, tokenizer_.encode(last && system ? *system + "\n\n" + turn.text : turn.text));
          sample.ids.push_back(end_user_);
          break;
        }
        case Role::assistant:
          append(sample.ids, tokenizer_.encode(turn.text));
          sample.ids.push_back(eos_);
          break;
      }
    }
    finish(sample, tokenizer_, answer, eos_);
    return sample;
  }

  std::vector<TokenId> stop_ids() const override { return {eos_}; }

  std::string chat_template() const override {
    std::string text(kJinjaSplitsSystem);
    text += "{{ '<s>' }}{% for turn in turns %}";
    text += kJinjaChecksTurn;
    // The system turn stands in the user's last one, whether its answer follows or not.
    return text +
           "{% if turn['role'] == 'user' %}"
           "{{ '[INST]' + (system + '\\n\\n' if system is not none and loop.index0 + 2 >= loop.length else '')"
           " + turn['content'] + '[/INST]' }}"
           "{% else %}{{ turn['content'] + '</s>' }}{% endif %}{% endfor %}";
  }

 private:
  const Tokenizer& tokenizer_;
  TokenId bos_;
  TokenId eos_;
  TokenId begin_user_;
  TokenId end_user_;
};

}  // namespace

std::unique_ptr<ChatEncoder> make_mistral_v3_chat(const Tokenizer& tokenizer) {
  return std::make_unique<MistralV3Chat>(tokenizer);
}

}  // namespace entune
