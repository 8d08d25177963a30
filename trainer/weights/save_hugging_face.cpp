#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <map>

#include "trainer/weights/gathered_writer.h"
#include "trainer/weights/hugging_face.h"

namespace entune {
namespace {

constexpr const char* kTokenizerFiles[] = {"tokenizer.json",
                                           "tokenizer.model",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json",
                                           "added_tokens.json",
                                           "chat_template.jinja",
                                           "vocab.json",
                                           "merges.txt"};

void copy_tokenizer(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const char* name : kTokenizerFiles) {
    const bool same = std::filesystem::exists(to / name) && std::filesystem::equivalent(from, to);
    if (!same && std::filesystem::exists(from / name)) {
      std::filesystem::copy_file(from / name, to / name, std::filesystem::copy_options::overwrite_existing);
    }
  }
}

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

}  // namespace

void save_hugging_face(const std::filesystem::path& directory, DecoderModel& model,
                       const std::filesystem::path& model_directory, Communicator& tensor_axis) {
  const at::NoGradGuard no_grad;
  std::vector<SafetensorsTensor> tensors;
  for (const auto& parameter : model.parameters()) {
    if (!parameter.is_adapter) {
      tensors.push_back({parameter.name, parameter.value.scalar_type(), parameter.full_shape});
    }
  }
  on_rank_zero(tensor_axis, [&] {
    std::filesystem::create_directories(directory);
    write_llama_config(directory, model.config(), model.options().dtype);
    if (!model_directory.empty()) {
      copy_tokenizer(model_directory, directory);
    }
  });
  const std::map<std::string, Factors> adapters = adapters_of(model.parameters());
  const double scale =
      adapters.empty() ? 0.0 : model.options().lora->alpha / static_cast<double>(model.options().lora->rank);
  GatheredWriter writer(directory / "model.safetensors", tensors, tensor_axis);
  for (const auto& parameter : model.parameters()) {
    if (parameter.is_adapter) {
      continue;
    }
    GatheredWriter::PieceTransform merge;
    if (const auto found = adapters.find(parameter.name); found != adapters.end()) {
      // Of a column-parallel weight B has this rank's rows, of a row-parallel one A has its columns: B A is the
      // weight's own part.
      merge = [&, &factors = found->second](const at::Tensor& piece, std::int64_t begin) {
        const at::Tensor rows = factors.b.narrow(0, begin, piece.size(0)).to(at::kFloat);
        return at::add(piece.to(at::kFloat), at::mm(rows, factors.a.to(at::kFloat)), scale).to(piece.scalar_type());
      };
    }
    writer.write(parameter.name, parameter, merge);
  }
  writer.finish();
}

}  // namespace entune
