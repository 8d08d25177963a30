#include "data/formats/output_format.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/formats/bio.h"
#include "data/formats/bracket.h"
#include "data/formats/json.h"
#include "data/formats/json_values.h"
#include "data/formats/xml.h"
#include "data/input_error.h"

namespace entune {
namespace {

struct NamedFormat {
  std::string_view name;
  std::unique_ptr<OutputFormat> (*make)(const LabelList&);
};

constexpr std::array kFormats = std::to_array<NamedFormat>({
    {"xml", make_xml_format},
    {"json", make_json_format},
    {"json_values", make_json_values_format},
    {"bracket", make_bracket_format},
    {"bio", make_bio_format},
});

std::vector<Entity> sorted_set(const std::vector<Mention>& mentions, std::optional<Entity> Mention::*reading) {
  std::vector<Entity> entities;
  for (const Mention& mention : mentions) {
    if (mention.*reading) entities.push_back(*(mention.*reading));
  }
  std::sort(entities.begin(), entities.end());
  entities.erase(std::unique(entities.begin(), entities.end()), entities.end());
  return entities;
}

}  // namespace

std::string_view name_of(AnswerFault fault) {
  constexpr std::array<std::string_view, kNumAnswerFaults> kNames = {"unparsable",   "unknown_label",  "unbalanced",
                                                                     "empty_value",  "not_in_text",    "copy_differs",
                                                                     "offset_wrong", "ambiguous_value"};
  return kNames.at(static_cast<std::size_t>(fault));
}

bool ParsedAnswer::well_formed() const {
  return fault(AnswerFault::unparsable) == 0 && fault(AnswerFault::unbalanced) == 0 &&
         fault(AnswerFault::unknown_label) == 0 && fault(AnswerFault::empty_value) == 0;
}

std::vector<Entity> ParsedAnswer::raw() const { return sorted_set(mentions, &Mention::raw); }
std::vector<Entity> ParsedAnswer::repaired() const { return sorted_set(mentions, &Mention::repaired); }

std::unique_ptr<OutputFormat> make_output_format(std::string_view name, const LabelList& labels) {
  for (const NamedFormat& format : kFormats) {
    if (format.name == name) return format.make(labels);
  }
  throw InputError(fmt::format("task.format: expected one of {}, found '{}'; choose one of these",
                               fmt::join(output_format_names(), ", "), name));
}

const std::vector<std::string>& output_format_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const NamedFormat& format : kFormats) all.emplace_back(format.name);
    return all;
  }();
  return names;
}

}  // namespace entune
