#include "trainer/loop/checkpoint_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "trainer/weights/file_hash.h"
#include "trainer/weights/output_file.h"
#include "trainer/weights/strict_json.h"

namespace entune {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr const char* kManifest = "manifest.json";
constexpr std::string_view kPrefix = "step_";

bool is_checkpoint_name(const std::string& name) {
  return name.starts_with(kPrefix) && name.size() > kPrefix.size() && name.size() < kPrefix.size() + 18 &&
         name.find_first_not_of("0123456789", kPrefix.size()) == std::string::npos;
}

// Of nothing outside the checkpoint.
bool is_file_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

CheckpointManifest from_json(const json& body, const fs::path& path) {
  try {
    if (body.at("format") != kFormat) {
      throw InputError(fmt::format("{}: expected format {}, found {}; resume with the program that wrote it",
                                   path.string(), kFormat, shown(body.at("format"))));
    }
    CheckpointManifest manifest;
    manifest.step = body.at("step");
    const json& layout = body.at("layout");
    manifest.layout = {layout.at("data"), layout.at("tensor"), layout.at("sharded")};
    for (const auto& [name, file] : body.at("files").items()) {
      if (!is_file_name(name)) throw InputError(fmt::format("{}: expected names of files beside it", path.string()));
      manifest.files[name] = {file.at("bytes"), file.at("xxh3_128")};
    }
    return manifest;
  } catch (const json::exception& error) {
    throw InputError(fmt::format("{}: expected a checkpoint's manifest, found another object", path.string()));
  }
}

}  // namespace

std::string checkpoint_name(std::int64_t step) { return fmt::format("{}{:07}", kPrefix, step); }

std::int64_t checkpoint_step(const fs::path& checkpoint) {
  return std::stoll(checkpoint.filename().string().substr(kPrefix.size()));
}

std::vector<fs::path> list_checkpoints(const fs::path& directory) {
  std::vector<fs::path> checkpoints;
  if (!fs::is_directory(directory)) return checkpoints;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.is_directory() && is_checkpoint_name(entry.path().filename())) checkpoints.push_back(entry.path());
  }
  std::ranges::sort(checkpoints, {}, checkpoint_step);
  return checkpoints;
}

void remove_checkpoint(const fs::path& checkpoint) {
  const fs::path hidden = checkpoint.parent_path() / fmt::format(".{}.removed", checkpoint.filename().string());
  fs::remove_all(hidden);
  fs::rename(checkpoint, hidden);
  fs::remove_all(hidden);
}

void remove_unfinished_checkpoints(const fs::path& directory) {
  if (!fs::is_directory(directory)) return;
  std::vector<fs::path> unfinished;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with(fmt::format(".{}", kPrefix))) unfinished.push_back(entry.path());
  }
  for (const fs::path& path : unfinished) fs::remove_all(path);
}

void write_manifest(const fs::path& checkpoint, const CheckpointManifest& manifest) {
  json files = json::object();
  for (const auto& [name, file] : manifest.files) files[name] = {{"bytes", file.bytes}, {"xxh3_128", file.hash}};
  const json body{
      {"format", kFormat},
      {"step", manifest.step},
      {"layout",
       {{"data", manifest.layout.data}, {"tensor", manifest.layout.tensor}, {"sharded", manifest.layout.sharded}}},
      {"files", files}};
  const json whole{{"checkpoint", body}, {"xxh3_128", text_hash(body.dump())}};
  write_text_file(checkpoint / kManifest, whole.dump(1) + "\n");
}

CheckpointManifest read_manifest(const fs::path& checkpoint) {
  const fs::path path = checkpoint / kManifest;
  const json whole = read_strict_json(path);
  if (!whole.contains("checkpoint") || whole.value("xxh3_128", json()) != text_hash(whole["checkpoint"].dump()))
    throw InputError(fmt::format("{}: expected the hash that it names, found another", path.string()));
  CheckpointManifest manifest = from_json(whole["checkpoint"], path);
  if (manifest.step != checkpoint_step(checkpoint)) {
    throw InputError(fmt::format("{}: expected step {} as the directory's name has it, found {}", path.string(),
                                 checkpoint_step(checkpoint), manifest.step));
  }
  return manifest;
}

std::string fault_of(const fs::path& checkpoint, const CheckpointManifest& manifest, bool hashes, std::size_t first,
                     std::size_t stride) {
  std::size_t number = 0;
  for (const auto& [name, file] : manifest.files) {
    if (number++ % stride != first) continue;
    const fs::path path = checkpoint / name;
    std::error_code error;
    if (!fs::is_regular_file(fs::symlink_status(path, error))) return fmt::format("{} is missing", name);
    const std::uint64_t bytes = fs::file_size(path, error);
    if (error || bytes != file.bytes)
      return fmt::format("{}: expected {} bytes, found {}", name, file.bytes, error ? 0 : bytes);
    if (hashes && file_hash(path) != file.hash) return fmt::format("{}: its bytes have changed", name);
  }
  return "";
}

}  // namespace entune
