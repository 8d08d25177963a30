#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/prompts/prompt.h"
#include "data/tokens/tokenizer.h"

namespace entune {

/// A conversation as ids. ids[answer_start..] are the answer and its end token: what the loss is on. Without an answer
/// answer_start == ids.size(): the model writes on from there.
struct EncodedSample {
  std::vector<TokenId> ids;
  std::int64_t answer_start = 0;
};

/// Turns of one model family as ids. Every turn's text is encoded in a call of its own and control tokens are inserted by id, so no
/// text can forge them and the border between prompt and answer is exact (notes/ecosystem.md 4.6).
class ChatEncoder {
 public:
  virtual ~ChatEncoder() = default;

  /// `turns` ends with the user's turn. Throws InputError if the family cannot express them (two user turns in a row).
  virtual EncodedSample encode(std::span<const Turn> turns, std::optional<std::string_view> answer) const = 0;
  /// Generation ends at any of these.
  virtual std::vector<TokenId> stop_ids() const = 0;
  /// A Jinja template for transformers' apply_chat_template: with the tokenizer files that export_tokenizer() makes it
  /// gives the ids of encode(), for whatever text the turns hold. It differs from the family's published template where
  /// encode() does (no text is trimmed, none is left out).
  virtual std::string chat_template() const = 0;
};

/// mistral | llama2 | vicuna | yi | smollm2 | chatml | llama3 | qwen. Where a family has several forms, the tokenizer
/// tells which one it is made for: Mistral v1 or v3, Llama 3 or 3.1, Qwen2.5 or Qwen3. The tokenizer must outlive the
/// encoder. Throws InputError if the tokenizer lacks the family's control tokens, or for another name.
std::unique_ptr<ChatEncoder> make_chat_encoder(std::string_view family, const Tokenizer& tokenizer);
const std::vector<std::string>& chat_families();

}  // namespace entune
