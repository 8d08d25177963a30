#include "data/shown_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace entune {
namespace {

bool is_plain(std::string_view name) {
  constexpr std::size_t kMaxBytes = 64;
  return name.size() <= kMaxBytes && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
                  c == '-';
         });
}

}  // namespace

std::string shown_name(std::string_view name) {
  return is_plain(name) ? std::string(name) : fmt::format("({} bytes, not shown)", name.size());
}

std::string stored_name(std::string_view name) {
  if (is_plain(name)) return std::string(name);
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return fmt::format("#{:016x}", hash);
}

}  // namespace entune
