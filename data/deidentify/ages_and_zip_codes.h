#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace entune {

/// Two values that Safe Harbor lets stand in part: 45 CFR 164.514(b)(2)(i)(B) and (C).

/// An age in digits, in years with or without saying so ("92", "92 years old", "92-year-old", "92 y/o") or in months,
/// weeks or days: over 89 years the number becomes 90+, else the text stays. nullopt: not recognized.
std::optional<std::string> group_age(std::string_view text);

/// The first three digits of a ZIP code ("12345", "12345-6789"), or 000 where 20,000 people or fewer live in the area
/// of these three digits by the census of 2000, as the guidance of the Department of Health and Human Services lists
/// them. nullopt: not recognized.
std::optional<std::string> cut_zip_code(std::string_view text);

}  // namespace entune
