#include "trainer/telemetry/step_log.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace entune {

StepLog::StepLog(const std::filesystem::path& file) {
  if (file.empty()) return;
  out_.open(file);
  if (!out_) throw std::runtime_error(fmt::format("{}: cannot be written", file.string()));
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
