#include "data/formats/json_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>

#include "data/code_points.h"
#include "data/formats/alignment.h"
#include "data/formats/answer_text.h"
#include "data/formats/closed_labels.h"
#include "data/formats/json_grammar.h"
#include "data/formats/json_records.h"
#include "data/formats/occurrences.h"

namespace entune {
namespace {

/// Which occurrence of its value an entity is, from 1.
std::size_t occurrence_of(const Entity& entity, std::string_view text, const CodePointIndex& index) {
  const std::vector<std::size_t> begins = find_occurrences(index.slice(entity.start, entity.end), text);
  const auto found = std::lower_bound(begins.begin(), begins.end(), index.byte_offset(entity.start));
  return static_cast<std::size_t>(found - begins.begin()) + 1;
}

class JsonValuesFormat final : public OutputFormat {
 public:
  explicit JsonValuesFormat(const LabelList& labels) : list_(labels), labels_(labels) {}

  std::string_view name() const override { return "json_values"; }

  std::optional<std::string> why_not(const Example& example) const override { return labels_.why_not(example); }

  std::string render(const Example& example) const override {
    const CodePointIndex index(example.text);
    std::vector<std::string> objects;
    for (const Entity& entity : example.entities) {
      objects.push_back(fmt::format(R"({{"type": {}, "value": {}, "occurrence": {}}})", json_string(entity.label),
                                    json_string(index.slice(entity.start, entity.end)),
                                    occurrence_of(entity, example.text, index)));
    }
    return fmt::format("[{}]", fmt::join(objects, ", "));
  }

  ParsedAnswer parse(std::string_view answer, std::string_view input) const override {
    ParsedAnswer parsed;
    const CodePointIndex index(input);
    std::unordered_map<std::string, std::vector<std::size_t>> occurrences;
    for (const JsonRecord& record : read_json_records(valid_utf8(answer), {"type", "value"}, {"occurrence"}, parsed)) {
      std::optional<Mention> mention = unplaced_mention(record, labels_, parsed);
      if (!mention) continue;
      const std::string& value = mention->value;
      const auto [entry, is_new] = occurrences.try_emplace(value);
      if (is_new) entry->second = find_occurrences(value, input);
      const std::vector<std::size_t>& begins = entry->second;

      const std::optional<std::int64_t> stated = record.integers[0];
      const std::int64_t n = stated.value_or(1);
      if (!stated && begins.size() > 1) {
        count(parsed, AnswerFault::ambiguous_value);
      } else if (n >= 1 && n <= static_cast<std::int64_t>(begins.size())) {
        const std::size_t begin = begins[static_cast<std::size_t>(n - 1)];
        mention->raw = Entity{index.code_point(begin), index.code_point(begin + value.size()), mention->label};
      } else if (!begins.empty()) {
        count(parsed, AnswerFault::offset_wrong);
      }
      parsed.mentions.push_back(std::move(*mention));
    }
    align(parsed, input, index);
    return parsed;
  }

  std::unique_ptr<AnswerGrammar> grammar(std::string_view text, const TokenAlphabet& alphabet) const override {
    const JsonPieces pieces{.before_label = R"({"type": ")",
                            .before_value = R"(", "value": ")",
                            .before_number = R"(", "occurrence": )",
                            .before_end = ""};
    return std::make_unique<JsonGrammar>(pieces, list_, text, alphabet);
  }

  std::string instruction() const override {
    return "Answer with a JSON array that has one object for each entity, in the order of the text, with the members "
           "\"type\" (a label "
           "of the list), \"value\" (the words of the text, copied exactly) and \"occurrence\" (1 where the text has "
           "this value for the "
           "first time, 2 for the second, and so on). Without entities, answer []. Write nothing else.";
  }

  std::string explanation(const Example& example) const override {
    const CodePointIndex index(example.text);
    std::vector<std::string> reasons;
    for (const Entity& entity : example.entities) {
      reasons.push_back(fmt::format("\"{}\" is {}, occurrence {}", index.slice(entity.start, entity.end), entity.label,
                                    occurrence_of(entity, example.text, index)));
    }
    return fmt::format(
        "I wrote one object for each entity, in the order of the text. {}. The occurrence says which of the places "
        "with "
        "exactly this value is meant. Nothing else fits a label.",
        fmt::join(reasons, "; "));
  }

 private:
  LabelList list_;
  ClosedLabels labels_;
};

}  // namespace

std::unique_ptr<OutputFormat> make_json_values_format(const LabelList& labels) {
  return std::make_unique<JsonValuesFormat>(labels);
}

}  // namespace entune
