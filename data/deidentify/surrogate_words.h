#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "data/deidentify/surrogate_forms.h"
#include "data/synthesis/words.h"

namespace entune {

enum class LetterCase { mixed, capitals, small };

/// By the ASCII letters; capitals want two of them.
LetterCase letter_case(std::string_view text);
/// The same letters in another case, ASCII alone; mixed: as they are.
std::string in_case(std::string_view text, LetterCase wanted);

/// One of the words that is a single one, in ASCII letters.
std::string_view one_word(const WordList& words, Random& random);

/// A name word for word: the last word and those before a comma as last names, the others as first names; initials stay
/// initials, titles stay. Equal words get equal ones. Words of another script get letters of it. nullopt: no word.
std::optional<std::string> person_form(const std::string& value, const PartRandom& random);

/// A city, an organization or an address: each stretch of words between numbers, commas and line breaks becomes a
/// place's, a firm's or a street's name; legal forms, kinds of street and the like stay. nullopt: nothing to replace.
std::optional<std::string> named_place_form(const std::string& kind, const std::string& value, Random& random);

/// The words of a name or place, in small letters, without those that stay and single letters.
std::set<std::string> replaced_words(const std::string& kind, std::string_view value);

}  // namespace entune
