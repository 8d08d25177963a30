#include "data/scoring/canonical_spans.h"

#include <utf8.h>

#include <algorithm>
#include <iterator>

#include "data/formats/word_splitter.h"

namespace entune {
namespace {

bool is_edge_punctuation(char32_t c) {
  return c < 0x80 && kEdgePunctuation.find(static_cast<char>(c)) != kEdgePunctuation.npos;
}

}  // namespace

std::u32string code_points_of(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  utf8::replace_invalid(text.begin(), text.end(), std::back_inserter(valid));
  std::u32string code_points;
  utf8::unchecked::utf8to32(valid.begin(), valid.end(), std::back_inserter(code_points));
  return code_points;
}

std::u32string_view trimmed(std::u32string_view text) {
  while (!text.empty() && is_white_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_white_space(text.back())) text.remove_suffix(1);
  return text;
}

CanonicalSpans canonical_spans(std::u32string_view text, const std::vector<Entity>& entities, SpanEdges edges) {
  const auto size = static_cast<std::int64_t>(text.size());
  const auto is_edge = [&](std::int64_t i) {
    if (i < 0 || i >= size) return false;
    const char32_t c = text[static_cast<std::size_t>(i)];
    return is_white_space(c) || (edges == SpanEdges::punctuation && is_edge_punctuation(c));
  };
  CanonicalSpans result;
  for (Entity entity : entities) {
    if (entity.start < 0) continue;
    while (entity.start < entity.end && is_edge(entity.start)) ++entity.start;
    while (entity.start < entity.end && is_edge(entity.end - 1)) --entity.end;
    if (entity.start < entity.end) result.entities.push_back(std::move(entity));
  }
  std::sort(result.entities.begin(), result.entities.end());
  const auto last = std::unique(result.entities.begin(), result.entities.end());
  result.num_duplicates = std::distance(last, result.entities.end());
  result.entities.erase(last, result.entities.end());
  return result;
}

}  // namespace entune
