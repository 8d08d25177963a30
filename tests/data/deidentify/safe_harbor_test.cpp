#include "data/deidentify/safe_harbor.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "data/input_error.h"

namespace entune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

LabelList labels(const std::vector<std::string>& names) {
  LabelList list;
  for (const std::string& name : names) list.push_back({name, "medical record number"});  // descriptions say nothing
  return list;
}

ClassCoverage at(const SafeHarborCoverage& coverage, char letter) {
  return coverage.classes[static_cast<std::size_t>(letter - 'A')];
}

TEST(SafeHarbor, HasTheClassesInOrder) {
  const SafeHarborCoverage coverage = safe_harbor_coverage({});
  std::string letters;
  for (const ClassCoverage& each : coverage.classes) {
    letters += each.letter;
    EXPECT_FALSE(each.name.empty());
    EXPECT_EQ(each.coverage, each.letter == 'P' || each.letter == 'Q' ? Coverage::no_text : Coverage::none);
  }
  EXPECT_EQ(letters, "ABCDEFGHIJKLMNOPQR");
}

TEST(SafeHarbor, LabelsOfPresidioSynth) {
  const SafeHarborCoverage coverage = safe_harbor_coverage(labels(
      {"PERSON", "TITLE", "STREET_ADDRESS", "GPE", "ZIP_CODE", "DATE_TIME", "AGE", "PHONE_NUMBER", "EMAIL_ADDRESS",
       "US_SSN", "CREDIT_CARD", "IBAN_CODE", "US_DRIVER_LICENSE", "DOMAIN_NAME", "IP_ADDRESS", "NRP", "ORGANIZATION"}));
  std::string table;
  for (const ClassCoverage& each : coverage.classes) table += "cpn-"[static_cast<int>(each.coverage)];
  EXPECT_EQ(table, "cpccpccnnppnnpc--p");
  EXPECT_THAT(at(coverage, 'B').labels, ElementsAre("STREET_ADDRESS", "GPE", "ZIP_CODE"));
  EXPECT_THAT(at(coverage, 'B').note, HasSubstr("not, or not all: coordinates"));
  EXPECT_THAT(at(coverage, 'B').note, HasSubstr("GPE: countries and states"));
  EXPECT_THAT(at(coverage, 'E').note, HasSubstr("fax"));
  EXPECT_THAT(coverage.without_class, ElementsAre("TITLE"));
}

TEST(SafeHarbor, PartsAddUp) {
  EXPECT_EQ(at(safe_harbor_coverage(labels({"CREDIT_CARD"})), 'J').coverage, Coverage::partly);
  EXPECT_EQ(at(safe_harbor_coverage(labels({"ACCOUNT_NUMBER"})), 'J').coverage, Coverage::partly);
  EXPECT_EQ(at(safe_harbor_coverage(labels({"CREDIT_CARD", "ACCOUNT_NUMBER"})), 'J').coverage, Coverage::covered);
  EXPECT_EQ(at(safe_harbor_coverage(labels({"DATE_OF_BIRTH", "AGE"})), 'C').coverage, Coverage::partly);
}

TEST(SafeHarbor, NamesAreKnownInAnySpellingButNotByPieces) {
  EXPECT_EQ(at(safe_harbor_coverage(labels({"phone-number"})), 'D').coverage, Coverage::covered);
  const SafeHarborCoverage coverage = safe_harbor_coverage(labels({"PERSON_NAM", "NUMBER", ""}));
  EXPECT_THAT(coverage.without_class, ElementsAre("PERSON_NAM", "NUMBER", ""));
}

TEST(SafeHarbor, AssignedClassesGoBeforeTheName) {
  const LabelList list = labels({"CHART", "PERSON"});
  const SafeHarborCoverage coverage = safe_harbor_coverage(list, {{"CHART", "HJ"}, {"PERSON", "R"}});
  EXPECT_EQ(at(coverage, 'H').coverage, Coverage::covered);
  EXPECT_EQ(at(coverage, 'J').coverage, Coverage::covered);
  EXPECT_EQ(at(coverage, 'A').coverage, Coverage::none);
  EXPECT_EQ(at(coverage, 'R').coverage, Coverage::partly);
  EXPECT_TRUE(coverage.without_class.empty());
  for (const AssignedClasses& wrong :
       {AssignedClasses{{"CHARTS", "H"}}, {{"CHART", "S"}}, {{"CHART", "h"}}, {{"CHART", "P"}}, {{"CHART", ""}}})
    EXPECT_THROW(safe_harbor_coverage(list, wrong), InputError);
}

TEST(SafeHarbor, JsonEndsWithWhatItIsNot) {
  const nlohmann::json json = to_json(safe_harbor_coverage(labels({"AGE"})));
  EXPECT_EQ(json["classes"].size(), 18u);
  EXPECT_EQ(json["classes"][2]["coverage"], "partly");
  EXPECT_EQ(json["classes"][2]["labels"][0], "AGE");
  EXPECT_THAT(json["statement"].get<std::string>(), HasSubstr("no statement that anything complies"));
}

}  // namespace
}  // namespace entune
