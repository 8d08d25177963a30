#pragma once

#include <memory>

#include "data/tokens/chat_encoder.h"

namespace entune {

/// ChatML: each turn is <|im_start|> (ROLE\nTEXT) <|im_end|> (\n), the last one opens with <|im_start|> (assistant\n);
/// each (...) is encoded in a call of its own, without BOS. Turns may come in any order that ends with the user's.
///   smollm2  puts the system line of its training first where the conversation begins without one
///   yi       stops at <|endoftext|>, <|im_start|> and <|im_sep|> too
///   chatml   neither
/// On a sentencepiece model that puts a space before each text, role names and answers carry it.
///
/// name: smollm2 | yi | chatml. Throws InputError if the tokenizer lacks <|im_start|> or <|im_end|>.
std::unique_ptr<ChatEncoder> make_chatml_chat(std::string_view name, const Tokenizer& tokenizer);

}  // namespace entune
