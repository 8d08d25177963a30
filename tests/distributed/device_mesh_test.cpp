#include "distributed/device_mesh.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

#include "distributed/sharding.h"
#include "tests/support/thread_communicator.h"

namespace entune::test {
namespace {

/// World ranks of a group, in its order.
std::vector<std::int64_t> members(Communicator& group, int world_rank) {
  at::Tensor all = at::empty({group.size()}, at::kLong);
  group.all_gather(all, at::full({1}, world_rank, at::kLong));
  return {all.const_data_ptr<std::int64_t>(), all.const_data_ptr<std::int64_t>() + all.numel()};
}

TEST(DeviceMesh, TensorNeighboursAreAdjacentRanks) {
  spawn_ranks(8, [](Communicator& world) {
    DeviceMesh mesh(world, 4, 2);
    const std::int64_t rank = world.rank();
    EXPECT_EQ(mesh.axis(MeshAxis::data).size(), 4);
    EXPECT_EQ(mesh.axis(MeshAxis::tensor).size(), 2);
    EXPECT_EQ(mesh.axis(MeshAxis::data).rank(), rank / 2);
    EXPECT_EQ(mesh.axis(MeshAxis::tensor).rank(), rank % 2);
    const std::int64_t even = rank / 2 * 2, lane = rank % 2;
    EXPECT_EQ(members(mesh.axis(MeshAxis::tensor), world.rank()), (std::vector<std::int64_t>{even, even + 1}));
    EXPECT_EQ(members(mesh.axis(MeshAxis::data), world.rank()),
              (std::vector<std::int64_t>{lane, lane + 2, lane + 4, lane + 6}));
    EXPECT_EQ(&mesh.world(), &world);
  });
}

TEST(DeviceMesh, AxesOfOne) {
  spawn_ranks(3, [](Communicator& world) {
    DeviceMesh data_only(world, 3, 1);
    EXPECT_EQ(data_only.axis(MeshAxis::data).rank(), world.rank());
    EXPECT_EQ(data_only.axis(MeshAxis::tensor).size(), 1);
    DeviceMesh tensor_only(world, 1, 3);
    EXPECT_EQ(tensor_only.axis(MeshAxis::tensor).rank(), world.rank());
    EXPECT_EQ(tensor_only.axis(MeshAxis::data).size(), 1);
  });
}

TEST(DeviceMesh, RefusesAnotherProductThanTheWorld) {
  const std::unique_ptr<Communicator> self = make_self_communicator();
  EXPECT_THROW(DeviceMesh(*self, 2, 1), c10::Error);
  EXPECT_THROW(DeviceMesh(*self, -1, -1), c10::Error);
}

TEST(Shard, PartsCoverEveryRowOnce) {
  for (std::int64_t size = 1; size <= 9; ++size) {
    for (std::int64_t full = 0; full <= 40; ++full) {
      std::int64_t next = 0;
      for (std::int64_t rank = 0; rank < size; ++rank) {
        const Shard shard{0, rank, size};
        EXPECT_EQ(shard.begin(full), next) << full << " rows, rank " << rank << " of " << size;
        EXPECT_LE(shard.begin(full), shard.end(full));
        EXPECT_LE(shard.end(full) - shard.begin(full), shard.part(full));
        next = shard.end(full);
      }
      EXPECT_EQ(next, full);
      EXPECT_LT(Shard({0, 0, size}).part(full) * size - full, size) << "padding";
    }
  }
}

TEST(Shard, ByHand) {
  // A vocabulary of 10 on 4 ranks: 3, 3, 3, 1; of 5 on 4: 2, 2, 1, 0.
  EXPECT_EQ((Shard{0, 3, 4}.begin(10)), 9);
  EXPECT_EQ((Shard{0, 3, 4}.end(10)), 10);
  EXPECT_EQ((Shard{0, 3, 4}.part(10)), 3);
  EXPECT_EQ((Shard{0, 2, 4}.end(5)), 5);
  EXPECT_EQ((Shard{0, 3, 4}.begin(5)), 5);
  EXPECT_EQ((Shard{0, 3, 4}.end(5)), 5);
  const Shard replicated{-1, 2, 4};
  EXPECT_EQ(replicated.begin(10), 0);
  EXPECT_EQ(replicated.end(10), 10);
  EXPECT_EQ(replicated.part(10), 10);
}

}  // namespace
}  // namespace entune::test
