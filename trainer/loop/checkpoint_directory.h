#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace entune {

/// The ranks that a checkpoint was written by.
struct CheckpointLayout {
  int data = 1;
  int tensor = 1;
  bool sharded = false;  ///< optimizer states over the data axis: every rank has a file; else those of data rank 0

  bool operator==(const CheckpointLayout&) const = default;
};

/// A checkpoint is a directory step_0000120 that appears whole:
///
///   manifest.json              {"checkpoint": {"format", "step", "layout", "files": {name: {"bytes", "xxh3_128"}}},
///                               "xxh3_128": of the former as compact JSON}
///   state.json                 what a run counts beside its tensors (trainer/study/cell_training.h)
///   rank_00000.safetensors     what world rank 0 updates (rank_files.h), and so on
///   rank_00000.json            which parameters these are
struct CheckpointManifest {
  struct File {
    std::uint64_t bytes = 0;
    std::string hash;  ///< file_hash.h
  };
  std::int64_t step = 0;
  CheckpointLayout layout;
  std::map<std::string, File> files;
};

/// "step_0000120".
std::string checkpoint_name(std::int64_t step);
std::int64_t checkpoint_step(const std::filesystem::path& checkpoint);
/// The checkpoints in a directory, the oldest first, whole or broken; none if there is no such directory.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& directory);
/// Removes a checkpoint. It is never seen in part: its name goes first. Throws std::filesystem::filesystem_error.
void remove_checkpoint(const std::filesystem::path& checkpoint);
/// Removes what was left by saves and removals that never came to their end. No save may be under way there.
void remove_unfinished_checkpoints(const std::filesystem::path& directory);

/// The file is on disk when this returns.
void write_manifest(const std::filesystem::path& checkpoint, const CheckpointManifest& manifest);
/// Throws InputError, which names the file, if the manifest is absent or was changed.
CheckpointManifest read_manifest(const std::filesystem::path& checkpoint);

/// Why files of a checkpoint are broken, or empty if they are whole: absent, of another size or, with `hashes`, of
/// other bytes. Looks at every `stride`-th file from number `first` on, for ranks that share the reading.
std::string fault_of(const std::filesystem::path& checkpoint, const CheckpointManifest& manifest, bool hashes,
                     std::size_t first = 0, std::size_t stride = 1);

}  // namespace entune
