#include "trainer/recipe/deidentify_policy.h"

#include <gmock/gmock.h>

#include "tests/support/temporary_directory.h"

namespace entune {
namespace {

using test::input_error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Policy : public ::testing::Test {
 protected:
  DeidentificationPolicy load(const std::string& text) { return load_policy(directory_.write("p.yaml", text)); }
  std::string error(const std::string& text) {
    return input_error_of([&] { load(text); });
  }
  test::TemporaryDirectory directory_;
};

TEST_F(Policy, EmptyMeansThatAllIsReplaced) {
  const DeidentificationPolicy policy = load("{}");
  EXPECT_EQ(policy.fallback, Operator{});
  EXPECT_EQ(policy.scope, PseudonymScope::document);
  EXPECT_TRUE(policy.snap_to_words);
  EXPECT_FALSE(policy.key);
  EXPECT_EQ(policy.sha256, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
}

TEST_F(Policy, EveryKeyIsRead) {
  const DeidentificationPolicy policy = load(
      "scope: dataset\nsnap: none\nkey: {file: k}\ndefault: redact\nlabels:\n"
      "  A: keep\n  B: {operator: mask, char: •, count: 4, from_end: true}\n  C: {operator: mask, count: all}\n"
      "  D: {operator: replace, value: '-'}\n  E: {operator: replace, numbered: true}\n  F: {operator: hash, length: "
      "16}\n"
      "  G: {operator: date_shift, day_first: true}\n  H: {operator: year_only, oldest_year: 1936}\n  I: zip\n  J: "
      "age\n"
      "  K: surrogate\n  L: encrypt\n");
  EXPECT_EQ(policy.scope, PseudonymScope::dataset);
  EXPECT_FALSE(policy.snap_to_words);
  EXPECT_EQ(policy.key->file, "k");
  EXPECT_THAT(policy.key->where, HasSubstr("p.yaml:3:"));
  EXPECT_EQ(policy.of("unknown"), (Operator{.kind = OperatorKind::redact}));
  EXPECT_EQ(policy.of("A"), (Operator{.kind = OperatorKind::keep}));
  EXPECT_EQ(policy.of("B"), (Operator{.kind = OperatorKind::mask, .character = "•", .count = 4, .from_end = true}));
  EXPECT_EQ(policy.of("C"), (Operator{.kind = OperatorKind::mask}));
  EXPECT_EQ(policy.of("D"), (Operator{.value = "-"}));
  EXPECT_EQ(policy.of("E"), (Operator{.numbered = true}));
  EXPECT_EQ(policy.of("F"), (Operator{.kind = OperatorKind::hash, .length = 16}));
  EXPECT_EQ(policy.of("G"), (Operator{.kind = OperatorKind::date_shift, .day_first = true}));
  EXPECT_EQ(policy.of("H"), (Operator{.kind = OperatorKind::year_only, .oldest_year = 1936}));
  EXPECT_EQ(policy.of("I").kind, OperatorKind::zip);
  EXPECT_EQ(policy.of("J").kind, OperatorKind::age);
  EXPECT_EQ(policy.of("K").kind, OperatorKind::surrogate);
  EXPECT_EQ(policy.of("L").kind, OperatorKind::encrypt);
}

TEST_F(Policy, FaultsAreNamedWithTheirPlace) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"defualt: replace\n", "p.yaml:1:1: policy: unknown member 'defualt'; did you mean 'default'?"},
      {"labels:\n  A: replac\n", "p.yaml:2:6: labels.A: expected an operator, found 'replac'; did you mean 'replace'?"},
      {"labels:\n  A: {char: x}\n", "with `operator`"},
      {"labels:\n  A: {operator: mask, chr: x}\n", "p.yaml:2:23: labels.A: unknown member 'chr'; did you mean 'char'?"},
      {"labels:\n  A: {operator: redact, count: 3}\n", "unknown member 'count'"},
      {"labels:\n  A: {operator: mask, char: ab}\n", "labels.A.char: expected one character"},
      {"labels:\n  A: {operator: mask, char: ''}\n", "labels.A.char: expected a text"},
      {"labels:\n  A: {operator: mask, count: 0}\n", "labels.A.count"},
      {"labels:\n  A: {operator: mask, from_end: yes}\n", "labels.A.from_end"},
      {"key: {env: K}\nlabels:\n  A: {operator: hash, length: 7}\n", "labels.A.length"},
      {"labels:\n  A: {operator: replace, value: x, numbered: true}\n", "found both"},
      {"labels: [A]\n", "p.yaml:1:9: labels: expected a mapping"},
      {"labels:\n  A: keep\n  A: redact\n", "a second time"},
      {"default: keep\n", "leaves nothing of a value, found 'keep'"},
      {"default: age\n", "leaves nothing"},
      {"default: {operator: mask, count: 4}\n", "'mask' of a part"},
      {"scope: patient\n", "p.yaml:1:8: scope: expected"},
      {"snap: true\n", "p.yaml:1:7: snap: expected"},
      {"labels:\n  A: encrypt\n", "p.yaml:2:6: labels.A: encrypt needs a key; add `key:"},
      {"default: surrogate\n", "default: surrogate needs a key"},
      {"replace\n", "expected a mapping with default"},
  };
  for (const auto& [text, expected] : cases) EXPECT_THAT(error(text), HasSubstr(expected)) << text;
  EXPECT_THAT(input_error_of([&] { load_policy(directory_ / "none.yaml"); }), HasSubstr("none.yaml"));
  EXPECT_THAT(input_error_of([&] { load_policy(directory_.path()); }), HasSubstr("expected a policy"));
}

TEST_F(Policy, AKeyInThePolicyIsRefusedAndNotShown) {
  const std::string key = "5e3a9f00c0ffee115e3a9f00c0ffee115e3a9f00c0ffee115e3a9f00c0ffee11";
  for (const std::string& text :
       std::vector<std::string>{"key: " + key, "key: {file: a, env: B}", "key: {value: " + key + "}",
                                "key: {env: " + key + "}", "key: {env: a" + key + "b}", "key: {file: " + key + "}",
                                "key: {env: [" + key + "]}", "key: [" + key + "]"}) {
    EXPECT_THAT(error(text), AllOf(HasSubstr("p.yaml:1:"), HasSubstr("expected"), Not(HasSubstr("c0ffee")))) << text;
  }
}

TEST(ShippedPolicies, Load) {
  const std::filesystem::path folder = std::filesystem::path(ENTUNE_SOURCE_DIR) / "recipes/deidentify";
  const DeidentificationPolicy safe_harbor = load_policy(folder / "safe_harbor.yaml");
  EXPECT_FALSE(safe_harbor.key);
  EXPECT_EQ(safe_harbor.of("ZIP_CODE").kind, OperatorKind::zip);
  for (const auto& [label, what] : safe_harbor.labels) EXPECT_NE(what.kind, OperatorKind::keep) << label;
  EXPECT_EQ(load_policy(folder / "pseudonyms.yaml").key->environment, "ENTUNE_DEIDENTIFY_KEY");
}

}  // namespace
}  // namespace entune
