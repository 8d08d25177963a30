// The contract over NCCL, on GPUs. Without one everything here is skipped, by the one reason that CTest looks for.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>

#include "distributed/device_mesh.h"
#include "distributed/gpu_placement.h"
#include "distributed/nccl_communicator.h"
#include "distributed/parallel_regions.h"
#include "distributed/parameter_buckets.h"
#include "tests/distributed/communicator_contract.h"
#include "tests/support/mpi_test.h"

namespace entune::test {
namespace {

/// This rank's GPU, shared if there are fewer than ranks; none if the world has none.
std::optional<at::Device> gpu() {
  static const std::optional<at::Device> found = [] {
    setenv("ENTUNE_SHARE_GPUS", "1", 1);
    const GpuPlacement placement = place_on_gpus(world());
    return placement.every_rank ? placement.device : std::nullopt;
  }();
  return found;
}

/// A group for each test: what one breaks, the next does not see.
class NcclCommunicatorTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!gpu()) GTEST_SKIP() << "missing: a GPU for every rank";
    group_ = make_nccl_communicator(world().split(0, world().rank()), *gpu());
  }
  std::unique_ptr<Communicator> group_;
};

TEST_F(NcclCommunicatorTest, AllReduce) { check_all_reduce(*group_, *gpu()); }
TEST_F(NcclCommunicatorTest, AllReduceRoundsOnce) { check_all_reduce_rounds_once(*group_, *gpu()); }
TEST_F(NcclCommunicatorTest, AllGather) { check_all_gather(*group_, *gpu()); }
TEST_F(NcclCommunicatorTest, ReduceScatter) { check_reduce_scatter(*group_, *gpu()); }
TEST_F(NcclCommunicatorTest, Broadcast) { check_broadcast(*group_, *gpu()); }
TEST_F(NcclCommunicatorTest, Split) { check_split(*group_, *gpu()); }
TEST_F(NcclCommunicatorTest, ByteCollectives) { check_byte_collectives(*group_); }
TEST_F(NcclCommunicatorTest, EmptyTensors) { check_empty_tensors(*group_, *gpu()); }
TEST_F(NcclCommunicatorTest, Preconditions) { check_preconditions(*group_, *gpu()); }

TEST_F(NcclCommunicatorTest, CarriesCpuTensorsToo) {
  check_all_reduce(*group_, at::kCPU);
  check_all_gather(*group_, at::kCPU);
  check_reduce_scatter(*group_, at::kCPU);
  check_broadcast(*group_, at::kCPU);
}

TEST_F(NcclCommunicatorTest, ComesAfterWhatIsQueuedAndBeforeWhatFollows) {
  // Products that take the GPU a while, then a reduction of their result, then work on the sum: no call waits.
  at::Tensor x = at::full({2048, 2048}, 1.0 / 2048.0, at::TensorOptions(*gpu()));
  for (int i = 0; i < 20; ++i) x = at::mm(x, x) * 2048.0 / 2048.0;
  at::Tensor sum = x.clone();
  group_->all_reduce(sum, ReduceOp::sum);
  const at::Tensor expected = x * static_cast<double>(group_->size());
  EXPECT_TRUE(at::allclose(sum * 1.0, expected));
}

TEST_F(NcclCommunicatorTest, RegionsCommunicateInBackward) {
  const at::Tensor x = at::ones({2}, at::TensorOptions(*gpu())).requires_grad_(true);
  const at::Tensor y = copy_to_region(x, *group_) * static_cast<float>(group_->rank() + 1);
  y.sum().backward();
  const float sum = static_cast<float>(group_->size() * (group_->size() + 1)) / 2.0f;
  EXPECT_TRUE(at::equal(x.grad().cpu(), at::full({2}, sum))) << x.grad();
}

TEST_F(NcclCommunicatorTest, MeshOnGpus) {
  DeviceMesh mesh(world(), world().size(), 1, *gpu());
  EXPECT_EQ(mesh.device(), *gpu());
  EXPECT_EQ(mesh.axis(MeshAxis::tensor).size(), 1);
  at::Tensor alone = at::ones({2}, at::TensorOptions(*gpu()));
  mesh.axis(MeshAxis::tensor).all_reduce(alone, ReduceOp::sum);
  EXPECT_TRUE(at::equal(alone.cpu(), at::ones({2})));
}

TEST_F(NcclCommunicatorTest, BucketsReducedAndGatheredBesideTheComputation) {
  DeviceMesh mesh(world(), world().size(), 1, *gpu());
  const at::TensorOptions options = at::TensorOptions(*gpu()).dtype(at::kBFloat16);
  for (const bool overlap : {false, true}) {
    std::vector<BucketedParameter> parameters;
    for (int i = 0; i < 6; ++i) parameters.push_back({at::zeros({1 << 18}, options).requires_grad_(true)});
    ParameterBuckets buckets(parameters, mesh.axis(MeshAxis::data),
                             {.shard = true, .bucket_bytes = 1 << 20, .overlap = overlap});
    for (int step = 1; step <= 3; ++step) {
      buckets.await(0, parameters.size());
      at::Tensor loss = at::zeros({}, options.dtype(at::kFloat));
      for (const BucketedParameter& p : parameters) loss = loss + p.value.to(at::kFloat).sum() * 0.5F;
      // All values are equal, and each step takes 0.5 times the number of ranks from them.
      const float value = -0.5F * static_cast<float>((step - 1) * world().size());
      EXPECT_EQ(loss.item<float>(), 0.5F * value * static_cast<float>(6 << 18)) << "overlap " << overlap;
      buckets.zero_gradients();
      buckets.expect_last_backward();
      loss.backward();
      buckets.reduce();
      {
        const at::NoGradGuard no_grad;
        for (const ParameterBuckets::Part& part : buckets.parts()) part.value.sub_(part.gradient);
      }
      buckets.gather();
    }
  }
}

TEST_F(NcclCommunicatorTest, APeerThatDoesNotComeEndsTheGroup) {
  if (world().size() == 1) GTEST_SKIP() << "needs two ranks";
  std::atomic<int> num_told = 0;
  const auto impatient = make_nccl_communicator(world().split(0, world().rank()), *gpu(),
                                                {.patience = std::chrono::seconds{5},
                                                 .overdue = [&] { ++num_told; },
                                                 .overdue_after = std::chrono::seconds{2}});
  at::Tensor tensor = at::ones({4}, at::TensorOptions(*gpu()));
  impatient->all_reduce(tensor, ReduceOp::sum);  // connects
  std::string message;
  if (world().rank() == 0) {
    try {
      impatient->all_reduce(tensor, ReduceOp::sum);
      tensor.cpu();  // returns once the group is aborted
      impatient->all_reduce(tensor, ReduceOp::sum);
    } catch (const std::runtime_error& error) {
      message = error.what();
    }
    EXPECT_NE(message.find("not over after 5 s"), std::string::npos) << message;
    EXPECT_GT(num_told, 1) << "from 2 s on";
  }
  world().barrier();
}

}  // namespace
}  // namespace entune::test
