#pragma once

#include <string>
#include <string_view>

#include "data/random.h"
#include "data/synthesis/words.h"

namespace entune {

/// A date or time in one of many notations. Kinds: "" (a date of recent years), birth (a date of birth), time (of day),
/// full (date and time). Weekdays fit their dates.
std::string make_date_time(std::string_view kind, Random& random);

/// st, nd, rd or th.
const char* ordinal_suffix(int day);
/// From Sunday on.
const WordList& weekdays();

}  // namespace entune
