#include "trainer/weights/gathered_writer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <stdexcept>

#include "data/input_error.h"

namespace entune {
namespace {

constexpr std::int64_t kPieceBytes = std::int64_t{32} << 20;  // gathered over all ranks

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

GatheredWriter::GatheredWriter(const std::filesystem::path& path, const std::vector<SafetensorsTensor>& tensors,
                               Communicator& axis)
    : axis_(axis) {
  on_rank_zero(axis, [&] { writer_ = std::make_unique<SafetensorsWriter>(path, tensors); });
}

void GatheredWriter::write_rows(const std::string& name, std::int64_t row, const at::Tensor& rows) {
  if (axis_.rank() != 0 || failure_) {
    return;
  }
  try {
    writer_->write_rows(name, row, rows);
  } catch (...) {
    failure_ = std::current_exception();
  }
}

void GatheredWriter::write(const std::string& name, const Parameter& parameter, const PieceTransform& transform) {
  const at::NoGradGuard no_grad;
  const at::Tensor part = parameter.value.detach();
  const Shard& shard = parameter.shard;
  TORCH_CHECK(shard.dim <= 1 && part.dim() >= 1, "parameter ", name, " is not sharded by rows or columns");
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
