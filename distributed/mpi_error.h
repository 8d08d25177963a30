#pragma once

/// Runs one MPI call; a failure becomes a std::runtime_error with the call's name and MPI's text.
#define CHECK_MPI(call) ::entune::check_mpi((call), #call)

namespace entune {

/// `code` is what an MPI function returned (0 is success in every MPI), `call` its source text.
void check_mpi(int code, const char* call);

}  // namespace entune
