#pragma once

#include "data/tokens/chat_encoder.h"

namespace entune {

// What the encoders of all families share.

/// Throws InputError unless the last turn is the user's.
void check_last_is_user(std::span<const Turn> turns, std::string_view family);
/// Throws InputError unless `turns` are (system)? user (assistant user)*.
void check_alternating(std::span<const Turn> turns, std::string_view family);
/// Throws InputError, which names the family, if the tokenizer has no such control token.
TokenId require_control_id(const Tokenizer& tokenizer, std::string_view spelling, std::string_view family);

/// Appends the control token of this spelling, if the tokenizer has it.
void append_if_there(std::vector<TokenId>& ids, const Tokenizer& tokenizer, std::string_view spelling);
void append(std::vector<TokenId>& ids, const std::vector<TokenId>& more);
/// Sets answer_start to the end of the prompt in `sample.ids`; then adds the answer, in a call of its own, and its end
/// token.
void finish(EncodedSample& sample, const Tokenizer& tokenizer, std::optional<std::string_view> answer, TokenId end);

}  // namespace entune
