#include "trainer/report/scaling_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <tuple>

#include "data/input_error.h"
#include "trainer/report/summary_numbers.h"

namespace entune {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

std::int64_t whole(const json& value) { return value.get<std::int64_t>(); }

ScalingRun run_of(const json& benchmark) {
  ScalingRun run;
  const std::string method = benchmark.at("method");
  run.weak = benchmark.at("scaling") == "weak";
  run.ranks = whole(benchmark.at("ranks").at("world"));
  run.data = whole(benchmark.at("ranks").at("data"));
  run.tensor = whole(benchmark.at("ranks").at("tensor"));
  run.machines = whole(benchmark.at("place").at("machines"));
  run.crowded = benchmark.at("place").at("crowded");
  run.on_gpus = benchmark.at("device") != "cpu";
  run.global_batch = whole(benchmark.at("global_batch"));
  run.step_seconds = benchmark.at("median_step_seconds");
  run.tokens_per_second = benchmark.at("tokens_per_second").at("logical");
  double all = 0.0;
  for (const json& phase : benchmark.at("phases")) all += phase.at("mean").get<double>();
  run.exposed = benchmark.at("phases").at("communication").at("mean").get<double>() / all;
  for (const json& bytes : benchmark.at("peak_memory_bytes"))
    run.peak_bytes = std::max(run.peak_bytes, bytes.get<double>());
  run.mfu = number_at(benchmark, {"mfu", method == "full" ? "at_6n" : "at_4n"});
  run.gpu_hour_price_usd = number_at(benchmark, {"gpu_hour_price_usd"});
  const std::int64_t batch = run.weak ? run.global_batch / run.data : run.global_batch;
  run.setting = fmt::format("{}, {}, {}, {}, {} texts a step{}{}", benchmark.at("model").at("name").get<std::string>(),
                            method, benchmark.at("dtype").get<std::string>(), run.on_gpus ? "GPUs" : "CPUs", batch,
                            run.weak ? " and data rank" : "",
                            benchmark.at("prefix_sharing").get<bool>() ? "" : ", prefix not shared");
  if (!(run.tokens_per_second > 0.0) || run.ranks < 1) throw std::domain_error("no speed");
  return run;
}

ScalingRun read_run(const fs::path& path) {
  std::ifstream file(path);
  try {
    return run_of(json::parse(file));
  } catch (const std::exception&) {  // not JSON, not its keys, not their types
    throw InputError(
        fmt::format("{}: expected a line that `trainer benchmark --output` of this version wrote, found something else",
                    path.string()));
  }
}

auto place_of(const ScalingRun& run) { return std::tuple(run.weak, run.setting, run.ranks, run.tensor, run.machines, run.crowded); }

/// Sorted runs of one size and layout -> the one of median speed.
ScalingRow median_row(std::vector<ScalingRun>::iterator begin, std::vector<ScalingRun>::iterator end) {
  const auto middle = begin + (end - begin - 1) / 2;
  std::nth_element(begin, middle, end,
                   [](const ScalingRun& a, const ScalingRun& b) { return a.tokens_per_second < b.tokens_per_second; });
  ScalingRow row;
  row.run = *middle;
  row.num_runs = static_cast<std::size_t>(end - begin);
  row.tokens_per_second_and_rank = row.run.tokens_per_second / static_cast<double>(row.run.ranks);
  return row;
}

}  // namespace

std::vector<ScalingRun> read_scaling_runs(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    if (!fs::is_directory(path)) {
      if (!fs::exists(path))
        throw InputError(fmt::format("{}: expected a file or a folder, found none", path.string()));
      files.push_back(path);
      continue;
    }
    const std::size_t before = files.size();
    for (const auto& entry : fs::directory_iterator(path)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    if (files.size() == before)
      throw InputError(
          fmt::format("{}: expected files of `trainer benchmark --output FILE.json`, found none", path.string()));
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
  }
  std::vector<ScalingRun> runs;
  for (const fs::path& file : files) runs.push_back(read_run(file));
  return runs;
}

TrainingCost training_cost(const json& summary) {
  const std::vector<std::string> splits = splits_of(summary);
  for (const json& cell : at_path(summary, {"cells"})) {
    const auto tokens = number_at(cell, {"train", "tokens", "logical"});
    const auto f1 = splits.empty() ? std::nullopt : number_at(cell, {"scores", splits.front(), "raw", "strict", "f1"});
    if (tokens && f1 && *f1 > 0.0) return {*tokens, *f1};
  }
  throw InputError(fmt::format("summary '{}': expected a trained cell with an F1 above 0, found none",
                               string_at(summary, {"name"})));
}

std::vector<ScalingRow> scaling_rows(std::vector<ScalingRun> runs, const std::optional<TrainingCost>& training) {
  std::ranges::stable_sort(runs, {}, place_of);
  std::vector<ScalingRow> rows;
  for (auto begin = runs.begin(); begin != runs.end();) {
    const auto end =
        std::find_if(begin, runs.end(), [&](const ScalingRun& run) { return place_of(run) != place_of(*begin); });
    rows.push_back(median_row(begin, end));
    begin = end;
  }
  for (ScalingRow& row : rows) {
    const auto same = [&](const ScalingRow& other) {
      return other.run.weak == row.run.weak && other.run.setting == row.run.setting;
    };
    auto base = std::ranges::find_if(rows, [&](const ScalingRow& other) { return same(other) && !other.run.crowded; });
    if (base == rows.end()) base = std::ranges::find_if(rows, same);
    row.speedup = row.run.tokens_per_second / base->run.tokens_per_second;
    row.efficiency = row.tokens_per_second_and_rank / base->tokens_per_second_and_rank;
    if (!training) continue;
    row.rank_hours_a_point = training->tokens / row.tokens_per_second_and_rank / 3600.0 / (100.0 * training->f1);
    if (row.run.on_gpus && row.run.gpu_hour_price_usd)
      row.usd_a_point = *row.rank_hours_a_point * *row.run.gpu_hour_price_usd;
  }
  return rows;
}

}  // namespace entune
