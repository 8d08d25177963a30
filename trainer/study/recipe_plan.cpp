#include "trainer/study/recipe_plan.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace entune {

using nlohmann::ordered_json;

DryRunOptions dry_run_options(const Recipe& recipe, const CellSetup& setup, at::Device device, int data, int tensor) {
  return {.config = setup.config,
          .model = model_options(recipe, setup, device),
          .on_gpu = !device.is_cpu(),
          .data = data,
          .tensor = tensor,
          .shard_optimizer = recipe.parallel.zero == 1};
}

ordered_json memory_json(const MemoryPlan& memory) {
  return {{"weights", memory.weights},
          {"adapters", memory.adapters},
          {"gradients", memory.gradients},
          {"optimizer", memory.optimizer},
          {"activations", memory.activations},
          {"working", memory.working},
          {"largest_tensor", memory.largest_tensor},
          {"forward_peak", memory.forward_peak},
          {"backward_peak", memory.backward_peak},
          {"update_peak", memory.update_peak},
          {"peak", memory.peak()}};
}

ordered_json step_time_json(const StepTime& time) {
  return {{"products", time.products},
          {"attention", time.attention},
          {"memory", time.memory},
          {"host", time.host},
          {"data_axis", time.data_axis},
          {"tensor_axis", time.tensor_axis},
          {"hidden_communication", time.hidden},
          {"total", time.total()}};
}

std::string describe(const StepTime& time) {
  std::string line = fmt::format(
      "products {:.4f} s, attention {:.4f} s, other operators {:.4f} s, data axis {:.4f} s, "
      "tensor axis {:.4f} s",
      time.products, time.attention, time.memory, time.data_axis, time.tensor_axis);
  if (time.hidden > 0.0) line += fmt::format(", beside them {:.4f} s of communication", time.hidden);
  if (time.host > time.products + time.attention + time.memory)
    line += fmt::format("; the host's queueing takes longer, {:.4f} s", time.host);
  return line;
}

}  // namespace entune
