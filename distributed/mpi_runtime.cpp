#include "distributed/mpi_runtime.h"

#include <mpi.h>
#undef HOST

#include <c10/util/Exception.h>

#include <cstdlib>
#include <exception>

#include "distributed/mpi_communicator.h"
#include "distributed/mpi_error.h"

namespace entune {

MpiRuntime::MpiRuntime(int& argc, char**& argv) {
  int initialized = 0;
  CHECK_MPI(MPI_Initialized(&initialized));
  TORCH_CHECK(!initialized, "expected one MpiRuntime in a process, found MPI initialized already");
  int provided = MPI_THREAD_SINGLE;
  CHECK_MPI(MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided));
  CHECK_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
  if (provided < MPI_THREAD_SERIALIZED) {
    MPI_Finalize();
    TORCH_CHECK(false, "expected an MPI library with MPI_THREAD_SERIALIZED (", MPI_THREAD_SERIALIZED, "), found level ",
                provided, "; use an MPI that was built with thread support");
  }
  CHECK_MPI(MPI_Comm_rank(MPI_COMM_WORLD, &rank_));
  CHECK_MPI(MPI_Comm_size(MPI_COMM_WORLD, &size_));
  MPI_Comm machine = MPI_COMM_NULL;
  CHECK_MPI(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &machine));
  CHECK_MPI(MPI_Comm_rank(machine, &local_rank_));
  CHECK_MPI(MPI_Comm_size(machine, &local_size_));
  CHECK_MPI(MPI_Comm_free(&machine));
}

MpiRuntime::~MpiRuntime() {
  if (std::uncaught_exceptions() > 0) {
    abort(1);
  }
  MPI_Finalize();
}

std::unique_ptr<Communicator> MpiRuntime::world() const { return make_mpi_world_communicator(); }

void MpiRuntime::abort(int exit_code) const {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);
}

}  // namespace entune
