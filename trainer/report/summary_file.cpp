#include "trainer/report/summary_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "data/input_error.h"
#include "trainer/report/summary_numbers.h"
#include "trainer/telemetry/machine_name.h"

namespace entune {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

/// What is wrong with a summary, or "".
std::string fault_of(const json& summary) {
  if (!summary.is_object()) return "expected an object";
  if (number_at(summary, {"entune"}) != kVersion) return fmt::format("expected \"entune\": {}", kVersion);
  const json& labels = at_path(summary, {"labels"});
  if (!labels.is_array()) return "expected \"labels\": an array";
  for (const json& label : labels) {
    if (string_at(label, {"name"}).empty()) return "expected a \"name\" in each of \"labels\"";
  }
  const json& cells = at_path(summary, {"cells"});
  if (!cells.is_array()) return "expected \"cells\": an array";
  std::set<std::string> names;
  for (const json& cell : cells) {
    const std::string name = string_at(cell, {"name"});
    if (name.empty()) return "expected a \"name\" in each of \"cells\"";
    if (!names.insert(name).second) return fmt::format("expected distinct cells, found '{}' twice", name);
    const json& scores = at_path(cell, {"scores"});
    if (!scores.is_null() && !scores.is_object())
      return fmt::format("expected \"scores\" of cell '{}': an object", name);
  }
  return "";
}

std::vector<std::string> label_names(const json& summary) {
  std::vector<std::string> names;
  for (const json& label : summary.at("labels")) names.push_back(string_at(label, {"name"}));
  return names;
}

json split_sizes(const json& summary) {
  json sizes = at_path(summary, {"corpus"});
  if (sizes.is_object()) sizes.erase("left_out");
  return sizes;
}

void require_comparable(const json& first, const json& other) {
  const auto refuse = [&](std::string_view what) {
    throw InputError(fmt::format("summaries '{}' and '{}': expected the same {}, found others; report each by itself",
                                 string_at(first, {"name"}), string_at(other, {"name"}), what));
  };
  if (label_names(first) != label_names(other)) refuse("label list");
  if (split_sizes(first) != split_sizes(other)) refuse("sizes of the splits");
  const auto splits = splits_of(first), others = splits_of(other);
  if (!splits.empty() && !others.empty() && splits != others) refuse("scored splits");
}

}  // namespace

void write_file_whole(const std::filesystem::path& path, std::string_view text) {
  // Cells that run at the same time, on several machines, write the same files of their study.
  const std::filesystem::path partial = path.string() + fmt::format(".{}-{}.partial", machine_name(), ::getpid());
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  {
    std::ofstream file(partial, std::ios::binary | std::ios::trunc);
    file << text;
    file.flush();
    if (!file) {
      throw InputError(
          fmt::format("{}: cannot be written; check the folder's permissions and the free space", path.string()));
    }
  }
  std::filesystem::rename(partial, path, error);
  if (error)
    throw InputError(fmt::format("{}: cannot be replaced ({}); check the folder", path.string(), error.message()));
}

void write_summary(const std::filesystem::path& path, const json& summary) {
  write_file_whole(path, summary.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

json read_summary(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError(fmt::format("{}: cannot be read; expected the summary of a finished run", path.string()));
  const json summary = json::parse(file, nullptr, false);
  if (summary.is_discarded()) {
    throw InputError(fmt::format("{}: expected JSON, found something else; run the study again", path.string()));
  }
  const std::string fault = fault_of(summary);
  if (!fault.empty()) {
    throw InputError(fmt::format("{}: {}; give the summary.json of a run of this version", path.string(), fault));
  }
  return summary;
}

json merge_summaries(const std::vector<json>& summaries) {
  if (summaries.empty()) throw InputError("expected at least one summary to report, found none");
  json merged = summaries.front();
  std::map<std::string, std::size_t> position;
  json cells = json::array();
  for (const json& summary : summaries) {
    require_comparable(merged, summary);
    for (const json& cell : summary.at("cells")) {
      const auto [at, is_new] = position.try_emplace(string_at(cell, {"name"}), cells.size());
      if (is_new) {
        cells.push_back(cell);
      } else {
        cells[at->second] = cell;
      }
    }
    const json& left_out = at_path(summary, {"corpus", "left_out"});
    if (left_out.is_object()) merged["corpus"]["left_out"].update(left_out);
  }
  merged["cells"] = std::move(cells);
  merged["comparisons"] = json::array();
  return merged;
}

}  // namespace entune
