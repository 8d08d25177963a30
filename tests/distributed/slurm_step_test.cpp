#include "distributed/slurm_step.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

namespace entune {
namespace {

void forget_launchers() {
  for (const char* name : {"SLURM_NTASKS", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "OMPI_COMM_WORLD_SIZE", "PMIX_RANK",
                           "PMI_RANK", "PMI_FD"})
    unsetenv(name);
}

// In an environment that says this of Slurm and launchers, and nothing else.
SlurmStep step_with(const std::map<std::string, std::string>& environment) {
  forget_launchers();
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  SlurmStep step;
  forget_launchers();
  return step;
}

TEST(SlurmStep, TasksWithoutMpiAreRefusedBeforeItStarts) {
  const SlurmStep step = step_with({{"SLURM_NTASKS", "4"}, {"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "3"}});
  EXPECT_NE(step.fault_before_mpi().find("Slurm started 4 tasks and MPI sees one"), std::string::npos);
  EXPECT_FALSE(step.is_first_task());
}

TEST(SlurmStep, TasksThatMpiDoesNotJoinAreRefused) {
  const SlurmStep step = step_with({{"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "0"}, {"PMIX_RANK", "0"}});
  EXPECT_EQ(step.fault_before_mpi(), "");
  EXPECT_NE(step.fault(1), "");
  EXPECT_EQ(step.fault(4), "");
  EXPECT_TRUE(step.is_first_task());
}

TEST(SlurmStep, OneProcessMayStandAlone) {
  const std::map<std::string, std::string> legal[] = {
      {},                                                             // no Slurm
      {{"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}},                 // started by a batch script of 8 tasks
      {{"SLURM_NTASKS", "8"}, {"SLURM_STEP_NUM_TASKS", "1"}},         // srun -n 1
      {{"SLURM_STEP_NUM_TASKS", "2"}, {"OMPI_COMM_WORLD_SIZE", "1"}}  // mpirun -np 1 in a job of two nodes
  };
  for (const auto& environment : legal) {
    const SlurmStep step = step_with(environment);
    EXPECT_EQ(step.fault_before_mpi(), "");
    EXPECT_EQ(step.fault(1), "");
  }
}

}  // namespace
}  // namespace entune
