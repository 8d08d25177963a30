#pragma once

#include <memory>

#include "data/tokens/chat_encoder.h"

namespace entune {

/// Mistral-7B-Instruct-v0.3, whose tokenizer (v3) has [INST] and [/INST] as control tokens; as mistral-common's
/// InstructTokenizerV3 encodes. `S`: system turn, `U`: user turn, `A`: an earlier answer, each (...) encoded in a call
/// of its own:
///   <s> [INST] (U) [/INST] (A) </s> [INST] (S\n\nU) [/INST]
/// The system turn stands in the last user turn, not in the first as in v1. The supervised answer is (answer) </s>.
/// Answers keep their spaces at the end, which mistral-common takes off.
///
/// Throws InputError if the tokenizer lacks one of these control tokens, or if it has [SYSTEM_PROMPT] (v7 and later,
/// which write the system turn in another way).
std::unique_ptr<ChatEncoder> make_mistral_v3_chat(const Tokenizer& tokenizer);

}  // namespace entune
