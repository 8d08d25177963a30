#pragma once

#include <memory>

#include "data/tokens/chat_encoder.h"

namespace entune {

/// ChatML: each turn is <|im_start|> (ROLE\nTEXT) <|im_end|> (\n), the last one opens with <|im_start|> (assistant\n);
/// each (...) is encoded in a call of its own, without BOS. Turns may come in any order that ends with the user's.
///   smollm2  puts the system line of its training first where the conversation begins without one
///   yi       stops at <|endoftext|>, <|im_start|> and <|im_sep|> too
///   qwen     Qwen2.5 puts its system line, that of its Instruct models, first as smollm2 does. Qwen3, known by <think>
///            being one token, has none, and its thinking is switched off: the last turn opens with
///            (assistant\n<think>\n\n</think>\n\n), and earlier answers stand as they are, as its template has it. (The
///            Qwen3 of 2507 that never thinks wants chatml.)
///   chatml   none of this
/// All stop at <|endoftext|> beside <|im_end|>, where there is such. On a sentencepiece model that puts a space before
/// each text, role names and answers carry it.
///
/// name: smollm2 | yi | qwen | chatml. Throws InputError if the tokenizer lacks <|im_start|> or <|im_end|>.
std::unique_ptr<ChatEncoder> make_chatml_chat(std::string_view name, const Tokenizer& tokenizer);

}  // namespace entune
