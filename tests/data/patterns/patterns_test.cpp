#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "data/code_points.h"
#include "data/input_error.h"
#include "data/patterns/pattern_recognizer.h"
#include "data/synthesis/generator.h"
#include "tests/data/corpus/random_example.h"

namespace entune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// "LABEL value" of each entity that these labels' patterns find.
std::vector<std::string> found(const std::vector<std::string>& names, const std::string& text) {
  LabelList labels;
  for (const std::string& name : names) labels.push_back({name, ""});
  const CodePointIndex index(text);
  std::vector<std::string> result;
  for (const Entity& entity : PatternRecognizer(labels).find(text)) {
    result.push_back(fmt::format("{} {}", entity.label, index.slice(entity.start, entity.end)));
  }
  return result;
}

struct Case {
  const char* label;
  const char* text;
  std::vector<std::string> values;
};

TEST(Patterns, FindTypedValuesAndPassOverLookAlikes) {
  const std::vector<Case> cases = {
      {"EMAIL_ADDRESS", "write to zoë, j.doe+x@mail.example.co.uk. Or a@b", {"j.doe+x@mail.example.co.uk"}},
      {"PHONE_NUMBER",
       "(212) 555-0143, +1 212.555.0143 x12, 2125550143 but not 112-555-0143",
       {"(212) 555-0143", "+1 212.555.0143 x12", "2125550143"}},
      {"PHONE_NUMBER", "from London +44 20 7946 0958.", {"+44 20 7946 0958"}},
      {"US_SSN", "123-45-6789, 666-45-6789, 123-00-6789, SSN: 123456789, 987654321", {"123-45-6789", "123456789"}},
      {"CREDIT_CARD",
       "4111 1111 1111 1111, 4111 1111 1111 1112, 3782-822463-10005",
       {"4111 1111 1111 1111", "3782-822463-10005"}},
      {"IBAN_CODE",
       "GB82 WEST 1234 5698 7654 32; DE89370400440532013000; DE88370400440532013000",
       {"GB82 WEST 1234 5698 7654 32", "DE89370400440532013000"}},
      {"BANK_ACCOUNT", "routing 021000021, 021000022, account number 9876543210", {"021000021", "9876543210"}},
      {"IP_ADDRESS", "10.0.0.1 2001:db8::ff 300.1.1.1 1.2.3.4.5 at 12:30:45", {"10.0.0.1", "2001:db8::ff"}},
      {"DATE_TIME",
       "2024-02-30T10:00:00Z; 12/31/99; 45/45/2020; May 3rd, 2021 at 4:15 pm",
       {"2024-02-30T10:00:00Z", "12/31/99", "May 3rd, 2021 at 4:15 pm"}},
      {"DATE_TIME",
       "Friday, June 7, 2024 or 7 June 2024, 03-Mar-2023, in May or by 9 am",
       {"Friday, June 7, 2024", "7 June 2024", "03-Mar-2023", "9 am"}},
      {"AGE", "a 34-year-old, aged 7, 81 y/o, 200 years old, 12 eggs", {"34", "7", "81"}},
      {"ZIP_CODE", "Boise, ID 83702-1234 and 12345", {"83702-1234"}},
      {"DOMAIN_NAME", "see example.org, not a@example.com", {"example.org"}},
      {"URL", "at https://example.org/x?y=1. Or", {"https://example.org/x?y=1"}},
      {"US_DRIVER_LICENSE", "license A1234567, licence no. 123 456 789, plate 7ABC123", {"A1234567", "123 456 789"}},
      {"STREET_ADDRESS",
       "at 12 Old Mill Rd, Apt 4, Erie, PA 16501 and 7 Elm Street",
       {"12 Old Mill Rd, Apt 4, Erie, PA 16501", "7 Elm Street"}},
      {"MEDICAL_RECORD_NUMBER", "MRN: 00123456; room 00123456", {"00123456"}},
      {"PRESCRIPTION_NUMBER", "Rx #4829103-01, pill 4829103", {"4829103-01"}},
      {"ORDER_NUMBER", "order 112-4839201-2938471 of 5 mugs", {"112-4839201-2938471"}},
      {"PERSON", "Dr. Zoë O'Brien met Mr. J. Smith-Jones. Anna left; Mrs. gone", {"Zoë O'Brien", "J. Smith-Jones"}},
  };
  for (const Case& one : cases) {
    std::vector<std::string> expected;
    for (const std::string& value : one.values) expected.push_back(fmt::format("{} {}", one.label, value));
    EXPECT_EQ(found({one.label}, one.text), expected) << one.text;
  }
}

TEST(Patterns, KnowLabelsByTheirSynonymsAndNoOthers) {
  EXPECT_THAT(found({"EMAIL"}, "a@b.com"), ElementsAre("EMAIL a@b.com"));
  EXPECT_THAT(found({"ORGANIZATION", "GPE"}, "a@b.com, 123-45-6789, Dr. Who"), IsEmpty());
  EXPECT_THAT(found({}, "a@b.com"), IsEmpty());
  EXPECT_THAT(PatternRecognizer({{"GPE", ""}, {"AGE", ""}, {"EMAIL", ""}}).covered_labels(),
              ElementsAre("AGE", "EMAIL"));
}

TEST(Patterns, TheLongestOfOverlappingMatchesStays) {
  EXPECT_THAT(found({"DOMAIN_NAME", "EMAIL_ADDRESS"}, "x@example.com"), ElementsAre("EMAIL_ADDRESS x@example.com"));
  EXPECT_THAT(found({"ZIP_CODE", "STREET_ADDRESS"}, "7 Elm St, Erie, PA 16501"),
              ElementsAre("STREET_ADDRESS 7 Elm St, Erie, PA 16501"));
  EXPECT_THAT(found({"DATE_TIME", "IP_ADDRESS"}, "10.10.10.10"), ElementsAre("IP_ADDRESS 10.10.10.10"));
}

TEST(Patterns, RefuseWhatIsNotUtf8) { EXPECT_THROW(PatternRecognizer(synthetic_labels()).find("\xFF"), InputError); }

TEST(Patterns, GiveCleanEntitiesOnAnyText) {
  const PatternRecognizer recognizer(synthetic_labels());
  Random random(9);
  std::vector<std::string> texts = {std::string(20000, '1'), std::string(20000, 'a'), std::string(5000, '@'),
                                    std::string(20000, '.')};
  for (int i = 0; i < 300; ++i) {
    std::string text = random_text(random, 60);
    for (std::int64_t at = 0; at < 40; ++at) text += "0123456789.-/: @AMpm,"[random.below(21)];
    texts.push_back(text);
  }
  for (const Example& example : generate_corpus({100, 4, 0.1})) texts.push_back(example.text);
  std::size_t total = 0;
  for (const std::string& text : texts) {
    const CodePointIndex index(text);
    std::int64_t before = 0;
    for (const Entity& entity : recognizer.find(text)) {
      EXPECT_GE(entity.start, before);
      EXPECT_LT(entity.start, entity.end);
      EXPECT_LE(entity.end, index.size());
      before = entity.end;
      ++total;
    }
  }
  EXPECT_GT(total, 50u);
}

/// A baseline that finds nothing, or everything, is none: what it says about the sample corpus must be mostly right,
/// and it must miss a good part (names without a title, organizations).
TEST(Patterns, AreABaselineOnGeneratedTexts) {
  const PatternRecognizer recognizer(synthetic_labels());
  std::int64_t gold = 0, predicted = 0, right = 0;
  for (const Example& example : generate_corpus({400, 6, 0.1})) {
    const auto entities = recognizer.find(example.text);
    gold += static_cast<std::int64_t>(example.entities.size());
    predicted += static_cast<std::int64_t>(entities.size());
    for (const Entity& entity : entities) {
      right += std::count(example.entities.begin(), example.entities.end(), entity);
    }
  }
  RecordProperty("gold", static_cast<int>(gold));
  RecordProperty("predicted", static_cast<int>(predicted));
  RecordProperty("right", static_cast<int>(right));
  EXPECT_GT(static_cast<double>(right), 0.6 * static_cast<double>(predicted));
  EXPECT_GT(static_cast<double>(right), 0.25 * static_cast<double>(gold));
}

}  // namespace
}  // namespace entune
