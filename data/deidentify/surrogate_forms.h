#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "data/random.h"

namespace entune {

/// The random numbers for a part of a value (a word of a name, or the whole): equal parts, equal numbers.
using PartRandom = std::function<Random(std::string_view part)>;

/// The kind of surrogate for a label: person, organization, city, address, email, card, ... ; the label itself if it
/// has none of its own, which makes it a code.
std::string surrogate_kind(const std::string& label);

/// Whether a value of this kind is the same with other separators.
bool is_code(const std::string& kind);

/// A made-up value in the form of `value`, which has no white space at its ends:
///   - names, places, firms and streets from the synthesizer's words, one for one, in the capitals of the original;
///     titles, legal forms, kinds of street, numbers' layout and line breaks stay;
///   - e-mail and internet addresses in names and networks that are reserved for examples;
///   - dates moved, ages near by;
///   - all others code point by code point: a digit for a digit, a letter for a letter of its script. Check digits of
///     cards, IBANs, routing and social security numbers are right where the original's are; a card keeps its first
///     digit, an IBAN its country; an American telephone number lies in the range kept for fiction.
/// nullopt if the form is not known.
std::optional<std::string> surrogate_form(const std::string& kind, const std::string& value, const PartRandom& random);

/// Whether `surrogate` holds a word of `value` that a word had to replace.
bool shares_a_word(const std::string& kind, const std::string& value, const std::string& surrogate);

}  // namespace entune
