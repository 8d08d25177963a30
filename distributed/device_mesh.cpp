#include "distributed/device_mesh.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>

#include <utility>

#include "distributed/cuda_devices.h"
#include "distributed/nccl_communicator.h"

namespace entune {

DeviceMesh::DeviceMesh(Communicator& world, int data, int tensor, at::Device device, CollectiveTime* time)
    : world_(world), device_(device) {
  TORCH_CHECK(data > 0 && tensor > 0 && data * tensor == world.size(), "expected data * tensor = ", world.size(),
              " ranks, found data = ", data, " and tensor = ", tensor);
  const int data_rank = world.rank() / tensor;
  const int tensor_rank = world.rank() % tensor;
  data_ = world.split(tensor_rank, data_rank);
  tensor_ = world.split(data_rank, tensor_rank);
  if (!device.is_cpu()) {
    use_gpu(device);
    const NcclOptions options{.deterministic = at::globalContext().deterministicAlgorithms()};
    data_ = make_nccl_communicator(std::move(data_), device, options);
    tensor_ = make_nccl_communicator(std::move(tensor_), device, options);
  }
  if (time == nullptr) return;
  // A group of one moves nothing.
  if (data > 1) data_ = make_timed_communicator(std::move(data_), *time, time->data);
  if (tensor > 1) tensor_ = make_timed_communicator(std::move(tensor_), *time, time->tensor);
}

}  // namespace entune
