#include "data/formats/output_format.h"

#include <gtest/gtest.h>
#include <utf8.h>

#include <map>
#include <set>

#include "data/code_points.h"
#include "data/formats/occurrences.h"
#include "data/formats/word_splitter.h"
#include "data/input_error.h"
#include "tests/data/formats/random_examples.h"

namespace entune {
namespace {

Example example_of(std::string text, std::vector<Entity> entities) {
  return {.id = "x", .text = std::move(text), .entities = std::move(entities), .group = {}};
}

bool is_faultless(const ParsedAnswer& answer) { return answer.faults == decltype(answer.faults){}; }

class EveryFormat : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<OutputFormat> format_ = make_output_format(GetParam(), test_labels());
};

INSTANTIATE_TEST_SUITE_P(Formats, EveryFormat, testing::ValuesIn(output_format_names()),
                         [](const auto& param) { return param.param; });

TEST_P(EveryFormat, ReadsBackWhatItRenders) {
  RandomExamples random(7);
  int num_carried = 0;
  int num_with_entities = 0;
  for (int i = 0; i < 6000; ++i) {
    const Example example = random.next();
    if (!format_->can_carry(example)) continue;
    const ParsedAnswer answer = format_->parse(format_->render(example), example.text);
    ASSERT_EQ(answer.raw(), example.entities) << "example " << i;
    ASSERT_EQ(answer.repaired(), example.entities) << "example " << i;
    ASSERT_TRUE(is_faultless(answer)) << "example " << i;
    ASSERT_TRUE(answer.well_formed());
    ++num_carried;
    num_with_entities += !example.entities.empty();
  }
  EXPECT_GE(num_carried, 2000);
  EXPECT_GE(num_with_entities, 600);
}

TEST_P(EveryFormat, CarriesWhatItsRulesAllow) {
  RandomExamples random(8);
  std::map<std::string, int> reasons;
  for (int i = 0; i < 6000; ++i) {
    if (const auto reason = format_->why_not(random.next())) ++reasons[*reason];
  }
  // The last resort of the inline formats: nothing may end there that a rule should have named.
  EXPECT_FALSE(reasons.contains("the answer does not read back as written"));
  EXPECT_EQ(reasons.empty(), GetParam().starts_with("json"));
}

TEST_P(EveryFormat, SurvivesAnyAnswer) {
  RandomExamples random(9);
  const std::set<std::string> labels = {"PERSON", "PHONE_NUMBER", "GPE", "creative-work"};
  int num_raw = 0;
  int num_repaired = 0;
  for (int i = 0; i < 6000; ++i) {
    const Example example = random.next();
    const bool carried = format_->can_carry(example);
    const std::string text = random.mutate(carried ? format_->render(example) : example.text);
    const std::int64_t size = CodePointIndex(example.text).size();
    ParsedAnswer answer;
    ASSERT_NO_THROW(answer = format_->parse(text, example.text));
    for (const Mention& mention : answer.mentions) {
      ASSERT_TRUE(labels.contains(mention.label));
      ASSERT_TRUE(utf8::is_valid(mention.value.begin(), mention.value.end()));
      ASSERT_FALSE(mention.value.empty());
      for (const auto& entity : {mention.raw, mention.repaired}) {
        if (!entity) continue;
        ASSERT_EQ(entity->label, mention.label);
        ASSERT_TRUE(0 <= entity->start && entity->start < entity->end && entity->end <= size);
      }
      num_raw += mention.raw.has_value();
      num_repaired += mention.repaired.has_value();
    }
    for (const std::int64_t count : answer.faults) ASSERT_GE(count, 0);
  }
  EXPECT_GT(num_raw, 300);
  EXPECT_GT(num_repaired, 300);
}

TEST_P(EveryFormat, CarriesATypicalText) {
  const Example example = example_of(
      "Hi, I'm Zo\u00eb M\u00fcller (Zo\u00eb) from Bath.\nCall +44 1225 555-010, ask for Zo\u00eb!",
      {{8, 18, "PERSON"}, {20, 23, "PERSON"}, {30, 34, "GPE"}, {41, 57, "PHONE_NUMBER"}, {67, 70, "PERSON"}});
  ASSERT_EQ(format_->why_not(example), std::nullopt);
  EXPECT_EQ(format_->parse(format_->render(example), example.text).raw(), example.entities);
}

TEST_P(EveryFormat, CarriesTextsWithoutEntitiesAndEmptyTexts) {
  for (const char* text : {"Nothing here.", "", " \n "}) {
    const Example example = example_of(text, {});
    ASSERT_TRUE(format_->can_carry(example));
    const ParsedAnswer answer = format_->parse(format_->render(example), text);
    EXPECT_TRUE(answer.mentions.empty());
    EXPECT_TRUE(is_faultless(answer));
  }
}

TEST_P(EveryFormat, RefusesBrokenExamples) {
  const auto why = [&](std::string text, std::vector<Entity> entities) {
    return format_->why_not(example_of(std::move(text), std::move(entities))).value_or("carried");
  };
  EXPECT_EQ(why("a\xff", {}), "the text is not valid UTF-8");
  EXPECT_EQ(why("Ann", {{0, 4, "PERSON"}}), "an entity is empty or outside the text");
  EXPECT_EQ(why("Ann", {{-1, 2, "PERSON"}}), "an entity is empty or outside the text");
  EXPECT_EQ(why("Ann", {{2, 2, "PERSON"}}), "an entity is empty or outside the text");
  EXPECT_EQ(why("Ann", {{0, 3, "person"}}), "an entity has a label that is not in the list");
  EXPECT_EQ(why("Ann Bo", {{4, 6, "PERSON"}, {0, 3, "PERSON"}}), "the entities are out of order or repeated");
  EXPECT_EQ(why("Ann", {{0, 3, "PERSON"}, {0, 3, "PERSON"}}), "the entities are out of order or repeated");
}

TEST_P(EveryFormat, HostileAnswersOfOneHundredKilobytes) {
  const std::string input(10000, 'a');
  const auto repeat = [](std::string_view piece) {
    std::string text;
    while (text.size() < 100000) text += piece;
    return text;
  };
  for (const std::string_view piece : {"<GPE>",
                                       "</GPE>",
                                       "<GPE></PERSON>",
                                       "<GPE>a</GPE>",
                                       "<A1>",
                                       "[",
                                       "]",
                                       "[[a | GPE]",
                                       " | GPE]",
                                       "[a | GPE]",
                                       " | ",
                                       "{",
                                       "[{",
                                       "}",
                                       "\"",
                                       "\\",
                                       "[{\"type\":\"GPE\",\"value\":\"a\"},",
                                       "a B-GPE\n",
                                       "a\n",
                                       "x I-GPE\n",
                                       "\xff",
                                       "\xf0\x9f"}) {
    const ParsedAnswer answer = format_->parse(repeat(piece), input);
    for (const Entity& entity : answer.raw()) EXPECT_LE(entity.end, 10000);
  }
  // As deep, and as many and as long values, as an answer can hold.
  std::string nested = repeat("<GPE>");
  nested.resize(50000);
  nested += repeat("a</GPE>");
  format_->parse(nested, input);
  std::string records = "[";
  for (int i = 1; records.size() < 100000; i += 7) {
    const std::string value = std::string(static_cast<std::size_t>(i), 'a') + (i % 2 == 0 ? "b" : "");
    records += "{\"type\": \"GPE\", \"value\": \"" + value + "\", \"entity_type\": \"GPE\", \"entity_value\": \"" +
               value + "\"},";
  }
  EXPECT_FALSE(format_->parse(records, input).well_formed() && GetParam().starts_with("json"));
}

TEST(OutputFormat, NamesAndErrors) {
  EXPECT_EQ(output_format_names(), (std::vector<std::string>{"xml", "json", "json_values", "bracket", "bio"}));
  for (const std::string& name : output_format_names())
    EXPECT_EQ(make_output_format(name, test_labels())->name(), name);
  try {
    make_output_format("yaml", test_labels());
    FAIL();
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("xml, json, json_values, bracket, bio"), std::string::npos);
  }
  EXPECT_THROW(make_output_format("xml", {}), InputError);
  EXPECT_THROW(make_output_format("xml", {{"A B", ""}}), InputError);
  EXPECT_THROW(make_output_format("xml", {{"", ""}}), InputError);
  EXPECT_THROW(make_output_format("xml", {{"A>", ""}}), InputError);
  EXPECT_THROW(make_output_format("xml", {{"A", ""}, {"A", "again"}}), InputError);
}

TEST(OutputFormat, RenderedByHand) {
  const Example example =
      example_of("Zo\u00eb \"Z\" met Ann, Ann.", {{0, 3, "PERSON"}, {4, 7, "PERSON"}, {17, 20, "GPE"}});
  const auto render = [&](const char* name) { return make_output_format(name, test_labels())->render(example); };
  EXPECT_EQ(render("xml"), "<PERSON>Zo\u00eb</PERSON> <PERSON>\"Z\"</PERSON> met Ann, <GPE>Ann</GPE>.");
  EXPECT_EQ(render("bracket"), "[Zo\u00eb | PERSON] [\"Z\" | PERSON] met Ann, [Ann | GPE].");
  EXPECT_EQ(
      render("json"),
      "[{\"entity_type\": \"PERSON\", \"entity_value\": \"Zo\u00eb\", \"start_position\": 0, \"end_position\": 3}, "
      "{\"entity_type\": \"PERSON\", \"entity_value\": \"\\\"Z\\\"\", \"start_position\": 4, \"end_position\": 7}, "
      "{\"entity_type\": \"GPE\", \"entity_value\": \"Ann\", \"start_position\": 17, \"end_position\": 20}]");
  EXPECT_EQ(render("json_values"),
            "[{\"type\": \"PERSON\", \"value\": \"Zo\u00eb\", \"occurrence\": 1}, {\"type\": \"PERSON\", \"value\": "
            "\"\\\"Z\\\"\", "
            "\"occurrence\": 1}, {\"type\": \"GPE\", \"value\": \"Ann\", \"occurrence\": 2}]");
  EXPECT_EQ(render("bio"),
            "Zo\u00eb B-PERSON\n\" B-PERSON\nZ I-PERSON\n\" I-PERSON\nmet O\nAnn O\n, O\nAnn B-GPE\n. O");
}

TEST(OutputFormat, RendersNoEntitiesByHand) {
  const auto render = [](const char* name) {
    return make_output_format(name, test_labels())->render(example_of("So, yes", {}));
  };
  EXPECT_EQ(render("xml"), "So, yes");
  EXPECT_EQ(render("bracket"), "So, yes");
  EXPECT_EQ(render("json"), "[]");
  EXPECT_EQ(render("json_values"), "[]");
  EXPECT_EQ(render("bio"), "So O\n, O\nyes O");
}

TEST(OutputFormat, WhatAFormatCannotCarry) {
  const auto why = [](const char* name, std::string text, std::vector<Entity> entities) {
    return make_output_format(name, test_labels())
        ->why_not(example_of(std::move(text), std::move(entities)))
        .value_or("carried");
  };
  const std::vector<Entity> nested = {{0, 3, "PERSON"}, {0, 7, "GPE"}};
  const std::vector<Entity> crossing = {{0, 5, "PERSON"}, {4, 7, "GPE"}};
  const std::vector<Entity> two_labels = {{0, 3, "GPE"}, {0, 3, "PERSON"}};
  for (const char* flat : {"xml", "bracket", "bio"}) {
    for (const auto& entities : {nested, crossing, two_labels})
      EXPECT_EQ(why(flat, "Ann Bo C", entities), "entities overlap") << flat;
  }
  for (const char* any : {"json", "json_values"}) {
    for (const auto& entities : {nested, crossing, two_labels})
      EXPECT_EQ(why(any, "Ann Bo C", entities), "carried") << any;
  }
  for (const std::string& touching : output_format_names()) {
    EXPECT_EQ(why(touching.c_str(), "Ann(Bo", {{0, 3, "PERSON"}, {3, 6, "GPE"}}), "carried");
  }
  EXPECT_EQ(why("xml", "a <GPE> b", {}), "the text holds a tag of the label list");
  EXPECT_EQ(why("xml", "a </creative-work> b", {}), "the text holds a tag of the label list");
  EXPECT_EQ(why("xml", "a <FOO>x</FOO> <GPE x> <gpe> b", {{7, 8, "GPE"}}), "carried");
  EXPECT_EQ(why("xml", "<PERSON Ann>", {{8, 11, "PERSON"}}), "carried");
  EXPECT_EQ(why("bracket", "[Ann | PERSON]", {}), "the text holds the ending of a bracketed entity");
  EXPECT_EQ(why("bracket", "Ann | PERSON] b", {}), "the text holds the ending of a bracketed entity");
  EXPECT_EQ(why("bracket", "Ann [b Bo", {{4, 9, "PERSON"}}), "brackets in an entity do not pair up");
  EXPECT_EQ(why("bracket", "see [1] and [[Ann [UK] | x]", {{14, 22, "PERSON"}}), "carried");
  EXPECT_EQ(why("bracket", "[Ann | FOO] [Ann|GPE] Bo", {{22, 24, "PERSON"}}), "carried");
  EXPECT_EQ(why("bio", "Annual Bo", {{0, 3, "PERSON"}}), "an entity begins or ends inside a word or with white space");
  EXPECT_EQ(why("bio", "Ann Bo", {{0, 4, "PERSON"}}), "an entity begins or ends inside a word or with white space");
  EXPECT_EQ(why("bio", "Ann  Bo", {{3, 4, "PERSON"}}), "an entity begins or ends inside a word or with white space");
  EXPECT_EQ(why("bio", "(Ann)Bo's", {{1, 4, "PERSON"}, {5, 7, "PERSON"}}), "carried");
}

TEST(Occurrences, OverlappingOnesCount) {
  EXPECT_EQ(find_occurrences("aa", "aaaa"), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(find_occurrences("", "aaaa"), std::vector<std::size_t>{});
  EXPECT_EQ(find_occurrences("aaaaa", "aaaa"), std::vector<std::size_t>{});
  // Long values take the other search; both must agree with the definition.
  RandomExamples random(3);
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (int k = 0; k < 200; ++k) text += random.below(12) == 0 ? 'b' : 'a';
    const std::string value = text.substr(random.below(120), 1 + random.below(60));
    std::vector<std::size_t> expected;
    for (std::size_t at = 0; at + value.size() <= text.size(); ++at) {
      if (text.compare(at, value.size(), value) == 0) expected.push_back(at);
    }
    ASSERT_EQ(find_occurrences(value, text), expected);
  }
}

TEST(WordSplitter, ByHand) {
  const auto words = [](std::string_view text) {
    const CodePointIndex index(text);
    std::vector<std::string> values;
    for (const Word& word : split_words(text)) values.emplace_back(index.slice(word.start, word.end));
    return values;
  };
  using Words = std::vector<std::string>;
  EXPECT_EQ(words("Dr. O'Neil, a_b@x.com!"),
            (Words{"Dr", ".", "O", "'", "Neil", ",", "a_b", "@", "x", ".", "com", "!"}));
  EXPECT_EQ(words("Zoe\u0301\u2019s \u00ab\u00dcnal\u00bb\u2026"),
            (Words{"Zoe\u0301", "\u2019", "s", "\u00ab", "\u00dcnal", "\u00bb", "\u2026"}));
  EXPECT_EQ(words("a\u00a0b\u2003c\u0085d\u3000e\u2028f"), (Words{"a", "b", "c", "d", "e", "f"}));
  EXPECT_EQ(words("\u4e2d\u6587ab\u30ab"), (Words{"\u4e2d", "\u6587", "ab", "\u30ab"}));
  EXPECT_EQ(words("x\U0001F600\U0001F600y"), (Words{"x", "\U0001F600", "\U0001F600", "y"}));
  EXPECT_EQ(words("\u0430\u0431 \u0627\u0644"), (Words{"\u0430\u0431", "\u0627\u0644"}));
  EXPECT_EQ(words(" \n "), Words{});
}

TEST(WordSplitter, WordsHoldEverythingButWhiteSpace) {
  RandomExamples random(5);
  for (int i = 0; i < 500; ++i) {
    const std::string text = random.next().text;
    std::vector<bool> covered;
    for (const Word& word : split_words(text)) {
      ASSERT_LE(static_cast<std::int64_t>(covered.size()), word.start);
      ASSERT_LT(word.start, word.end);
      covered.resize(static_cast<std::size_t>(word.start), false);
      covered.resize(static_cast<std::size_t>(word.end), true);
    }
    std::size_t position = 0;
    for (auto at = text.begin(); at != text.end(); ++position) {
      const bool is_covered = position < covered.size() && covered[position];
      ASSERT_NE(is_white_space(utf8::next(at, text.end())), is_covered);
    }
  }
}

}  // namespace
}  // namespace entune
