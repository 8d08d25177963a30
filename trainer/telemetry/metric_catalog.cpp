#include "trainer/telemetry/metric_catalog.h"

namespace entune {
namespace {

std::vector<MetricSpec> make_catalog() {
  using enum MetricKind;
  return {
      {"entune_build_info", info, {"torch", "compiler", "cuda"}, "", "What the program was built with."},
      {"entune_run_info",
       info,
       {"cell", "model", "format", "method", "dtype", "data_parallel", "tensor_parallel", "seed", "recipe_hash"},
       "",
       "The cell that is running; recipe_hash is of its resolved recipe.",
       kFirstRank},
      {"entune_device_info", info, {"node", "gpu_uuid"}, "", "The rank's GPU, as nvidia-smi and DCGM name it.", kGpu},
      {"entune_start_timestamp_seconds", gauge, {}, "seconds", "When this run began, Unix time."},
      {"entune_last_step_timestamp_seconds",
       gauge,
       {},
       "seconds",
       "When the last training step ended, or the training began, Unix time."},
      {"entune_last_checkpoint_timestamp_seconds",
       gauge,
       {},
       "seconds",
       "When the last checkpoint was on disk, Unix time.",
       kFirstRank},
      {"entune_last_success_timestamp_seconds",
       gauge,
       {},
       "seconds",
       "When the run ended with all its results, Unix time: in the last snapshot.",
       kFirstRank},
      {"entune_restarts_total", counter, {}, "", "How often Slurm has begun this job anew.", kFirstRank},
      {"entune_state", gauge, {"state"}, "", "1 for what the rank is doing, 0 for the other states."},

      {"entune_steps_total", counter, {}, "", "Training steps done."},
      {"entune_skipped_steps_total",
       counter,
       {"reason"},
       "",
       "Training steps that changed nothing, as their loss or gradient was not finite.",
       kFirstRank},
      {"entune_clipped_steps_total",
       counter,
       {},
       "",
       "Training steps whose gradient was longer than training.optimizer.clip_norm.",
       kFirstRank},
      {"entune_planned_steps", gauge, {}, "", "Training steps of the running cell.", kFirstRank},
      {"entune_epoch",
       gauge,
       {},
       "",
       "Pass over the training texts that the last step belongs to, from 1.",
       kFirstRank},
      {"entune_step_duration_seconds", histogram, {}, "seconds", "Wall time of a training step."},
      {"entune_step_phase_seconds_total",
       counter,
       {"phase"},
       "seconds",
       "Where the run's wall time went; the phases are disjoint. communication: exposed, within training steps; "
       "evaluation, checkpoint: with their own communication; other: what is left.",
       kTiming},

      {"entune_comm_calls_total", counter, {"axis", "collective"}, "", "Collectives of the mesh.", kTiming},
      {"entune_comm_bytes_total",
       counter,
       {"axis", "collective"},
       "bytes",
       "Payload of collectives: what is reduced, gathered, scattered.",
       kTiming},
      {"entune_comm_bus_bytes_total",
       counter,
       {"axis", "collective"},
       "bytes",
       "Payload times what its algorithm moves over the slowest link, as nccl-tests count bus bandwidth.",
       kTiming},
      {"entune_comm_seconds_total",
       counter,
       {"axis", "collective"},
       "seconds",
       "Time within collectives, waiting for other ranks and what runs beside computation included; on GPUs of "
       "training steps alone.",
       kTiming},

      {"entune_tokens_total", counter, {"kind"}, "", "Tokens trained on.", kFirstRank},
      {"entune_flops_total",
       counter,
       {},
       "",
       "Floating-point operations of the training's matrix products, those that checkpointing repeats not counted: for "
       "each executed token and weight 4 with LoRA, 6 in full fine-tuning; of what only tokens with a loss pass, for "
       "each supervised token (training.loss.prompt_weight adds none).",
       kFirstRank},
      {"entune_peak_flops_per_second",
       gauge,
       {},
       "",
       "Speed of a large matrix product on the rank's GPU, measured when the run began: what MFU is a share of.",
       kTiming | kGpu},
      {"entune_samples_total", counter, {}, "", "Texts trained on.", kFirstRank},
      {"entune_loss", gauge, {}, "", "Weighted mean loss of the last step.", kFirstRank},
      {"entune_loss_sum_total",
       counter,
       {},
       "",
       "Loss times supervised tokens; over those tokens it is the mean loss of a window without skipped steps.",
       kFirstRank},
      {"entune_grad_norm", gauge, {}, "", "Norm of the last step's gradient, before clipping.", kFirstRank},
      {"entune_learning_rate", gauge, {}, "", "Learning rate of the last step.", kFirstRank},

      {"entune_checkpoints_total", counter, {"result"}, "", "Checkpoints that were to be saved.", kFirstRank},
      {"entune_checkpoint_bytes_total",
       counter,
       {},
       "bytes",
       "Of the checkpoints saved, all ranks' files together.",
       kFirstRank},
      {"entune_restore_seconds",
       gauge,
       {},
       "seconds",
       "Time to find, check and read the checkpoint that the training goes on from.",
       kFirstRank},

      {"entune_validation_loss", gauge, {}, "", "Weighted mean loss on the validation side.", kFirstRank},
      {"entune_eval_texts_total", counter, {"format", "split"}, "", "Texts answered.", kFirstRank},
      {"entune_eval_generated_tokens_total", counter, {"format", "split"}, "", "Tokens of answers.", kFirstRank},
      {"entune_eval_seconds_total",
       counter,
       {"format", "split"},
       "seconds",
       "Wall time of answering, by the slowest rank.",
       kFirstRank},
      {"entune_eval_precision_ratio",
       gauge,
       {"format", "split", "reading", "match", "averaging"},
       "ratio",
       "Precision of the last evaluation.",
       kFirstRank},
      {"entune_eval_recall_ratio",
       gauge,
       {"format", "split", "reading", "match", "averaging"},
       "ratio",
       "Recall of the last evaluation.",
       kFirstRank},
      {"entune_eval_f1_ratio",
       gauge,
       {"format", "split", "reading", "match", "averaging"},
       "ratio",
       "F1 of the last evaluation.",
       kFirstRank},
      {"entune_eval_entity_f1_ratio",
       gauge,
       {"format", "split", "reading", "entity"},
       "ratio",
       "Strict F1 of one label in the last evaluation.",
       kFirstRank},
      {"entune_eval_answers_ratio",
       gauge,
       {"format", "split", "health"},
       "ratio",
       "Share of answers in the last evaluation that were so; one answer can be several.",
       kFirstRank},

      {"entune_host_memory_bytes", gauge, {"memory"}, "bytes", "Resident memory of the process, now and at its peak."},
      {"entune_gpu_memory_bytes",
       gauge,
       {"memory"},
       "bytes",
       "Memory of the rank's GPU, as its allocator has it.",
       kGpu},
      {"entune_alloc_retries_total",
       counter,
       {},
       "",
       "Allocations on the GPU that first had to empty the cache.",
       kGpu},
      {"entune_oom_total", counter, {}, "", "Allocations on the GPU that failed.", kGpu},
      {"entune_gpu_seconds_total",
       counter,
       {},
       "seconds",
       "Time that the run's GPUs were held, all ranks together.",
       kFirstRank | kGpu},
      {"entune_gpu_hour_price_usd",
       gauge,
       {},
       "usd",
       "Price of an hour of one GPU, from the recipe.",
       kFirstRank | kGpu},
  };
}

}  // namespace

const std::vector<MetricSpec>& metric_catalog() {
  static const std::vector<MetricSpec> catalog = make_catalog();
  return catalog;
}

const LabelValues& fixed_label_values() {
  static const LabelValues values = {
      {"state", {"start", "train", "evaluate", "checkpoint", "finish", "saved", "fail"}},
      {"phase", {"data", "forward", "backward", "communication", "optimizer", "evaluation", "checkpoint", "other"}},
      {"reason", {"loss", "gradient"}},
      {"result", {"ok", "failed"}},
      {"axis", {"data", "tensor"}},
      {"collective", {"all_reduce", "all_gather", "reduce_scatter", "broadcast", "barrier"}},
      {"kind", {"logical", "executed", "supervised"}},
      {"memory", {"resident", "resident_peak", "allocated", "allocated_peak", "reserved", "reserved_peak", "capacity"}},
      {"split", {"train", "validation", "test"}},
      {"reading", {"raw", "repaired"}},
      {"match", {"strict", "exact", "partial", "type"}},
      {"averaging", {"micro", "macro"}},
  };
  return values;
}

std::string_view name_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::counter:
      return "counter";
    case MetricKind::gauge:
      return "gauge";
    case MetricKind::histogram:
      return "histogram";
    case MetricKind::info:
      return "info";
  }
  return "";
}

}  // namespace entune
