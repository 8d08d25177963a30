#pragma once

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entune {

/// The member at the end of `path`, or null where any part of it is absent: a cell need not have all parts (a baseline
/// of patterns is not trained).
const nlohmann::json& at_path(const nlohmann::json& object, std::initializer_list<std::string_view> path);
/// The finite number there, if there is one.
std::optional<double> number_at(const nlohmann::json& object, std::initializer_list<std::string_view> path);
/// The string there, or "".
std::string string_at(const nlohmann::json& object, std::initializer_list<std::string_view> path);

/// Cells that differ by their seed alone: the same format, method and other overrides.
struct Variant {
  std::string name;  ///< the cell's name if there is one cell, else made of format, method and overrides
  std::vector<const nlohmann::json*> cells;  ///< in the order of the summary
};

/// The variants of a summary in order of their first cells. Names are unique. The summary must outlive them.
std::vector<Variant> variants_of(const nlohmann::json& summary);
/// The name that cells share with those that differ by seed alone; NamedDocuments::variant takes it.
std::string variant_name(const nlohmann::json& cell);

/// The splits that any cell was scored on, "test" first, then by name.
std::vector<std::string> splits_of(const nlohmann::json& summary);

/// The labels that were kept out of training and are scored together on this split: those on which all cells agree, if
/// the split holds any such entity; else none.
std::vector<std::string> held_out_labels(const nlohmann::json& summary, const std::string& split);

/// Mean and sample standard deviation of the numbers at `path` of the cells; absent if any cell lacks it.
struct MeanAndDeviation {
  double mean = 0.0;
  double deviation = 0.0;  ///< with n - 1; 0 for one cell
};
std::optional<MeanAndDeviation> mean_over(const std::vector<const nlohmann::json*>& cells,
                                          std::initializer_list<std::string_view> path);

/// Nothing where a side is missing or the denominator is 0.
std::optional<double> ratio(const std::optional<double>& numerator, const std::optional<double>& denominator);
/// `value` with `digits` after the point, or an en dash where there is none.
std::string fixed(const std::optional<double>& value, int digits);
/// 0.973 as "97.3 %".
std::string percent(const std::optional<double>& value, int digits = 1);
/// Whole number with thin spaces between thousands: 1 234 567.
std::string grouped(const std::optional<double>& value);

}  // namespace entune
