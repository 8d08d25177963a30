#include "trainer/report/summary_numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

namespace entune {

using nlohmann::json;

namespace {

constexpr std::string_view kNone = "–";

/// A cell's settings that tell it from others, its seed left out.
json settings_of(const json& cell) {
  json overrides = at_path(cell, {"overrides"});
  if (overrides.is_object()) overrides.erase("seed");
  return {{"format", string_at(cell, {"format"})}, {"method", string_at(cell, {"method"})}, {"overrides", overrides}};
}

}  // namespace

const json& at_path(const json& object, std::initializer_list<std::string_view> path) {
  static const json null;
  const json* at = &object;
  for (const std::string_view key : path) {
    if (!at->is_object()) return null;
    const auto found = at->find(key);
    if (found == at->end()) return null;
    at = &*found;
  }
  return *at;
}

std::optional<double> number_at(const json& object, std::initializer_list<std::string_view> path) {
  const json& value = at_path(object, path);
  if (!value.is_number()) return std::nullopt;
  const double number = value.get<double>();
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::string string_at(const json& object, std::initializer_list<std::string_view> path) {
  const json& value = at_path(object, path);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::string variant_name(const json& cell) {
  std::string name = string_at(cell, {"format"});
  const std::string method = string_at(cell, {"method"});
  if (name.empty()) name = method;
  if (method != name && method != "lora") name += name.empty() ? method : " " + method;
  const json& overrides = at_path(cell, {"overrides"});
  if (overrides.is_object()) {
    for (const auto& [key, value] : overrides.items()) {
      if (key == "seed" || key == "task.format" || key == "training.method") continue;
      const std::string last = key.substr(key.rfind('.') + 1);
      name += fmt::format(" {}={}", last, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  return name.empty() ? string_at(cell, {"name"}) : name;
}

std::vector<Variant> variants_of(const json& summary) {
  std::vector<Variant> variants;
  std::vector<json> settings;
  const json& cells = at_path(summary, {"cells"});
  if (!cells.is_array()) return variants;
  for (const json& cell : cells) {
    const json of_cell = settings_of(cell);
    const auto found = std::find(settings.begin(), settings.end(), of_cell);
    if (found == settings.end()) {
      settings.push_back(of_cell);
      variants.push_back({.name = variant_name(cell), .cells = {&cell}});
    } else {
      variants[static_cast<std::size_t>(found - settings.begin())].cells.push_back(&cell);
    }
  }
  std::map<std::string, int> uses;
  for (const Variant& variant : variants) ++uses[variant.name];
  for (Variant& variant : variants) {
    // Short names may collide (a.rank and b.rank): the first cell's own name is unique.
    if (variant.cells.size() == 1 || uses[variant.name] > 1) variant.name = string_at(*variant.cells.front(), {"name"});
  }
  return variants;
}

std::vector<std::string> splits_of(const json& summary) {
  std::vector<std::string> splits;
  const json& cells = at_path(summary, {"cells"});
  if (!cells.is_array()) return splits;
  for (const json& cell : cells) {
    const json& scores = at_path(cell, {"scores"});
    if (!scores.is_object()) continue;
    for (const auto& [split, unused] : scores.items()) splits.push_back(split);
  }
  const auto rank = [](const std::string& split) { return std::pair(split != "test", split); };
  std::sort(splits.begin(), splits.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  splits.erase(std::unique(splits.begin(), splits.end()), splits.end());
  return splits;
}

std::vector<std::string> held_out_labels(const json& summary, const std::string& split) {
  std::optional<json> common;
  const json& cells = at_path(summary, {"cells"});
  if (!cells.is_array()) return {};
  for (const json& cell : cells) {
    if (at_path(cell, {"scores", split}).is_null()) continue;
    const json& labels = at_path(cell, {"scores", split, "held_out", "labels"});
    const bool any = number_at(cell, {"scores", split, "held_out", "raw", "support"}).value_or(0.0) > 0.0;
    if (!labels.is_array() || !any || (common && *common != labels)) return {};
    common = labels;
  }
  return common ? common->get<std::vector<std::string>>() : std::vector<std::string>();
}

std::optional<MeanAndDeviation> mean_over(const std::vector<const json*>& cells,
                                          std::initializer_list<std::string_view> path) {
  std::vector<double> values;
  for (const json* cell : cells) {
    const auto value = number_at(*cell, path);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  if (values.empty()) return std::nullopt;
  MeanAndDeviation result;
  for (const double value : values) result.mean += value / static_cast<double>(values.size());
  if (values.size() < 2) return result;
  double squares = 0.0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return result;
}

std::optional<double> ratio(const std::optional<double>& numerator, const std::optional<double>& denominator) {
  if (!numerator || !denominator || *denominator == 0.0) return std::nullopt;
  return *numerator / *denominator;
}

std::string fixed(const std::optional<double>& value, int digits) {
  return value ? fmt::format("{:.{}f}", *value, digits) : std::string(kNone);
}

std::string percent(const std::optional<double>& value, int digits) {
  return value ? fmt::format("{:.{}f} %", *value * 100.0, digits) : std::string(kNone);
}

std::string grouped(const std::optional<double>& value) {
  if (!value) return std::string(kNone);
  const std::string digits = fmt::format("{:.0f}", std::abs(*value));
  std::string text = *value < 0 ? "-" : "";
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += "\u202F";
    text += digits[i];
  }
  return text;
}

}  // namespace entune
