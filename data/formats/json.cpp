#include "data/formats/json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/code_points.h"
#include "data/formats/alignment.h"
#include "data/formats/answer_text.h"
#include "data/formats/closed_labels.h"
#include "data/formats/json_grammar.h"
#include "data/formats/json_records.h"

namespace entune {
namespace {

class JsonFormat final : public OutputFormat {
 public:
  explicit JsonFormat(const LabelList& labels) : list_(labels), labels_(labels) {}

  std::string_view name() const override { return "json"; }

  std::optional<std::string> why_not(const Example& example) const override { return labels_.why_not(example); }

  std::string render(const Example& example) const override {
    const CodePointIndex index(example.text);
    std::vector<std::string> objects;
    for (const Entity& entity : example.entities) {
      objects.push_back(fmt::format(
          R"({{"entity_type": {}, "entity_value": {}, "start_position": {}, "end_position": {}}})",
          json_string(entity.label), json_string(index.slice(entity.start, entity.end)), entity.start, entity.end));
    }
    return fmt::format("[{}]", fmt::join(objects, ", "));
  }

  ParsedAnswer parse(std::string_view answer, std::string_view input) const override {
    ParsedAnswer parsed;
    const CodePointIndex index(input);
    for (const JsonRecord& record : read_json_records(valid_utf8(answer), {"entity_type", "entity_value"},
                                                      {"start_position", "end_position"}, parsed)) {
      std::optional<Mention> mention = unplaced_mention(record, labels_, parsed);
      if (!mention) continue;
      const std::int64_t start = record.integers[0].value_or(-1);
      const std::int64_t end = record.integers[1].value_or(-1);
      if (0 <= start && start < end && end <= index.size()) mention->raw = Entity{start, end, mention->label};
      if (!mention->raw || index.slice(start, end) != mention->value) count(parsed, AnswerFault::offset_wrong);
      parsed.mentions.push_back(std::move(*mention));
    }
    align(parsed, input, index);
    return parsed;
  }

  std::unique_ptr<AnswerGrammar> grammar(std::string_view text, const TokenAlphabet& alphabet) const override {
    const JsonPieces pieces{.before_label = R"({"entity_type": ")",
                            .before_value = R"(", "entity_value": ")",
                            .before_number = R"(", "start_position": )",
                            .before_end = R"(, "end_position": )"};
    return std::make_unique<JsonGrammar>(pieces, list_, text, alphabet);
  }

  std::string instruction() const override {
    return "Answer with a JSON array that has one object for each entity, in the order of the text, with the members "
           "\"entity_type\" (a label of the list), \"entity_value\" (the words of the text, copied exactly), "
           "\"start_position\" and "
           "\"end_position\". Positions count characters from 0; the end is the position after the last character. "
           "Without entities, "
           "answer []. Write nothing else.";
  }

  std::string explanation(const Example& example) const override {
    const CodePointIndex index(example.text);
    std::vector<std::string> reasons;
    for (const Entity& entity : example.entities) {
      reasons.push_back(fmt::format("\"{}\" is {}: {} characters before it and {} in it, so from {} to {}",
                                    index.slice(entity.start, entity.end), entity.label, entity.start,
                                    entity.end - entity.start, entity.start, entity.end));
    }
    return fmt::format(
        "I wrote one object for each entity, in the order of the text. {}. Spaces and punctuation count as characters. "
        "Nothing else fits a label.",
        fmt::join(reasons, "; "));
  }

 private:
  LabelList list_;
  ClosedLabels labels_;
};

}  // namespace

std::unique_ptr<OutputFormat> make_json_format(const LabelList& labels) { return std::make_unique<JsonFormat>(labels); }

}  // namespace entune
