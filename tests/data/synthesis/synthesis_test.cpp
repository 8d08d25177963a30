#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

#include "data/check_digits.h"
#include "data/code_points.h"
#include "data/corpus.h"
#include "data/input_error.h"
#include "data/near_copies.h"
#include "data/split.h"
#include "data/synthesis/generator.h"
#include "data/synthesis/values.h"
#include "tests/support/temporary_directory.h"

namespace entune {
namespace {

const std::filesystem::path kShipped = std::filesystem::path(ENTUNE_SOURCE_DIR) / "data/samples/pii_en.jsonl";

/// Enough texts for every template to come many times.
const std::vector<Example>& large_corpus() {
  static const std::vector<Example> corpus = generate_corpus({6000, 77, 0.08});
  return corpus;
}

std::string contents_of(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string digits_of(std::string_view value) {
  std::string digits;
  for (const char c : value) {
    if (c >= '0' && c <= '9') digits += c;
  }
  return digits;
}

std::string without(std::string_view value, char removed) {
  std::string kept(value);
  kept.erase(std::remove(kept.begin(), kept.end(), removed), kept.end());
  return kept;
}

TEST(CheckDigits, LuhnKnowsTheTestNumbers) {
  for (const char* card : {"4111111111111111", "378282246310005", "6011111111111117", "79927398713"}) {
    EXPECT_TRUE(luhn_valid(card)) << card;
  }
  EXPECT_FALSE(luhn_valid("4111111111111112"));
  EXPECT_FALSE(luhn_valid("4111 1111"));
  EXPECT_FALSE(luhn_valid(""));
  EXPECT_EQ(luhn_digit("7992739871"), '3');
}

TEST(CheckDigits, RoutingNumbers) {
  EXPECT_TRUE(routing_number_valid("021000021"));  // 3*(0+0+0) + 7*(2+0+2) + (1+0+1) = 30
  EXPECT_TRUE(routing_number_valid("011401533"));
  EXPECT_FALSE(routing_number_valid("021000022"));
  EXPECT_FALSE(routing_number_valid("500000005"));  // the check digit fits, the region does not
  EXPECT_FALSE(routing_number_valid("02100002"));
  EXPECT_EQ(routing_number_digit("02100002"), '1');
}

TEST(CheckDigits, Ibans) {
  for (const char* iban : {"GB82WEST12345698765432", "DE89370400440532013000", "FR1420041010050500013M02606"}) {
    EXPECT_TRUE(iban_valid(iban)) << iban;
  }
  EXPECT_FALSE(iban_valid("GB82WEST12345698765433"));
  EXPECT_FALSE(iban_valid("gb82west12345698765432"));
  EXPECT_FALSE(iban_valid("GB82"));
  EXPECT_EQ(make_iban("GB", "WEST12345698765432"), "GB82WEST12345698765432");
}

TEST(CheckDigits, SocialSecurityNumbers) {
  EXPECT_TRUE(ssn_valid("123456789"));
  for (const char* bad : {"000456789", "666456789", "900456789", "123006789", "123450000", "12345678", "12345678x"}) {
    EXPECT_FALSE(ssn_valid(bad)) << bad;
  }
}

TEST(Values, AreValidWhereTheRealThingCanBeChecked) {
  Random random(5);
  for (int i = 0; i < 500; ++i) {
    EXPECT_TRUE(luhn_valid(digits_of(make_value("CREDIT_CARD", "", random))));
    EXPECT_TRUE(ssn_valid(digits_of(make_value("US_SSN", "", random))));
    EXPECT_TRUE(routing_number_valid(make_value("BANK_ACCOUNT", "routing", random)));
    EXPECT_TRUE(iban_valid(without(make_value("BANK_ACCOUNT", "iban", random), ' ')));
    static const std::regex phone(
        R"((\+?1[ -])?\(?[2-9]\d\d\)?[-. ]?555[-. ]?01\d\d( (ext\. |x)\d{3})?|(\+44 |0)\d{2,4} (\d{4} \d{4}|\d{6}))");
    const std::string number = make_value("PHONE_NUMBER", "", random);
    EXPECT_TRUE(std::regex_match(number, phone)) << number;
  }
}

TEST(Values, RefuseUnknownLabelsAndKinds) {
  Random random(1);
  EXPECT_THROW(make_value("NAME", "", random), std::logic_error);
  EXPECT_THROW(make_value("PERSON", "middle", random), std::logic_error);
  EXPECT_THROW(make_value("DATE_TIME", "century", random), std::logic_error);
  EXPECT_THROW(make_value("US_SSN", "full", random), std::logic_error);
  EXPECT_THROW(make_filler("n0", random), std::logic_error);
  EXPECT_THROW(make_filler("city", random), std::logic_error);
}

TEST(Generator, IsAFunctionOfItsOptions) {
  EXPECT_EQ(generate_corpus({200, 3, 0.1}), generate_corpus({200, 3, 0.1}));
  EXPECT_NE(generate_corpus({200, 3, 0.1}), generate_corpus({200, 4, 0.1}));
  auto begin = generate_corpus({500, 3, 0.1});
  begin.resize(200);
  EXPECT_EQ(begin, generate_corpus({200, 3, 0.1}));
  EXPECT_TRUE(generate_corpus({0, 1, 0.1}).empty());
  EXPECT_THROW(generate_corpus({-1, 1, 0.1}), InputError);
  EXPECT_THROW(generate_corpus({1, 1, 1.5}), InputError);
}

bool is_word_byte(char c) { return (c & 0x80) != 0 || std::isalnum(static_cast<unsigned char>(c)); }

/// Every slot of every template, in many fillings: sorted, apart, at word borders, of the closed list.
TEST(Generator, EntitiesAreClean) {
  std::set<std::string> labels;
  for (const Label& label : synthetic_labels()) labels.insert(label.name);
  std::set<std::string> seen;
  for (const Example& example : large_corpus()) {
    const CodePointIndex index(example.text);
    std::int64_t before = 0;
    for (const Entity& entity : example.entities) {
      ASSERT_LT(entity.start, entity.end) << example.group;
      EXPECT_GE(entity.start, before) << example.group;
      before = entity.end;
      EXPECT_TRUE(labels.count(entity.label)) << example.group;
      seen.insert(entity.label);
      const std::size_t first = index.byte_offset(entity.start);
      const std::size_t last = index.byte_offset(entity.end);
      EXPECT_FALSE(std::isspace(static_cast<unsigned char>(example.text[first]))) << example.group;
      EXPECT_FALSE(std::isspace(static_cast<unsigned char>(example.text[last - 1]))) << example.group;
      if (first > 0) {
        EXPECT_FALSE(is_word_byte(example.text[first - 1]) && is_word_byte(example.text[first])) << example.group;
      }
      if (last < example.text.size()) {
        EXPECT_FALSE(is_word_byte(example.text[last - 1]) && is_word_byte(example.text[last])) << example.group;
      }
    }
    EXPECT_EQ(example.text.find("{n"), std::string::npos) << example.group;
    for (const std::string& label : labels) EXPECT_EQ(example.text.find(label), std::string::npos) << example.group;
    EXPECT_EQ(example.entities.empty(), example.group.starts_with("plain-")) << example.group;
  }
  EXPECT_EQ(seen, labels);
}

TEST(Generator, CoversWhatTheTaskAsksFor) {
  static const std::regex word("\\S+");
  std::map<std::string, std::set<std::string>> groups_of_label;
  std::set<std::string> groups;
  std::int64_t empty = 0, repeated = 0, accents = 0, line_breaks = 0, words = 0;
  for (const Example& example : large_corpus()) {
    groups.insert(example.group);
    empty += example.entities.empty();
    const CodePointIndex index(example.text);
    accents += index.size() != static_cast<std::int64_t>(example.text.size());
    line_breaks += example.text.find('\n') != std::string::npos;
    words += std::distance(std::sregex_iterator(example.text.begin(), example.text.end(), word), {});
    std::set<std::pair<std::string, std::string>> values;
    bool again = false;
    for (const Entity& entity : example.entities) {
      groups_of_label[entity.label].insert(example.group);
      again |= !values.emplace(entity.label, index.slice(entity.start, entity.end)).second;
    }
    repeated += again;
  }
  const auto total = static_cast<double>(large_corpus().size());
  EXPECT_GE(groups.size(), 350u);
  for (const Label& label : synthetic_labels()) EXPECT_GE(groups_of_label[label.name].size(), 15u) << label.name;
  EXPECT_NEAR(static_cast<double>(empty) / total, 0.08, 0.015);
  EXPECT_GE(static_cast<double>(repeated) / total, 0.01);
  EXPECT_GE(static_cast<double>(accents) / total, 0.15);
  EXPECT_GE(static_cast<double>(line_breaks) / total, 0.05);
  EXPECT_NEAR(static_cast<double>(words) / total, 25.0, 5.0);
}

TEST(NearCopies, MeasuresMaskedTexts) {
  const Example ann{"", "Call Ann on day 12 at noon", {{5, 8, "PERSON"}}, ""};
  const Example bob{"", "Call Bob Lee on day 7 at night", {{5, 12, "PERSON"}}, ""};
  EXPECT_EQ(masked_five_grams(ann),
            (std::unordered_set<std::string>{"Call <PERSON> on day 0 ", "<PERSON> on day 0 at ", "on day 0 at noon "}));
  EXPECT_DOUBLE_EQ(shared_five_grams(ann, masked_five_grams(bob)), 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(shared_five_grams(ann, masked_five_grams(ann)), 1.0);
  EXPECT_DOUBLE_EQ(shared_five_grams({"", "too short", {}, ""}, masked_five_grams(ann)), 0.0);
}

/// Against all other templates at once, so that it holds for every split.
TEST(Generator, NoTemplateIsAVariationOfOthers) {
  std::map<std::string, std::set<std::string>> groups_of_gram;
  std::map<std::string, std::unordered_set<std::string>> grams_of_group;
  for (const Example& example : large_corpus()) {
    for (const std::string& gram : masked_five_grams(example)) {
      groups_of_gram[gram].insert(example.group);
      grams_of_group[example.group].insert(gram);
    }
  }
  for (const auto& [group, grams] : grams_of_group) {
    std::size_t shared = 0;
    for (const std::string& gram : grams) shared += groups_of_gram[gram].size() > 1;
    EXPECT_LT(static_cast<double>(shared), 0.25 * static_cast<double>(grams.size())) << group;
  }
}

TEST(ShippedCorpus, IsWhatTheGeneratorMakes) {
  const test::TemporaryDirectory folder;
  write_jsonl(folder.path() / "again.jsonl", generate_corpus({2400, 1, 0.08}));
  EXPECT_TRUE(contents_of(folder.path() / "again.jsonl") == contents_of(kShipped))
      << "run: trainer generate-data --count 2400 --seed 1 --output data/samples/pii_en.jsonl";
}

TEST(ShippedCorpus, SplitsWithoutNearCopies) {
  const auto examples = read_corpus(kShipped, {}).examples;
  const SplitSize of_800{SplitSize::Kind::count, 800, 0.0};
  const SplitSize of_400{SplitSize::Kind::count, 400, 0.0};
  for (const std::uint64_t seed : {1, 2, 3}) {
    const CorpusSplit split = split_corpus(examples, {of_800, of_400, of_400, seed});
    ASSERT_EQ(split.train.size(), 800u);
    ASSERT_EQ(split.validation.size(), 400u);
    ASSERT_EQ(split.test.size(), 400u);
    std::unordered_set<std::string> trained;
    std::set<std::string> groups;
    std::set<std::string> labels;
    for (const Example& example : split.train) {
      trained.merge(masked_five_grams(example));
      groups.insert(example.group);
      for (const Entity& entity : example.entities) labels.insert(entity.label);
    }
    EXPECT_EQ(labels.size(), synthetic_labels().size());
    for (const auto* side : {&split.validation, &split.test}) {
      for (const Example& example : *side) {
        EXPECT_EQ(groups.count(example.group), 0u) << example.id;
        EXPECT_LT(shared_five_grams(example, trained), 0.5) << example.id;
      }
    }
  }
}

}  // namespace
}  // namespace entune
