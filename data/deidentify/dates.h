#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace entune {

/// Dates as English texts write them, a weekday before and a time of day behind them allowed:
///   2024-03-05, 2024/3/5   3/5/2024, 03-05-24, 5.3.2024   20240305
///   March 5, 2024   Mar. 5th   5 March 2024   05-Mar-24   the 5th of March
/// White space around them does not count. What is not such a date, or is no day of the calendar, is not recognized.

/// The date moved by `days`, in the same form: digits padded as they were, months and weekdays written out or
/// abbreviated and in capitals as they were; the time of day stays. Between slashes and dashes the month comes first,
/// or the day if `day_first` or nothing else is a date; between dots the day. Two digits are the years 1969 to 2068. A
/// date without a year is moved within a year of 365 days; nullopt where it would be the same again.
std::optional<std::string> shift_date(std::string_view text, std::int64_t days, bool day_first);

/// The year as it is written. Knows beside the above: March 2024, 3/2024, 2024. With `oldest_year` no year before it,
/// and none of two digits, whose century nobody knows.
std::optional<std::string> year_of_date(std::string_view text, std::optional<std::int64_t> oldest_year);

}  // namespace entune
