#include "data/synthesis/dates.h"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>

namespace entune {
namespace {

struct Date {
  int year;
  int month;
  int day;
};

Date random_date(std::int64_t first_year, std::int64_t last_year, Random& random) {
  using namespace std::chrono;
  const sys_days first = year(static_cast<int>(first_year)) / January / 1;
  const sys_days last = year(static_cast<int>(last_year)) / December / 31;
  const year_month_day date = first + days(random.between(0, (last - first).count()));
  return {static_cast<int>(date.year()), static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day()))};
}

std::string_view weekday_of(const Date& date) {
  using namespace std::chrono;
  const sys_days day = year(date.year) / date.month / date.day;
  return weekdays()[weekday(day).c_encoding()];
}

std::string numeric_date(const Date& d, Random& random) {
  switch (random.below(6)) {
    case 0:
      return fmt::format("{}-{:02}-{:02}", d.year, d.month, d.day);
    case 1:
      return fmt::format("{:02}/{:02}/{}", d.month, d.day, d.year);
    case 2:
      return fmt::format("{}/{}/{:02}", d.month, d.day, d.year % 100);
    case 3:
      return fmt::format("{:02}-{:02}-{}", d.month, d.day, d.year);
    case 4:
      return fmt::format("{}.{}.{}", d.day, d.month, d.year);
    default:
      return fmt::format("{}/{}/{}", d.month, d.day, d.year);
  }
}

std::string written_date(const Date& d, Random& random) {
  const std::string_view month = months()[static_cast<std::size_t>(d.month - 1)];
  const std::string_view brief = month.substr(0, 3);
  switch (random.below(8)) {
    case 0:
      return fmt::format("{} {}, {}", month, d.day, d.year);
    case 1:
      return fmt::format("{} {}, {}", brief, d.day, d.year);
    case 2:
      return fmt::format("{} {} {}", d.day, month, d.year);
    case 3:
      return fmt::format("{:02}-{}-{}", d.day, brief, d.year);
    case 4:
      return fmt::format("{} {}{}", month, d.day, ordinal_suffix(d.day));
    case 5:
      return fmt::format("{} {}", month, d.day);
    case 6:
      return fmt::format("{}, {} {}, {}", weekday_of(d), month, d.day, d.year);
    default:
      return fmt::format("the {}{} of {}", d.day, ordinal_suffix(d.day), month);
  }
}

std::string time_of_day(Random& random) {
  const std::int64_t hour = random.between(6, 22);
  const std::int64_t minute = random.chance(0.6) ? 15 * random.below(4) : random.below(60);
  const std::int64_t hour12 = hour % 12 == 0 ? 12 : hour % 12;
  const char* half = hour < 12 ? "am" : "pm";
  switch (random.below(5)) {
    case 0:
      return fmt::format("{}:{:02} {}", hour12, minute, half);
    case 1:
      return fmt::format("{}:{:02} {}", hour12, minute, hour < 12 ? "AM" : "PM");
    case 2:
      return fmt::format("{:02}:{:02}", hour, minute);
    case 3:
      return fmt::format("{}:{:02}{}", hour12, minute, half);
    default:
      return fmt::format("{} {}", hour12, half);
  }
}

}  // namespace

const char* ordinal_suffix(int day) {
  if (day / 10 == 1) return "th";
  return day % 10 == 1 ? "st" : day % 10 == 2 ? "nd" : day % 10 == 3 ? "rd" : "th";
}

const WordList& weekdays() {
  static const WordList names = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  return names;
}

std::string make_date_time(std::string_view kind, Random& random) {
  if (kind == "time") return time_of_day(random);
  if (kind == "birth") {
    const Date date = random_date(1931, 2019, random);
    std::string text;
    do {
      text = random.chance(0.6) ? numeric_date(date, random) : written_date(date, random);
    } while (text.find("the ") == 0);  // "born the 3rd of May" gives no year
    return text;
  }
  const Date date = random_date(2018, 2027, random);
  if (kind == "full") {
    const std::int64_t second_of_day = random.below(24 * 60 * 60);
    const std::string clock =
        fmt::format("{:02}:{:02}:{:02}", second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    const std::string iso = fmt::format("{}-{:02}-{:02}", date.year, date.month, date.day);
    switch (random.below(4)) {
      case 0:
        return iso + " " + clock;
      case 1:
        return iso + "T" + clock + "Z";
      case 2: {
        const std::string day = numeric_date(date, random);
        return day + " " + time_of_day(random);
      }
      default: {
        const std::string day = written_date(date, random);
        return day + " at " + time_of_day(random);
      }
    }
  }
  if (!kind.empty()) throw std::logic_error(fmt::format("no values of label 'DATE_TIME', kind '{}'", kind));
  return random.chance(0.4) ? numeric_date(date, random) : written_date(date, random);
}

}  // namespace entune
