#include "trainer/loop/rank_files.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <array>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "data/input_error.h"
#include "trainer/telemetry/pulse.h"
#include "trainer/weights/output_file.h"
#include "trainer/weights/safetensors_reader.h"
#include "trainer/weights/safetensors_writer.h"
#include "trainer/weights/strict_json.h"

namespace entune {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr std::array<const char*, 3> kStates = {"master", "first_moment", "second_moment"};

std::array<at::Tensor, 3> states_of(const Trainer::Part& part) {
  return {part.states.master, part.states.first_moment, part.states.second_moment};
}

std::string rank_name(int rank) { return fmt::format("rank_{:05}", rank); }
std::string state_name(std::size_t part, std::size_t state) {
  return fmt::format("part_{:03}.{}", part, kStates[state]);
}
std::string best_name(const Parameter& parameter) { return "best." + parameter.name; }

json description(const RankState& state) {
  json parts = json::array(), shard_dims = json::object();
  for (const Trainer::Part& part : state.parts) {
    json pieces = json::array();
    for (const ParameterBuckets::Piece& piece : part.pieces) {
      pieces.push_back({{"parameter", state.parameters[piece.parameter].name},
                        {"begin", piece.begin},
                        {"length", piece.length},
                        {"offset", piece.offset}});
    }
    parts.push_back({{"size", part.states.master.numel()}, {"pieces", pieces}});
  }
  for (const Parameter& parameter : state.parameters) shard_dims[parameter.name] = parameter.shard.dim;
  return {
      {"data_rank", state.data_rank}, {"tensor_rank", state.tensor_rank}, {"parts", parts}, {"shard_dims", shard_dims}};
}

void require_finite(const RankState& state) {
  for (const Trainer::Part& part : state.parts) {
    if (!at::isfinite(part.states.master).all().item<bool>()) {
      throw std::runtime_error(fmt::format("expected parameters that are finite, found others ({} is among them)",
                                           state.parameters[part.pieces.front().parameter].name));
    }
  }
}

/// One rank's files of a checkpoint.
struct RankFiles {
  RankFiles(const fs::path& checkpoint, int rank)
      : description(read_strict_json(checkpoint / (rank_name(rank) + ".json"))),
        tensors(checkpoint / (rank_name(rank) + ".safetensors")) {}

  json description;
  SafetensorsReader tensors;
};

/// A piece of a parameter in a rank's file.
struct Source {
  std::size_t file;
  std::size_t part;
  ParameterBuckets::Piece piece;  ///< its parameter's place does not count
};

/// A tensor rank's part of a parameter, with its padding, as a file of the saved layout has it: flat.
using ReadShard = std::function<void(std::int64_t tensor_rank, at::Tensor flat)>;

/// Cuts checkpoints of one layout for another.
class Relayout {
 public:
  Relayout(const fs::path& checkpoint, const CheckpointLayout& saved) : saved_(saved) {
    const int num_files = saved.sharded ? saved.data * saved.tensor : saved.tensor;
    for (int rank = 0; rank < num_files; ++rank) {
      files_.emplace_back(checkpoint, rank);
      const json& parts = files_.back().description.at("parts");
      for (std::size_t part = 0; part < parts.size(); ++part) {
        for (const json& piece : parts[part].at("pieces")) {
          sources_[piece.at("parameter").get<std::string>()].push_back(
              {files_.size() - 1, part, {0, piece.at("begin"), piece.at("length"), piece.at("offset")}});
        }
      }
    }
  }

  /// One state of a parameter, cut for this rank, flat.
  at::Tensor state(const Parameter& parameter, std::size_t which) const {
    return cut(parameter, at::kFloat, [&](std::int64_t tensor_rank, at::Tensor flat) {
      std::int64_t num_found = 0;
      if (const auto found = sources_.find(parameter.name); found != sources_.end()) {
        for (const Source& source : found->second) {
          const RankFiles& file = files_[source.file];
          if (file.description.at("tensor_rank") != tensor_rank) continue;
          file.tensors.read_range(state_name(source.part, which), source.piece.offset,
                                  flat.narrow(0, source.piece.begin, source.piece.length));
          num_found += source.piece.length;
        }
      }
      if (num_found != flat.numel()) {
        throw InputError(fmt::format("{}: expected {} elements of {} on a tensor rank, found {}",
                                     files_.front().tensors.path().parent_path().string(), flat.numel(), parameter.name,
                                     num_found));
      }
    });
  }

  at::Tensor best(const Parameter& parameter) const {
    return cut(parameter, parameter.value.scalar_type(), [&](std::int64_t tensor_rank, at::Tensor flat) {
      files_[static_cast<std::size_t>(tensor_rank)].tensors.read_range(best_name(parameter), 0, flat);
    });
  }

 private:
  at::Tensor cut(const Parameter& parameter, at::ScalarType dtype, const ReadShard& read) const {
    const int dim = files_.front().description.at("shard_dims").value(parameter.name, -1);
    const at::Tensor whole = at::zeros(parameter.full_shape, dtype);
    for (int rank = 0; rank < (dim < 0 ? 1 : saved_.tensor); ++rank) {
      const Shard shard{dim, rank, saved_.tensor};
      std::vector<std::int64_t> shape = parameter.full_shape;
      if (dim >= 0) shape[static_cast<std::size_t>(dim)] = shard.part(shape[static_cast<std::size_t>(dim)]);
      const at::Tensor part = at::zeros(shape, dtype);
      read(rank, part.view({-1}));
      owned_of_whole(whole, shard).copy_(owned_of_part(part, shard, parameter.full_shape));
    }
    const at::Tensor mine = at::zeros(parameter.value.sizes(), dtype);
    owned_of_part(mine, parameter.shard, parameter.full_shape).copy_(owned_of_whole(whole, parameter.shard));
    return mine.view({-1});
  }

  static at::Tensor owned_of_whole(const at::Tensor& whole, const Shard& shard) {
    if (shard.dim < 0) return whole;
    const std::int64_t full = whole.size(shard.dim), begin = shard.begin(full);
    return whole.narrow(shard.dim, begin, shard.end(full) - begin);
  }

  /// A part without its padding.
  static at::Tensor owned_of_part(const at::Tensor& part, const Shard& shard,
                                  const std::vector<std::int64_t>& full_shape) {
    if (shard.dim < 0) return part;
    const std::int64_t full = full_shape[static_cast<std::size_t>(shard.dim)];
    return part.narrow(shard.dim, 0, shard.end(full) - shard.begin(full));
  }

  CheckpointLayout saved_;
  std::vector<RankFiles> files_;
  std::map<std::string, std::vector<Source>> sources_;
};

void read_as_it_lies(const RankFiles& files, const RankState& state) {
  for (std::size_t i = 0; i < state.parts.size(); ++i) {
    const std::array<at::Tensor, 3> states = states_of(state.parts[i]);
    for (std::size_t which = 0; which < states.size(); ++which)
      files.tensors.read(state_name(i, which), {}, states[which]);
  }
}

void read_anew(const Relayout& saved, const RankState& state) {
  for (const Trainer::Part& part : state.parts) {
    const std::array<at::Tensor, 3> states = states_of(part);
    for (std::size_t which = 0; which < states.size(); ++which) {
      states[which].zero_();  // what lies between the pieces
      for (const ParameterBuckets::Piece& piece : part.pieces) {
        const at::Tensor mine = saved.state(state.parameters[piece.parameter], which);
        states[which].narrow(0, piece.offset, piece.length).copy_(mine.narrow(0, piece.begin, piece.length));
      }
    }
  }
}

}  // namespace

RankState rank_state(const Trainer& trainer, DeviceMesh& mesh, const std::vector<at::Tensor>& best) {
  Communicator &data = mesh.axis(MeshAxis::data), &tensor = mesh.axis(MeshAxis::tensor);
  return {.layout = {.data = data.size(), .tensor = tensor.size(), .sharded = trainer.is_sharded()},
          .data_rank = data.rank(),
          .tensor_rank = tensor.rank(),
          .parameters = trainer.trained_parameters(),
          .parts = trainer.parts(),
          .best = best};
}

std::vector<std::string> write_rank_files(const fs::path& checkpoint, const RankState& state) {
  if (!state.has_files()) return {};
  const at::NoGradGuard no_grad;
  require_finite(state);
  std::vector<SafetensorsTensor> tensors;
  for (std::size_t i = 0; i < state.parts.size(); ++i) {
    for (std::size_t which = 0; which < kStates.size(); ++which)
      tensors.push_back({state_name(i, which), at::kFloat, {state.parts[i].states.master.numel()}});
  }
  const bool has_best = state.data_rank == 0 && !state.best.empty();
  for (std::size_t i = 0; has_best && i < state.parameters.size(); ++i)
    tensors.push_back({best_name(state.parameters[i]), state.best[i].scalar_type(), state.best[i].sizes().vec()});

  const std::string name = rank_name(state.rank());
  SafetensorsWriter writer(checkpoint / (name + ".safetensors"), tensors);
  for (std::size_t i = 0; i < state.parts.size(); ++i) {
    const std::array<at::Tensor, 3> states = states_of(state.parts[i]);
    for (std::size_t which = 0; which < states.size(); ++which) {
      writer.write(state_name(i, which), states[which]);
      beat();
    }
  }
  for (std::size_t i = 0; has_best && i < state.parameters.size(); ++i)
    writer.write(best_name(state.parameters[i]), state.best[i]);
  writer.finish();
  write_text_file(checkpoint / (name + ".json"), description(state).dump(1) + "\n");
  return {name + ".safetensors", name + ".json"};
}

void read_rank_files(const fs::path& checkpoint, const CheckpointLayout& layout, const RankState& state) {
  const at::NoGradGuard no_grad;
  try {
    if (layout == state.layout) {
      const RankFiles own(checkpoint, layout.sharded ? state.rank() : state.tensor_rank);
      json expected = description(state);
      expected["data_rank"] = own.description.at("data_rank");
      if (own.description == expected) {
        read_as_it_lies(own, state);
        if (state.best.empty()) return;
        const RankFiles first(checkpoint, state.tensor_rank);
        for (std::size_t i = 0; i < state.parameters.size(); ++i)
          first.tensors.read(best_name(state.parameters[i]), {}, state.best[i]);
        return;
      }
    }
    const Relayout saved(checkpoint, layout);
    read_anew(saved, state);
    for (std::size_t i = 0; i < state.best.size(); ++i) {
      at::Tensor best = state.best[i];
      best.copy_(saved.best(state.parameters[i]).view(best.sizes()));
    }
  } catch (const json::exception&) {
    throw InputError(fmt::format("{}: expected rank files of a checkpoint, found others", checkpoint.string()));
  }
}

}  // namespace entune
