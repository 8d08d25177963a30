#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <string>

namespace entune {

/// A check of an option that counts something: a decimal integer from `least` to 10^12.
inline CLI::Validator count_from(std::int64_t least) {
  const auto refusal = [least](const std::string& text) {
    constexpr std::int64_t kMost = 1'000'000'000'000;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_count = error == std::errc() && end == text.data() + text.size();
    if (is_count && value >= least && value <= kMost) return std::string();
    return fmt::format("expected an integer of at least {} and at most {}, found '{}'", least, kMost, text);
  };
  return CLI::Validator(refusal, fmt::format("INTEGER >= {}", least), "count");
}

}  // namespace entune
