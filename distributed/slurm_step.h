#pragma once

#include <string>

namespace entune {

/// Whether Slurm's srun started this process as one of several tasks that MPI does not join into one world (srun
/// without
/// --mpi=pmix): each would do the whole work, and write it to the same files. By the environment as it stands when this
/// is made, which must be before MPI starts. A process that mpirun started is none of srun's tasks, and neither is one
/// that the batch script starts by itself, however many tasks the job has.
class SlurmStep {
 public:
  SlurmStep();

  /// What is wrong, if MPI cannot start as one world: OpenMPI would end the process with advice that does not fit. Else
  /// empty.
  std::string fault_before_mpi() const { return has_process_manager_ ? "" : fault(1); }
  /// What is wrong with a world of this size; else empty.
  std::string fault(int world_size) const;
  /// Of several tasks with one fault this one speaks.
  bool is_first_task() const { return first_task_; }

 private:
  int num_tasks_ = 1;
  bool first_task_ = true;
  bool has_process_manager_ = false;
};

}  // namespace entune
