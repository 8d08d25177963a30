#pragma once

#include <string_view>
#include <vector>

namespace entune {

/// The words that values are combined from. All lists were written for this project; no list of real people, firms or
/// addresses.
using WordList = std::vector<std::string_view>;

struct City {
  std::string_view name;
  std::string_view state;       ///< two letters
  std::string_view zip_prefix;  ///< first three digits of the state's ZIP codes
};

const WordList& first_names();
const WordList& last_names();
const WordList& street_names();
const WordList& street_suffixes();
const std::vector<City>& cities();
const WordList& firm_words();
const WordList& trades();
const WordList& months();

}  // namespace entune
