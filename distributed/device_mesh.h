#pragma once

#include <memory>

#include "distributed/communicator.h"

namespace entune {

enum class MeshAxis { data, tensor };

/// The ranks as a grid data x tensor; tensor neighbours are adjacent ranks: world rank = data_rank * tensor_size +
/// tensor_rank. Owns one communicator per axis (the ranks that differ in that axis alone); groups are passed on, never
/// looked up.
class DeviceMesh {
 public:
  /// data * tensor must be world.size() (TORCH_CHECK; Recipe's validation refuses it earlier, with the keys to change).
  DeviceMesh(Communicator& world, int data, int tensor);

  Communicator& axis(MeshAxis axis) { return axis == MeshAxis::data ? *data_ : *tensor_; }
  Communicator& world() { return world_; }

 private:
  Communicator& world_;
  std::unique_ptr<Communicator> data_;
  std::unique_ptr<Communicator> tensor_;
};

}  // namespace entune
