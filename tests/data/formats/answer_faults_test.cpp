#include <gtest/gtest.h>

#include <map>

#include "data/formats/alignment.h"
#include "data/formats/output_format.h"
#include "tests/data/formats/random_examples.h"

namespace entune {
namespace {

using Entities = std::vector<Entity>;
using Faults = std::map<std::string, std::int64_t>;

constexpr std::string_view kInput = "Ann met Bo. Ann left.";  // Ann 0-3, Bo 8-10, Ann 12-15

ParsedAnswer parse(std::string_view format, std::string_view answer, std::string_view input = kInput) {
  return make_output_format(format, test_labels())->parse(answer, input);
}

/// The faults that are not zero, by name.
Faults faults(const ParsedAnswer& answer) {
  Faults found;
  for (std::size_t i = 0; i < kNumAnswerFaults; ++i) {
    if (answer.faults[i] != 0) found[std::string(name_of(static_cast<AnswerFault>(i)))] = answer.faults[i];
  }
  return found;
}

void expect(const ParsedAnswer& answer, const Entities& raw, const Entities& repaired, const Faults& expected) {
  EXPECT_EQ(answer.raw(), raw);
  EXPECT_EQ(answer.repaired(), repaired);
  EXPECT_EQ(faults(answer), expected);
}

TEST(XmlAnswer, CopyThatDiffersMovesTheRawPlacesOnly) {
  // "Ann came. " instead of "Ann met Bo. ": all after it is two to the left.
  expect(parse("xml", "<PERSON>Ann</PERSON> came. <PERSON>Ann</PERSON> left."), {{0, 3, "PERSON"}, {10, 13, "PERSON"}},
         {{0, 3, "PERSON"}, {12, 15, "PERSON"}}, {{"copy_differs", 1}});
}

TEST(XmlAnswer, RawPlaceBeyondTheInputIsNone) {
  expect(parse("xml", "Here is the answer: Ann met <PERSON>Bo</PERSON>."), {}, {{8, 10, "PERSON"}},
         {{"copy_differs", 1}});
}

TEST(XmlAnswer, UnknownLabels) {
  expect(parse("xml", "<FOO>Ann</FOO> met <GPE>Bo</GPE>. Ann left."), {{8, 10, "GPE"}}, {{8, 10, "GPE"}},
         {{"unknown_label", 1}});
  expect(parse("xml", "Ann met Bo.</FOO> Ann<BAR> left."), {}, {}, {{"unknown_label", 2}});
  // Not of the form of a label: text, so the copy differs.
  expect(parse("xml", "<foo>Ann met Bo. Ann left."), {}, {}, {{"copy_differs", 1}});
  // In the input: text, wherever it stands.
  expect(parse("xml", "<FOO> <GPE>Bo</GPE>", "<FOO> Bo"), {{6, 8, "GPE"}}, {{6, 8, "GPE"}}, {});
}

TEST(XmlAnswer, Unbalanced) {
  expect(parse("xml", "<PERSON>Ann met Bo. Ann left."), {}, {}, {{"unbalanced", 1}});
  expect(parse("xml", "Ann</PERSON> met Bo. Ann left."), {}, {}, {{"unbalanced", 1}});
  expect(parse("xml", "<PERSON>Ann met <PERSON>Bo</PERSON>. Ann left."), {{8, 10, "PERSON"}}, {{8, 10, "PERSON"}},
         {{"unbalanced", 1}});
  // Crossing.
  expect(parse("xml", "<PERSON>Ann met <GPE>Bo</PERSON>.</GPE> Ann left."), {{0, 10, "PERSON"}, {8, 11, "GPE"}},
         {{0, 10, "PERSON"}, {8, 11, "GPE"}}, {{"unbalanced", 1}});
}

TEST(XmlAnswer, ProperNestingIsRead) {
  const ParsedAnswer answer = parse("xml", "<GPE><PERSON>Ann</PERSON> met</GPE> Bo. Ann left.");
  expect(answer, {{0, 3, "PERSON"}, {0, 7, "GPE"}}, {{0, 3, "PERSON"}, {0, 7, "GPE"}}, {});
  ASSERT_EQ(answer.mentions.size(), 2U);
  EXPECT_EQ(answer.mentions[0].label, "GPE");  // in the order of the answer: the outer one opens first
  EXPECT_EQ(answer.mentions[0].value, "Ann met");
}

TEST(XmlAnswer, EmptyValueAndNotInText) {
  expect(parse("xml", "Ann met <GPE></GPE>Bo. Ann left."), {}, {}, {{"empty_value", 1}});
  expect(parse("xml", "Ann met <GPE>Cy</GPE>. Ann left."), {{8, 10, "GPE"}}, {},
         {{"copy_differs", 1}, {"not_in_text", 1}});
}

/// Where the text itself holds a tag, its copy is read by it, even if it lacks a character that the model cannot write.
TEST(XmlAnswer, TagOfTheTextBesideALostCharacter) {
  const std::string text = "\x01</GPE> Bo";
  expect(parse("xml", "</GPE> <PERSON>Bo</PERSON>", text), {{7, 9, "PERSON"}}, {{8, 10, "PERSON"}},
         {{"copy_differs", 1}});
  expect(parse("xml", "\x01</GPE> <PERSON>Bo</PERSON>", text), {{8, 10, "PERSON"}}, {{8, 10, "PERSON"}}, {});
}

TEST(XmlAnswer, InvalidBytesAreReplaced) {
  expect(parse("xml", "<GPE>\xff\xc3</GPE>", "ab"), {{0, 2, "GPE"}}, {}, {{"copy_differs", 1}, {"not_in_text", 1}});
  EXPECT_EQ(parse("xml", "<GPE>\xff\xc3</GPE>", "ab").mentions.at(0).value, "\ufffd\ufffd");
}

TEST(BracketAnswer, Faults) {
  expect(parse("bracket", "[Ann | PERSON] met [Bo | FOO]. Ann left."), {{0, 3, "PERSON"}}, {{0, 3, "PERSON"}},
         {{"unknown_label", 1}});
  expect(parse("bracket", "Ann | PERSON] met Bo. Ann left."), {}, {}, {{"unbalanced", 1}});
  expect(parse("bracket", "[Ann met Bo. Ann left."), {}, {}, {{"copy_differs", 1}, {"unbalanced", 1}});
  expect(parse("bracket", "[Ann|PERSON] met Bo. Ann left."), {}, {}, {{"copy_differs", 1}, {"unbalanced", 1}});
  expect(parse("bracket", "Ann met [ | GPE]Bo. Ann left."), {}, {}, {{"empty_value", 1}});
  expect(parse("bracket", "Ann met [Cy | GPE]. Ann left."), {{8, 10, "GPE"}}, {},
         {{"copy_differs", 1}, {"not_in_text", 1}});
  expect(parse("bracket", "[[Ann | PERSON] met | GPE] Bo. Ann left."), {{0, 3, "PERSON"}, {0, 7, "GPE"}},
         {{0, 3, "PERSON"}, {0, 7, "GPE"}}, {});
  expect(parse("bracket", "[b | FOO] [Ann | GPE]", "[b | FOO] Ann"), {{10, 13, "GPE"}}, {{10, 13, "GPE"}}, {});
}

std::string object(std::string_view label, std::string_view value, std::string_view start, std::string_view end) {
  return "{\"entity_type\": \"" + std::string(label) + "\", \"entity_value\": \"" + std::string(value) +
         "\", \"start_position\": " + std::string(start) + ", \"end_position\": " + std::string(end) + "}";
}
const std::string kAnn = object("PERSON", "Ann", "0", "3");
const std::string kBo = object("GPE", "Bo", "8", "10");
const Entities kBoth = {{0, 3, "PERSON"}, {8, 10, "GPE"}};

TEST(JsonAnswer, WrongOffsets) {
  expect(parse("json", "[" + object("GPE", "Bo", "7", "9") + "]"), {{7, 9, "GPE"}}, {{8, 10, "GPE"}},
         {{"offset_wrong", 1}});
  for (const auto& [start, end] : std::map<std::string, std::string>{{"8", "22"},
                                                                     {"-1", "1"},
                                                                     {"10", "8"},
                                                                     {"9", "9"},
                                                                     {"8.0", "10"},
                                                                     {"\"8\"", "10"},
                                                                     {"null", "10"},
                                                                     {"9223372036854775808", "10"}}) {
    expect(parse("json", "[" + object("GPE", "Bo", start, end) + "]"), {}, {{8, 10, "GPE"}}, {{"offset_wrong", 1}});
  }
  expect(parse("json", R"([{"entity_type": "GPE", "entity_value": "Bo"}])"), {}, {{8, 10, "GPE"}},
         {{"offset_wrong", 1}});
}

TEST(JsonAnswer, OtherFaults) {
  expect(parse("json", "[" + object("FOO", "Bo", "8", "10") + ", " + kBo + "]"), {{8, 10, "GPE"}}, {{8, 10, "GPE"}},
         {{"unknown_label", 1}});
  expect(parse("json", "[" + object("GPE", "", "8", "10") + "]"), {}, {}, {{"empty_value", 1}});
  expect(parse("json", "[" + object("GPE", "Cy", "8", "10") + "]"), {{8, 10, "GPE"}}, {},
         {{"not_in_text", 1}, {"offset_wrong", 1}});
  expect(parse("json", R"([{"entity_type": 3, "entity_value": "Bo", "start_position": 8, "end_position": 10}])"), {},
         {}, {{"unparsable", 1}});
  expect(parse("json", R"([{"entity_type": "GPE", "start_position": 8, "end_position": 10}])"), {}, {},
         {{"unparsable", 1}});
  expect(parse("json", "[" + kBo + ", " + kBo + "]"), {{8, 10, "GPE"}}, {{8, 10, "GPE"}}, {});
}

TEST(JsonAnswer, AnyTextAroundTheArrayIsPassedOver) {
  for (const std::string& answer :
       {"[" + kAnn + ", " + kBo + "]", "[\n " + kAnn + ",\r\n" + kBo + " ]  Hope this helps [1].",
        "```json\n[" + kAnn + "," + kBo + "]\n```",
        "The entities [of your list] are: [" + kAnn + "," + kBo + "] [" + kBo + "]"}) {
    expect(parse("json", answer), kBoth, kBoth, {});
  }
  expect(parse("json", "[] or so"), {}, {}, {});
}

TEST(JsonAnswer, BrokenStructure) {
  for (const std::string& answer :
       {"[" + kAnn + ", " + kBo, "[" + kAnn + ", " + kBo + ",", "[" + kAnn + ", " + kBo + ", {\"entity_type\": \"PER",
        "[" + kAnn + ", " + kBo + ",]", "[" + kAnn + " " + kBo + "]", "[" + kAnn + ",, " + kBo + "]",
        "[" + kAnn + ", " + kBo + ", 7]", "[" + kAnn + ", {bad}, " + kBo + "]",
        "[" + kAnn + ", {\"a\": \"\\ud800\"}, " + kBo + "]"}) {
    expect(parse("json", answer), kBoth, kBoth, {{"unparsable", 1}});
  }
  for (const std::string& answer :
       {std::string(), std::string("none"), std::string("["), kAnn, std::string("[\"Ann\"]")}) {
    expect(parse("json", answer), {}, {}, {{"unparsable", 1}});
    EXPECT_FALSE(parse("json", answer).well_formed());
  }
  const std::string deep = std::string(50000, '[') + std::string(50000, ']');
  expect(parse("json", "[{\"a\": " + deep + "}, " + kBo + "]"), {{8, 10, "GPE"}}, {{8, 10, "GPE"}},
         {{"unparsable", 1}});
}

TEST(JsonAnswer, SixteenLevelsAreReadAndNoMore) {
  for (const int depth : {16, 17}) {
    const std::string inner =
        std::string(static_cast<std::size_t>(depth - 1), '[') + std::string(static_cast<std::size_t>(depth - 1), ']');
    const ParsedAnswer answer = parse("json", "[" + kBo.substr(0, kBo.size() - 1) + ", \"more\": " + inner + "}]");
    EXPECT_EQ(answer.raw().size(), depth == 16 ? 1U : 0U);
    EXPECT_EQ(answer.fault(AnswerFault::unparsable), depth == 16 ? 0 : 1);
  }
}

TEST(JsonAnswer, EscapesAndBraces) {
  const std::string input = "a \"}]\\ \n\u00e9\U0001F600";
  expect(
      parse(
          "json",
          R"([{"entity_type": "GPE", "entity_value": "\"}]\\ \n\u00e9\ud83d\ude00", "start_position": 2, "end_position": 10}])",
          input),
      {{2, 10, "GPE"}}, {{2, 10, "GPE"}}, {});
}

TEST(JsonValuesAnswer, Occurrences) {
  const auto one = [](std::string_view value, std::string_view rest) {
    return "[{\"type\": \"PERSON\", \"value\": \"" + std::string(value) + "\"" + std::string(rest) + "}]";
  };
  const Entity first{0, 3, "PERSON"};
  const Entity second{12, 15, "PERSON"};
  expect(parse("json_values", one("Ann", ", \"occurrence\": 2")), {second}, {second}, {});
  expect(parse("json_values", one("Ann", ", \"occurrence\": 3")), {}, {first}, {{"offset_wrong", 1}});
  expect(parse("json_values", one("Ann", ", \"occurrence\": 0")), {}, {first}, {{"offset_wrong", 1}});
  expect(parse("json_values", one("Ann", "")), {}, {first}, {{"ambiguous_value", 1}});
  expect(parse("json_values", one("Ann", ", \"occurrence\": \"2\"")), {}, {first}, {{"ambiguous_value", 1}});
  expect(parse("json_values", one("Bo", "")), {{8, 10, "PERSON"}}, {{8, 10, "PERSON"}}, {});
  expect(parse("json_values", one("Cy", ", \"occurrence\": 1")), {}, {}, {{"not_in_text", 1}});
  expect(parse("json_values", one("", ", \"occurrence\": 1")), {}, {}, {{"empty_value", 1}});
  expect(parse("json_values", R"([{"type": "FOO", "value": "Bo", "occurrence": 1}])"), {}, {}, {{"unknown_label", 1}});
  expect(parse("json_values", "Bo"), {}, {}, {{"unparsable", 1}});
}

TEST(BioAnswer, Faults) {
  const std::string good = "Ann B-PERSON\nmet O\nBo B-GPE\n. O\nAnn B-PERSON\nleft O\n. O";
  const Entities all = {{0, 3, "PERSON"}, {8, 10, "GPE"}, {12, 15, "PERSON"}};
  expect(parse("bio", good), all, all, {});
  expect(parse("bio", good + "\n\n"), all, all, {});
  expect(parse("bio", "Ann B-PERSON\r\nmet O\r\nBo B-GPE\r\n. O\r\nAnn B-PERSON\r\nleft O\r\n. O"), all, all, {});
  // A word left out: no raw place from there on.
  expect(parse("bio", "Ann B-PERSON\nBo B-GPE\n. O\nAnn B-PERSON\nleft O\n. O"), {{0, 3, "PERSON"}}, all,
         {{"copy_differs", 1}});
  // Cut off.
  expect(parse("bio", "Ann B-PERSON\nmet O\nBo B-GP"), {{0, 3, "PERSON"}}, {{0, 3, "PERSON"}},
         {{"copy_differs", 1}, {"unknown_label", 1}});
  expect(parse("bio", "Ann B-PERSON\nmet\nBo B-GPE\n. O\nAnn O\nleft O\n. O"), kBoth, kBoth, {{"unparsable", 1}});
  expect(parse("bio", "Ann I-PERSON\nmet O\nBo O\n. O\nAnn O\nleft O\n. O"), {{0, 3, "PERSON"}}, {{0, 3, "PERSON"}},
         {{"unbalanced", 1}});
  expect(parse("bio", "Ann B-PERSON\nmet I-GPE\nBo I-GPE\n. O\nAnn O\nleft O\n. O"), {{0, 3, "PERSON"}, {4, 10, "GPE"}},
         {{0, 3, "PERSON"}, {4, 10, "GPE"}}, {{"unbalanced", 1}});
  expect(parse("bio", "Ann B-FOO\nmet I-FOO\nBo O\n. O\nAnn O\nleft O\n. O"), {}, {}, {{"unknown_label", 1}});
  expect(parse("bio", "Ann B-PERSON\nmet O\n B-GPE\n"), {{0, 3, "PERSON"}}, {{0, 3, "PERSON"}},
         {{"copy_differs", 1}, {"empty_value", 1}});
  expect(parse("bio", ""), {}, {}, {{"copy_differs", 1}, {"unparsable", 1}});
  expect(parse("bio", "Cy B-GPE"), {}, {}, {{"copy_differs", 1}, {"not_in_text", 1}});
}

TEST(BioAnswer, EntityAcrossTheFirstDifferenceHasNoRawPlace) {
  expect(parse("bio", "Ann B-PERSON\nmett I-PERSON"), {}, {}, {{"copy_differs", 1}, {"not_in_text", 1}});
  // A line is split at its last space, whatever stands before it.
  expect(parse("bio", "Ann met B-PERSON"), {}, {{0, 7, "PERSON"}}, {{"copy_differs", 1}});
}

TEST(BioAnswer, WordsOfTheSameSpellingAsTags) {
  expect(parse("bio", "O O\nB-PERSON B-GPE", "O B-PERSON"), {}, {{2, 10, "GPE"}}, {{"copy_differs", 1}});
  expect(parse("bio", "O B-GPE", "O"), {{0, 1, "GPE"}}, {{0, 1, "GPE"}}, {});
}

/// A repaired reading from values and raw places alone, `raw` -1 for none.
Entities aligned(std::string_view input, const std::vector<std::pair<std::string, std::int64_t>>& values) {
  ParsedAnswer answer;
  const CodePointIndex index(input);
  for (const auto& [value, start] : values) {
    Mention mention{value, "GPE", {}, {}};
    if (start >= 0) mention.raw = Entity{start, start + 1, "GPE"};
    answer.mentions.push_back(mention);
  }
  align(answer, input, index);
  Entities places;  // in the order of the mentions; -1 for none
  for (const Mention& mention : answer.mentions) places.push_back(mention.repaired.value_or(Entity{-1, -1, "GPE"}));
  return places;
}

TEST(Alignment, KeepsTheOrderOfTheAnswer) {
  using E = Entities;
  EXPECT_EQ(aligned("ab xy ab zz ab", {{"ab", -1}, {"ab", -1}}), (E{{0, 2, "GPE"}, {6, 8, "GPE"}}));
  EXPECT_EQ(aligned("ab xy ab zz ab", {{"xy", -1}, {"ab", -1}}), (E{{3, 5, "GPE"}, {6, 8, "GPE"}}));
  // Two chains of two: the leftmost, then what is left over.
  EXPECT_EQ(aligned("ab xy ab zz ab", {{"zz", -1}, {"ab", -1}, {"xy", -1}}),
            (E{{9, 11, "GPE"}, {0, 2, "GPE"}, {3, 5, "GPE"}}));
  // The nearest to the raw places, as far as the order allows.
  EXPECT_EQ(aligned("ab xy ab zz ab", {{"ab", 7}}), (E{{6, 8, "GPE"}}));
  EXPECT_EQ(aligned("ab xy ab zz ab", {{"ab", 13}, {"zz", -1}}), (E{{6, 8, "GPE"}, {9, 11, "GPE"}}));
  // What is left over takes the free place, not the leftmost one.
  EXPECT_EQ(aligned("ab ab cd ef", {{"ab", -1}, {"cd", -1}, {"ef", -1}, {"ab", -1}}),
            (E{{0, 2, "GPE"}, {6, 8, "GPE"}, {9, 11, "GPE"}, {3, 5, "GPE"}}));
  // More mentions than places: the last ones share.
  EXPECT_EQ(aligned("ab cd", {{"ab", -1}, {"ab", -1}}), (E{{0, 2, "GPE"}, {0, 2, "GPE"}}));
  // A chain of two is better than one good one: "aba" and "ba" cannot both stand at the front.
  EXPECT_EQ(aligned("aba aba", {{"aba", 4}, {"ba", 5}}), (E{{0, 3, "GPE"}, {5, 7, "GPE"}}));
}

TEST(Alignment, LooserMatchesOnlyWhereThereIsNoExactOne) {
  using E = Entities;
  EXPECT_EQ(aligned("ANN ann Ann", {{"Ann", -1}}), (E{{8, 11, "GPE"}}));
  EXPECT_EQ(aligned("See (Ann).", {{" \"Ann.\" ", -1}}), (E{{5, 8, "GPE"}}));
  EXPECT_EQ(aligned("28\n Mill St", {{"28 mill st.", -1}}), (E{{0, 11, "GPE"}}));
  EXPECT_EQ(aligned("\u00dcx\u00a0Y z", {{"\u00dcX y", -1}}), (E{{0, 4, "GPE"}}));
  EXPECT_EQ(aligned("\u00dcx", {{"\u00fcx", -1}}), (E{{-1, -1, "GPE"}}));  // ASCII case alone
  EXPECT_EQ(aligned("a.b", {{"...", -1}}), (E{{-1, -1, "GPE"}}));
  EXPECT_EQ(aligned("", {{"a", -1}}), (E{{-1, -1, "GPE"}}));
}

TEST(Alignment, BoundedWithVeryManyPairs) {
  // 2,000 mentions with 1,000 places each: the k-th takes the k-th.
  std::string input;
  for (int i = 0; i < 1000; ++i) input += "a ";
  const Entities places = aligned(input, std::vector<std::pair<std::string, std::int64_t>>(2000, {"a", -1}));
  for (std::int64_t k = 0; k < 1000; ++k) ASSERT_EQ(places[static_cast<std::size_t>(k)].start, 2 * k);
  EXPECT_EQ(places.back().start, 1998);
}

}  // namespace
}  // namespace entune
