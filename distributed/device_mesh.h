#pragma once

#include <c10/core/Device.h>

#include <memory>

#include "distributed/collective_watch.h"
#include "distributed/communicator.h"
#include "distributed/timed_communicator.h"

namespace entune {

enum class MeshAxis { data, tensor };

/// The ranks as a grid data x tensor; tensor neighbours are adjacent ranks: world rank = data_rank * tensor_size +
/// tensor_rank. Owns one communicator per axis (the ranks that differ in that axis alone); groups are passed on, never
/// looked up.
///
/// The ranks work on CPUs, with the axes over the world's own transport, or each on a GPU of its own, with the axes
/// over NCCL. The world itself carries CPU tensors in either case.
class DeviceMesh {
 public:
  /// data * tensor must be world.size() (TORCH_CHECK; Recipe's validation refuses it earlier, with the keys to change).
  /// `device`: the CPU, or this rank's GPU (gpu_placement.h), which becomes the thread's current one.
  /// `time`, which must outlive the mesh: has the time of the axes' collectives added to it, where an axis has several
  /// ranks. `watch`, which must outlive it too: is told of them, and ends those that do not end; without one NCCL gives
  /// up after NcclOptions::patience.
  DeviceMesh(Communicator& world, int data, int tensor, at::Device device = at::kCPU, CollectiveTime* time = nullptr,
             CollectiveWatch* watch = nullptr);

  Communicator& axis(MeshAxis axis) { return axis == MeshAxis::data ? *data_ : *tensor_; }
  Communicator& world() { return world_; }
  /// The ranks of an axis as a group of their own, whose collectives may run beside the axis's. Collective over the
  /// axis; the mesh must outlive it.
  std::unique_ptr<Communicator> beside(MeshAxis axis);
  /// Where the tensors of this rank lie.
  at::Device device() const { return device_; }

 private:
  std::unique_ptr<Communicator> watched(std::unique_ptr<Communicator> group, MeshAxis axis) const;

  Communicator& world_;
  at::Device device_;
  CollectiveWatch* watch_;
  std::unique_ptr<Communicator> data_;
  std::unique_ptr<Communicator> tensor_;
};

}  // namespace entune
