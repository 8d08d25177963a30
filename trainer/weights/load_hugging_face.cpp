#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "data/input_error.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/model_files.h"

namespace entune {
namespace {

constexpr std::string_view kHead = "lm_head.weight";
constexpr std::string_view kEmbedding = "model.embed_tokens.weight";

/// A tied head may be stored a second time, as long as it is the embedding. Each rank looks at the rows that it keeps.
void check_tied_head(const ModelFiles& files, const std::vector<Parameter>& parameters) {
  Shard rows;
  for (const auto& parameter : parameters) {
    if (parameter.name == kEmbedding) rows = parameter.shard;
  }
  const auto head = files.tensors().find(std::string(kHead));
  const auto embedding = files.tensors().find(std::string(kEmbedding));
  if (head != files.tensors().end() && embedding != files.tensors().end() &&
      !head->second->equal(head->first, *embedding->second, embedding->first, rows)) {
    throw InputError(fmt::format(
        "{}: tensor '{}': expected the embedding's values (config.json says tie_word_embeddings), found others; set "
        "tie_word_embeddings to false",
        head->second->path().string(), kHead));
  }
}

void check_names_and_shapes(const ModelFiles& files, const std::vector<Parameter>& parameters, bool tied) {
  std::set<std::string_view> expected;
  for (const auto& parameter : parameters) {
    if (parameter.is_adapter) {
      continue;
    }
    expected.insert(parameter.name);
    const auto found = files.tensors().find(parameter.name);
    if (found == files.tensors().end()) {
      throw InputError(fmt::format("{}: expected tensor '{}' of shape [{}], found none", files.listing().string(),
                                   parameter.name, fmt::join(parameter.full_shape, ", ")));
    }
    found->second->expect(parameter.name, parameter.full_shape);
  }
  for (const auto& [name, file] : files.tensors()) {
    const bool ignored = name.ends_with(".rotary_emb.inv_freq") || (tied && name == kHead);
    if (!ignored && !expected.contains(name)) {
      throw InputError(fmt::format(
          "{}: expected only the tensors that config.json implies, found '{}' too; is this another architecture?",
          file->path().string(), name));
    }
  }
}

}  // namespace

void load_hugging_face_weights(const std::filesystem::path& model_directory, DecoderModel& model,
                               const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const ModelFiles files(model_directory);
  const bool tied = model.config().tie_word_embeddings;
  check_names_and_shapes(files, model.parameters(), tied);
  if (tied) {
    check_tied_head(files, model.parameters());
  }
  std::int64_t all_bytes = 0;
  for (const auto& parameter : model.parameters()) {
    if (!parameter.is_adapter) {
      all_bytes +=
          shard_bytes(files.tensors().at(parameter.name)->header().tensors.at(parameter.name), parameter.shard);
    }
  }
  std::int64_t bytes_so_far = 0;
  const auto advance = [&](std::int64_t bytes) {
    bytes_so_far += bytes;
    if (progress) {
      progress(bytes_so_far, all_bytes);
    }
  };
  for (auto& parameter : model.parameters()) {
    if (!parameter.is_adapter) {
      files.tensors().at(parameter.name)->read(parameter.name, parameter.shard, parameter.value, advance);
    }
  }
}

}  // namespace entune
