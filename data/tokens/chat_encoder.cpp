#include "data/tokens/chat_encoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/input_error.h"
#include "data/tokens/chatml_chat.h"
#include "data/tokens/instruct_chat.h"
#include "data/tokens/llama3_chat.h"
#include "data/tokens/mistral_v3_chat.h"

namespace entune {

const std::vector<std::string>& chat_families() {
  static const std::vector<std::string> kFamilies = {"mistral", "llama2", "vicuna", "yi",
                                                     "smollm2", "chatml", "llama3", "qwen"};
  return kFamilies;
}

std::unique_ptr<ChatEncoder> make_chat_encoder(std::string_view family, const Tokenizer& tokenizer) {
  if (family == "mistral" && tokenizer.control_id("[INST]")) return make_mistral_v3_chat(tokenizer);
  if (family == "mistral" || family == "llama2" || family == "vicuna") return make_instruct_chat(family, tokenizer);
  if (family == "yi" || family == "smollm2" || family == "chatml" || family == "qwen") {
    return make_chatml_chat(family, tokenizer);
  }
  if (family == "llama3") return make_llama3_chat(tokenizer);
  throw InputError(
      fmt::format("model.chat: expected one of {}; found \"{}\"", fmt::join(chat_families(), ", "), family));
}

}  // namespace entune
