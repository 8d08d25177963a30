#include "distributed/device_mesh.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>

#include <utility>

#include "distributed/cuda_devices.h"
#include "distributed/nccl_communicator.h"

namespace entune {

namespace {

WatchedGroup watched_group(MeshAxis axis) { return axis == MeshAxis::data ? WatchedGroup::data : WatchedGroup::tensor; }

/// A group over NCCL in the place of one over the host. A watch ends what does not end: NCCL itself waits.
void move_to_gpu(std::unique_ptr<Communicator>& group, MeshAxis axis, at::Device device, CollectiveWatch* watch) {
  NcclOptions options{.deterministic = at::globalContext().deterministicAlgorithms()};
  if (watch != nullptr) {
    options.patience = std::chrono::years(1);
    options.overdue_after = watch->limit();
    if (watch->limit().count() > 0) options.overdue = [=] { watch->overdue(watched_group(axis)); };
  }
  const WatchedScope scope(group->size() > 1 ? watch : nullptr, watched_group(axis), WatchedCall::split);
  group = make_nccl_communicator(std::move(group), device, options);
}

}  // namespace

DeviceMesh::DeviceMesh(Communicator& world, int data, int tensor, at::Device device, CollectiveTime* time,
                       CollectiveWatch* watch)
    : world_(world), device_(device), watch_(watch) {
  TORCH_CHECK(data > 0 && tensor > 0 && data * tensor == world.size(), "expected data * tensor = ", world.size(),
              " ranks, found data = ", data, " and tensor = ", tensor);
  const int data_rank = world.rank() / tensor;
  const int tensor_rank = world.rank() % tensor;
  if (watch != nullptr) watch->begin_mesh(tensor);
  data_ = world.split(tensor_rank, data_rank);
  tensor_ = world.split(data_rank, tensor_rank);
  if (!device.is_cpu()) {
    use_gpu(device);
    move_to_gpu(data_, MeshAxis::data, device, watch);
    move_to_gpu(tensor_, MeshAxis::tensor, device, watch);
  }
  // A group of one moves nothing.
  if (time != nullptr && data > 1) data_ = make_timed_communicator(std::move(data_), *time, time->data);
  if (time != nullptr && tensor > 1) tensor_ = make_timed_communicator(std::move(tensor_), *time, time->tensor);
  data_ = watched(std::move(data_), MeshAxis::data);
  tensor_ = watched(std::move(tensor_), MeshAxis::tensor);
}

std::unique_ptr<Communicator> DeviceMesh::beside(MeshAxis axis) {
  Communicator& group = this->axis(axis);
  return watched(group.split(0, group.rank()), axis);
}

std::unique_ptr<Communicator> DeviceMesh::watched(std::unique_ptr<Communicator> group, MeshAxis axis) const {
  if (watch_ == nullptr || group->size() == 1) return group;
  return make_watched_communicator(std::move(group), watched_group(axis), *watch_);
}

}  // namespace entune
