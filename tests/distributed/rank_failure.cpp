// One rank fails while its peers wait for it in a collective: the whole job must end, with a code that tells.
//
//   rank_failure abort    the error is caught and MpiRuntime::abort(3) called, as main() does
//   rank_failure unwind   the error leaves the scope of MpiRuntime
//   rank_failure none     nobody fails

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include "distributed/mpi_runtime.h"

namespace {

void work(const entune::MpiRuntime& runtime, bool fail) {
  const std::unique_ptr<entune::Communicator> world = runtime.world();
  const std::unique_ptr<entune::Communicator> part = world->split(0, world->rank());
  if (fail && runtime.rank() == 1) {
    throw std::runtime_error("deliberate");
  }
  part->barrier();
  if (runtime.rank() == 0) {
    std::puts("all met");
  }
}

int run(int argc, char** argv) {
  entune::MpiRuntime runtime(argc, argv);
  const std::string mode = argc > 1 ? argv[1] : "none";
  try {
    work(runtime, mode != "none");
  } catch (const std::runtime_error& error) {
    std::fprintf(stderr, "rank %d of %d, %d of %d on this machine: %s\n", runtime.rank(), runtime.size(),
                 runtime.local_rank(), runtime.local_size(), error.what());
    if (mode == "abort") {
      runtime.abort(3);
    }
    throw;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception&) {
    return 0;  // a program that forgets: what MpiRuntime does while unwinding must tell
  }
}
