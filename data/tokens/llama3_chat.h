#pragma once

#include <memory>

#include "data/tokens/chat_encoder.h"

namespace entune {

/// Llama 3 and 3.1 Instruct: <|begin_of_text|>, each turn as <|start_header_id|> (ROLE) <|end_header_id|> (\n\nTEXT)
/// <|eot_id|>, and the assistant's header with (\n\n); each (...) is encoded in a call of its own. Turns may come in
/// any order that ends with the user's.
///   3    nothing else
///   3.1  begins with a system turn in any case, whose text opens with two lines of dates: what the template of
///        Llama-3.1-8B-Instruct gives without tools. Known by <|eom_id|>, which Llama 3 lacks. Llama 3.2, whose
///        template would write the day of the run, gets the same two lines: a prompt must not change overnight.
/// Texts are not trimmed as in these templates, since answers copy them. Stops at <|eot_id|>, and at <|end_of_text|>
/// and <|eom_id|> where there are such.
///
/// Throws InputError if the tokenizer lacks one of the four control tokens named first.
std::unique_ptr<ChatEncoder> make_llama3_chat(const Tokenizer& tokenizer);

}  // namespace entune
