#include "trainer/weights/gathered_writer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <utility>

#include "data/input_error.h"
#include "trainer/weights/staged_directory.h"

namespace entune {
namespace {

// Gathered over all ranks. A merge holds a piece of bfloat16 twice and in float32 once, beside what is gathered.
constexpr std::int64_t kPieceBytes = std::int64_t{8} << 20;

at::Tensor gather(Communicator& axis, const at::Tensor& part) {
  std::vector<std::int64_t> shape = part.sizes().vec();
  shape[0] *= axis.size();
  at::Tensor whole = at::empty(shape, part.options());
  axis.all_gather(whole, part.contiguous());
  return whole;
}

}  // namespace

void on_rank_zero(Communicator& group, const std::function<void()>& work) {
  std::string failure;  // its kind, then its text
  if (group.rank() == 0) {
    try {
      work();
    } catch (const InputError& error) {
      failure = std::string("I") + error.what();
    } catch (const nlohmann::json::parse_error& error) {  // what() quotes what it read
      failure = fmt::format("EJSON error {} at byte {}", error.id, error.byte);
    } catch (const std::exception& error) {
      failure = std::string("E") + error.what();
    }
  }
  failure = broadcast_bytes(group, failure, 0);
  if (failure.starts_with('I')) {
    throw InputError(failure.substr(1));
  }
  if (!failure.empty()) {
    throw std::runtime_error(failure.substr(1));
  }
}

void write_staged(const std::filesystem::path& target, Communicator& group,
                  const std::function<void(const std::filesystem::path& staged)>& write) {
  std::optional<StagedDirectory> directory;  // rank 0's
  on_rank_zero(group, [&] { directory.emplace(target); });
  write(broadcast_bytes(group, directory ? directory->path().string() : "", 0));
  group.barrier();  // others may still be reading or writing there
  on_rank_zero(group, [&] { directory->commit(); });
}

GatheredWriter::GatheredWriter(const std::filesystem::path& path, const std::vector<SafetensorsTensor>& tensors,
                               Communicator& axis, std::function<void(std::int64_t)> progress)
    : axis_(axis), progress_(std::move(progress)) {
  on_rank_zero(axis, [&] { writer_ = std::make_unique<SafetensorsWriter>(path, tensors); });
}

void GatheredWriter::write_rows(const std::string& name, std::int64_t row, const at::Tensor& rows) {
  if (axis_.rank() != 0 || failure_) {
    return;
  }
  try {
    writer_->write_rows(name, row, rows);
    if (progress_) {
      progress_(static_cast<std::int64_t>(rows.nbytes()));
    }
  } catch (...) {
    failure_ = std::current_exception();
  }
}

void GatheredWriter::write(const std::string& name, const Parameter& parameter, const PieceTransform& transform) {
  const at::NoGradGuard no_grad;
  const at::Tensor part = parameter.value.detach();
  const Shard& shard = parameter.shard;
  TORCH_CHECK(part.dim() >= 1 && shard.dim <= 1 && shard.dim < part.dim(), "parameter ", name,
              " is not sharded by rows or columns");
  const std::int64_t row_bytes = std::max<std::int64_t>(1, static_cast<std::int64_t>(part.nbytes()) / part.size(0));
  const std::int64_t piece_rows = std::max<std::int64_t>(1, kPieceBytes / (row_bytes * shard.size));
  for (std::int64_t begin = 0; begin < part.size(0); begin += piece_rows) {
    at::Tensor piece = part.narrow(0, begin, std::min(piece_rows, part.size(0) - begin));
    if (transform) {
      piece = transform(piece, begin);
    }
    if (shard.dim < 0) {
      write_rows(name, begin, piece);
    } else if (shard.dim == 1) {
      const at::Tensor columns = gather(axis_, piece.t());
      write_rows(name, begin, columns.narrow(0, 0, parameter.full_shape[1]).t());
    } else {
      const at::Tensor rows = gather(axis_, piece);
      for (std::int64_t rank = 0; rank < shard.size; ++rank) {
        const std::int64_t row = rank * part.size(0) + begin;
        const std::int64_t num_rows = std::min(piece.size(0), parameter.full_shape[0] - row);  // the rest is padding
        if (num_rows > 0) {
          write_rows(name, row, rows.narrow(0, rank * piece.size(0), num_rows));
        }
      }
    }
  }
}

void GatheredWriter::finish() {
  on_rank_zero(axis_, [&] {
    if (failure_) {
      std::rethrow_exception(failure_);
    }
    writer_->finish();
  });
}

}  // namespace entune
