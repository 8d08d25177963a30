#include "data/scoring/document_score.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "data/input_error.h"

namespace entune {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Example letters(std::vector<Entity> entities) {
  return {.id = "x", .text = "abcdefghijklmnopqrst", .entities = std::move(entities), .group = ""};
}

Mention mention(std::string value, std::string label, std::optional<Entity> raw, std::optional<Entity> repaired) {
  return {.value = std::move(value), .label = std::move(label), .raw = std::move(raw), .repaired = std::move(repaired)};
}

TEST(DocumentScore, OffsetsWrongThoughTheValueIsRight) {
  const Example gold{
      .id = "x", .text = "Ann met Bob and Ann", .entities = {{0, 3, "A"}, {8, 11, "A"}, {16, 19, "A"}}, .group = ""};
  ParsedAnswer answer;
  answer.mentions = {
      mention("Ann", "A", Entity{0, 3, "A"}, Entity{0, 3, "A"}),      // right
      mention(" Bob ", "A", Entity{7, 10, "A"}, Entity{8, 11, "A"}),  // value right, place wrong, repaired
      mention("Ann", "A", Entity{14, 17, "A"}, Entity{16, 19, "A"}),  // the same
      mention("Ann", "A", Entity{12, 15, "A"}, Entity{16, 19, "A"}),  // explains no further miss
      mention("Bob", "B", Entity{1, 4, "B"}, std::nullopt),           // another label
  };
  const DocumentScore score = score_document(gold, answer, false);
  EXPECT_EQ(score.raw.errors.offset_wrong_value_right, 2);
  EXPECT_EQ(score.repaired.errors.offset_wrong_value_right, 0);
  EXPECT_EQ(score.raw.scheme(Scheme::strict).correct, 1);
  EXPECT_EQ(score.repaired.scheme(Scheme::strict).correct, 3);
  EXPECT_EQ(score.repaired.duplicates, 1);
  EXPECT_EQ(score.values, (LabelCounts{.support = 2, .predicted = 3, .correct = 2}));
}

TEST(DocumentScore, OneMentionExplainsOneMiss) {
  const Example gold{.id = "x", .text = "Ann met Ann", .entities = {{0, 3, "A"}, {8, 11, "A"}}, .group = ""};
  ParsedAnswer answer;
  answer.mentions = {mention("Ann", "A", Entity{1, 4, "A"}, std::nullopt)};
  EXPECT_EQ(score_document(gold, answer, false).raw.errors.offset_wrong_value_right, 1);
}

TEST(DocumentScore, MentionsWithoutPlaceAreSpuriousOnceForEachValue) {
  const Example gold{.id = "x", .text = "Ann met Bob", .entities = {{0, 3, "A"}}, .group = ""};
  ParsedAnswer answer;
  answer.mentions = {mention("Eve", "A", std::nullopt, std::nullopt), mention("Eve ", "A", std::nullopt, std::nullopt),
                     mention("Eve", "B", std::nullopt, std::nullopt),
                     mention("Ann", "A", std::nullopt, Entity{0, 3, "A"})};
  const DocumentScore score = score_document(gold, answer, false);
  EXPECT_EQ(score.raw.scheme(Scheme::strict), (SchemeCounts{0, 0, 0, 1, 3}));
  EXPECT_EQ(score.repaired.scheme(Scheme::strict), (SchemeCounts{1, 0, 0, 0, 2}));
  EXPECT_EQ(score.raw.trim_punct, (LabelCounts{1, 3, 0}));
  EXPECT_EQ(score.repaired.trim_punct, (LabelCounts{1, 3, 1}));
  EXPECT_EQ(score.raw.errors.offset_wrong_value_right, 1);
  EXPECT_EQ(score.raw.labels.at("B"), (LabelCounts{0, 1, 0}));
}

TEST(DocumentScore, HealthOfAnAnswer) {
  ParsedAnswer answer;
  answer.faults[static_cast<std::size_t>(AnswerFault::unparsable)] = 2;
  answer.faults[static_cast<std::size_t>(AnswerFault::not_in_text)] = 3;
  answer.copy = {.edits = 7, .length = 20};
  const HealthCounts bad = score_document(letters({}), answer, true).health;
  EXPECT_EQ(bad.answers, 1);
  EXPECT_EQ(bad.parsed, 0);
  EXPECT_EQ(bad.well_formed, 0);
  EXPECT_EQ(bad.copy_exact, 0);
  EXPECT_EQ(bad.hit_max_tokens, 1);
  EXPECT_EQ(bad.copy_edits, 7);
  EXPECT_EQ(bad.copy_length, 20);
  EXPECT_EQ(bad.fault_documents[static_cast<std::size_t>(AnswerFault::not_in_text)], 1);
  EXPECT_EQ(bad.fault_counts[static_cast<std::size_t>(AnswerFault::not_in_text)], 3);

  const HealthCounts good = score_document(letters({}), ParsedAnswer{}, false).health;
  EXPECT_EQ(good.parsed + good.well_formed + good.copy_exact, 3);
  EXPECT_EQ(good.hit_max_tokens, 0);
  EXPECT_EQ(score_document(letters({}), std::vector<Entity>{}).health, HealthCounts{}) << "patterns write no answer";
}

TEST(DocumentScore, PatternsReadTheSameRawAndRepaired) {
  const DocumentScore score = score_document(letters({{0, 4, "A"}}), std::vector<Entity>{{0, 4, "A"}, {5, 7, "A"}});
  EXPECT_EQ(score.raw, score.repaired);
  EXPECT_EQ(score.raw.scheme(Scheme::strict), (SchemeCounts{1, 0, 0, 0, 1}));
  EXPECT_EQ(score.values, (LabelCounts{1, 2, 1}));
}

DocumentScore sample_score() {
  const Example gold{.id = "d-1",
                     .text = "Ann met Bob and Ann",
                     .entities = {{0, 3, "A"}, {8, 11, "A"}, {16, 19, "A"}},
                     .group = "t 7"};
  ParsedAnswer answer;
  answer.mentions = {mention("Ann", "A", Entity{0, 3, "A"}, Entity{0, 3, "A"}),
                     mention("Bob", "A", Entity{7, 10, "A"}, Entity{8, 11, "A"}),
                     mention("Eve", "B", std::nullopt, std::nullopt)};
  answer.faults[static_cast<std::size_t>(AnswerFault::not_in_text)] = 1;
  answer.copy = {.edits = 5, .length = 19};
  return score_document(gold, answer, true);
}

TEST(DocumentScore, JsonGivesTheSameCountsBackAndHoldsNoText) {
  const DocumentScore score = sample_score();
  const std::string line = to_json(score).dump();
  EXPECT_EQ(document_score_from_json(nlohmann::json::parse(line)), score);
  for (const char* word : {"Ann", "Bob", "Eve"}) EXPECT_THAT(line, Not(HasSubstr(word)));
}

TEST(DocumentScore, FileGivesTheSameDocumentsBack) {
  const auto path =
      std::filesystem::temp_directory_path() / ("entune_document_scores_" + std::to_string(getpid()) + ".jsonl");
  const std::vector<DocumentScore> documents = {sample_score(), score_document(letters({}), ParsedAnswer{}, false)};
  write_document_scores(path, documents);
  EXPECT_EQ(read_document_scores(path), documents);
  std::filesystem::remove(path);
  EXPECT_THROW(read_document_scores(path), InputError);
}

TEST(DocumentScore, BadJsonIsAnInputError) {
  const nlohmann::json good = to_json(sample_score());
  const auto reject = [&](auto change) {
    nlohmann::json bad = good;
    change(bad);
    EXPECT_THROW(document_score_from_json(bad), InputError) << bad;
  };
  reject([](auto& j) { j = nullptr; });
  reject([](auto& j) { j.erase("id"); });
  reject([](auto& j) { j["raw"].erase("strict"); });
  reject([](auto& j) { j["raw"]["strict"] = {1, 2, 3}; });
  reject([](auto& j) { j["raw"]["strict"][0] = "1"; });
  reject([](auto& j) { j["raw"]["labels"]["A"] = 4; });
  reject([](auto& j) { j["health"]["fault_counts"].push_back(1); });
  reject([](auto& j) { j["values"][1] = 0.5; });
  reject([](auto& j) { j["repaired"].erase("trim_punct"); });
  reject([](auto& j) { j["health"].erase("copy_edits"); });
  reject([](auto& j) { j["health"]["copy_length"] = "19"; });
}

TEST(DocumentScore, GroupsDoNotDependOnTheOrderOfDocuments) {
  const auto document = [](std::string id, std::string group) {
    DocumentScore score;
    score.id = std::move(id);
    score.group = std::move(group);
    return score;
  };
  // Document "g" has no group: it is not of group "g".
  const std::vector<DocumentScore> documents = {document("a", "g"), document("g", ""), document("b", "h"),
                                                document("c", "g"), document("d", "")};
  const std::vector<DocumentScore> reversed(documents.rbegin(), documents.rend());
  const auto groups = group_documents(documents);
  const auto other = group_documents(reversed);
  ASSERT_EQ(groups.size(), 4u);
  ASSERT_EQ(other.size(), 4u);
  EXPECT_EQ(groups[0].size(), 2u);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    EXPECT_EQ(groups[g].size(), other[g].size());
    EXPECT_EQ(groups[g].front()->group, other[g].front()->group);
  }
}

}  // namespace
}  // namespace entune
