#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <stdexcept>
#include <string>

#include "distributed/device_mesh.h"
#include "distributed/mpi_communicator.h"
#include "distributed/parallel_regions.h"
#include "tests/distributed/communicator_contract.h"
#include "tests/support/mpi_test.h"

namespace entune::test {
namespace {

/// The contract over MPI, with tensors in one piece and in pieces of seven elements (as tensors above 2^31 - 1 elements
/// travel).
class MpiCommunicatorTest : public testing::TestWithParam<std::int64_t> {
 protected:
  const std::unique_ptr<Communicator> group_ = make_mpi_world_communicator(GetParam());
};
INSTANTIATE_TEST_SUITE_P(PieceElements, MpiCommunicatorTest, testing::Values(std::int64_t{7}, std::int64_t{1} << 30));

TEST_P(MpiCommunicatorTest, AllReduce) { check_all_reduce(*group_); }
TEST_P(MpiCommunicatorTest, AllReduceRoundsOnce) { check_all_reduce_rounds_once(*group_); }
TEST_P(MpiCommunicatorTest, AllGather) { check_all_gather(*group_); }
TEST_P(MpiCommunicatorTest, ReduceScatter) { check_reduce_scatter(*group_); }
TEST_P(MpiCommunicatorTest, Broadcast) { check_broadcast(*group_); }
TEST_P(MpiCommunicatorTest, Split) { check_split(*group_); }
TEST_P(MpiCommunicatorTest, ByteCollectives) { check_byte_collectives(*group_); }
TEST_P(MpiCommunicatorTest, EmptyTensors) { check_empty_tensors(*group_); }
TEST_P(MpiCommunicatorTest, Preconditions) { check_preconditions(*group_); }

TEST(MpiCommunicator, RefusesPiecesThatMpiCannotCount) {
  EXPECT_THROW(make_mpi_world_communicator(0), c10::Error);
  EXPECT_THROW(make_mpi_world_communicator(std::int64_t{1} << 31), c10::Error);
}

TEST(MpiCommunicator, FailureCarriesTheCallAndMpisText) {
  // Within pairs, rank 0 sends more than rank 1 takes: an error at the receiver, which MPI must hand back and not end
  // the job with.
  const std::unique_ptr<Communicator> pair = world().split(world().rank() / 2, 0);
  at::Tensor tensor = at::zeros({pair->rank() == 0 ? 2 : 1});
  std::string message;
  try {
    pair->broadcast(tensor, 0);
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  EXPECT_EQ(message.starts_with("MPI_Bcast failed"), pair->rank() == 1) << message;
  EXPECT_EQ(message.find("truncated") != std::string::npos, pair->rank() == 1) << message;
}

TEST(MpiCommunicator, RegionsCommunicateInBackward) {
  const at::Tensor x = at::ones({2}).requires_grad_(true);
  const at::Tensor y = copy_to_region(x, world()) * static_cast<float>(world().rank() + 1);
  y.sum().backward();
  const float sum = static_cast<float>(world().size() * (world().size() + 1)) / 2.0f;
  EXPECT_TRUE(at::equal(x.grad(), at::full({2}, sum))) << x.grad();
}

TEST(MpiCommunicator, MeshOverMpi) {
  ASSERT_ALL_RANKS(world().size() > 0);
  DeviceMesh mesh(world(), 1, world().size());
  EXPECT_EQ(mesh.axis(MeshAxis::tensor).rank(), world().rank());
  EXPECT_EQ(mesh.axis(MeshAxis::data).size(), 1);
}

}  // namespace
}  // namespace entune::test
