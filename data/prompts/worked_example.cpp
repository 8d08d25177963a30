#include "data/prompts/worked_example.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace entune {
namespace {

constexpr std::size_t kMaxEntities = 3;

/// A piece of a built-in sentence: plain text (no names), or an entity with the names that data sets give its label,
/// best first.
struct Piece {
  std::string_view text;
  std::vector<std::string_view> names;
};
using Sentence = std::vector<Piece>;

/// ASCII only, so that bytes are code points. All made up; no two entities touch.
const std::vector<Sentence>& sentences() {
  static const std::vector<Sentence> all = {
      {{"Hello, this is ", {}},
       {"Ida Lindqvist", {"PERSON", "PER", "NAME"}},
       {". Please write to ", {}},
       {"ida@mail.example", {"EMAIL_ADDRESS", "EMAIL"}},
       {" or call ", {}},
       {"555-0142", {"PHONE_NUMBER", "PHONE"}},
       {".", {}}},
      {{"On ", {}},
       {"4 March 2021", {"DATE_TIME", "DATE"}},
       {" the parcel went to ", {}},
       {"18 Orchard Row", {"STREET_ADDRESS", "ADDRESS", "LOCATION", "LOC"}},
       {" in ", {}},
       {"Salford", {"GPE", "CITY", "LOCATION", "LOC"}},
       {".", {}}},
      {{"Yesterday ", {}},
       {"Brightwater Tools", {"ORGANIZATION", "ORG", "COMPANY", "CORPORATION"}},
       {" opened its new shop.", {}}},
      {{"The form shows card ", {}},
       {"4000 0012 3456 7899", {"CREDIT_CARD", "CREDIT_CARD_NUMBER"}},
       {" and number ", {}},
       {"078-05-1120", {"US_SSN", "SSN"}},
       {".", {}}},
      {{"The review of ", {}},
       {"The Glass Orchard", {"CREATIVE-WORK", "CREATIVE_WORK", "WORK_OF_ART"}},
       {" praised the band ", {}},
       {"Tin Harbour", {"GROUP"}},
       {" and a new ", {}},
       {"Corvo X2", {"PRODUCT"}},
       {" camera.", {}}},
  };
  return all;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return upper(x) == upper(y); });
}

std::optional<std::string> label_of(const Piece& piece, const LabelList& labels) {
  for (const std::string_view name : piece.names) {
    for (const Label& label : labels) {
      if (same_ignoring_case(label.name, name)) return label.name;
    }
  }
  return std::nullopt;
}

std::size_t num_listed(const Sentence& sentence, const LabelList& labels) {
  return static_cast<std::size_t>(std::count_if(
      sentence.begin(), sentence.end(), [&](const Piece& piece) { return label_of(piece, labels).has_value(); }));
}

void append(Example& example, std::string_view text, const std::optional<std::string>& label) {
  const auto start = static_cast<std::int64_t>(example.text.size());
  example.text += text;
  if (label) example.entities.push_back({start, static_cast<std::int64_t>(example.text.size()), *label});
}

/// "Field order number: K-2071; ..." for the first labels of the list.
Example made_from_names(const LabelList& labels) {
  Example example{.id = "worked_example", .text = {}, .entities = {}, .group = {}};
  for (std::size_t i = 0; i < std::min<std::size_t>(labels.size(), 2); ++i) {
    std::string words = labels[i].name;
    for (char& c : words) {
      if (c == '_' || c == '-' || c == '.') c = ' ';
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    append(example, fmt::format("{}ield {}: ", i == 0 ? "F" : "; f", words), std::nullopt);
    append(example, fmt::format("K-207{}", i + 1), labels[i].name);
  }
  example.text += ".";
  return example;
}

}  // namespace

Example make_worked_example(const OutputFormat& format, const LabelList& labels) {
  Example example{.id = "worked_example", .text = {}, .entities = {}, .group = {}};
  std::vector<const Sentence*> order;
  for (const Sentence& sentence : sentences()) order.push_back(&sentence);
  std::stable_sort(order.begin(), order.end(), [&](const Sentence* a, const Sentence* b) {
    return num_listed(*a, labels) > num_listed(*b, labels);
  });
  for (const Sentence* sentence : order) {
    const std::size_t num = num_listed(*sentence, labels);
    if (num == 0 || example.entities.size() + num > kMaxEntities) continue;
    if (!example.text.empty()) example.text += ' ';
    for (const Piece& piece : *sentence) append(example, piece.text, label_of(piece, labels));
  }
  if (example.entities.empty() || !format.can_carry(example)) return made_from_names(labels);
  return example;
}

}  // namespace entune
