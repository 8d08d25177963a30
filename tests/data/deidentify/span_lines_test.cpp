#include "data/deidentify/span_lines.h"

#include <gmock/gmock.h>

#include <sstream>

#include "tests/support/temporary_directory.h"

namespace entune {
namespace {

using test::input_error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string document_error(const std::string& lines) {
  return input_error_of([&] {
    std::istringstream in(lines);
    SpanLineReader reader(in, "in");
    while (reader.next_document()) {
    }
  });
}

std::string pair_error(const std::string& documents, const std::string& spans) {
  return input_error_of([&] {
    std::istringstream in(documents), spans_in(spans);
    SpanLineReader reader(in, "in"), spans_reader(spans_in, "spans");
    while (spans_reader.next_of(reader)) {
    }
  });
}

TEST(SpanLines, DocumentsOneByOne) {
  std::istringstream in(
      "{\"id\": 7, \"text\": \"Ida é\", \"entities\": [{\"start\": 0, \"end\": 3, \"label\": \"P\", \"value\": "
      "\"Ida\"}]}\r\n"
      "\n"
      "{\"text\": \"\", \"entities\": []}");
  SpanLineReader reader(in, "in");
  EXPECT_EQ(reader.next_document(), (Example{"7", "Ida é", {{0, 3, "P"}}, ""}));
  EXPECT_EQ(reader.next_document(), (Example{"3", "", {}, ""}));  // by its line
  EXPECT_EQ(reader.place(), "in:3");
  EXPECT_EQ(reader.next_document(), std::nullopt);
}

TEST(SpanLines, FaultsAreNamedByLineWithoutText) {
  const std::string good = "{\"text\": \"x\", \"entities\": []}\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{\"text\": \"Ida\"}", "in:2: expected an array in \"entities\""},
      {"{\"text\": \"Ida\", \"entities\": [{\"start\": 0, \"end\": 9, \"label\": \"P\"}]}",
       "[0, 9)): expected 0 <= start < end <= 3"},
      {"{\"text\": \"Ida\", \"entities\": [{\"start\": 2, \"end\": 1, \"label\": \"P\"}]}", "[2, 1))"},
      {"{\"text\": \"Ida\", \"entities\": [{\"start\": -1, \"end\": 1, \"label\": \"P\"}]}", "[-1, 1))"},
      {"{\"text\": \"Ida\", \"entities\": [{\"start\": 0, \"end\": 1.5, \"label\": \"P\"}]}",
       "in:2: entity 1: expected an integer"},
      {"{\"text\": \"Ida\", \"entities\": [{\"start\": 0, \"end\": 2, \"label\": \"P\", \"value\": \"Ida\"}]}",
       "the entity's value"},
      {"{\"text\": \"Ida\", \"text\": \"Ida\", \"entities\": []}", "in:2: expected every JSON key once"},
      {"{\"text\": \"Ida \xff\", \"entities\": []}", "in:2: expected UTF-8"},
      {"{\"id\": \"\", \"text\": \"Ida\", \"entities\": []}", "in:2: expected an id"},
      {"[\"Ida\"]", "in:2: expected a JSON object"},
      {"Ida", "in:2: expected JSON"},
  };
  for (const auto& [line, expected] : cases)
    EXPECT_THAT(document_error(good + line), AllOf(HasSubstr("in:2: "), HasSubstr(expected), Not(HasSubstr("Ida"))))
        << line;
}

TEST(SpanLines, SpansGoWithTheirDocuments) {
  const std::string texts = "{\"id\": \"a\", \"text\": \"Ida\"}\n{\"id\": \"b\", \"text\": \"Bo\", \"entities\": 5}\n";
  const std::string a =
      "{\"id\": \"a\", \"entities\": [{\"start\": 0, \"end\": 3, \"label\": \"P\", \"value\": \"Ida\"}], \"windows\": "
      "1}\n";
  const std::string b = "{\"id\": \"b\", \"entities\": []}\n";
  std::istringstream in(texts), spans_in(a + b);
  SpanLineReader reader(in, "in"), spans(spans_in, "spans");
  EXPECT_EQ(spans.next_of(reader), (Example{"a", "Ida", {{0, 3, "P"}}, ""}));
  EXPECT_EQ(spans.next_of(reader), (Example{"b", "Bo", {}, ""}));
  EXPECT_EQ(spans.next_of(reader), std::nullopt);

  EXPECT_THAT(pair_error(texts, a), HasSubstr("in:2: expected a line of spans for document b"));
  EXPECT_THAT(pair_error("{\"id\": \"a\", \"text\": \"Ida\"}", a + b),
              HasSubstr("spans:2: expected no more lines than in has"));
  EXPECT_THAT(pair_error(texts, b + a),
              HasSubstr("spans:1: expected the spans of document a (in:1), found those of b"));
  EXPECT_THAT(pair_error("{\"id\": \"a\", \"text\": \"Bo\"}", a), HasSubstr("spans:1: entity 1"));
}

TEST(SpanLines, OutputComesBack) {
  const DeidentifiedDocument document{.id = "a",
                                      .text = "x <P>",
                                      .spans = {{{0, 1, "K"}, {0, 1, "K"}, OperatorKind::keep, false},
                                                {{2, 9, "P"}, {2, 5, "P"}, OperatorKind::replace, true},
                                                {{10, 12, "R"}, {5, 5, "R"}, OperatorKind::redact, false}},
                                      .policy = "0f"};
  EXPECT_EQ(output_line(document),
            R"({"id":"a","text":"x <P>","entities":[{"start":0,"end":1,"label":"K","operator":"keep"},)"
            R"({"start":2,"end":5,"label":"P","operator":"replace"}],"policy":"0f"})");
  DeidentificationPolicy policy;
  policy.sha256 = "00ff";
  EXPECT_EQ(audit_line({.id = "a", .text = "x <P>", .spans = {document.spans[1]}}, policy),
            R"({"id":"a","policy_sha256":"00ff","spans":[{"start":2,"end":9,"new_start":2,"new_end":5,"label":"P",)"
            R"("operator":"replace","by_default":true}]})");
  std::istringstream in(
      output_line(document) +
      "\n{\"id\": \"b\", \"text\": \"Ida\", \"entities\": [{\"start\": 0, \"end\": 3, \"label\": \"P\"}]}");
  SpanLineReader reader(in, "in");
  const std::optional<SpanLineReader::Output> output = reader.next_output();
  ASSERT_TRUE(output);
  EXPECT_EQ(output->text, "x <P>");
  ASSERT_EQ(output->spans.size(), 2u);
  EXPECT_EQ(output->spans[1].done, "replace");
  EXPECT_THAT(input_error_of([&] { reader.next_output(); }),
              HasSubstr("in:2: entity 1: expected a string in \"operator\""));
}

}  // namespace
}  // namespace entune
