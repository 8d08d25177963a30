#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "trainer/loop/checkpoint_directory.h"

namespace entune {

/// The checkpoints of one cell (checkpoint_directory.h), as all ranks of a run save and find them. A checkpoint is
/// there whole or not at all, whenever the run is killed: files are written beside its place and brought to the disk,
/// the manifest last, then the directory is renamed. Every call is collective.
class CheckpointStore {
 public:
  /// Removes what saves that never ended have left in `directory`, which need not be there. `keep`: how many stay.
  CheckpointStore(std::filesystem::path directory, std::int64_t keep, Communicator& world);

  struct Found {
    std::filesystem::path path;
    CheckpointManifest manifest;
  };
  /// The newest checkpoint whose files all have the sizes and hashes of its manifest; broken ones are named on standard
  /// error and left alone. Nothing if there is no checkpoint; throws EarlyEnd if there are broken ones only. What it
  /// finds is not removed by this object.
  std::optional<Found> find_newest();
  /// The checkpoint `path`. Throws InputError if it is none, EarlyEnd if it is broken.
  Found find(const std::filesystem::path& path);

  /// Lets each rank write files into a new checkpoint, `write` giving their names, and removes those that are too many
  /// once it is on disk: but for the newest `keep` also those of later steps, which a run that went back has given up.
  /// Returns the bytes of all ranks' files. Throws std::runtime_error on every rank if one could not write; the
  /// checkpoints that were there then stay.
  std::int64_t save(std::int64_t step, const CheckpointLayout& layout,
                    const std::function<std::vector<std::string>(const std::filesystem::path& staged)>& write);

  /// The one last saved, or else found; empty if there is none.
  const std::filesystem::path& last() const { return last_; }

 private:
  std::optional<CheckpointManifest> check(const std::filesystem::path& checkpoint);
  Found take(const std::filesystem::path& checkpoint, const CheckpointManifest& manifest);
  void remove_surplus(std::int64_t step) const;

  std::filesystem::path directory_;
  std::int64_t keep_;
  Communicator& world_;
  std::filesystem::path found_;  // canonical
  std::filesystem::path last_;
};

}  // namespace entune
