#include "data/deidentify/ages_and_zip_codes.h"

#include <algorithm>
#include <array>
#include <regex>

namespace entune {
namespace {

constexpr std::size_t kMaxBytes = 40;  // std::regex recurses for what it repeats

/// 164.514(b)(2)(i)(B); guidance of 2012-11-26, "What are examples of the 17 restricted ZIP codes".
constexpr std::array<std::string_view, 17> kSparseAreas = {"036", "059", "063", "102", "203", "556",
                                                           "692", "790", "821", "823", "830", "831",
                                                           "878", "879", "884", "890", "893"};

}  // namespace

std::optional<std::string> group_age(std::string_view text) {
  static const std::regex age(
      "(\\s*)(\\d{1,3})(\\+?)([- ]?(?:y/?o\\.?|(?:years?|yrs?\\.?)(?:[- ]old| of age)?)?"
      "|[- ]?(?:mos?\\.?|(?:months?|weeks?|days?)(?:[- ]old)?))(\\s*)",
      std::regex::optimize | std::regex::icase);
  const std::string original(text);
  std::smatch match;
  if (original.size() > kMaxBytes || !std::regex_match(original, match, age)) return std::nullopt;
  const std::string unit = match.str(4);
  const std::size_t letter = unit.find_first_not_of("- ");
  const bool in_years = letter == std::string::npos || unit[letter] == 'y' || unit[letter] == 'Y';
  if (!in_years || std::stoi(match.str(2)) < 90) return original;
  return match.str(1) + "90+" + unit + match.str(5);
}

std::optional<std::string> cut_zip_code(std::string_view text) {
  static const std::regex zip("\\s*(\\d{3})\\d{2}(?:[- ]?\\d{4})?\\s*", std::regex::optimize);
  const std::string original(text);
  std::smatch match;
  if (original.size() > kMaxBytes || !std::regex_match(original, match, zip)) return std::nullopt;
  const std::string area = match.str(1);
  return std::find(kSparseAreas.begin(), kSparseAreas.end(), area) == kSparseAreas.end() ? area : "000";
}

}  // namespace entune
