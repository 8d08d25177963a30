#pragma once

#include <memory>

#include "data/tokens/chat_encoder.h"

namespace entune {

/// The families on a sentencepiece vocabulary whose marks are plain text (notes of their sources: mistral-common's
/// InstructTokenizerV1, meta-llama/llama generation.py, FastChat's conversation of Vicuna v1.1). <s> and </s> are the
/// only control tokens. `S`: system turn, `U`: user turn, `A`: an earlier answer, each (...) encoded in a call of its
/// own:
///   mistral  <s> ([INST] S\n\nU [/INST]) (A) </s> ([INST] U [/INST])
///   llama2   <s> ([INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST]) (A ) </s> <s> ([INST] U [/INST])
///   vicuna   <s> (S USER: U ASSISTANT:) (A) </s> (USER: U ASSISTANT:)      S by default the sentence of its training
/// The supervised answer is (answer) </s> in all three: Llama-2's space behind earlier answers is left out there, so
/// that it decodes to the very text. Texts are not trimmed, since answers copy them.
///
/// name: mistral (tokenizer v1) | llama2 | vicuna. Throws InputError if the tokenizer lacks <s> or </s>, or if [INST]
/// is a control token (Mistral v3: mistral_v3_chat.h).
std::unique_ptr<ChatEncoder> make_instruct_chat(std::string_view name, const Tokenizer& tokenizer);

}  // namespace entune
