#include "data/documents/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "data/code_points.h"
#include "data/random.h"
#include "tests/data/corpus/random_example.h"

namespace entune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Mention mention(std::string_view text, const Entity& entity) {
  return {std::string(CodePointIndex(text).slice(entity.start, entity.end)), entity.label, entity, entity};
}

/// What a window's answer says of the entities, which have the document's offsets, if it sees what is in the window.
ParsedAnswer seen(std::string_view text, const std::vector<Entity>& entities, const Window& window) {
  ParsedAnswer answer;
  const std::string_view piece = CodePointIndex(text).slice(window.start, window.end);
  for (const Entity& entity : entities) {
    const std::int64_t start = std::max(entity.start, window.start), end = std::min(entity.end, window.end);
    if (start < end)
      answer.mentions.push_back(mention(piece, {start - window.start, end - window.start, entity.label}));
  }
  return answer;
}

// 0         10        20
// Ann Lee met Bo Yi in Rio on Sunday
const std::string kText = "Ann Lee met Bo Yi in Rio on Sunday";
const std::vector<Window> kWindows = {{0, 17}, {12, 34}};

std::vector<Entity> merged(const std::vector<Entity>& first, const std::vector<Entity>& second) {
  const ParsedAnswer answer =
      merge_answers(kText, kWindows, {seen(kText, first, kWindows[0]), seen(kText, second, kWindows[1])});
  EXPECT_EQ(answer.raw(), answer.repaired());
  return answer.repaired();
}

TEST(Merge, EqualSpansStayOnceAndLoneOnesStay) {
  EXPECT_THAT(merged({{0, 7, "PERSON"}, {12, 17, "PERSON"}}, {{12, 17, "PERSON"}, {21, 24, "GPE"}}),
              ElementsAre(Entity{0, 7, "PERSON"}, Entity{12, 17, "PERSON"}, Entity{21, 24, "GPE"}));
  EXPECT_THAT(merged({{12, 14, "PERSON"}}, {}), ElementsAre(Entity{12, 14, "PERSON"}));
  EXPECT_THAT(merged({}, {{12, 14, "PERSON"}}), ElementsAre(Entity{12, 14, "PERSON"}));
}

TEST(Merge, ACutSpanGivesWayToTheWholeOne) {
  EXPECT_THAT(merged({{12, 24, "PERSON"}}, {{12, 24, "PERSON"}}), ElementsAre(Entity{12, 24, "PERSON"}));
  EXPECT_THAT(merged({{8, 14, "PERSON"}}, {{8, 14, "PERSON"}}), ElementsAre(Entity{8, 14, "PERSON"}));
}

TEST(Merge, HalvesBecomeOneSpan) {
  const ParsedAnswer answer = merge_answers(
      kText, kWindows, {seen(kText, {{8, 24, "PERSON"}}, kWindows[0]), seen(kText, {{8, 24, "PERSON"}}, kWindows[1])});
  EXPECT_THAT(answer.repaired(), ElementsAre(Entity{8, 24, "PERSON"}));
  ASSERT_EQ(answer.mentions.size(), 1u);
  EXPECT_EQ(answer.mentions[0].value, "met Bo Yi in Rio");
}

TEST(Merge, APartOfAHalfIsAPartOfTheWhole) {
  // The second window's span ends with the first one's, which the third one's carries on.
  const std::string text(30, 'x');
  const std::vector<Window> windows = {{0, 14}, {7, 18}, {13, 25}, {18, 30}};
  const std::vector<std::vector<Entity>> said = {{{2, 14, "PERSON"}}, {{7, 14, "PERSON"}}, {{13, 20, "PERSON"}}, {}};
  std::vector<ParsedAnswer> answers;
  for (std::size_t i = 0; i < windows.size(); ++i) answers.push_back(seen(text, said[i], windows[i]));
  EXPECT_THAT(merge_answers(text, windows, std::move(answers)).repaired(), ElementsAre(Entity{2, 20, "PERSON"}));
}

TEST(Merge, OfConflictingSpansTheLongestStaysThenTheOneWithMoreContext) {
  EXPECT_THAT(merged({{12, 14, "PERSON"}}, {{12, 17, "GPE"}}), ElementsAre(Entity{12, 17, "GPE"}));
  // Ends at the first window's end; the second begins 12 and ends 34.
  EXPECT_THAT(merged({{15, 17, "PERSON"}}, {{15, 17, "GPE"}}), ElementsAre(Entity{15, 17, "GPE"}));
  EXPECT_THAT(merged({{12, 14, "PERSON"}}, {{12, 14, "GPE"}}), ElementsAre(Entity{12, 14, "PERSON"}));
}

TEST(Merge, NestedSpansOfOneWindowStay) {
  const std::vector<Entity> nested = {{12, 14, "GPE"}, {12, 17, "PERSON"}};
  EXPECT_EQ(merged(nested, nested), nested);
}

TEST(Merge, FaultsAndCopiesAreSummedUpAndUnplacedMentionsStay) {
  ParsedAnswer first, second;
  first.mentions = {{"Zed", "PERSON", std::nullopt, std::nullopt}};
  first.faults[static_cast<std::size_t>(AnswerFault::not_in_text)] = 1;
  first.copy = {2, 17};
  second.faults[static_cast<std::size_t>(AnswerFault::unbalanced)] = 3;
  second.copy = {1, 22};
  const ParsedAnswer answer = merge_answers(kText, kWindows, {first, second});
  EXPECT_EQ(answer.mentions.size(), 1u);
  EXPECT_THAT(answer.raw(), IsEmpty());
  EXPECT_EQ(answer.fault(AnswerFault::not_in_text), 1);
  EXPECT_EQ(answer.fault(AnswerFault::unbalanced), 3);
  EXPECT_FALSE(answer.well_formed());
  EXPECT_EQ(answer.copy, (CopyDistance{3, 39}));
}

TEST(Merge, AMentionWithOneReadingLeftGetsTheOtherFromWhatItGaveWayTo) {
  ParsedAnswer first, second;
  first.mentions = {{"Bo Yi", "PERSON", Entity{0, 5, "PERSON"}, Entity{12, 17, "PERSON"}}};  // raw: elsewhere
  second.mentions = {{"Bo Yi", "PERSON", Entity{0, 5, "PERSON"}, Entity{0, 5, "PERSON"}}};
  const ParsedAnswer answer = merge_answers(kText, kWindows, {first, second});
  EXPECT_THAT(answer.repaired(), ElementsAre(Entity{12, 17, "PERSON"}));
  EXPECT_THAT(answer.raw(), ElementsAre(Entity{0, 5, "PERSON"}, Entity{12, 17, "PERSON"}));
}

/// Gold that every window tells truly comes back from any text, nested and crossing entities too, if no entity is
/// longer than what the windows share.
TEST(Merge, TrueAnswersOfWindowsGiveTheGoldBack) {
  Random random(4);
  int num_cut = 0;
  for (int round = 0; round < 4000; ++round) {
    const std::string text = random_text(random, 300);
    const CodePointIndex index(text);
    const std::vector<Window> windows = cut(text, {random.between(8, 60), random.between(1, 30),
                                                   [](std::string_view t) { return CodePointIndex(t).size(); }});
    std::int64_t shared = index.size();
    for (std::size_t i = 1; i < windows.size(); ++i)
      shared = std::min(shared, std::max<std::int64_t>(windows[i - 1].end - windows[i].start, 1));
    const auto white = [&](std::int64_t at) {
      return std::none_of(windows.begin(), windows.end(), [&](const Window& w) { return w.start <= at && at < w.end; });
    };
    std::vector<Entity> gold;
    for (std::int64_t i = random.below(12); i > 0 && index.size() > 0; --i) {
      const std::int64_t start = random.below(index.size());
      const std::int64_t end = std::min(index.size(), start + random.between(1, shared));
      bool between_windows = false;
      for (std::int64_t at = start; at < end; ++at) between_windows |= white(at);
      if (!between_windows) gold.push_back({start, end, random.chance(0.5) ? "PERSON" : "GPE"});
    }
    std::sort(gold.begin(), gold.end());
    gold.erase(std::unique(gold.begin(), gold.end()), gold.end());
    std::vector<ParsedAnswer> answers;
    for (const Window& window : windows) answers.push_back(seen(text, gold, window));
    const ParsedAnswer answer = merge_answers(text, windows, std::move(answers));
    ASSERT_EQ(answer.repaired(), gold) << "round " << round;
    ASSERT_EQ(answer.raw(), gold);
    ASSERT_EQ(answer.mentions.size(), gold.size());
    for (const Mention& m : answer.mentions) ASSERT_EQ(m.value, index.slice(m.raw->start, m.raw->end));
    num_cut += windows.size() > 1 && !gold.empty();
  }
  EXPECT_GT(num_cut, 1000);
}

/// Whatever the windows say: what comes out was said by one of them or is made of halves, and spans that overlap were
/// said by one window, side by side, or seen there in part.
TEST(Merge, AnyAnswersGiveSpansOfTheDocumentWithoutConflict) {
  Random random(5);
  for (int round = 0; round < 2000; ++round) {
    const std::string text = random_text(random, 200);
    const CodePointIndex index(text);
    const std::vector<Window> windows = cut(text, {random.between(8, 60), random.between(0, 30),
                                                   [](std::string_view t) { return CodePointIndex(t).size(); }});
    std::vector<ParsedAnswer> answers;
    std::vector<Entity> said;
    for (const Window& window : windows) {
      std::vector<Entity> entities;
      std::int64_t at = window.start;
      while (at < window.end) {  // flat, so that nothing that overlaps in the end was nested
        const std::int64_t start = at + random.below(8), end = start + random.between(1, 12);
        if (end > window.end) break;
        entities.push_back({start, end, random.chance(0.8) ? "PERSON" : "GPE"});
        at = end;
      }
      said.insert(said.end(), entities.begin(), entities.end());
      answers.push_back(seen(text, entities, window));
    }
    const std::vector<Entity> found = merge_answers(text, windows, std::move(answers)).repaired();
    const bool all_in_text = std::all_of(found.begin(), found.end(), [&](const Entity& e) {
      return 0 <= e.start && e.start < e.end && e.end <= index.size();
    });
    ASSERT_TRUE(all_in_text);
    std::vector<Entity> in_order = found;
    std::ranges::sort(in_order);
    for (std::size_t i = 1; i < in_order.size(); ++i)
      ASSERT_LE(in_order[i - 1].end, in_order[i].start) << "round " << round << ": two spans overlap";
    for (const Entity& each : said) {
      const bool remains = std::any_of(found.begin(), found.end(),
                                       [&](const Entity& e) { return e.start < each.end && each.start < e.end; });
      ASSERT_TRUE(remains) << "round " << round << ": a span vanished";
    }
  }
}

}  // namespace
}  // namespace entune
