// Dates, ages and ZIP codes: what is recognized, and what of it stays.
#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>

#include "data/deidentify/ages_and_zip_codes.h"
#include "data/deidentify/dates.h"
#include "data/deidentify/deidentifier.h"
#include "data/synthesis/dates.h"

namespace entune {
namespace {

TEST(ShiftDate, KeepsEveryForm) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"2024-02-28", "2024-03-09"},
      {"2024/2/28", "2024/3/9"},
      {"2024-02-28T10:30:00Z", "2024-03-09T10:30:00Z"},
      {"2024-02-28 10:30:00.25+02:00", "2024-03-09 10:30:00.25+02:00"},
      {"02/28/2024", "03/09/2024"},
      {"2/28/24", "3/9/24"},
      {"12/28/99", "01/07/00"},
      {"28.2.2024", "9.3.2024"},
      {"28-02-2024", "09-03-2024"},  // no month 28: the day comes first
      {"20240228", "20240309"},
      {"February 28, 2024", "March 9, 2024"},
      {"Feb 28, 2024", "Mar 9, 2024"},
      {"Feb. 28 2024", "Mar. 9 2024"},
      {"Sept 28, 2024", "Oct 8, 2024"},
      {"APR 28, 2024", "MAY 8, 2024"},
      {"28 february 2024", "9 march 2024"},
      {"28-Feb-24", "09-Mar-24"},
      {"February 21st", "March 3rd"},
      {"the 28th of February", "the 10th of March"},
      {"Wednesday, February 28, 2024", "Saturday, March 9, 2024"},
      {"Wed Feb 28, 2024", "Sat Mar 9, 2024"},
      {"February 28, 2024 at 3 pm", "March 9, 2024 at 3 pm"},
      {"2/28/2024, 11:05 a.m.", "3/9/2024, 11:05 a.m."},
      {" 2024-02-28\n", " 2024-03-09\n"},
  };
  for (const auto& [date, expected] : cases) EXPECT_EQ(shift_date(date, 10, false), expected) << date;
  EXPECT_EQ(shift_date("3/4/2024", 1, true), "4/4/2024");
  EXPECT_EQ(shift_date("3/4/2024", 1, false), "3/5/2024");
  EXPECT_EQ(shift_date("29 February", 1, false), "1 March");
}

TEST(ShiftDate, DoesNotRecognizeTheRest) {
  for (const char* text : {"", "Tuesday", "10:30", "2024", "March 2024", "3/2024", "2/30/2024", "13/13/2024",
                           "2024-00-10", "2024-02-28 and later", "soon", "0000-01-01", "9999-01-01", "May", "2/2",
                           "２０２４-02-28", "2024-02-28\nJohn"}) {
    EXPECT_EQ(shift_date(text, 10, false), std::nullopt) << text;
  }
  std::string long_text(5000, ' ');
  long_text += "2024-02-28";
  EXPECT_EQ(shift_date(long_text, 10, false), std::nullopt);
}

// Every notation of the synthesizer but bare times goes there and back.
TEST(ShiftDate, IsUndoneByTheOppositeDays) {
  Random random(7);
  int recognized = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string date = make_date_time(random.chance(0.5) ? "birth" : random.chance(0.5) ? "full" : "", random);
    const std::int64_t days = random.between(1, 365);
    const std::optional<std::string> there = shift_date(date, days, false);
    const bool no_year = std::count_if(date.begin(), date.end(), [](char c) { return c >= '0' && c <= '9'; }) < 4;
    if (!there && no_year && std::abs(days) == 365) continue;  // it would be the day itself
    ASSERT_TRUE(there) << date;
    // 3/4/24 may come back as 03/04/24 where a number grew to two digits, and a leap day is no day of other years.
    const std::optional<std::string> back = shift_date(*there, -days, false);
    ASSERT_TRUE(back) << date;
    recognized += *back == date;
    EXPECT_NE(*there, date);
  }
  EXPECT_GT(recognized, 2500);
}

TEST(YearOfDate, LeavesTheYearAlone) {
  for (const auto& [text, year] : std::vector<std::pair<std::string, std::string>>{{"2024-02-28", "2024"},
                                                                                   {"Feb 28, 1977 at 3 pm", "1977"},
                                                                                   {"March 2024", "2024"},
                                                                                   {"3/2024", "2024"},
                                                                                   {"1977", "1977"},
                                                                                   {"2/8/35", "35"},
                                                                                   {"28-Feb-24", "24"}}) {
    EXPECT_EQ(year_of_date(text, std::nullopt), year) << text;
  }
  for (const char* text : {"February 28", "Tuesday", "10:30", "13/2024", "3000", "99"})
    EXPECT_EQ(year_of_date(text, std::nullopt), std::nullopt) << text;
  EXPECT_EQ(year_of_date("3/5/1936", 1936), "1936");
  EXPECT_EQ(year_of_date("3/5/1935", 1936), std::nullopt);
  EXPECT_EQ(year_of_date("3/5/50", 1936), std::nullopt);
}

TEST(DateOffset, IsInRangeAndNeverZero) {
  std::int64_t least = 0, most = 0, zeros = 0, again = 0;
  const std::string key(32, 'k');
  for (int i = 0; i < 20000; ++i) {
    const std::int64_t offset = date_offset(key, std::to_string(i));
    least = std::min(least, offset);
    most = std::max(most, offset);
    zeros += offset == 0;
    again += offset == date_offset(std::string(32, 'l'), std::to_string(i));
  }
  EXPECT_EQ(least, -365);
  EXPECT_EQ(most, 365);
  EXPECT_EQ(zeros, 0);
  EXPECT_LT(again, 100);
  EXPECT_EQ(date_offset(key, "a"), date_offset(key, "a"));
}

TEST(GroupAge, OverEightyNine) {
  for (const auto& [text, grouped] : std::vector<std::pair<std::string, std::string>>{{"89", "89"},
                                                                                      {"90", "90+"},
                                                                                      {"104", "90+"},
                                                                                      {"92 years old", "90+ years old"},
                                                                                      {"92-year-old", "90+-year-old"},
                                                                                      {"45 y/o", "45 y/o"},
                                                                                      {"91yo", "90+yo"},
                                                                                      {"90+", "90+"},
                                                                                      {" 97 ", " 90+ "},
                                                                                      {"95 months", "95 months"},
                                                                                      {"6 weeks old", "6 weeks old"}}) {
    EXPECT_EQ(group_age(text), grouped) << text;
  }
  for (const char* text : {"ninety-two", "92 of 14 Elm St", "1920", "", "90s", "born 1930", "-5"})
    EXPECT_EQ(group_age(text), std::nullopt) << text;
}

TEST(CutZipCode, LeavesThreeDigitsOfPopulousAreas) {
  EXPECT_EQ(cut_zip_code("62704"), "627");
  EXPECT_EQ(cut_zip_code("02139-4307"), "021");
  EXPECT_EQ(cut_zip_code("02139 4307"), "021");
  for (const char* sparse : {"03601", "05901", "06301", "10201", "20301", "55601", "69201", "79001", "82101", "82301",
                             "83001", "83101", "87801", "87901", "88401", "89001", "89301"}) {
    EXPECT_EQ(cut_zip_code(sparse), "000") << sparse;
  }
  for (const char* text : {"3520", "394 13", "SW1A 1AA", "621390", "62704 IL", ""})
    EXPECT_EQ(cut_zip_code(text), std::nullopt) << text;
}

}  // namespace
}  // namespace entune
