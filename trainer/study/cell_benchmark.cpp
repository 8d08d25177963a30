#include "trainer/study/cell_benchmark.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "data/input_error.h"
#include "distributed/cuda_devices.h"
#include "distributed/timed_communicator.h"
#include "trainer/loop/device_memory.h"
#include "trainer/loop/matmul_speed.h"
#include "trainer/loop/step_timer.h"
#include "trainer/loop/trainer.h"
#include "trainer/plan/flop_plan.h"
#include "trainer/study/benchmark_dump.h"
#include "trainer/study/cell_training.h"
#include "trainer/study/layout_plan.h"
#include "trainer/study/planned_steps.h"
#include "trainer/study/trained_cell.h"
#include "trainer/telemetry/progress.h"

namespace entune {
namespace {

using nlohmann::ordered_json;

constexpr double kMatmulSeconds = 1.0;
std::vector<double> over_ranks(Communicator& group, const std::vector<double>& values, ReduceOp op) {
  at::Tensor cells = at::tensor(values, at::kDouble);
  group.all_reduce(cells, op);
  return {cells.data_ptr<double>(), cells.data_ptr<double>() + cells.numel()};
}

std::vector<std::int64_t> of_every_rank(Communicator& world, std::int64_t value) {
  at::Tensor all = at::empty({world.size()}, at::kLong);
  world.all_gather(all, at::tensor({value}, at::kLong));
  return {all.data_ptr<std::int64_t>(), all.data_ptr<std::int64_t>() + all.numel()};
}

/// What stands in the micro-batches of the timed steps.
struct Rows {
  std::int64_t executed = 0;
  std::int64_t with_loss = 0;
  std::int64_t micro_batches = 0;
};

Rows rows_of_steps(const BatchLoader& loader, std::int64_t begin, std::int64_t count) {
  Rows rows;
  for (std::int64_t step = begin; step < begin + count; ++step) {
    const StepBatches work = loader.load(step / loader.steps_per_epoch(), step % loader.steps_per_epoch());
    for (const PackedBatch& batch : work.micro_batches) {
      rows.executed += batch.executed_tokens();
      rows.with_loss += std::ssize(batch.loss_rows);
      ++rows.micro_batches;
    }
  }
  return rows;
}

/// Sums and times of the timed steps.
struct Timed {
  std::vector<double> step_seconds;
  double seconds = 0.0;
  std::int64_t samples = 0;
  TokenCounts tokens;
  std::vector<double> phase_seconds;  // of this rank, as kStepPhases
};

ordered_json step_json(const StepRecord& step) {
  return {{"step", step.step},
          {"loss", step.loss},
          {"gradient_norm", step.gradient_norm},
          {"learning_rate", step.learning_rate}};
}

ordered_json tokens_json(const TokenCounts& tokens) {
  return {{"logical", tokens.logical}, {"executed", tokens.executed}, {"supervised", tokens.supervised}};
}

/// One benchmark of one cell, over the mesh.
class Benchmark {
 public:
  Benchmark(const StudyCell& cell, const CellSetup& setup, Communicator& world, const BenchmarkOptions& options)
      : cell_(cell),
        recipe_(cell.loaded.recipe),
        setup_(setup),
        options_(options),
        mesh_(make_mesh(recipe_, world, &collectives_)),
        planned_(recipe_, setup, *mesh_) {
    result_["benchmark"] = 1;
    result_["cell"] = cell.name;
  }

  ordered_json run(const std::vector<Example>& examples) {
    require_fit(cell_, setup_, examples, mesh_->device(), world());
    const std::vector<TrainingSample> samples = training_samples(recipe_, setup_, examples);
    Communicator& data_axis = mesh_->axis(MeshAxis::data);
    const BatchLoader loader(samples, batch_options(recipe_), recipe_.seed, data_axis.rank(), data_axis.size());
    const std::int64_t total = options_.warmup + options_.steps;
    const std::int64_t needed_epochs = (total + loader.steps_per_epoch() - 1) / loader.steps_per_epoch();
    TrainerOptions trainer_options = entune::trainer_options(recipe_);
    trainer_options.epochs = std::max(trainer_options.epochs, needed_epochs);

    model_ = load_model(recipe_, setup_, *mesh_, world().rank() == 0);
    describe_run();
    if (!options_.dump.empty()) dump(samples, loader, trainer_options);
    reset_peak_memory(device());
    planned_.begin_peak();
    Trainer trainer(*model_, loader, *mesh_, trainer_options);
    timer_.emplace(&collectives_, device());
    trainer.tell(&*timer_);
    warm_up(trainer);
    planned_.end_peak();
    planned_.plan(loader, total);
    planned_.measure_rates();

    const Rows rows = rows_of_steps(loader, options_.warmup, options_.steps);
    const ProductShape shape{
        .rows = std::max<std::int64_t>(1, rows.executed / std::max<std::int64_t>(1, rows.micro_batches)),
        .in = setup_.config.hidden_size,
        .out = setup_.config.intermediate_size / mesh_->axis(MeshAxis::tensor).size()};
    const double speed_before = matmul_speed(shape);
    planned_.begin_peak();
    const Timed timed = take_timed_steps(trainer);
    planned_.end_peak();
    report_speed(timed);
    report_matmul(timed, rows, shape, std::max(speed_before, matmul_speed(shape)));
    report_phases(timed);
    report_memory();
    planned_.measure_rates();
    result_["planned"] = planned_.report(static_cast<std::size_t>(options_.warmup), median(timed.step_seconds));
    for (const std::string& line : planned_.lines()) say(line);
    return std::move(result_);
  }

 private:
  Communicator& world() { return mesh_->world(); }
  at::Device device() const { return model_->parameters().front().value.device(); }
  void say(const std::string& line) const {
    if (options_.say) options_.say(line);
  }

  void describe_run() {
    const auto [parameters, trained] = model_size(*model_);
    weights_ = matmul_weights(*model_);
    const bool is_random = recipe_.model.init == "random";
    const std::string name = is_random ? recipe_.model.preset : recipe_.model.path;
    const std::string method = method_name(recipe_.training.method);
    const int data = mesh_->axis(MeshAxis::data).size(), tensor = mesh_->axis(MeshAxis::tensor).size();
    result_["model"] = {{"name", name},
                        {"init", recipe_.model.init},
                        {"parameters", parameters},
                        {"trained", trained},
                        {"matmul_parameters", {{"all_rows", weights_.all_rows}, {"loss_rows", weights_.loss_rows}}}};
    result_["method"] = method;
    result_["dtype"] = dtype_name(model_->options().dtype);
    result_["device"] = device().is_cpu() ? "cpu" : "cuda";
    result_["ranks"] = {{"world", world().size()}, {"data", data}, {"tensor", tensor}};
    result_["place"] = place();
    result_["scaling"] = options_.weak ? "weak" : "strong";
    if (recipe_.gpu_hour_price_usd > 0.0) result_["gpu_hour_price_usd"] = recipe_.gpu_hour_price_usd;
    result_["threads_per_rank"] = at::get_num_threads();
    result_["prefix_sharing"] = recipe_.training.prefix_sharing;
    result_["global_batch"] = recipe_.training.global_batch;
    result_["micro_batch_tokens"] = recipe_.training.micro_batch_tokens;
    say(
        fmt::format("model: {}, {:.1f} M parameters, {:.2f} M trained ({}), {}; {} ranks (data {} x tensor {}), {} "
                    "threads a rank; prefix {}",
                    name, static_cast<double>(parameters) / 1e6, static_cast<double>(trained) / 1e6, method,
                    dtype_name(model_->options().dtype), world().size(), data, tensor, at::get_num_threads(),
                    recipe_.training.prefix_sharing ? "shared" : "not shared"));
  }

  /// What the ranks of a machine share: its cores, or their GPUs.
  std::size_t num_units(Communicator& here) const {
    if (device().is_cpu()) return std::max(1u, std::thread::hardware_concurrency());
    const std::vector<std::string> gpus =
        all_gather_bytes(here, visible_gpus().at(static_cast<std::size_t>(device().index())));
    return std::set<std::string>(gpus.begin(), gpus.end()).size();
  }

  ordered_json place() {
    const std::unique_ptr<Communicator> here = world().split_by_machine();
    const auto load = static_cast<double>(here->size()) / static_cast<double>(num_units(*here));
    // A machine counts once: each of its ranks for its share.
    const double machines = over_ranks(world(), 1.0 / here->size(), ReduceOp::sum);
    return {{"machines", std::llround(machines)},
            {"ranks_per_machine", std::llround(over_ranks(world(), here->size(), ReduceOp::max))},
            {"crowded", over_ranks(world(), load, ReduceOp::max) > 1.0}};
  }

  void dump(const std::vector<TrainingSample>& samples, const BatchLoader& loader, const TrainerOptions& trainer) {
    const std::int64_t total_steps = trainer.epochs * loader.steps_per_epoch();
    BenchmarkDump dump{samples, loader, {}};
    for (std::int64_t step = 0; step < options_.warmup + options_.steps; ++step)
      dump.learning_rates.push_back(trainer.optimizer.lr * learning_rate_factor(trainer.schedule, step, total_steps));
    write_benchmark_dump(options_.dump, recipe_, dump, *model_, *mesh_);
    say(fmt::format("dump: samples and start in {}", options_.dump.string()));
  }

  void warm_up(Trainer& trainer) {
    result_["warmup"] = options_.warmup;
    result_["steps"] = options_.steps;
    result_["losses"] = ordered_json::array();
    double seconds = 0.0;
    Progress progress("warm-up", options_.warmup, "steps", world().rank() == 0);
    for (std::int64_t step = 0; step < options_.warmup; ++step) {
      const StepRecord record = trainer.run_step();
      seconds += record.seconds;
      result_["losses"].push_back(step_json(record));
      progress.update(record.step, fmt::format("loss {:.4f}", record.loss));
    }
    say(fmt::format("warm-up: {} steps in {:.2f} s", options_.warmup, seconds));
  }

  double matmul_speed(const ProductShape& shape) {
    world().barrier();
    return over_ranks(
        world(), measure_matmul(shape, at::TensorOptions(model_->options().dtype).device(device()), kMatmulSeconds),
        ReduceOp::sum);
  }

  Timed take_timed_steps(Trainer& trainer) {
    Timed timed;
    std::vector<double> mine;
    timer_->reset();
    Progress progress("timed", options_.steps, "steps", world().rank() == 0);
    world().barrier();
    for (std::int64_t step = 0; step < options_.steps; ++step) {
      const StepRecord record = trainer.run_step();
      mine.push_back(record.seconds);
      timed.samples += record.samples;
      add_tokens(timed.tokens, record);
      result_["losses"].push_back(step_json(record));
      progress.update(step + 1, fmt::format("loss {:.4f}", record.loss));
    }
    for (const auto& [name, phase] : kStepPhases) timed.phase_seconds.push_back(timer_->seconds(phase));
    timed.step_seconds = over_ranks(world(), mine, ReduceOp::max);
    for (const double seconds : timed.step_seconds) timed.seconds += seconds;
    return timed;
  }

  void report_speed(const Timed& timed) {
    const double samples_per_second = static_cast<double>(timed.samples) / timed.seconds;
    const auto rate = [&](std::int64_t tokens) { return static_cast<double>(tokens) / timed.seconds; };
    result_["seconds"] = timed.seconds;
    result_["step_seconds"] = timed.step_seconds;
    result_["median_step_seconds"] = median(timed.step_seconds);
    result_["samples"] = timed.samples;
    result_["samples_per_second"] = samples_per_second;
    result_["tokens"] = tokens_json(timed.tokens);
    result_["tokens_per_second"] = {{"logical", rate(timed.tokens.logical)},
                                    {"executed", rate(timed.tokens.executed)},
                                    {"supervised", rate(timed.tokens.supervised)}};
    say(fmt::format("timed: {} steps of {} texts in {:.2f} s (median {:.2f} s a step): {:.3f} texts/s", options_.steps,
                    recipe_.training.global_batch, timed.seconds, median(timed.step_seconds), samples_per_second));
    say(fmt::format("tokens/s: {:.0f} logical, {:.0f} executed, {:.0f} supervised", rate(timed.tokens.logical),
                    rate(timed.tokens.executed), rate(timed.tokens.supervised)));
  }

  void report_matmul(const Timed& timed, const Rows& rows, const ProductShape& shape, double speed) {
    // Every rank of a tensor group has the same rows.
    const double loss_rows = over_ranks(world(), static_cast<double>(rows.with_loss), ReduceOp::sum) /
                             static_cast<double>(mesh_->axis(MeshAxis::tensor).size());
    const double products = static_cast<double>(weights_.all_rows) * static_cast<double>(timed.tokens.executed) +
                            static_cast<double>(weights_.loss_rows) * loss_rows;
    const double at_4n = 4.0 * products / timed.seconds, at_6n = 6.0 * products / timed.seconds;
    result_["rows_with_loss"] = static_cast<std::int64_t>(loss_rows);
    result_["matmul"] = {{"rows", shape.rows}, {"in", shape.in}, {"out", shape.out}, {"tflops", speed / 1e12}};
    result_["tflops"] = {{"at_4n", at_4n / 1e12}, {"at_6n", at_6n / 1e12}};
    result_["mfu"] = {{"at_4n", at_4n / speed}, {"at_6n", at_6n / speed}};
    say(fmt::format("matmul: {:.3f} TFLOP/s over all ranks ([{}, {}] x [{}, {}], {})", speed / 1e12, shape.rows,
                    shape.in, shape.in, shape.out, dtype_name(model_->options().dtype)));
    say(fmt::format("TFLOP/s of the steps' products: {:.3f} at 4N, {:.3f} at 6N; of that matmul {:.1f} % and {:.1f} %",
                    at_4n / 1e12, at_6n / 1e12, 100.0 * at_4n / speed, 100.0 * at_6n / speed));
  }

  void report_phases(const Timed& timed) {
    const std::vector<double> largest = over_ranks(world(), timed.phase_seconds, ReduceOp::max);
    const std::vector<double> sums = over_ranks(world(), timed.phase_seconds, ReduceOp::sum);
    double all = 0.0;
    for (const double sum : sums) all += sum;
    std::string line = "time:";
    for (std::size_t i = 0; i < sums.size(); ++i) {
      result_["phases"][kStepPhases[i].first] = {{"largest", largest[i]},
                                             {"mean", sums[i] / static_cast<double>(world().size())}};
      line += fmt::format("{} {} {:.1f} %", i == 0 ? "" : ",", kStepPhases[i].first, 100.0 * sums[i] / all);
    }
    say(line);
  }

  void report_memory() {
    const std::vector<std::int64_t> peaks =
        of_every_rank(world(), device().is_cpu() ? peak_memory_bytes(device()) : planned_.peak_tensor_bytes());
    result_["peak_memory_bytes"] = peaks;
    say(fmt::format("memory: peak of a rank {:.2f} GiB",
                    static_cast<double>(*std::max_element(peaks.begin(), peaks.end())) / (1 << 30)));
  }

  const StudyCell& cell_;
  const Recipe& recipe_;
  const CellSetup& setup_;
  const BenchmarkOptions& options_;
  CollectiveTime collectives_;
  std::unique_ptr<DeviceMesh> mesh_;
  PlannedSteps planned_;
  std::unique_ptr<DecoderModel> model_;
  std::optional<StepTimer> timer_;
  MatmulWeights weights_;
  ordered_json result_;
};

}  // namespace

ordered_json benchmark_cell(const StudyCell& cell, const CellSetup& setup, const CellData& data, Communicator& world,
                            const BenchmarkOptions& options) {
  if (cell.loaded.recipe.training.method == TrainingMethod::none) {
    throw InputError(
        fmt::format("{}: expected a cell that trains, found training.method: none; name another by --cell, or give "
                    "training.method=lora or full",
                    cell.name));
  }
  return Benchmark(cell, setup, world, options).run(data.train);
}

}  // namespace entune
