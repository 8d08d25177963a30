#include "trainer/loop/checkpoint_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "data/input_error.h"
#include "trainer/loop/early_end.h"
#include "trainer/telemetry/pulse.h"
#include "trainer/weights/file_hash.h"
#include "trainer/weights/gathered_writer.h"
#include "trainer/weights/output_file.h"

namespace entune {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

/// What a rank wrote, or why it could not: [[name, bytes, hash], ...] or a text.
std::string report_of(const fs::path& staged,
                      const std::function<std::vector<std::string>(const fs::path& staged)>& write) {
  try {
    json files = json::array();
    for (const std::string& name : write(staged)) {
      files.push_back({name, fs::file_size(staged / name), file_hash(staged / name)});
      beat();
    }
    return files.dump();
  } catch (const std::exception& error) {
    return json(error.what()).dump(-1, ' ', false, json::error_handler_t::replace);
  }
}

/// Throws on every rank if one rank's report is a failure.
std::map<std::string, CheckpointManifest::File> agree_on_files(Communicator& world, const std::string& report) {
  std::map<std::string, CheckpointManifest::File> files;
  const std::vector<std::string> reports = all_gather_bytes(world, report);
  for (std::size_t rank = 0; rank < reports.size(); ++rank) {
    const json of_rank = json::parse(reports[rank]);
    if (of_rank.is_string()) throw std::runtime_error(fmt::format("rank {}: {}", rank, of_rank.get<std::string>()));
    for (const json& file : of_rank) files[file[0]] = {file[1], file[2]};
  }
  return files;
}

}  // namespace

CheckpointStore::CheckpointStore(fs::path directory, std::int64_t keep, Communicator& world)
    : directory_(std::move(directory)), keep_(keep), world_(world) {
  on_rank_zero(world_, [&] { remove_unfinished_checkpoints(directory_); });
}

std::optional<CheckpointManifest> CheckpointStore::check(const fs::path& checkpoint) {
  CheckpointManifest manifest;
  std::string fault;
  try {
    manifest = read_manifest(checkpoint);
    fault = fault_of(checkpoint, manifest, /*hashes=*/true, static_cast<std::size_t>(world_.rank()),
                     static_cast<std::size_t>(world_.size()));
  } catch (const std::exception& error) {
    fault = error.what();
  }
  for (const std::string& of_rank : all_gather_bytes(world_, fault)) {
    if (of_rank.empty()) continue;
    if (world_.rank() == 0) fmt::print(stderr, "{}: a broken checkpoint, not used: {}\n", checkpoint.string(), of_rank);
    return std::nullopt;
  }
  return manifest;
}

CheckpointStore::Found CheckpointStore::take(const fs::path& checkpoint, const CheckpointManifest& manifest) {
  last_ = checkpoint;
  found_ = fs::weakly_canonical(checkpoint);
  return {checkpoint, manifest};
}

std::optional<CheckpointStore::Found> CheckpointStore::find_newest() {
  std::string names;  // as rank 0 sees them
  if (world_.rank() == 0) {
    for (const fs::path& path : list_checkpoints(directory_)) names = path.filename().string() + "\n" + names;
  }
  names = broadcast_bytes(world_, names, 0);
  if (names.empty()) return std::nullopt;
  std::istringstream newest_first(names);
  for (std::string name; std::getline(newest_first, name);) {
    if (const auto manifest = check(directory_ / name)) return take(directory_ / name, *manifest);
  }
  throw EarlyEnd(
      EarlyEnd::no_usable_checkpoint,
      fmt::format("{}: expected a checkpoint that is whole, found broken ones only; name another by --resume "
                  "PATH, or start anew with --overwrite",
                  directory_.string()));
}

CheckpointStore::Found CheckpointStore::find(const fs::path& path) {
  const fs::path checkpoint = path.has_filename() ? path : path.parent_path();
  on_rank_zero(world_, [&] {
    const std::vector<fs::path> beside =
        list_checkpoints(checkpoint.has_parent_path() ? checkpoint.parent_path() : ".");
    if (std::ranges::none_of(beside,
                             [&](const fs::path& other) { return other.filename() == checkpoint.filename(); })) {
      throw InputError(
          fmt::format("checkpoint.resume: expected auto, none or a checkpoint (a directory step_...), found "
                      "none at '{}'; trainer checkpoints ls RUN lists those of a run",
                      path.string()));
    }
  });
  if (const auto manifest = check(checkpoint)) return take(checkpoint, *manifest);
  throw EarlyEnd(EarlyEnd::no_usable_checkpoint,
                 fmt::format("{}: expected a checkpoint that is whole; name another by --resume PATH, or give --resume "
                             "auto for the newest one that is",
                             checkpoint.string()));
}

std::int64_t CheckpointStore::save(std::int64_t step, const CheckpointLayout& layout,
                                   const std::function<std::vector<std::string>(const fs::path& staged)>& write) {
  const std::string name = checkpoint_name(step);
  const fs::path target = directory_ / name, staged = directory_ / ("." + name + ".partial");
  std::int64_t bytes = 0;
  try {
    on_rank_zero(world_, [&] {
      if (fs::create_directories(directory_)) sync_directory(directory_.parent_path());
      fs::create_directory(staged);
    });
    const CheckpointManifest manifest{step, layout, agree_on_files(world_, report_of(staged, write))};
    for (const auto& [file, of_file] : manifest.files) bytes += static_cast<std::int64_t>(of_file.bytes);
    on_rank_zero(world_, [&] {
      write_manifest(staged, manifest);
      if (fs::exists(target)) remove_checkpoint(target);  // a broken one, or one that was given up
      fs::rename(staged, target);
      sync_directory(directory_);
      remove_surplus(step);
    });
  } catch (const std::exception& error) {
    std::error_code ignored;  // the error that brought us here is the one to report
    if (world_.rank() == 0) fs::remove_all(staged, ignored);
    throw std::runtime_error(fmt::format("{}: could not be saved: {}", target.string(), error.what()));
  }
  last_ = target;
  return bytes;
}

void CheckpointStore::remove_surplus(std::int64_t step) const {
  std::int64_t num_kept = 0;
  std::vector<fs::path> newest_first = list_checkpoints(directory_);
  std::ranges::reverse(newest_first);
  for (const fs::path& path : newest_first) {
    const bool stays = checkpoint_step(path) <= step && num_kept++ < keep_;
    if (stays || fs::weakly_canonical(path) == found_) continue;
    try {
      remove_checkpoint(path);
    } catch (const fs::filesystem_error& error) {  // the new one is there all the same
      fmt::print(stderr, "warning: {}\n", error.what());
    }
  }
}

}  // namespace entune
