#include "trainer/study/run_metrics.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "data/formats/output_format.h"
#include "distributed/cuda_devices.h"
#include "trainer/loop/device_memory.h"
#include "trainer/loop/matmul_speed.h"
#include "trainer/report/summary_file.h"
#include "trainer/study/benchmark_dump.h"
#include "trainer/study/cell_setup.h"
#include "trainer/telemetry/machine_name.h"
#include "trainer/telemetry/process_memory.h"
#include "trainer/telemetry/pulse.h"
#include "trainer/telemetry/scrape_targets.h"
#include "trainer/weights/file_hash.h"

namespace entune {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, kNumCollectives> kCollectives = {"all_reduce", "all_gather", "reduce_scatter",
                                                                        "broadcast", "barrier"};
constexpr std::string_view kShares[] = {"parsed", "well_formed", "copy_exact", "hit_max_tokens"};

// Of the product that a GPU's speed is measured by.
constexpr std::int64_t kProductRows = 8192;
constexpr double kProductSeconds = 0.1;

double seconds_since(RunMetrics::Clock::time_point begin) {
  return std::chrono::duration<double>(RunMetrics::Clock::now() - begin).count();
}

double unix_now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

/// What a group of `size` ranks sends over its slowest link for each byte of payload, at least (nccl-tests,
/// doc/PERFORMANCE.md).
double bus_factor(Collective call, int size) {
  const double others = static_cast<double>(size - 1) / size;
  switch (call) {
    case Collective::all_reduce:
      return 2.0 * others;
    case Collective::all_gather:
    case Collective::reduce_scatter:
      return others;
    case Collective::broadcast:
      return 1.0;
    case Collective::barrier:
      break;
  }
  return 0.0;
}

/// As nvidia-smi writes it: GPU-01234567-89ab-....
std::string uuid_name(const std::string& bytes) {
  std::string name = "GPU";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10) name += '-';
    name += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
  }
  return name;
}

void warn(const std::string& what) { fmt::print(stderr, "warning: metrics: {}; the run goes on\n", what); }

}  // namespace

LabelValues data_label_values(const LabelList& labels) {
  std::vector<std::string> entities, health(std::begin(kShares), std::end(kShares));
  for (const Label& label : labels) entities.push_back(label.name);
  for (std::size_t i = 0; i < kNumAnswerFaults; ++i) health.emplace_back(name_of(static_cast<AnswerFault>(i)));
  return {{"format", output_format_names()}, {"health", health}, {"entity", entities}};
}

RunMetrics::RunMetrics(const Recipe& recipe, Communicator& world, fs::path snapshot, Clock::time_point begin)
    : recipe_(recipe),
      snapshot_(std::move(snapshot)),
      begin_(begin),
      num_ranks_(world.size()),
      registry_(data_label_values(recipe.labels),
                (world.rank() == 0 ? kFirstRank : 0u) | (recipe.metrics.enabled ? kTiming : 0u)) {
  registry_.set_info("build_info", {TORCH_VERSION, __VERSION__, built_with_cuda() ? "yes" : "no"});
  registry_.set("start_timestamp_seconds", {}, unix_now() - seconds_since(begin));
  if (const char* restarts = std::getenv("SLURM_RESTART_COUNT"))
    registry_.raise_to("restarts_total", {}, std::strtod(restarts, nullptr));
  enter("start");
  if (recipe.metrics.enabled) serve(world);
}

RunMetrics::~RunMetrics() {
  exporter_.reset();
  try {
    enter(end_);
    settle();
    if (!targets_.empty()) remove_targets_file(recipe_.metrics.targets_file, targets_);
    write_file_whole(snapshot_, page());
  } catch (const std::exception& error) {
    warn(error.what());
  }
}

void RunMetrics::serve(Communicator& world) {
  const int local_rank = world.split_by_machine()->rank();
  json mine = {{"node", machine_name()}, {"local_rank", local_rank}};
  try {
    const int port = recipe_.metrics.port == 0 ? 0 : recipe_.metrics.port + local_rank;
    exporter_ = std::make_unique<MetricsExporter>(recipe_.metrics.bind, port, [this] { return page(); });
    mine["address"] = reachable_address(recipe_.metrics.bind, exporter_->port());
  } catch (const std::exception& error) {
    mine["error"] = error.what();
  }
  const std::vector<std::string> all =
      all_gather_bytes(world, mine.dump(-1, ' ', false, json::error_handler_t::replace));
  if (world.rank() != 0) return;

  std::vector<ScrapeTarget> targets;
  std::string failures;
  for (int rank = 0; rank < world.size(); ++rank) {
    const json one = json::parse(all[rank]);
    if (one.contains("error")) {
      failures += fmt::format("{}rank {} {}", failures.empty() ? "" : "; ", rank, one["error"].get<std::string>());
      continue;
    }
    ScrapeTarget target{one["address"],
                        {{"job", "entune"},
                         {"run", recipe_.name},
                         {"rank", std::to_string(rank)},
                         {"local_rank", std::to_string(one["local_rank"].get<int>())},
                         {"node", one["node"]},
                         {"world_size", std::to_string(world.size())}}};
    if (const char* slurm_job = std::getenv("SLURM_JOB_ID")) target.labels["slurm_job_id"] = slurm_job;
    targets.push_back(std::move(target));
  }
  if (!failures.empty()) warn("no exporter on " + failures);
  if (recipe_.metrics.targets_file == "none") return;
  try {
    targets_ = scrape_targets_json(targets);
    write_targets_file(recipe_.metrics.targets_file, targets_);
  } catch (const std::exception& error) {
    warn(error.what());
  }
}

void RunMetrics::begin_cell(const StudyCell& cell, DecoderModel& model, DeviceMesh& mesh) {
  const Recipe& recipe = cell.loaded.recipe;
  format_ = recipe.task.format;
  clip_norm_ = recipe.training.optimizer.clip_norm;
  weights_ = matmul_weights(model);
  flops_of_weight_ = recipe.training.method == TrainingMethod::full ? 6.0 : 4.0;
  data_size_ = mesh.axis(MeshAxis::data).size();
  tensor_size_ = mesh.axis(MeshAxis::tensor).size();
  const bool is_random = recipe.model.init == "random";
  registry_.set_info(
      "run_info",
      {cell.name, is_random ? recipe.model.preset : fs::path(recipe.model.path).filename().string(), format_,
       method_name(recipe.training.method), dtype_name(model.options().dtype), std::to_string(data_size_),
       std::to_string(tensor_size_), std::to_string(recipe.seed), text_hash(cell.loaded.resolved_yaml)});
  if (mesh.device().is_cpu()) return;
  registry_.set("gpu_memory_bytes", {"capacity"}, static_cast<double>(gpu_capacity_bytes(mesh.device())));
  if (recipe.gpu_hour_price_usd > 0.0) registry_.set("gpu_hour_price_usd", {}, recipe.gpu_hour_price_usd);
  if (recipe_.metrics.enabled) {
    const ProductShape shape{kProductRows, model.config().hidden_size, model.config().intermediate_size / tensor_size_};
    registry_.set(
        "peak_flops_per_second", {},
        measure_matmul(shape, at::TensorOptions(model.options().dtype).device(mesh.device()), kProductSeconds));
  }
  gpu_ = mesh.device().index();
  registry_.set_info("device_info",
                     {machine_name(), uuid_name(visible_gpus().at(static_cast<std::size_t>(gpu_.load())))});
}

void RunMetrics::begin_training(Trainer& trainer, at::Device device) {
  enter("train");
  registry_.set("planned_steps", {}, static_cast<double>(trainer.total_steps()));
  registry_.set("last_step_timestamp_seconds", {}, unix_now());
  if (!recipe_.metrics.enabled) return;
  timer_.emplace(&collectives_, device);
  trainer.tell(&*timer_);
}

void RunMetrics::end_training() {
  enter("finish");
  timer_.reset();
}

void RunMetrics::record(const StepRecord& step) {
  registry_.add("steps_total", {}, 1.0);
  if (step.skipped) registry_.add("skipped_steps_total", {std::isfinite(step.loss) ? "gradient" : "loss"}, 1.0);
  if (!step.skipped && clip_norm_ > 0.0 && step.gradient_norm > clip_norm_)
    registry_.add("clipped_steps_total", {}, 1.0);
  registry_.set("epoch", {}, static_cast<double>(step.epoch));
  registry_.set("last_step_timestamp_seconds", {}, unix_now());
  registry_.observe("step_duration_seconds", step.seconds);
  registry_.add("tokens_total", {"logical"}, static_cast<double>(step.logical_tokens));
  registry_.add("tokens_total", {"executed"}, static_cast<double>(step.executed_tokens));
  registry_.add("tokens_total", {"supervised"}, static_cast<double>(step.supervised_tokens));
  registry_.add(
      "flops_total", {},
      flops_of_weight_ * (static_cast<double>(weights_.all_rows) * static_cast<double>(step.executed_tokens) +
                          static_cast<double>(weights_.loss_rows) * static_cast<double>(step.supervised_tokens)));
  registry_.add("samples_total", {}, static_cast<double>(step.samples));
  registry_.set("loss", {}, step.loss);
  registry_.add("loss_sum_total", {}, step.loss * static_cast<double>(step.supervised_tokens));
  registry_.set("grad_norm", {}, step.gradient_norm);
  registry_.set("learning_rate", {}, step.learning_rate);
  if (timer_) {
    for (const auto& [name, phase] : kStepPhases) add_phase(name, timer_->seconds(phase));
    timer_->reset();
  }
  settle();
}

void RunMetrics::record_answers(const std::string& split, const EvaluationResult& answered, const json& report) {
  // Undefined ones (null: nothing to divide by) are left as they were.
  const auto set = [&](std::string_view metric, MetricRegistry::Labels labels, const json& value) {
    if (value.is_number()) registry_.set(metric, labels, value.get<double>());
  };
  registry_.add("eval_texts_total", {format_, split}, static_cast<double>(answered.documents.size()));
  registry_.add("eval_generated_tokens_total", {format_, split}, static_cast<double>(answered.stats.generated_tokens));
  registry_.add("eval_seconds_total", {format_, split}, answered.seconds);
  for (const auto& [reading, per_label] :
       {std::pair{"raw", "per_label"}, std::pair{"repaired", "per_label_repaired"}}) {
    const auto quality = [&](const std::string& scores, std::string_view match, std::string_view averaging) {
      for (const std::string name : {"precision", "recall", "f1"}) {
        set(fmt::format("eval_{}_ratio", name), {format_, split, reading, match, averaging},
            report.at(reading).at(scores).at(name));
      }
    };
    for (const std::string match : {"strict", "exact", "partial", "type"}) quality(match, match, "micro");
    quality("macro", "strict", "macro");
    for (const Label& label : recipe_.labels)
      set("eval_entity_f1_ratio", {format_, split, reading, label.name}, report.at(per_label).at(label.name).at("f1"));
  }
  const LabelValues known = data_label_values({});
  for (const std::string& share : known.at("health"))
    set("eval_answers_ratio", {format_, split, share}, report.at("health").at(share));
}

RunMetrics::InPhase::InPhase(RunMetrics& metrics, Apart phase)
    : metrics_(metrics),
      phase_(phase == Apart::evaluation ? "evaluation" : "checkpoint"),
      state_before_(metrics.state_),
      begin_(Clock::now()) {
  metrics_.settle();
  enter_phase(phase == Apart::evaluation ? Phase::evaluation : Phase::checkpoint);
  metrics_.enter(phase == Apart::evaluation ? "evaluate" : "checkpoint");
  metrics_.collectives_.times_gpu = false;  // decoding on several GPUs makes thousands of calls
}

RunMetrics::InPhase::~InPhase() {
  metrics_.add_phase(phase_, seconds());
  metrics_.enter(state_before_);
  metrics_.collectives_.times_gpu = true;
  metrics_.settle();
}

double RunMetrics::InPhase::seconds() const { return seconds_since(begin_); }

void RunMetrics::record_checkpoint(std::int64_t bytes) {
  registry_.add("checkpoints_total", {"ok"}, 1.0);
  registry_.add("checkpoint_bytes_total", {}, static_cast<double>(bytes));
  registry_.set("last_checkpoint_timestamp_seconds", {}, unix_now());
}

void RunMetrics::record_success() {
  end_ = "finish";
  registry_.set("last_success_timestamp_seconds", {}, unix_now());
}

void RunMetrics::enter(const std::string& state) {
  state_ = state;
  registry_.set_one_of("state", state);
}

void RunMetrics::add_phase(std::string_view phase, double seconds) {
  registry_.add("step_phase_seconds_total", {phase}, seconds);
  accounted_ += seconds;
}

void RunMetrics::settle() {
  publish("data", data_size_, collectives_.data, published_data_);
  publish("tensor", tensor_size_, collectives_.tensor, published_tensor_);
  // A GPU's step is timed by its own clock: it may be a little ahead of this one.
  const double rest = seconds_since(begin_) - accounted_;
  if (rest > 0.0) add_phase("other", rest);
}

void RunMetrics::publish(std::string_view axis, int size, const CollectiveCounts& counts, CollectiveCounts& published) {
  for (std::size_t i = 0; i < kNumCollectives; ++i) {
    const std::int64_t calls = counts[i].calls - published[i].calls;
    const auto bytes = static_cast<double>(counts[i].bytes - published[i].bytes);
    const double seconds = counts[i].seconds - published[i].seconds;
    published[i] = counts[i];
    if (calls == 0 && seconds == 0.0) continue;
    registry_.add("comm_calls_total", {axis, kCollectives[i]}, static_cast<double>(calls));
    registry_.add("comm_bytes_total", {axis, kCollectives[i]}, bytes);
    registry_.add("comm_bus_bytes_total", {axis, kCollectives[i]},
                  bytes * bus_factor(static_cast<Collective>(i), size));
    registry_.add("comm_seconds_total", {axis, kCollectives[i]}, seconds);
  }
}

std::string RunMetrics::page() {
  registry_.set("host_memory_bytes", {"resident"}, static_cast<double>(resident_memory_bytes()));
  registry_.set("host_memory_bytes", {"resident_peak"}, static_cast<double>(peak_memory_bytes()));
  if (gpu_ >= 0) {
    const GpuMemory memory = gpu_memory(at::Device(at::kCUDA, static_cast<at::DeviceIndex>(gpu_.load())));
    registry_.set("gpu_memory_bytes", {"allocated"}, static_cast<double>(memory.allocated));
    registry_.set("gpu_memory_bytes", {"allocated_peak"}, static_cast<double>(memory.allocated_peak));
    registry_.set("gpu_memory_bytes", {"reserved"}, static_cast<double>(memory.reserved));
    registry_.set("gpu_memory_bytes", {"reserved_peak"}, static_cast<double>(memory.reserved_peak));
    registry_.raise_to("alloc_retries_total", {}, static_cast<double>(memory.num_retries));
    registry_.raise_to("oom_total", {}, static_cast<double>(memory.num_failures));
    registry_.raise_to("gpu_seconds_total", {}, seconds_since(begin_) * num_ranks_);
  }
  return registry_.text();
}

}  // namespace entune
