#include "distributed/slurm_step.h"

#include <cstdlib>
#include <cstring>

namespace entune {
namespace {

bool is_set(const char* name) { return std::getenv(name) != nullptr; }

}  // namespace

SlurmStep::SlurmStep() {
  // SLURM_NTASKS is the job's and is in the batch script too; this one only what srun starts has. Over several nodes
  // mpirun starts its daemons by srun, and its ranks inherit their count.
  const char* const tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  if (tasks != nullptr && !is_set("OMPI_COMM_WORLD_SIZE")) num_tasks_ = std::atoi(tasks);
  const char* const task = std::getenv("SLURM_PROCID");
  first_task_ = task == nullptr || std::strcmp(task, "0") == 0;
  // Of --mpi=pmix; of --mpi=pmi2, which some builds of OpenMPI know.
  has_process_manager_ = is_set("PMIX_RANK") || is_set("PMI_RANK") || is_set("PMI_FD");
}

std::string SlurmStep::fault(int world_size) const {
  if (num_tasks_ <= 1 || world_size > 1) return "";
  return "Slurm started " + std::to_string(num_tasks_) +
         " tasks and MPI sees one: each would do all of the work, into the same files; start them by srun --mpi=pmix "
         "(srun --mpi=list says whether it is there) or by mpirun";
}

}  // namespace entune
