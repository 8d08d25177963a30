#include <stdexcept>

#include "distributed/nccl_communicator.h"

namespace entune {

std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator>, at::Device, const NcclOptions&) {
  throw std::runtime_error("this build has no CUDA and no NCCL in it; configure it with ENTUNE_CUDA=on");
}

}  // namespace entune
