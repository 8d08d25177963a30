#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "trainer/plan/dry_run.h"
#include "trainer/plan/step_time.h"
#include "trainer/recipe/recipe.h"
#include "trainer/study/cell_setup.h"

namespace entune {

/// The recipe's training on a mesh of that size on devices like `device`, as its first rank sees it.
DryRunOptions dry_run_options(const Recipe& recipe, const CellSetup& setup, at::Device device, int data, int tensor);

nlohmann::ordered_json memory_json(const MemoryPlan& memory);
nlohmann::ordered_json step_time_json(const StepTime& time);
/// "products 1.21 s, attention 0.10 s, ..."
std::string describe(const StepTime& time);

}  // namespace entune
