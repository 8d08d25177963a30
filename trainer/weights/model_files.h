#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "trainer/weights/safetensors_reader.h"

namespace entune {

/// The safetensors files of a Hugging Face directory: model.safetensors, or the shards of model.safetensors.index.json.
/// File names in the index are untrusted: each must be a plain name within the directory. Opening reads headers only.
/// Throws InputError.
class ModelFiles {
 public:
  explicit ModelFiles(const std::filesystem::path& model_directory);

  /// Which file holds each tensor.
  const std::map<std::string, const SafetensorsReader*>& tensors() const { return tensors_; }
  /// What an error about a missing tensor names: the one file, or the index.
  const std::filesystem::path& listing() const { return listing_; }

 private:
  std::filesystem::path listing_;
  std::vector<SafetensorsReader> files_;
  std::map<std::string, const SafetensorsReader*> tensors_;
};

}  // namespace entune
