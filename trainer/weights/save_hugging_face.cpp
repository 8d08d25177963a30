#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "trainer/weights/gathered_writer.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/output_file.h"
#include "trainer/weights/tokenizer_files.h"

namespace entune {
namespace {

constexpr const char* kOneFile = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
/// The two factors of a weight's adapter, as this rank holds them.
struct Factors {
  at::Tensor a, b;
};

/// By the name of the weight they belong to.
std::map<std::string, Factors> adapters_of(const std::vector<Parameter>& parameters) {
  constexpr std::string_view kA = ".lora_A.weight", kB = ".lora_B.weight";
  std::map<std::string, Factors> adapters;
  for (const auto& parameter : parameters) {
    if (parameter.is_adapter) {
      const bool is_a = parameter.name.ends_with(kA);
      TORCH_CHECK(is_a || parameter.name.ends_with(kB), "unknown adapter ", parameter.name);
      Factors& factors = adapters[parameter.name.substr(0, parameter.name.size() - kA.size()) + ".weight"];
      (is_a ? factors.a : factors.b) = parameter.value.detach();
    }
  }
  return adapters;
}

/// Adds to a weight what its adapter adds. Of a column-parallel weight B has this rank's rows, of a row-parallel one A
/// has its columns: B A is the weight's own part.
GatheredWriter::PieceTransform merge_of(const Factors& factors, double scale) {
  return [factors, scale](const at::Tensor& piece, std::int64_t begin) {
    const at::Tensor rows = factors.b.narrow(0, begin, piece.size(0)).to(at::kFloat);
    at::Tensor merged = piece.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
    return merged.addmm_(rows, factors.a.to(at::kFloat), 1, scale).to(piece.scalar_type());
  };
}

/// The tensors of one file.
using FileOfWeights = std::vector<const Parameter*>;

std::int64_t bytes_of(const Parameter& parameter) {
  return c10::multiply_integers(parameter.full_shape) * static_cast<std::int64_t>(parameter.value.element_size());
}

/// As huggingface_hub splits them (split_state_dict_into_shards_factory): in order, a new file before the tensor that
/// would take one over the limit; a tensor that is larger stands alone.
std::vector<FileOfWeights> split_into_files(const std::vector<Parameter>& parameters, std::int64_t max_file_bytes) {
  std::vector<FileOfWeights> files;
  FileOfWeights current;
  std::int64_t current_bytes = 0;
  for (const auto& parameter : parameters) {
    if (parameter.is_adapter) {
      continue;
    }
    const std::int64_t bytes = bytes_of(parameter);
    if (bytes > max_file_bytes) {
      files.push_back({&parameter});
      continue;
    }
    if (current_bytes + bytes > max_file_bytes) {
      files.push_back(std::exchange(current, {}));
      current_bytes = 0;
    }
    current.push_back(&parameter);
    current_bytes += bytes;
  }
  if (!current.empty()) {
    files.push_back(std::move(current));
  }
  return files;
}

std::string file_name(std::size_t index, std::size_t num_files) {
  return num_files == 1 ? kOneFile : fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, num_files);
}

void write_index(const std::filesystem::path& directory, const std::vector<FileOfWeights>& files,
                 std::int64_t all_bytes) {
  nlohmann::json index = {{"metadata", {{"total_size", all_bytes}}}, {"weight_map", nlohmann::json::object()}};
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (const Parameter* parameter : files[i]) {
      index["weight_map"][parameter->name] = file_name(i, files.size());
    }
  }
  write_text_file(directory / kIndex, index.dump(2) + "\n");
}

}  // namespace

void save_hugging_face(const std::filesystem::path& directory, DecoderModel& model,
                       const std::filesystem::path& model_directory, Communicator& tensor_axis,
                       const SaveOptions& options) {
  const at::NoGradGuard no_grad;
  on_rank_zero(tensor_axis, [&] {
    std::filesystem::create_directories(directory);
    write_llama_config(directory, model.config(), model.options().dtype);
    if (!model_directory.empty()) {
      copy_tokenizer_files(model_directory, directory);
    }
  });
  const std::vector<FileOfWeights> files = split_into_files(model.parameters(), options.max_file_bytes);
  std::int64_t all_bytes = 0, bytes_so_far = 0;
  for (const FileOfWeights& file : files) {
    for (const Parameter* parameter : file) {
      all_bytes += bytes_of(*parameter);
    }
  }
  const auto advance = [&](std::int64_t bytes) {
    bytes_so_far += bytes;
    if (options.progress) {
      options.progress(bytes_so_far, all_bytes);
    }
  };
  const std::map<std::string, Factors> adapters = adapters_of(model.parameters());
  const double scale =
      adapters.empty() ? 0.0 : model.options().lora->alpha / static_cast<double>(model.options().lora->rank);
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::vector<SafetensorsTensor> tensors;
    for (const Parameter* parameter : files[i]) {
      tensors.push_back({parameter->name, parameter->value.scalar_type(), parameter->full_shape});
    }
    GatheredWriter writer(directory / file_name(i, files.size()), tensors, tensor_axis, advance);
    for (const Parameter* parameter : files[i]) {
      const auto adapter = adapters.find(parameter->name);
      writer.write(parameter->name, *parameter,
                   adapter == adapters.end() ? GatheredWriter::PieceTransform() : merge_of(adapter->second, scale));
    }
    writer.finish();
  }
  on_rank_zero(tensor_axis, [&] {
    const bool is_sharded = files.size() > 1;
    if (is_sharded) {
      write_index(directory, files, all_bytes);
    }
    std::filesystem::remove(directory / (is_sharded ? kOneFile : kIndex));  // of an earlier save: it would be read
  });
}

}  // namespace entune
