#include "trainer/loop/step_timer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "distributed/timed_communicator.h"
#include "tests/support/thread_communicator.h"

namespace entune::test {
namespace {

void sleep_ms(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

double sum_of_phases(const StepTimer& timer) {
  double sum = 0.0;
  for (std::size_t phase = 0; phase < kNumStepPhases; ++phase) sum += timer.seconds(static_cast<StepPhase>(phase));
  return sum;
}

TEST(StepTimer, AddsUpPhasesOverSteps) {
  StepTimer timer;
  for (int step = 0; step < 2; ++step) {
    timer.enter(StepPhase::data);
    sleep_ms(5);
    timer.enter(StepPhase::forward);
    timer.enter(StepPhase::backward);
    sleep_ms(10);
    timer.leave();
    sleep_ms(5);  // between steps: nobody's
  }
  EXPECT_GE(timer.seconds(StepPhase::data), 0.010);
  EXPECT_GE(timer.seconds(StepPhase::backward), 0.020);
  EXPECT_LT(timer.seconds(StepPhase::forward), 0.005);
  EXPECT_EQ(timer.seconds(StepPhase::optimizer), 0.0);
  EXPECT_EQ(timer.seconds(StepPhase::communication), 0.0);
  timer.reset();
  EXPECT_EQ(sum_of_phases(timer), 0.0);
}

TEST(StepTimer, TakesCommunicationOutOfItsPhase) {
  CollectiveTime collectives;
  StepTimer timer(&collectives);
  timer.enter(StepPhase::forward);
  collectives.seconds += 0.5;
  sleep_ms(2);
  timer.enter(StepPhase::optimizer);
  timer.leave();
  EXPECT_EQ(timer.seconds(StepPhase::communication), 0.5);
  EXPECT_LT(timer.seconds(StepPhase::forward), -0.4) << "the wall time less the collectives', here made up";
}

TEST(TimedCommunicator, CountsWaitingInTheGroupsSplitFromIt) {
  spawn_ranks(2, [](Communicator& world) {
    CollectiveTime time;
    const auto timed = make_timed_communicator(world, time, time.data);
    EXPECT_EQ(timed->rank(), world.rank());
    EXPECT_EQ(timed->size(), 2);
    const auto axis = timed->split(0, world.rank());
    const double before = time.seconds;
    if (world.rank() == 1) sleep_ms(50);
    at::Tensor sum = at::full({3}, world.rank() + 1.0, at::kFloat);
    axis->all_reduce(sum, ReduceOp::sum);
    EXPECT_EQ(sum[2].item<float>(), 3.0f);
    const double waited = time.seconds - before;
    if (world.rank() == 0) {
      EXPECT_GE(waited, 0.040);
    } else {
      EXPECT_LT(waited, 0.040);
    }

    const double so_far = time.seconds;
    at::Tensor gathered = at::empty({2}, at::kFloat), part = at::empty({1}, at::kFloat);
    timed->all_gather(gathered, at::full({1}, static_cast<float>(world.rank())));
    EXPECT_EQ(gathered[1].item<float>(), 1.0f);
    timed->reduce_scatter(part, gathered);
    EXPECT_EQ(part.item<float>(), world.rank() == 0 ? 0.0f : 2.0f);
    timed->broadcast(part, 1);
    EXPECT_EQ(part.item<float>(), 2.0f);
    timed->barrier();
    EXPECT_GT(time.seconds, so_far);
  });
}

TEST(TimedCommunicator, CountsCallsBytesAndSecondsByOperation) {
  spawn_ranks(2, [](Communicator& world) {
    CollectiveTime time;
    const auto timed = make_timed_communicator(world, time, time.tensor);
    const auto group = timed->split(0, world.rank());
    at::Tensor sum = at::ones({3}, at::kDouble), whole = at::zeros({4}, at::kFloat), part = at::zeros({2}, at::kFloat);
    timed->all_reduce(sum, ReduceOp::sum);
    group->all_reduce(sum, ReduceOp::max);
    timed->all_gather(whole, part);
    group->reduce_scatter(part, whole);
    timed->broadcast(part, 1);
    timed->barrier();

    const std::array<std::pair<std::int64_t, std::int64_t>, kNumCollectives> expected = {
        {{2, 48}, {1, 16}, {1, 16}, {1, 8}, {1, 0}}};
    double seconds = 0.0;
    for (std::size_t i = 0; i < kNumCollectives; ++i) {
      EXPECT_EQ(time.tensor[i].calls, expected[i].first) << i;
      EXPECT_EQ(time.tensor[i].bytes, expected[i].second) << i;
      EXPECT_GT(time.tensor[i].seconds, 0.0) << i;
      EXPECT_EQ(time.data[i].calls, 0) << i;
      seconds += time.tensor[i].seconds;
    }
    EXPECT_NEAR(seconds, time.seconds, 1e-9);
  });
}

}  // namespace
}  // namespace entune::test
