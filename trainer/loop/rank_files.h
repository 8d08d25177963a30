#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "distributed/device_mesh.h"
#include "trainer/loop/checkpoint_directory.h"
#include "trainer/loop/trainer.h"
#include "trainer/model/parameter.h"

namespace entune {

/// What one rank has in a checkpoint. Its tensors are its own: reading fills them in place.
struct RankState {
  CheckpointLayout layout;
  int data_rank = 0;
  int tensor_rank = 0;
  std::vector<Parameter> parameters;  ///< trained, in the order that the parts count them
  std::vector<Trainer::Part> parts;   ///< float32 masters and moments
  std::vector<at::Tensor> best;       ///< by parameter, shaped as its part of a tensor rank; or none

  /// World rank of this rank, and whether it has files: where states are not sharded, data rank 0 has those of all.
  int rank() const { return data_rank * layout.tensor + tensor_rank; }
  bool has_files() const { return layout.sharded || data_rank == 0; }
};

/// That of a rank in training; `best` may be empty (BestWeights::kept).
RankState rank_state(const Trainer& trainer, DeviceMesh& mesh, const std::vector<at::Tensor>& best);

/// Writes the rank's files into a checkpoint; their names. None for a rank that has none:
///
///   rank_00000.safetensors   part_000.master, .first_moment, .second_moment: flat, float32, as ParameterBuckets lays
///                            them out; of data rank 0 also best.<parameter>
///   rank_00000.json          {"data_rank", "tensor_rank", "parts": [{"size", "pieces": [{"parameter", "begin",
///                            "length", "offset"}]}], "shard_dims": {parameter: dimension or -1}}
///
/// Throws std::runtime_error, before anything is written, if a master is not finite.
std::vector<std::string> write_rank_files(const std::filesystem::path& checkpoint, const RankState& state);

/// Fills the rank's tensors from the files of a checkpoint that was written by `layout`. Where that is its own layout,
/// with the same parts, they are read as they lie; else parameter by parameter: the whole tensor is put together from
/// all ranks' pieces and cut anew. Throws InputError if the files hold other parameters.
void read_rank_files(const std::filesystem::path& checkpoint, const CheckpointLayout& layout, const RankState& state);

}  // namespace entune
