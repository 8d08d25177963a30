#pragma once

#include <memory>

#include "distributed/communicator.h"

namespace entune {

/// The life of this process in MPI: one per process, made first in main(). The destructor finalizes MPI; while an
/// exception unwinds it ends the whole job instead (exit code 1), since peers that wait in a collective would never
/// reach their own end. Started without mpirun it is a world of one.
///
/// Asks for MPI_THREAD_SERIALIZED and refuses less: the collectives of a backward pass run on the thread that autograd
/// gives them (the caller's on CPUs, a device's own on GPUs), never two at once.
class MpiRuntime {
 public:
  MpiRuntime(int& argc, char**& argv);
  ~MpiRuntime();
  MpiRuntime(const MpiRuntime&) = delete;
  MpiRuntime& operator=(const MpiRuntime&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  int local_rank() const { return local_rank_; }  ///< rank among those of this machine
  int local_size() const { return local_size_; }
  /// A communicator over all ranks, with MPI as its transport (distributed/mpi_communicator.cpp). Collective.
  std::unique_ptr<Communicator> world() const;
  /// Ends the whole job with this exit code; does not return.
  [[noreturn]] void abort(int exit_code) const;

 private:
  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
};

}  // namespace entune
