#include "trainer/telemetry/step_log.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>

namespace entune {
namespace {

// A line that was cut off is none.
std::string lines_until(const std::filesystem::path& file, std::int64_t last_step, std::int64_t last_validation) {
  std::string kept;
  std::ifstream in(file);
  for (std::string line; last_step > 0 && std::getline(in, line);) {
    const nlohmann::json record = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!record.is_object()) continue;
    const std::int64_t last = record.value("kind", "") == "validation" ? last_validation : last_step;
    if (record.value("step", last + 1) <= last) kept += line + "\n";
  }
  return kept;
}

}  // namespace

StepLog::StepLog(const std::filesystem::path& file, std::int64_t last_step, std::int64_t last_validation) {
  if (file.empty()) return;
  const std::string kept = lines_until(file, last_step, last_validation);
  // Whole, or as it was: a run may be killed here too.
  const std::filesystem::path partial = file.string() + ".partial";
  std::ofstream(partial) << kept << std::flush;
  std::error_code error;
  if (std::filesystem::file_size(partial, error) == kept.size()) std::filesystem::rename(partial, file, error);
  out_.open(file, std::ios::app);
  if (error || !out_) throw std::runtime_error(fmt::format("{}: cannot be written", file.string()));
}

void StepLog::write(const StepRecord& record) {
  if (!out_.is_open()) return;
  nlohmann::ordered_json line;
  line["kind"] = "step";
  line["step"] = record.step;
  line["epoch"] = record.epoch;
  line["loss"] = record.loss;
  line["learning_rate"] = record.learning_rate;
  line["gradient_norm"] = record.gradient_norm;
  line["samples"] = record.samples;
  line["tokens"] = {{"logical", record.logical_tokens},
                    {"executed", record.executed_tokens},
                    {"supervised", record.supervised_tokens}};
  line["seconds"] = record.seconds;
  if (record.skipped) line["skipped"] = true;
  out_ << line.dump() << std::endl;
}

void StepLog::write(const ValidationRecord& record) {
  if (!out_.is_open()) return;
  nlohmann::ordered_json line;
  line["kind"] = "validation";
  line["step"] = record.step;
  line["loss"] = record.loss;
  line["strict_f1"] = record.strict_f1;
  line["best"] = record.best;
  out_ << line.dump() << std::endl;
}

}  // namespace entune
