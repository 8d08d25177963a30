#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "trainer/model/parameter.h"
#include "trainer/weights/safetensors_writer.h"

namespace entune {

/// Runs `work` on rank 0 of the group. What it throws is thrown on every rank (InputError as InputError, the rest as
/// std::runtime_error), so that no rank waits for one that has failed. Collective.
void on_rank_zero(Communicator& group, const std::function<void()>& work);

/// Lets the ranks of a group fill a directory that appears whole or not at all (StagedDirectory): rank 0 makes it,
/// `write` is called on every rank with where to write, and once all are through, rank 0 puts it in its place. If
/// `write` throws there is no `target`; a rank that throws alone must end the program. Throws InputError if `target`
/// exists and is not an empty directory, before `write`. Collective.
void write_staged(const std::filesystem::path& target, Communicator& group,
                  const std::function<void(const std::filesystem::path& staged)>& write);

/// Writes parameters that are sharded over the tensor axis as whole tensors into one safetensors file of rank 0, a
/// piece at a time: no rank holds more than a piece of another's. Every call is collective over the axis.
class GatheredWriter {
 public:
  /// The tensors that will follow, equal on every rank. The file appears on rank 0 at finish(). `progress` (may be
  /// empty): called on rank 0 with the bytes written since the last call.
  GatheredWriter(const std::filesystem::path& path, const std::vector<SafetensorsTensor>& tensors, Communicator& axis,
                 std::function<void(std::int64_t)> progress = {});

  /// Changes a piece, rows [begin, begin + piece.size(0)) of this rank's part, before it is written.
  using PieceTransform = std::function<at::Tensor(const at::Tensor& piece, std::int64_t begin)>;
  /// The parameter is whole on every rank, or sharded by its first dimension, or a matrix sharded by its second.
  void write(const std::string& name, const Parameter& parameter, const PieceTransform& transform = {});
  /// Throws on every rank if rank 0 could not write.
  void finish();

 private:
  void write_rows(const std::string& name, std::int64_t row, const at::Tensor& rows);

  Communicator& axis_;
  std::function<void(std::int64_t)> progress_;
  std::unique_ptr<SafetensorsWriter> writer_;  ///< rank 0's
  std::exception_ptr failure_;  ///< kept until finish(): the other ranks are on their way into the next collective
};

}  // namespace entune
