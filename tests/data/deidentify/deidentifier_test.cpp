#include "data/deidentify/deidentifier.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <utf8.h>

#include "data/code_points.h"
#include "data/deidentify/covered_spans.h"
#include "tests/data/corpus/random_example.h"
#include "tests/support/temporary_directory.h"

namespace entune {
namespace {

using test::input_error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const SecretKey kKey(std::string(32, 'k'));

DeidentificationPolicy policy_of(const Operator& fallback, std::map<std::string, Operator> labels = {},
                                 bool snap = false) {
  DeidentificationPolicy policy;
  policy.labels = std::move(labels);
  policy.fallback = fallback;
  policy.snap_to_words = snap;
  return policy;
}

DeidentifiedDocument apply(const DeidentificationPolicy& policy, const Example& document) {
  return Deidentifier(policy, kKey).apply(document);
}

Example document(std::string text, std::vector<Entity> entities) {
  return {"d1", std::move(text), std::move(entities), ""};
}

/// Random spans, many of them overlapping or touching.
Example random_document(Random& random, std::int64_t max_length) {
  Example example{fmt::format("d{}", random.below(1000)), random_text(random, max_length), {}, ""};
  const std::int64_t size = CodePointIndex(example.text).size();
  for (std::int64_t i = random.below(7); i > 0 && size > 0; --i) {
    const bool touches = !example.entities.empty() && random.chance(0.3) && example.entities.back().end < size;
    const std::int64_t start = touches ? example.entities.back().end : random.below(size);
    example.entities.push_back({start, start + random.between(1, std::min<std::int64_t>(size - start, 8)),
                                fmt::format("L{}", random.below(3))});
  }
  return example;
}

/// What every result holds: the pieces between the spans as they were, the spans where they say they are.
void expect_untouched_outside(const Example& before, const DeidentifiedDocument& after) {
  ASSERT_TRUE(utf8::is_valid(after.text.begin(), after.text.end()));
  const CodePointIndex old_index(before.text), new_index(after.text);
  std::int64_t old_at = 0, new_at = 0;
  for (const DeidentifiedSpan& span : after.spans) {
    ASSERT_LE(old_at, span.original.start);
    ASSERT_EQ(old_index.slice(old_at, span.original.start), new_index.slice(new_at, span.written.start));
    ASSERT_EQ(span.original.label, span.written.label);
    old_at = span.original.end;
    new_at = span.written.end;
  }
  ASSERT_EQ(old_index.slice(old_at, old_index.size()), new_index.slice(new_at, new_index.size()));
}

/// Every span given lies within one that was covered.
void expect_all_covered(const Example& before, const DeidentifiedDocument& after) {
  for (const Entity& entity : before.entities) {
    EXPECT_TRUE(std::any_of(after.spans.begin(), after.spans.end(), [&](const DeidentifiedSpan& span) {
      return span.original.start <= entity.start && entity.end <= span.original.end;
    }));
  }
}

TEST(Deidentifier, AMaskOfSomeCharactersCountsInTheSpanThatWasGiven) {
  const Operator last_four{.kind = OperatorKind::mask, .count = 4, .from_end = true};
  const Operator first_six{.kind = OperatorKind::mask, .count = 6};
  // Widened to a word, or united with another span, it would leave what it is to hide: the default takes it.
  EXPECT_EQ(apply(policy_of({}, {{"SSN", last_four}}, true), document("555-0199", {{0, 8, "SSN"}})).text, "555-****");
  EXPECT_EQ(apply(policy_of({}, {{"SSN", last_four}}, true), document("555-0199ext", {{0, 8, "SSN"}})).text, "<SSN>");
  EXPECT_EQ(apply(policy_of({}, {{"SSN", first_six}}, true), document("US123456789", {{2, 11, "SSN"}})).text, "<SSN>");
  const DeidentificationPolicy kept =
      policy_of({}, {{"SSN", last_four}, {"NOTE", {.kind = OperatorKind::keep}}}, false);
  EXPECT_EQ(apply(kept, document("note on Dana here", {{0, 17, "NOTE"}, {8, 12, "SSN"}})).text, "<SSN>");
}

TEST(Deidentifier, RefusesLabelsThatAreNoPlainNames) {
  EXPECT_THAT(input_error_of([] {
                apply(policy_of({}), document("Ida", {{0, 3, "Mary Smith"}}));
              }),
              AllOf(HasSubstr("expected a label"), Not(HasSubstr("Mary"))));
}

TEST(Deidentifier, OperatorsOneByOne) {
  const Example ida = document("Für Ida Holm, 92.", {{4, 12, "PERSON"}, {14, 16, "AGE"}});
  const auto text = [&](const Operator& person) { return apply(policy_of({}, {{"PERSON", person}}), ida).text; };
  EXPECT_EQ(text({}), "Für <PERSON>, <AGE>.");
  EXPECT_EQ(text({.value = "[name]"}), "Für [name], <AGE>.");
  EXPECT_EQ(text({.kind = OperatorKind::redact}), "Für , <AGE>.");
  EXPECT_EQ(text({.kind = OperatorKind::keep}), "Für Ida Holm, <AGE>.");
  EXPECT_EQ(text({.kind = OperatorKind::mask}), "Für ********, <AGE>.");
  EXPECT_EQ(text({.kind = OperatorKind::mask, .character = "•", .count = 3}), "Für ••• Holm, <AGE>.");
  EXPECT_EQ(text({.kind = OperatorKind::mask, .count = 4, .from_end = true}), "Für Ida ****, <AGE>.");
  EXPECT_EQ(text({.kind = OperatorKind::mask, .count = 99, .from_end = true}), "Für ********, <AGE>.");
  EXPECT_THAT(text({.kind = OperatorKind::hash, .length = 12}), ::testing::MatchesRegex("Für [0-9a-f]{12}, <AGE>."));
  EXPECT_THAT(text({.kind = OperatorKind::surrogate}),
              ::testing::MatchesRegex("Für [A-Z][a-z]+ [A-Z][A-Za-z]+, <AGE>."));
  EXPECT_EQ(apply(policy_of({}, {{"AGE", {.kind = OperatorKind::age}}}), ida).text, "Für <PERSON>, 90+.");
}

TEST(Deidentifier, NumbersTheSameValueTheSame) {
  const Example three = document("Ida met Bo. IDA left.", {{0, 3, "P"}, {8, 10, "P"}, {12, 15, "P"}});
  EXPECT_EQ(apply(policy_of({.numbered = true}), three).text, "<P_1> met <P_2>. <P_1> left.");
}

TEST(Deidentifier, WhatIsNotRecognizedGoesToTheDefault) {
  const Operator redact{.kind = OperatorKind::redact};
  const DeidentifiedDocument done =
      apply(policy_of(redact, {{"DATE", {.kind = OperatorKind::date_shift}}, {"ZIP", {.kind = OperatorKind::zip}}}),
            document("on 2024-02-28, soon, 62704", {{3, 13, "DATE"}, {15, 19, "DATE"}, {21, 26, "ZIP"}}));
  EXPECT_THAT(done.text, ::testing::MatchesRegex("on 20[0-9]{2}-[0-9]{2}-[0-9]{2}, , 627"));
  ASSERT_EQ(done.spans.size(), 3u);
  EXPECT_FALSE(done.spans[0].by_default);
  EXPECT_TRUE(done.spans[1].by_default);
  EXPECT_EQ(done.spans[1].done, OperatorKind::redact);
  EXPECT_EQ(done.spans[1].written.start, done.spans[1].written.end);
  // A default that cannot either: <LABEL>.
  const DeidentifiedDocument dots = apply(policy_of({.kind = OperatorKind::surrogate}), document("...", {{0, 3, "X"}}));
  EXPECT_EQ(dots.text, "<X>");
  EXPECT_TRUE(dots.spans[0].by_default);
}

TEST(Deidentifier, OneOffsetForAllDatesOfADocument) {
  const DeidentifiedDocument done =
      apply(policy_of({}, {{"D", {.kind = OperatorKind::date_shift}}}),
            document("2024-02-28 2024-02-28 2024-03-01", {{0, 10, "D"}, {11, 21, "D"}, {22, 32, "D"}}));
  EXPECT_EQ(done.text.substr(0, 10), done.text.substr(11, 10));
  EXPECT_NE(done.text.substr(0, 10), "2024-02-28");
}

TEST(CoveredSpans, TakesInWholeWordsAndJoinsWhatOverlaps) {
  const Operator keep{.kind = OperatorKind::keep}, age{.kind = OperatorKind::age};
  const auto covered = [&](const std::string& text, std::vector<Entity> entities, bool snap) {
    return covered_spans(text, entities, policy_of({}, {{"KEEP", keep}, {"AGE", age}}, snap));
  };
  using Spans = std::vector<Entity>;
  EXPECT_EQ(covered("see ~files/marie now", {{11, 14, "P"}}, true), (Spans{{11, 16, "P"}}));
  EXPECT_EQ(covered("see ~files/marie now", {{11, 14, "P"}}, false), (Spans{{11, 14, "P"}}));
  EXPECT_EQ(covered("Anne Marie", {{2, 7, "P"}}, true), (Spans{{0, 10, "P"}}));
  EXPECT_EQ(covered("Anne  Marie", {{4, 6, "P"}}, true), (Spans{{4, 6, "P"}}));  // white space alone
  EXPECT_EQ(covered("田中さん", {{0, 2, "P"}}, true), (Spans{{0, 2, "P"}}));
  // Two within one word become one; touching words stay two.
  EXPECT_EQ(covered("JohnSmith", {{0, 4, "A"}, {4, 9, "B"}}, true), (Spans{{0, 9, "A"}}));
  EXPECT_EQ(covered("JohnSmith", {{0, 4, "A"}, {4, 9, "B"}}, false), (Spans{{0, 4, "A"}, {4, 9, "B"}}));
  EXPECT_EQ(covered("a b c d", {{0, 3, "A"}, {2, 7, "B"}}, false), (Spans{{0, 7, "B"}}));
  EXPECT_EQ(covered("a b c d", {{0, 5, "A"}, {2, 7, "B"}}, false), (Spans{{0, 7, "A"}}));
  // What removes wins over what leaves a part, and that over what keeps, however long.
  EXPECT_EQ(covered("a b c d", {{0, 7, "KEEP"}, {2, 3, "B"}}, false), (Spans{{0, 7, "B"}}));
  EXPECT_EQ(covered("a b c d", {{0, 7, "KEEP"}, {2, 3, "AGE"}}, false), (Spans{{0, 7, "AGE"}}));
  EXPECT_EQ(covered("a b c d", {{0, 7, "AGE"}, {2, 3, "B"}}, false), (Spans{{0, 7, "B"}}));
  // A chain of overlaps is one.
  EXPECT_EQ(covered("abcdefgh", {{0, 3, "A"}, {2, 5, "A"}, {4, 8, "B"}}, false), (Spans{{0, 8, "B"}}));
}

/// Any operator with any parameters.
Operator random_operator(Random& random) {
  const std::vector<OperatorKind> kinds = {OperatorKind::replace,   OperatorKind::redact,     OperatorKind::mask,
                                           OperatorKind::hash,      OperatorKind::encrypt,    OperatorKind::surrogate,
                                           OperatorKind::age,       OperatorKind::zip,        OperatorKind::keep,
                                           OperatorKind::year_only, OperatorKind::date_shift, OperatorKind::date_shift};
  Operator what{.kind = random.choice(kinds)};
  what.numbered = random.chance(0.3);
  what.character = random.chance(0.5) ? "*" : "\U0001F600";
  if (random.chance(0.5)) what.count = random.between(1, 10);
  what.from_end = random.chance(0.5);
  what.length = random.between(8, 64);
  what.day_first = random.chance(0.5);
  return what;
}

TEST(Properties, OutsideTheSpansNothingChanges) {
  Random random(1);
  for (int i = 0; i < 4000; ++i) {
    Example before = random_document(random, 40);
    if (random.chance(0.3)) {  // something that dates, ages and ZIP codes are found in
      const std::int64_t start = CodePointIndex(before.text).size();
      const std::string value = random.choice(std::vector<std::string>{"2024-02-29", "3/4/1999", "97", "62704-1234"});
      before.text += value + " end";
      before.entities.push_back({start, start + std::ssize(value), fmt::format("L{}", random.below(3))});
    }
    const DeidentificationPolicy policy =
        policy_of({}, {{"L0", random_operator(random)}, {"L1", random_operator(random)}}, random.chance(0.5));
    const DeidentifiedDocument after = apply(policy, before);
    expect_untouched_outside(before, after);
    expect_all_covered(before, after);
    if (HasFatalFailure()) return;
  }
}

// A mask with a count hides so many characters of the span that was given, and nothing else of it.
TEST(Properties, AMaskOfSomeCharactersHidesJustThese) {
  Random random(4);
  int num_masked = 0;
  for (int i = 0; i < 4000; ++i) {
    const Example before = random_document(random, 40);
    Operator mask{.kind = OperatorKind::mask, .character = "\U0001F600"};
    mask.count = random.between(1, 9);
    mask.from_end = random.chance(0.5);
    const DeidentifiedDocument after = apply(policy_of({}, {{"L0", mask}}, random.chance(0.5)), before);
    const CodePointIndex old_index(before.text), new_index(after.text);
    for (const DeidentifiedSpan& span : after.spans) {
      if (span.original.label != "L0" || span.by_default) continue;
      ++num_masked;
      ASSERT_NE(std::ranges::find(before.entities, span.original), before.entities.end()) << "widened or united";
      const std::int64_t size = span.original.end - span.original.start, hidden = std::min(*mask.count, size);
      ASSERT_EQ(span.written.end - span.written.start, size);
      for (std::int64_t at = 0; at < size; ++at) {
        const bool is_hidden = mask.from_end ? at >= size - hidden : at < hidden;
        const std::int64_t old_at = span.original.start + at, new_at = span.written.start + at;
        ASSERT_EQ(new_index.slice(new_at, new_at + 1),
                  is_hidden ? std::string_view(mask.character) : old_index.slice(old_at, old_at + 1));
      }
    }
  }
  EXPECT_GT(num_masked, 500);
}

// What stands for a value says nothing of it: another text of the same length in the same place gives the same result,
// or, of operators with a key, something that neither holds the value nor is held by it.
TEST(Properties, NothingOfARemovedValueRemains) {
  Random random(2);
  for (int i = 0; i < 4000; ++i) {
    Example before = random_document(random, 40);
    const CodePointIndex index(before.text);
    for (const Operator& what :
         {Operator{}, Operator{.kind = OperatorKind::redact}, Operator{.kind = OperatorKind::mask}}) {
      const DeidentificationPolicy policy = policy_of(what);
      const DeidentifiedDocument after = apply(policy, before);
      Example other = before;
      other.text.clear();
      std::int64_t at = 0;
      for (const DeidentifiedSpan& span : after.spans) {
        other.text += index.slice(at, span.original.start);
        for (at = span.original.start; at < span.original.end; ++at) other.text += "Ω";
      }
      other.text += index.slice(at, index.size());
      ASSERT_EQ(apply(policy, other).text, after.text);
    }
    for (const OperatorKind kind : {OperatorKind::hash, OperatorKind::encrypt, OperatorKind::surrogate}) {
      const DeidentifiedDocument after = apply(policy_of({.kind = kind}, {}, random.chance(0.5)), before);
      const CodePointIndex new_index(after.text);
      for (const DeidentifiedSpan& span : after.spans) {
        const std::string value(index.slice(span.original.start, span.original.end));
        // Three code points in a row are no accident of hexadecimal digits.
        if (span.by_default || span.original.end - span.original.start < 3) continue;
        ASSERT_EQ(new_index.slice(span.written.start, span.written.end).find(value), std::string_view::npos);
      }
    }
  }
}

TEST(Properties, ReidentifyUndoesEncrypt) {
  Random random(3);
  for (int i = 0; i < 4000; ++i) {
    Example before = random_document(random, 60);
    if (random.chance(0.3)) before.text += "<L1:AAAA> <L0:>";  // looks like an encrypted value
    const DeidentificationPolicy policy = policy_of({.kind = OperatorKind::encrypt}, {}, random.chance(0.5));
    const DeidentifiedDocument after = apply(policy, before);
    std::vector<WrittenSpan> spans;
    for (const DeidentifiedSpan& span : after.spans) spans.push_back({span.written, name_of(span.done)});
    random.shuffle(spans);
    const ReidentifiedDocument back = reidentify(after.id, after.text, spans, kKey);
    ASSERT_EQ(back.text, before.text);
    ASSERT_EQ(back.spans.size(), after.spans.size());
    for (std::size_t j = 0; j < back.spans.size(); ++j) {
      EXPECT_EQ(back.spans[j].span, after.spans[j].original);
      EXPECT_EQ(back.spans[j].done, "");
    }
  }
}

TEST(Reidentify, RefusesWhatIsNotTheDocuments) {
  const Operator encrypt{.kind = OperatorKind::encrypt};
  const DeidentifiedDocument done = apply(policy_of(encrypt, {{"KEEP", {.kind = OperatorKind::keep}}}),
                                          document("Ida, Bo", {{0, 3, "P"}, {5, 7, "KEEP"}}));
  const Entity span = done.spans[0].written;
  const std::vector<WrittenSpan> spans = {{span, "encrypt"}, {done.spans[1].written, "keep"}};
  const auto error = [&](const std::string& id, const std::string& text, const std::vector<WrittenSpan>& of,
                         const SecretKey& key = kKey) {
    return input_error_of([&] { reidentify(id, text, of, key); });
  };
  ASSERT_EQ(error("d1", done.text, spans), "");
  EXPECT_EQ(reidentify("d1", done.text, spans, kKey).spans[1].done, "keep");
  EXPECT_THAT(error("d2", done.text, spans), HasSubstr("entity 1 (P, [0, "));
  EXPECT_THAT(error("d1", done.text, spans, SecretKey(std::string(32, 'l'))), HasSubstr("cannot be decrypted"));
  for (std::size_t i = 0; i < static_cast<std::size_t>(span.end); ++i) {
    std::string changed = done.text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_NE(error("d1", changed, spans), "") << i;
  }
  EXPECT_THAT(error("d1", done.text, {{{span.start, span.end, "Q"}, "encrypt"}}), HasSubstr("<LABEL:...>"));
  std::string relabelled = done.text;
  relabelled[1] = 'Q';
  EXPECT_THAT(error("d1", relabelled, {{{span.start, span.end, "Q"}, "encrypt"}}), HasSubstr("cannot be decrypted"));
  EXPECT_THAT(error("d1", done.text, {{{span.start, 9999, "P"}, "encrypt"}}), HasSubstr("expected a range"));
  EXPECT_THAT(error("d1", done.text, {{span, "encrypt"}, {span, "keep"}}), HasSubstr("expected a range"));
}

TEST(Hash, IsKeyedByScopeAndLabel) {
  const Operator hash{.kind = OperatorKind::hash};
  DeidentificationPolicy policy = policy_of(hash);
  const auto hashed = [&](const std::string& id, const std::string& label) {
    return apply(policy, {id, "Ida", {{0, 3, label}}, ""}).text;
  };
  EXPECT_EQ(hashed("a", "P").size(), 64u);
  EXPECT_EQ(hashed("a", "P"), hashed("a", "P"));
  EXPECT_NE(hashed("a", "P"), hashed("b", "P"));
  EXPECT_NE(hashed("a", "P"), hashed("a", "Q"));
  policy.scope = PseudonymScope::dataset;
  EXPECT_EQ(hashed("a", "P"), hashed("b", "P"));
}

TEST(Deidentifier, RefusesSpansOutsideTheText) {
  for (const Entity& entity : {Entity{0, 4, "P"}, Entity{-1, 2, "P"}, Entity{2, 2, "P"}}) {
    EXPECT_THAT(input_error_of([&] { apply(policy_of({}), document("Ida", {entity})); }), HasSubstr("entity 1 (P"));
  }
}

}  // namespace
}  // namespace entune
