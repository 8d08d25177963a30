#include "data/deidentify/dates.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <regex>
#include <vector>

#include "data/synthesis/dates.h"
#include "data/synthesis/words.h"

namespace entune {
namespace {

namespace chrono = std::chrono;

constexpr std::size_t kMaxBytes = 80;  // std::regex recurses for what it repeats

/// One notation. A letter of `fields` for every group: w weekday, y year, m month's number, M its name, d day, o the
/// day's ordinal suffix; a and b day and month in either order; - anything else.
struct Notation {
  std::regex expression;
  std::string fields;
};

const std::vector<Notation>& notations() {
  static const std::vector<Notation> all = [] {
    const std::string month =
        "(Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?|"
        "Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)";
    const std::string weekday =
        "(?:((?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Mon|Tue|Wed|Thu|Fri|Sat|Sun)[.,]{0,2} {1,2})?";
    const std::string time =
        "(?:(?:T| at |, at |,? )\\d{1,2}(?::\\d{2}(?::\\d{2}(?:\\.\\d{1,6})?)?(?: ?[ap]\\.?m\\.?)?| ?[ap]\\.?m\\.?)"
        "(?:Z| ?[+-]\\d{2}:?\\d{2})?)?";
    const std::vector<std::pair<std::string, std::string>> cores = {
        {"(\\d{4})([-/.])(\\d{1,2})\\3(\\d{1,2})", "y-md"},
        {"(\\d{1,2})([-/.])(\\d{1,2})\\3(\\d{4}|\\d{2})", "a-by"},
        {"(\\d{4})(\\d{2})(\\d{2})", "ymd"},
        {"(?:the )?(\\d{1,2})(st|nd|rd|th)?(?: of |-|\\. ?| )" + month + "(?:\\.?,?[- ](\\d{4}|\\d{2}))?", "doMy"},
        {month + "\\.? (\\d{1,2})(st|nd|rd|th)?(?:,? (\\d{4}))?", "Mdoy"},
        {month + "\\.?,?(?: of)? (\\d{4})", "My"},
        {"(\\d{1,2})/(\\d{4})", "my"},
        {"(\\d{4})", "y"},
    };
    std::vector<Notation> made;
    for (const auto& [core, fields] : cores) {
      made.push_back({std::regex("\\s*" + weekday + core + time + "\\s*", std::regex::optimize | std::regex::icase),
                      "w" + fields});
    }
    return made;
  }();
  return all;
}

/// One field as it is written, and where.
struct Field {
  char kind;
  std::size_t position;
  std::string text;
};

/// A recognized date. Zeros: not given.
struct WrittenDate {
  std::vector<Field> fields;  // ascending
  int year = 0;
  bool short_year = false;
  int month = 0;
  int day = 0;
};

int number(const std::string& text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

/// The entry of `words` that begins as `text` does in its first three letters.
int index_of(const WordList& words, std::string_view text) {
  const auto found = std::find_if(words.begin(), words.end(), [&](std::string_view word) {
    return same_letters(word.substr(0, 3), text.substr(0, 3));
  });
  return static_cast<int>(found - words.begin());
}

chrono::year_month_day calendar_day(const WrittenDate& date) {
  // Without a year: 2001 has 365 days; the 29th of February needs another.
  const int year = date.year != 0 ? date.year : date.month == 2 && date.day == 29 ? 2000 : 2001;
  return chrono::year(year) / date.month / date.day;
}

bool is_possible(const WrittenDate& date) {
  const bool has_year =
      std::any_of(date.fields.begin(), date.fields.end(), [](const Field& f) { return f.kind == 'y'; });
  if (has_year && !date.short_year && (date.year < 1800 || date.year > 2199)) return false;
  if (date.month != 0 && date.day != 0) return calendar_day(date).ok();
  return date.day == 0 && date.month >= 0 && date.month <= 12;
}

/// Which of a and b is the month.
void settle_order(WrittenDate& date, bool day_first) {
  const auto set = [&](char month, char day) {
    for (Field& field : date.fields) {
      if (field.kind == month) date.month = number(field.text);
      if (field.kind == day) date.day = number(field.text);
    }
    return is_possible(date) && date.month != 0 && date.day != 0;
  };
  const char month = set(day_first ? 'b' : 'a', day_first ? 'a' : 'b') ? (day_first ? 'b' : 'a')
                     : day_first ? 'a'
                                 : 'b';
  set(month, month == 'a' ? 'b' : 'a');
  for (Field& field : date.fields) {
    if (field.kind == 'a' || field.kind == 'b') field.kind = field.kind == month ? 'm' : 'd';
  }
}

std::optional<WrittenDate> recognize(const std::string& text, bool day_first) {
  if (text.size() > kMaxBytes) return std::nullopt;
  for (const Notation& notation : notations()) {
    std::smatch match;
    if (!std::regex_match(text, match, notation.expression)) continue;
    WrittenDate date;
    bool either_order = false, dotted = false;
    for (std::size_t i = 0; i < notation.fields.size(); ++i) {
      if (!match[i + 1].matched) continue;
      const Field field{notation.fields[i], static_cast<std::size_t>(match.position(i + 1)), match.str(i + 1)};
      switch (field.kind) {
        case '-':
          dotted = field.text == ".";
          continue;
        case 'y':
          date.short_year = field.text.size() == 2;
          date.year = number(field.text);
          if (date.short_year) date.year += date.year < 69 ? 2000 : 1900;
          break;
        case 'm':
          date.month = number(field.text);
          break;
        case 'M':
          date.month = index_of(months(), field.text) + 1;
          break;
        case 'd':
          date.day = number(field.text);
          break;
        case 'a':
          either_order = true;
          break;
      }
      date.fields.push_back(field);
    }
    if (either_order) settle_order(date, day_first || dotted);
    const bool names_zero = std::any_of(date.fields.begin(), date.fields.end(), [](const Field& field) {
      return (field.kind == 'm' || field.kind == 'd') && number(field.text) == 0;
    });
    if (!names_zero && is_possible(date)) return date;
  }
  return std::nullopt;
}

/// `name` as `text` writes its own: abbreviated, in capitals, in small letters.
std::string in_the_manner_of(const std::string& text, std::string_view name, bool abbreviated) {
  std::string written(abbreviated ? name.substr(0, 3) : name);
  const auto is_lower = [](unsigned char c) { return std::islower(c) != 0; };
  const auto is_upper = [](unsigned char c) { return std::isupper(c) != 0; };
  if (std::none_of(text.begin(), text.end(), is_lower)) {
    std::transform(written.begin(), written.end(), written.begin(), [](unsigned char c) { return std::toupper(c); });
  } else if (std::none_of(text.begin(), text.end(), is_upper)) {
    std::transform(written.begin(), written.end(), written.begin(), [](unsigned char c) { return std::tolower(c); });
  }
  return written;
}

}  // namespace

std::optional<std::string> shift_date(std::string_view text, std::int64_t days, bool day_first) {
  const std::string original(text);
  const std::optional<WrittenDate> date = recognize(original, day_first);
  if (!date || date->day == 0 || date->month == 0) return std::nullopt;
  const chrono::sys_days moved = chrono::sys_days(calendar_day(*date)) + chrono::days(days);
  const chrono::year_month_day shifted(moved);
  const int day = static_cast<int>(static_cast<unsigned>(shifted.day()));
  const auto month = static_cast<unsigned>(shifted.month());
  // Two digits each where numbers stand alone, or a 0 in front of a written month's day ("05-Mar" shows in "28-Mar").
  const bool padded = std::all_of(date->fields.begin(), date->fields.end(), [&](const Field& field) {
    if (field.kind != 'd' && field.kind != 'm') return true;
    const bool in_numbers =
        std::none_of(date->fields.begin(), date->fields.end(), [](const Field& other) { return other.kind == 'M'; });
    const std::size_t end = field.position + field.text.size();
    return field.text.size() == 2 &&
           (in_numbers || field.text[0] == '0' || (end < original.size() && original[end] == '-'));
  });
  std::string result;
  std::size_t copied = 0;
  for (const Field& field : date->fields) {
    result.append(original, copied, field.position - copied);
    copied = field.position + field.text.size();
    switch (field.kind) {
      case 'w': {
        // By the original's weekday, which knows more than a date without a year.
        const WordList& names = weekdays();
        const std::int64_t index = ((index_of(names, field.text) + days) % 7 + 7) % 7;
        result += in_the_manner_of(field.text, names[static_cast<std::size_t>(index)], field.text.size() == 3);
        break;
      }
      case 'y':
        result += date->short_year ? fmt::format("{:02}", static_cast<int>(shifted.year()) % 100)
                                   : fmt::format("{:04}", static_cast<int>(shifted.year()));
        break;
      case 'M': {
        const bool abbreviated = field.text.size() <= 4 && !same_letters(field.text, months()[date->month - 1]);
        result += in_the_manner_of(field.text, months()[month - 1], abbreviated);
        break;
      }
      case 'm':
        result += fmt::format("{:0{}}", month, padded ? 2 : 1);
        break;
      case 'd':
        result += fmt::format("{:0{}}", day, padded ? 2 : 1);
        break;
      case 'o':
        result += in_the_manner_of(field.text, ordinal_suffix(day), false);
        break;
    }
  }
  result.append(original, copied);
  if (result == original) return std::nullopt;  // without a year, a year later: the day itself
  return result;
}

std::optional<std::string> year_of_date(std::string_view text, std::optional<std::int64_t> oldest_year) {
  const std::optional<WrittenDate> date = recognize(std::string(text), false);
  if (!date) return std::nullopt;
  if (oldest_year && (date->short_year || date->year < *oldest_year)) return std::nullopt;
  const auto year =
      std::find_if(date->fields.begin(), date->fields.end(), [](const Field& f) { return f.kind == 'y'; });
  if (year == date->fields.end()) return std::nullopt;
  return year->text;
}

}  // namespace entune
