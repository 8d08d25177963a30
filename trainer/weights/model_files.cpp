#include "trainer/weights/model_files.h"

#include <fmt/format.h>

#include "data/input_error.h"
#include "trainer/weights/strict_json.h"

namespace entune {
namespace {

bool is_plain_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

/// Tensor -> file name, of model.safetensors.index.json.
std::map<std::string, std::string> read_weight_map(const std::filesystem::path& index) {
  const nlohmann::json json = read_strict_json(index);
  const auto weight_map = json.find("weight_map");
  if (weight_map == json.end() || !weight_map->is_object() || weight_map->empty()) {
    throw InputError(
        fmt::format("{}: expected an object 'weight_map' of tensor names and file names, found none", index.string()));
  }
  std::map<std::string, std::string> result;
  for (const auto& [tensor, file] : weight_map->items()) {
    if (!file.is_string() || !is_plain_file_name(file.get<std::string>())) {
      throw InputError(fmt::format("{}: tensor {}: expected the name of a file in the same directory, found {}",
                                   index.string(), shown(tensor), shown(file)));
    }
    result[tensor] = file.get<std::string>();
  }
  return result;
}

}  // namespace

ModelFiles::ModelFiles(const std::filesystem::path& model_directory) : listing_(model_directory / "model.safetensors") {
  if (std::filesystem::exists(listing_)) {
    files_.emplace_back(listing_);
    for (const auto& [name, entry] : files_.front().header().tensors) {
      tensors_[name] = &files_.front();
    }
    return;
  }
  listing_ = model_directory / "model.safetensors.index.json";
  if (!std::filesystem::exists(listing_)) {
    throw InputError(
        fmt::format("{}: expected model.safetensors or model.safetensors.index.json, found neither; save the model as "
                    "safetensors (pickled .bin files are not "
                    "read)",
                    model_directory.string()));
  }
  const auto weight_map = read_weight_map(listing_);
  std::map<std::string, std::size_t> index_of_file;
  for (const auto& [tensor, file] : weight_map) {
    if (index_of_file.try_emplace(file, files_.size()).second) {
      files_.emplace_back(model_directory / file);
    }
  }
  for (const auto& [tensor, file] : weight_map) {
    const SafetensorsReader& reader = files_[index_of_file.at(file)];
    if (!reader.header().tensors.contains(tensor)) {
      throw InputError(fmt::format("{}: expected tensor {}, as {} says, found none", reader.path().string(),
                                   shown(tensor), listing_.string()));
    }
    tensors_[tensor] = &reader;
  }
  for (const auto& reader : files_) {
    for (const auto& [tensor, entry] : reader.header().tensors) {
      const auto found = tensors_.find(tensor);
      if (found == tensors_.end() || found->second != &reader) {
        throw InputError(fmt::format("{}: expected only tensors that {} places there, found '{}'",
                                     reader.path().string(), listing_.string(), tensor));
      }
    }
  }
}

}  // namespace entune
