#include "data/tokens/chat_turns.h"

#include <fmt/format.h>

#include "data/input_error.h"

namespace entune {

void check_last_is_user(std::span<const Turn> turns, std::string_view family) {
  if (turns.empty() || turns.back().role != Role::user) {
    throw InputError(fmt::format("task.prompt: expected a user's turn at the end, found {}; {} answers a user's turn",
                                 turns.empty() ? "no turn" : "another", family));
  }
}

void check_alternating(std::span<const Turn> turns, std::string_view family) {
  check_last_is_user(turns, family);
  const std::size_t first = turns.front().role == Role::system ? 1 : 0;
  for (std::size_t i = first; i < turns.size(); ++i) {
    const Role expected = (i - first) % 2 == 0 ? Role::user : Role::assistant;
    if (turns[i].role != expected) {
      throw InputError(fmt::format(
          "task.prompt: expected a turn of the {} at place {}, found one of the {}; {} takes an optional system "
          "turn, then user and assistant in turn",
          name_of(expected), i + 1, name_of(turns[i].role), family));
    }
  }
}

TokenId require_control_id(const Tokenizer& tokenizer, std::string_view spelling, std::string_view family) {
  if (const std::optional<TokenId> id = tokenizer.control_id(spelling)) return *id;
  throw InputError(
      fmt::format("model.chat: expected for {} a tokenizer with the control token {}, found none; set model.chat to "
                  "the model's own "
                  "family, one of {}",
                  family, spelling, fmt::join(chat_families(), ", ")));
}

void append_if_there(std::vector<TokenId>& ids, const Tokenizer& tokenizer, std::string_view spelling) {
  if (const std::optional<TokenId> id = tokenizer.control_id(spelling)) ids.push_back(*id);
}

void append(std::vector<TokenId>& ids, const std::vector<TokenId>& more) {
  ids.insert(ids.end(), more.begin(), more.end());
}

void finish(EncodedSample& sample, const Tokenizer& tokenizer, std::optional<std::string_view> answer, TokenId end) {
  sample.answer_start = static_cast<std::int64_t>(sample.ids.size());
  if (!answer) return;
  append(sample.ids, tokenizer.encode(*answer));
  sample.ids.push_back(end);
}

std::string jinja_literal(std::string_view text) {
  std::string literal = "'";
  for (const char c : text) {
    if (c == '\n') {
      literal += "\\n";
      continue;
    }
    if (c == '\'' || c == '\\') literal += '\\';
    literal += c;
  }
  return literal + "'";
}

bool adds_space_before_text(const Tokenizer& tokenizer) {
  const std::vector<TokenId> ids = tokenizer.encode("a");
  return !ids.empty() && tokenizer.piece(ids.front()).starts_with("\xE2\x96\x81");
}

}  // namespace entune
