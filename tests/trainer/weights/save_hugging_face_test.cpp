// Saving in several files, merging adapters piece by piece, and directories that appear whole.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <thread>

#include "tests/support/temporary_directory.h"
#include "tests/support/thread_communicator.h"
#include "tests/trainer/model/small_models.h"
#include "trainer/weights/gathered_writer.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/model_files.h"
#include "trainer/weights/safetensors_reader.h"

namespace entune::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::int64_t kOneFile = std::int64_t{1} << 30;

/// With biases, whose parts are vectors, and a vocabulary that no number of ranks divides.
LlamaConfig config_with_vectors() {
  LlamaConfig config = small_config();
  config.model_type = "qwen2";
  config.qkv_bias = true;
  return config;
}

void save(const std::filesystem::path& directory, const LlamaConfig& config, int ranks, const SaveOptions& options) {
  spawn_ranks(ranks, [&](Communicator& axis) {
    const auto model = make_model(config, {}, axis);
    SaveOptions mine = options;
    if (axis.rank() != 0) mine.progress = [](std::int64_t, std::int64_t) { FAIL() << "only rank 0 writes"; };
    save_hugging_face(directory, *model, {}, axis, mine);
  });
}

std::set<std::string> names_in(const std::filesystem::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

/// Bytes of the tensors that the index places in each file.
std::map<std::string, std::vector<std::int64_t>> bytes_of_files(const std::filesystem::path& directory) {
  std::map<std::string, std::vector<std::int64_t>> bytes;
  const ModelFiles files(directory);
  for (const auto& [name, reader] : files.tensors()) {
    const SafetensorsEntry& entry = reader->header().tensors.at(name);
    bytes[reader->path().filename()].push_back(static_cast<std::int64_t>(entry.end - entry.begin));
  }
  return bytes;
}

std::int64_t sum(const std::vector<std::int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

TEST(SaveHuggingFace, WeightsBeyondTheLimitGoIntoFilesThatKeepIt) {
  const LlamaConfig config = config_with_vectors();
  constexpr std::int64_t kLimit = 9000;
  std::map<std::string, std::string> of_one_rank;
  for (const int ranks : {1, 2}) {
    const TemporaryDirectory directory;
    std::int64_t last = 0, all = -1;
    save(directory.path(), config, ranks,
         {.max_file_bytes = kLimit, .progress = [&](std::int64_t done, std::int64_t total) {
            EXPECT_GT(done, last);
            last = done;
            all = total;
          }});
    const json index = json::parse(read_file(directory / "model.safetensors.index.json"));
    const auto files = bytes_of_files(directory.path());
    ASSERT_GT(files.size(), 3U);
    std::int64_t total = 0, before = kLimit;
    std::set<std::string> expected = {"config.json", "generation_config.json", "model.safetensors.index.json"};
    for (std::size_t i = 1; i <= files.size(); ++i) {
      const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i, files.size());
      ASSERT_TRUE(files.contains(name)) << name;
      const std::int64_t bytes = sum(files.at(name));
      EXPECT_LE(bytes, kLimit) << name;
      EXPECT_GT(before + bytes, kLimit) << name << " could have been a part of the file before it";
      before = bytes;
      total += bytes;
      expected.insert(name);
    }
    EXPECT_EQ(names_in(directory.path()), expected);
    EXPECT_EQ(index["metadata"]["total_size"], total);
    EXPECT_EQ(last, total);
    EXPECT_EQ(all, total);

    for (const std::string& name : expected) {
      const std::string bytes = read_file(directory / name);
      EXPECT_EQ(of_one_rank.try_emplace(name, bytes).first->second, bytes) << name << " differs on two ranks";
    }
    for (const int loading : {1, 2}) {
      spawn_ranks(loading, [&](Communicator& axis) {
        const auto saved = make_model(config, {}, axis);
        DecoderModel model(config, {}, axis);
        load_hugging_face_weights(directory.path(), model);
        for (std::size_t i = 0; i < model.parameters().size(); ++i) {
          EXPECT_TRUE(at::equal(model.parameters()[i].value, saved->parameters()[i].value))
              << model.parameters()[i].name << ": saved by " << ranks << ", loaded by " << loading;
        }
      });
    }
  }
}

TEST(SaveHuggingFace, ATensorBeyondTheLimitStandsAlone) {
  const TemporaryDirectory directory;
  const LlamaConfig config = small_config();
  save(directory.path(), config, 1, {.max_file_bytes = 3000});
  const std::int64_t up = config.intermediate_size * config.hidden_size * 4;
  ASSERT_GT(up, 3000);
  std::int64_t large = 0;
  for (const auto& [name, bytes] : bytes_of_files(directory.path())) {
    if (sum(bytes) <= 3000) continue;
    EXPECT_EQ(bytes.size(), 1U) << name;
    ++large;
  }
  EXPECT_GE(large, 3 * config.num_layers);  // gate, up and down
}

TEST(SaveHuggingFace, OneFileAsLongAsTheLimitAllowsAndNothingOfAnEarlierSave) {
  const TemporaryDirectory directory;
  const LlamaConfig config = small_config();
  save(directory.path(), config, 1, {.max_file_bytes = kOneFile});
  EXPECT_EQ(names_in(directory.path()),
            (std::set<std::string>{"config.json", "generation_config.json", "model.safetensors"}));
  const std::int64_t all = sum(bytes_of_files(directory.path()).at("model.safetensors"));

  save(directory.path(), config, 1, {.max_file_bytes = all - 1});
  EXPECT_FALSE(std::filesystem::exists(directory / "model.safetensors"));  // a reader would take it for the model
  EXPECT_EQ(bytes_of_files(directory.path()).size(), 2U);
  save(directory.path(), config, 1, {.max_file_bytes = all});
  EXPECT_FALSE(std::filesystem::exists(directory / "model.safetensors.index.json"));
  EXPECT_EQ(bytes_of_files(directory.path()).size(), 1U);
}

TEST(SaveHuggingFace, AdaptersOfWeightsLargerThanAPieceAreMerged) {
  LlamaConfig config = small_config();  // gate, up and down of 9 MiB each: more than is gathered at once
  config.vocab_size = 10;
  config.hidden_size = 1024;
  config.intermediate_size = 2304;
  config.num_layers = 1;
  config.num_heads = 4;
  config.head_dim = 8;
  for (const int ranks : {1, 2}) {
    const TemporaryDirectory directory;
    spawn_ranks(ranks, [&](Communicator& axis) {
      save_hugging_face(directory.path(), *make_model(config, lora_training(), axis), {}, axis);
    });
    const auto self = make_self_communicator();
    const auto model = make_model(config, lora_training(), *self);
    std::map<std::string, at::Tensor> values;
    for (const auto& parameter : model->parameters()) values[parameter.name] = parameter.value.detach();
    const SafetensorsReader reader(directory / "model.safetensors");
    for (const auto& parameter : model->parameters()) {
      if (parameter.is_adapter) continue;
      at::Tensor expected = parameter.value.detach();
      const std::string module = parameter.name.substr(0, parameter.name.size() - std::string("weight").size());
      if (values.contains(module + "lora_A.weight")) {
        const double scale = model->options().lora->alpha / static_cast<double>(model->options().lora->rank);
        expected = expected + scale * at::mm(values.at(module + "lora_B.weight"), values.at(module + "lora_A.weight"));
      }
      at::Tensor saved = at::empty(parameter.full_shape);
      reader.read(parameter.name, {}, saved);
      EXPECT_TRUE(at::allclose(saved, expected, 1e-5, 1e-5)) << parameter.name << " of " << ranks << " ranks";
    }
  }
}

TEST(SaveHuggingFace, MergingLeavesTheModelAsItWas) {
  const TemporaryDirectory directory;
  const auto self = make_self_communicator();
  const auto model = make_model(small_config(), lora_training(), *self);
  save_hugging_face(directory.path(), *model, {}, *self);
  const auto untouched = make_model(small_config(), lora_training(), *self);
  for (std::size_t i = 0; i < model->parameters().size(); ++i)
    EXPECT_TRUE(at::equal(model->parameters()[i].value, untouched->parameters()[i].value));
}

TEST(GatheredWriter, WritesWhatEachRankHasOfAVectorWithoutItsPadding) {
  const TemporaryDirectory directory;
  const at::Tensor whole = at::arange(7, at::kFloat);
  for (const int ranks : {1, 2, 4}) {
    spawn_ranks(ranks, [&](Communicator& axis) {
      Parameter parameter;
      parameter.name = "bias";
      parameter.full_shape = {7};
      parameter.shard = {0, axis.rank(), axis.size()};
      parameter.value = at::full({parameter.shard.part(7)}, -1.0F);
      const std::int64_t begin = parameter.shard.begin(7), end = parameter.shard.end(7);
      parameter.value.narrow(0, 0, end - begin).copy_(whole.narrow(0, begin, end - begin));
      GatheredWriter writer(directory / "v.safetensors", {{"bias", at::kFloat, {7}}}, axis);
      writer.write("bias", parameter);
      writer.finish();
    });
    at::Tensor read = at::empty({7});
    SafetensorsReader(directory / "v.safetensors").read("bias", {}, read);
    EXPECT_TRUE(at::equal(read, whole)) << ranks << " ranks";
  }
}

TEST(WriteStaged, TheDirectoryAppearsWholeOrNotAtAll) {
  const TemporaryDirectory directory;
  const auto target = directory / "out";
  spawn_ranks(2, [&](Communicator& group) {
    write_staged(target, group, [&](const std::filesystem::path& staged) {
      EXPECT_EQ(staged.parent_path(), target.parent_path());  // known on both ranks
      if (group.rank() == 0) write_file(staged / "a", "whole");
      if (group.rank() == 1) std::this_thread::sleep_for(std::chrono::milliseconds(50));  // rank 0 waits for it
      EXPECT_FALSE(std::filesystem::exists(target));
      EXPECT_TRUE(std::filesystem::exists(staged));
    });
    EXPECT_EQ(read_file(target / "a"), "whole");
  });
  EXPECT_EQ(names_in(directory.path()), std::set<std::string>{"out"});

  std::atomic<int> refusals = 0;
  spawn_ranks(2, [&](Communicator& group) {
    const std::string refusal = input_error_of([&] {
      write_staged(target, group, [](const std::filesystem::path&) { FAIL() << "the directory holds something"; });
    });
    EXPECT_THAT(refusal, HasSubstr("expected a new or empty directory"));
    ++refusals;
  });
  EXPECT_EQ(refusals, 2);
  EXPECT_EQ(read_file(target / "a"), "whole");

  EXPECT_THROW(spawn_ranks(2,
                           [&](Communicator& group) {
                             write_staged(directory / "other", group, [&](const std::filesystem::path& staged) {
                               if (group.rank() == 0) write_file(staged / "a", "half");
                               throw std::runtime_error("disk full");
                             });
                           }),
               std::runtime_error);
  EXPECT_EQ(names_in(directory.path()), std::set<std::string>{"out"});

  std::filesystem::create_directory(directory / "empty");
  spawn_ranks(1, [&](Communicator& group) {
    write_staged(directory / "empty", group,
                 [](const std::filesystem::path& staged) { write_file(staged / "b", "whole"); });
  });
  EXPECT_EQ(read_file(directory / "empty" / "b"), "whole");
}

}  // namespace
}  // namespace entune::test
