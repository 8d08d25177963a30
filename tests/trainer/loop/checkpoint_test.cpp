#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <limits>
#include <memory>
#include <optional>

#include "tests/support/temporary_directory.h"
#include "tests/support/thread_communicator.h"
#include "tests/trainer/loop/layouts.h"
#include "tests/trainer/model/small_models.h"
#include "trainer/loop/best_weights.h"
#include "trainer/loop/checkpoint_store.h"
#include "trainer/loop/early_end.h"
#include "trainer/loop/rank_files.h"
#include "trainer/loop/trainer.h"

namespace entune::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct Layout {
  int data = 1;
  int tensor = 1;
  bool zero = true;
  int size() const { return data * tensor; }
};

struct Kind {
  bool full = false;
  bool bfloat16 = false;
  double dropout = 0.0;
};

/// A tiny model in training; alike on every layout.
class Training {
 public:
  Training(Communicator& world, const Layout& layout, const Kind& kind)
      : mesh_(world, layout.data, layout.tensor),
        model_(make_model(small_config(), model_options(kind), mesh_.axis(MeshAxis::tensor))),
        samples_(random_samples(13, small_config().vocab_size)),
        loader_(
            samples_,
            {.global_batch = 4, .micro_batch_tokens = 30, .prefix_sharing = kind.dropout == 0.0, .prompt_weight = 0}, 5,
            mesh_.axis(MeshAxis::data).rank(), layout.data),
        trainer_(*model_, loader_, mesh_, trainer_options(layout)),
        best_(*model_) {}

  Trainer& trainer() { return trainer_; }
  DecoderModel& model() { return *model_; }

  void steps_until(std::int64_t step) {
    while (trainer_.steps_done() < step) {
      losses_.push_back(trainer_.run_step().loss);
      if (trainer_.steps_done() == 3) best_.offer(0.5, losses_.back());
    }
  }

  void save(CheckpointStore& store) {
    const RankState state = rank_state(trainer_, mesh_, best_.kept());
    store.save(trainer_.steps_done(), state.layout,
               [&](const fs::path& staged) { return write_rank_files(staged, state); });
  }

  void resume(const CheckpointStore::Found& found) {
    RankState state = rank_state(trainer_, mesh_, {});
    for (const Parameter& parameter : state.parameters) {
      // What is there before must not matter.
      if (found.manifest.step >= 3) state.best.push_back(at::full_like(parameter.value.detach(), 7.0));
    }
    const at::NoGradGuard no_grad;
    for (const Trainer::Part& part : state.parts) at::Tensor(part.states.second_moment).fill_(7.0);
    read_rank_files(found.path, found.manifest.layout, state);
    best_.resume(state.best, {0.5, 0.0});
    trainer_.resume({.steps_done = found.manifest.step, .num_skipped = 0, .skipped_in_row = 0});
  }

  /// Everything that training changes, as this rank has it.
  std::vector<at::Tensor> tensors() {
    std::vector<at::Tensor> all;
    for (const at::Tensor& parameter : model_->trainable_parameters()) all.push_back(parameter.detach().clone());
    for (const Trainer::Part& part : trainer_.parts()) {
      for (const at::Tensor& state : {part.states.master, part.states.first_moment, part.states.second_moment})
        all.push_back(state.clone());
    }
    for (const at::Tensor& best : best_.kept()) all.push_back(best.clone());
    return all;
  }
  const std::vector<double>& losses() const { return losses_; }

 private:
  static ModelOptions model_options(const Kind& kind) {
    ModelOptions options = kind.full ? full_training() : lora_training();
    if (kind.bfloat16) options.dtype = at::kBFloat16;
    if (options.lora) options.lora->dropout = kind.dropout;
    return options;
  }

  static TrainerOptions trainer_options(const Layout& layout) {
    TrainerOptions options;
    options.epochs = 2;
    options.optimizer.lr = 1e-2;
    options.shard_optimizer = layout.zero;
    options.bucket_bytes = 1 << 11;
    return options;
  }

  DeviceMesh mesh_;
  std::unique_ptr<DecoderModel> model_;
  std::vector<TrainingSample> samples_;
  BatchLoader loader_;
  Trainer trainer_;
  BestWeights best_;
  std::vector<double> losses_;
};

std::string difference(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  if (a.size() != b.size()) return fmt::format("{} and {} tensors", a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].scalar_type() != b[i].scalar_type() || !a[i].equal(b[i])) return fmt::format("tensor {}", i);
  }
  return "";
}

class Checkpoints : public testing::Test {
 protected:
  fs::path directory() const { return folder_ / "checkpoints"; }

  TemporaryDirectory folder_;
  std::unique_ptr<Communicator> self_ = make_self_communicator();
};

std::string name_of(const testing::TestParamInfo<std::tuple<Layout, Kind>>& info) {
  const auto& [layout, kind] = info.param;
  return fmt::format("{}x{}{}{}{}{}", layout.data, layout.tensor, layout.zero ? "" : "Whole",
                     kind.full ? "Full" : "Lora", kind.bfloat16 ? "Bfloat16" : "", kind.dropout > 0 ? "Dropout" : "");
}

class ResumeBits : public Checkpoints, public testing::WithParamInterface<std::tuple<Layout, Kind>> {};
INSTANTIATE_TEST_SUITE_P(Cases, ResumeBits,
                         testing::Combine(testing::Values(Layout{1, 1}, Layout{2, 1}, Layout{1, 2}, Layout{2, 2},
                                                          Layout{2, 1, false}),
                                          testing::Values(Kind{}, Kind{.full = true},
                                                          Kind{.full = true, .bfloat16 = true}, Kind{.dropout = 0.5})),
                         name_of);

// Eight steps of two epochs with several micro-batches each.
TEST_P(ResumeBits, AreThoseOfARunThatWasNotCut) {
  const auto& [layout, kind] = GetParam();
  spawn_ranks(layout.size(), [&, layout = layout, kind = kind](Communicator& world) {
    CheckpointStore store(directory(), 100, world);
    Training uncut(world, layout, kind);
    const std::int64_t total = uncut.trainer().total_steps();
    EXPECT_EQ(total, 8);
    for (std::int64_t step = 1; step <= total; ++step) {
      uncut.steps_until(step);
      uncut.save(store);
    }
    for (const std::int64_t step : {1, 3, 4, 8}) {
      Training resumed(world, layout, kind);
      resumed.resume(store.find(directory() / checkpoint_name(step)));
      resumed.steps_until(total);
      EXPECT_EQ(difference(resumed.tensors(), uncut.tensors()), "") << step;
      for (std::size_t i = 0; i < resumed.losses().size(); ++i)
        EXPECT_EQ(resumed.losses()[i], uncut.losses()[static_cast<std::size_t>(step) + i]) << "from step " << step;
    }
  });
}

class Relayouts : public Checkpoints, public testing::WithParamInterface<std::tuple<Layout, Layout, bool>> {};
INSTANTIATE_TEST_SUITE_P(Cases, Relayouts,
                         testing::Combine(testing::Values(Layout{2, 1}, Layout{1, 2}, Layout{2, 2, false}),
                                          testing::Values(Layout{1, 1}, Layout{1, 2}, Layout{2, 1}, Layout{2, 2}),
                                          testing::Bool()));

// To the other layout and back is the identity, and in between the losses are those of the first.
TEST_P(Relayouts, LoseNothing) {
  const auto& [from, to, full] = GetParam();
  const Kind kind{.full = full};
  std::vector<std::vector<at::Tensor>> saved(static_cast<std::size_t>(from.size()));
  std::vector<double> losses;
  spawn_ranks(from.size(), [&, from = from](Communicator& world) {
    CheckpointStore store(directory(), 1, world);
    Training training(world, from, kind);
    training.steps_until(5);
    training.save(store);
    saved[static_cast<std::size_t>(world.rank())] = training.tensors();
    training.steps_until(8);
    if (world.rank() == 0) losses = training.losses();
  });
  spawn_ranks(to.size(), [&, to = to](Communicator& world) {
    CheckpointStore store(directory(), 1, world), again(folder_ / "again", 1, world);
    Training training(world, to, kind);
    training.resume(store.find_newest().value());
    training.save(again);
    training.steps_until(8);
    EXPECT_EQ(training.losses().size(), 3u);
    for (std::size_t i = 0; i < training.losses().size(); ++i) EXPECT_NEAR(training.losses()[i], losses[5 + i], 1e-4);
  });
  spawn_ranks(from.size(), [&, from = from](Communicator& world) {
    CheckpointStore store(folder_ / "again", 1, world);
    Training training(world, from, kind);
    training.resume(store.find_newest().value());
    EXPECT_EQ(difference(training.tensors(), saved[static_cast<std::size_t>(world.rank())]), "");
  });
}

/// Two checkpoints of two files and a manifest.
class Broken : public Checkpoints {
 protected:
  Broken() {
    CheckpointStore store(directory(), 2, *self_);
    for (const std::int64_t step : {4, 8}) save(store, step);
  }

  static void save(CheckpointStore& store, std::int64_t step) {
    store.save(step, {}, [&](const fs::path& staged) {
      write_file(staged / "one", fmt::format("the first file of step {}", step));
      write_file(staged / "two", std::string(1000, 'x'));
      return std::vector<std::string>{"one", "two"};
    });
  }
  std::optional<std::int64_t> newest() {
    const auto found = CheckpointStore(directory(), 2, *self_).find_newest();
    return found ? std::optional(found->manifest.step) : std::nullopt;
  }
};

TEST_F(Broken, OnesAreNamedAndTheOneBeforeIsUsed) {
  EXPECT_EQ(newest(), 8);
  for (const std::string name : {"one", "two", "manifest.json"}) {
    const fs::path file = directory() / checkpoint_name(8) / name;
    const std::string whole = read_file(file);
    const auto expect_refused = [&] {
      testing::internal::CaptureStderr();
      EXPECT_EQ(newest(), 4) << name;
      EXPECT_THAT(testing::internal::GetCapturedStderr(),
                  testing::AllOf(HasSubstr(checkpoint_name(8)), HasSubstr(name)));
    };
    write_file(file, whole.substr(0, whole.size() / 2));
    expect_refused();
    std::string flipped = whole;
    flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 1);
    write_file(file, flipped);
    expect_refused();
    fs::remove(file);
    expect_refused();
    write_file(file, whole);
    EXPECT_EQ(newest(), 8);
  }
  for (const std::int64_t step : {4, 8}) fs::remove(directory() / checkpoint_name(step) / "two");
  try {
    newest();
    FAIL() << "started without a checkpoint that is whole";
  } catch (const EarlyEnd& end) {
    EXPECT_EQ(end.code(), EarlyEnd::no_usable_checkpoint);
  }
  fs::remove_all(directory());
  EXPECT_EQ(newest(), std::nullopt);
}

TEST_F(Broken, EveryByteOfTheManifestCounts) {
  const fs::path file = directory() / checkpoint_name(8) / "manifest.json";
  const std::string whole = read_file(file);
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    write_file(file, flipped);
    EXPECT_NE(input_error_of([&] { read_manifest(file.parent_path()); }), "") << i;
  }
}

TEST_F(Broken, ManifestsThatLeaveTheirDirectoryAreRefused) {
  CheckpointManifest manifest{.step = 8, .layout = {}, .files = {}};
  manifest.files["../step_0000004/one"] = {1, ""};
  write_manifest(directory() / checkpoint_name(8), manifest);
  EXPECT_THAT(input_error_of([&] { read_manifest(directory() / checkpoint_name(8)); }), HasSubstr("manifest.json"));
}

TEST_F(Broken, ThoseThatAreTooManyGoOnceTheNewOneIsThere) {
  const auto names = [&] {
    std::vector<std::int64_t> steps;
    for (const fs::path& path : list_checkpoints(directory())) steps.push_back(checkpoint_step(path));
    return steps;
  };
  using Steps = std::vector<std::int64_t>;
  fs::create_directories(directory() / ".step_0000009.partial");
  CheckpointStore store(directory(), 1, *self_);
  EXPECT_FALSE(fs::exists(directory() / ".step_0000009.partial"));
  const fs::path as_given = directory() / ".." / directory().filename() / checkpoint_name(4);
  EXPECT_EQ(store.find(as_given).manifest.step, 4);
  save(store, 6);  // the run went back to step 4: step 8 was given up
  EXPECT_EQ(names(), (Steps{4, 6}));
  save(store, 6);
  save(store, 10);
  EXPECT_EQ(names(), (Steps{4, 10})) << "what this run was resumed from stays";
  EXPECT_EQ(store.last().filename(), checkpoint_name(10));
}

// A disk that is full after so many bytes.
TEST_F(Broken, AFullDiskLosesNothing) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  spawn_ranks(2, [&](Communicator& world) {
    CheckpointStore store(directory(), 1, world);
    Training training(world, {2, 1}, {});
    training.steps_until(2);
    world.barrier();
    if (world.rank() == 0) {
      small.rlim_cur = 3000;
      ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    }
    world.barrier();
    try {
      training.save(store);
      ADD_FAILURE() << "saved on a full disk";
    } catch (const std::runtime_error& error) {
      EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("step_0000002"), HasSubstr("write")));
    }
    world.barrier();
    if (world.rank() == 0) {
      EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    }
    world.barrier();
    EXPECT_EQ(store.find_newest().value().manifest.step, 8);
    training.save(store);  // there is room again
  });
  EXPECT_EQ(list_checkpoints(directory()).size(), 2u) << "what was found, and the new one";
  for (const auto& entry : fs::directory_iterator(directory())) EXPECT_EQ(entry.path().filename().string()[0], 's');
}

TEST(NotFinite, StepsAreSkippedByAllRanksAndNeverSaved) {
  const TemporaryDirectory folder;
  for (const Layout layout : {Layout{2, 1}, Layout{1, 2}, Layout{2, 1, false}}) {
    spawn_ranks(2, [&](Communicator& world) {
      Training training(world, layout, {});
      training.steps_until(1);
      const std::vector<at::Tensor> before = training.tensors();
      at::Tensor weight = training.model().parameters().front().value.detach();
      const at::Tensor whole = weight.clone();
      // Of one rank alone: the base, which is not trained.
      if (world.rank() == 1) weight.fill_(std::numeric_limits<float>::quiet_NaN());
      const StepRecord record = training.trainer().run_step();
      EXPECT_TRUE(record.skipped);
      EXPECT_EQ(training.trainer().progress().skipped_in_row, 1);
      EXPECT_EQ(difference(training.tensors(), before), "");
      weight.copy_(whole);
      EXPECT_FALSE(training.trainer().run_step().skipped);
      EXPECT_EQ(training.trainer().progress().skipped_in_row, 0);
      EXPECT_EQ(training.trainer().progress().num_skipped, 1);
      EXPECT_EQ(training.trainer().steps_done(), 3);
      EXPECT_NE(difference(training.tensors(), before), "");

      CheckpointStore store(folder / "checkpoints", 1, world);
      const at::Tensor master = training.trainer().parts().front().states.master;
      if (world.rank() == 0) master[3].fill_(std::numeric_limits<float>::infinity());
      EXPECT_THROW(training.save(store), std::runtime_error);
      EXPECT_FALSE(store.find_newest().has_value());
    });
  }
}

}  // namespace
}  // namespace entune::test
