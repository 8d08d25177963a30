#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "data/input_error.h"
#include "trainer/weights/gathered_writer.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/output_file.h"
#include "trainer/weights/safetensors_reader.h"
#include "trainer/weights/strict_json.h"

namespace entune {
namespace {

constexpr const char* kConfigFile = "adapter_config.json";
constexpr const char* kWeightsFile = "adapter_model.safetensors";
constexpr std::array<std::string_view, 7> kTargets = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                                      "gate_proj", "up_proj", "down_proj"};

/// PEFT's name of an adapter's tensor: the path within its wrapper, without the adapter's name.
std::string peft_name(const Parameter& parameter) { return "base_model.model." + parameter.name; }

/// PEFT's settings that change what the tensors mean, and the only values under which they mean what ours do. Absent or
/// null is as good.
const std::vector<std::pair<const char*, std::vector<nlohmann::json>>>& required_settings() {
  using nlohmann::json;
  static const std::vector<std::pair<const char*, std::vector<json>>> kSettings = {
      {"peft_type", {"LORA"}},
      {"bias", {"none"}},
      {"use_dora", {false}},
      {"use_rslora", {false}},
      {"use_qalora", {false}},
      {"use_bdlora", {false}},
      {"lora_bias", {false}},
      {"fan_in_fan_out", {false}},
      {"modules_to_save", {json::array()}},
      {"exclude_modules", {json::array()}},
      {"layers_to_transform", {}},
      {"layer_replication", {}},
      {"trainable_token_indices", {}},
      {"target_parameters", {json::array()}},
      {"alora_invocation_tokens", {}},
      {"arrow_config", {}},
      {"rank_pattern", {json::object()}},
      {"alpha_pattern", {json::object()}},
      // Other ways to start (pissa, olora, ...) change the base weights, which an adapter directory does not hold.
      {"init_lora_weights", {true, false, "gaussian", "eva", "orthogonal"}},
  };
  return kSettings;
}

std::vector<std::string> read_targets(const nlohmann::json& json, const std::string& path) {
  const auto modules = json.find("target_modules");
  std::vector<std::string> targets;
  for (const std::string_view target : kTargets) {
    if (modules != json.end() && modules->is_array() &&
        std::find(modules->begin(), modules->end(), target) != modules->end()) {
      targets.emplace_back(target);
    }
  }
  if (targets.empty() || targets.size() != modules->size()) {
    throw InputError(fmt::format("{}: target_modules: expected a list of names out of {}, each once, found {}", path,
                                 fmt::join(kTargets, ", "), modules == json.end() ? "no such field" : modules->dump()));
  }
  return targets;
}

}  // namespace

LoraOptions read_peft_config(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kConfigFile;
  const nlohmann::json json = read_strict_json(path);
  for (const auto& [key, allowed] : required_settings()) {
    const auto found = json.find(key);
    if (found != json.end() && !found->is_null() &&
        std::find(allowed.begin(), allowed.end(), *found) == allowed.end()) {
      throw InputError(
          fmt::format("{}: {}: expected {}, found {}, which is not supported; merge the adapter into its model",
                      path.string(), key, allowed.empty() ? "null" : nlohmann::json(allowed).dump(), found->dump()));
    }
  }
  const auto number = [&](const char* key, double least, double most) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number() || !(found->get<double>() >= least) || found->get<double>() > most) {
      throw InputError(fmt::format("{}: {}: expected a number from {} to {}, found {}", path.string(), key, least, most,
                                   found == json.end() ? "no such field" : found->dump()));
    }
    return found->get<double>();
  };
  LoraOptions options;
  options.rank = static_cast<std::int64_t>(number("r", 1, 65536));
  options.alpha = number("lora_alpha", std::numeric_limits<double>::min(), 1e9);
  options.dropout = json.contains("lora_dropout") ? number("lora_dropout", 0, 1) : 0.0;
  options.targets = read_targets(json, path.string());
  return options;
}

void save_peft_adapter(const std::filesystem::path& directory, DecoderModel& model, const std::string& base_model,
                       Communicator& tensor_axis) {
  TORCH_CHECK(model.options().lora.has_value(), "the model has no adapters to save");
  const LoraOptions& lora = *model.options().lora;
  std::vector<SafetensorsTensor> tensors;
  for (const auto& parameter : model.parameters()) {
    if (parameter.is_adapter) {
      tensors.push_back({peft_name(parameter), parameter.value.scalar_type(), parameter.full_shape});
    }
  }
  on_rank_zero(tensor_axis, [&] {
    std::filesystem::create_directories(directory);
    const double whole_alpha = static_cast<double>(static_cast<std::int64_t>(lora.alpha));
    nlohmann::ordered_json config;
    config["peft_type"] = "LORA";
    config["task_type"] = "CAUSAL_LM";
    config["base_model_name_or_path"] = base_model;
    config["revision"] = nullptr;
    config["inference_mode"] = true;
    config["r"] = lora.rank;
    // vLLM and older PEFT declare alpha an integer.
    config["lora_alpha"] = whole_alpha == lora.alpha ? nlohmann::ordered_json(static_cast<std::int64_t>(lora.alpha))
                                                     : nlohmann::ordered_json(lora.alpha);
    config["lora_dropout"] = lora.dropout;
    config["target_modules"] = lora.targets;
    config["bias"] = "none";
    config["fan_in_fan_out"] = false;
    config["init_lora_weights"] = true;
    config["use_rslora"] = false;
    config["use_dora"] = false;
    config["modules_to_save"] = nullptr;
    config["layers_to_transform"] = nullptr;
    config["layers_pattern"] = nullptr;
    config["rank_pattern"] = nlohmann::ordered_json::object();
    config["alpha_pattern"] = nlohmann::ordered_json::object();
    write_text_file(directory / kConfigFile, config.dump(2) + "\n");
  });
  GatheredWriter writer(directory / kWeightsFile, tensors, tensor_axis);
  for (const auto& parameter : model.parameters()) {
    if (parameter.is_adapter) {
      writer.write(peft_name(parameter), parameter);
    }
  }
  writer.finish();
}

std::string vllm_rank_note(std::int64_t rank) {
  constexpr std::int64_t kDefault = 16;
  if (rank <= kDefault) return "";
  for (const std::int64_t limit : {32, 64, 128, 256, 320, 512}) {
    if (rank <= limit) return fmt::format("vLLM needs --max-lora-rank {} for rank {}", limit, rank);
  }
  return fmt::format("vLLM takes no adapter of rank {}, only up to 512: export --to merged for it", rank);
}

void expect_peft_config(const std::filesystem::path& directory, const LoraOptions& expected) {
  const LoraOptions found = read_peft_config(directory);
  const auto describe = [](const LoraOptions& options) {
    const std::set<std::string> targets(options.targets.begin(), options.targets.end());
    return fmt::format("rank {}, alpha {}, targets {}", options.rank, options.alpha, fmt::join(targets, ", "));
  };
  if (describe(found) != describe(expected)) {
    throw InputError(fmt::format("{}: expected {}, found {}; set training.lora to what the adapter has",
                                 (directory / kConfigFile).string(), describe(expected), describe(found)));
  }
}

void check_peft_adapter(const std::filesystem::path& directory) {
  read_peft_config(directory);
  const SafetensorsReader header(directory / kWeightsFile);
}

void copy_peft_adapter(const std::filesystem::path& from, const std::filesystem::path& to) {
  check_peft_adapter(from);
  for (const char* name : {kConfigFile, kWeightsFile}) {
    copy_whole_file(from / name, to / name);
  }
}

void load_peft_adapter(const std::filesystem::path& directory, DecoderModel& model) {
  TORCH_CHECK(model.options().lora.has_value(), "the model has no adapters to load into");
  expect_peft_config(directory, *model.options().lora);
  const SafetensorsReader file(directory / kWeightsFile);
  std::set<std::string> names;
  for (const auto& parameter : model.parameters()) {
    if (parameter.is_adapter) {
      names.insert(peft_name(parameter));
      file.expect(peft_name(parameter), parameter.full_shape);
    }
  }
  for (const auto& [name, entry] : file.header().tensors) {
    if (!names.contains(name)) {
      throw InputError(fmt::format("{}: expected the tensors that {} implies for this model, found '{}' too",
                                   file.path().string(), kConfigFile, name));
    }
  }
  for (auto& parameter : model.parameters()) {
    if (parameter.is_adapter) {
      file.read(peft_name(parameter), parameter.shard, parameter.value);
    }
  }
}

}  // namespace entune
