#include "distributed/device_mesh.h"

#include <c10/util/Exception.h>

namespace entune {

DeviceMesh::DeviceMesh(Communicator& world, int data, int tensor) : world_(world) {
  TORCH_CHECK(data > 0 && tensor > 0 && data * tensor == world.size(), "expected data * tensor = ", world.size(),
              " ranks, found data = ", data, " and tensor = ", tensor);
  const int data_rank = world.rank() / tensor;
  const int tensor_rank = world.rank() % tensor;
  data_ = world.split(tensor_rank, data_rank);
  tensor_ = world.split(data_rank, tensor_rank);
}

}  // namespace entune
