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

/// A Jinja expression: the string literal of this text.
std::string jinja_literal(std::string_view text);
/// Jinja statements that begin a template: `system` is the system turn's text or none, `turns` are the others.
inline constexpr std::string_view kJinjaSplitsSystem =
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set turns = messages[1:] %}"
    "{% else %}{% set system = none %}{% set turns = messages %}{% endif %}";
/// A Jinja statement within a loop over `turns` as `turn`: raises an error unless they are user, assistant in turn.
inline constexpr std::string_view kJinjaChecksTurn =
    "{% if turn['role'] != ('user' if loop.index0 % 2 == 0 else 'assistant') %}"
    "{{ raise_exception('expected an optional system turn, then user and assistant in turn') }}{% endif %}";
/// Whether encode() puts a space before each text that it is given (sentencepiece's dummy prefix).
bool adds_space_before_text(const Tokenizer& tokenizer);

}  // namespace entune
