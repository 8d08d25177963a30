#include "distributed/mpi_error.h"

#include <mpi.h>
#undef HOST

#include <stdexcept>
#include <string>

namespace entune {

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) {
    return;
  }
  const std::string source = call;
  const std::string name = source.substr(0, source.find('('));
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) {
    length = 0;
  }
  throw std::runtime_error(name + " failed with code " + std::to_string(code) + ": " + std::string(text, length));
}

}  // namespace entune
