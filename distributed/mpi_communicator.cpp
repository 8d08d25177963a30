#include "distributed/mpi_communicator.h"

#include <mpi.h>
#undef HOST

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <exception>
#include <functional>

#include "distributed/mpi_error.h"
#include "distributed/preconditions.h"

namespace entune {
namespace {

// A bfloat16 tensor is widened piece by piece, so that its float32 copy stays small.
constexpr std::int64_t kWidenedElements = 16 << 20;

MPI_Datatype mpi_type(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return MPI_FLOAT;
    case at::kDouble:
      return MPI_DOUBLE;
    case at::kLong:
      return MPI_INT64_T;
    case at::kBFloat16:  // moved as bits, never reduced
      return MPI_UINT16_T;
    default:
      return MPI_UINT8_T;
  }
}

MPI_Op mpi_op(ReduceOp op) { return op == ReduceOp::sum ? MPI_SUM : MPI_MAX; }

void for_each_piece(std::int64_t elements, std::int64_t piece, const std::function<void(std::int64_t, int)>& body) {
  for (std::int64_t begin = 0; begin < elements; begin += piece) {
    body(begin, static_cast<int>(std::min(piece, elements - begin)));
  }
}

/// `count` elements of `element` that are repeated every `stride_bytes`.
class StridedType {
 public:
  StridedType(MPI_Datatype element, int count, MPI_Aint stride_bytes) {
    CHECK_MPI(MPI_Type_contiguous(count, element, &run_));
    CHECK_MPI(MPI_Type_create_resized(run_, 0, stride_bytes, &strided_));
    CHECK_MPI(MPI_Type_commit(&strided_));
  }
  ~StridedType() {
    MPI_Type_free(&strided_);
    MPI_Type_free(&run_);
  }
  StridedType(const StridedType&) = delete;
  StridedType& operator=(const StridedType&) = delete;
  MPI_Datatype get() const { return strided_; }

 private:
  MPI_Datatype run_ = MPI_DATATYPE_NULL;
  MPI_Datatype strided_ = MPI_DATATYPE_NULL;
};

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(MPI_Comm owned, std::int64_t piece_elements) : comm_(owned), piece_(piece_elements) {
    CHECK_MPI(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN));
    CHECK_MPI(MPI_Comm_rank(comm_, &rank_));
    CHECK_MPI(MPI_Comm_size(comm_, &size_));
  }
  ~MpiCommunicator() override {
    int finalized = 0;
    if (std::uncaught_exceptions() == 0 && MPI_Finalized(&finalized) == MPI_SUCCESS && !finalized) {
      MPI_Comm_free(&comm_);
    }
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void all_reduce(at::Tensor& tensor, ReduceOp op) override {
    check_transportable(tensor, "all_reduce");
    check_on_cpu(tensor, "all_reduce");
    const at::NoGradGuard no_grad;
    const at::Tensor flat = tensor.view({-1});
    const bool widen = tensor.scalar_type() == at::kBFloat16;
    for_each_piece(
        flat.numel(), widen ? std::min(piece_, kWidenedElements) : piece_, [&](std::int64_t begin, int count) {
          const at::Tensor piece = flat.narrow(0, begin, count);
          const at::Tensor buffer = widen ? piece.to(at::kFloat) : piece;
          CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, buffer.mutable_data_ptr(), count, mpi_type(buffer), mpi_op(op), comm_));
          if (widen) {
            piece.copy_(buffer);
          }
        });
  }

  void all_gather(at::Tensor& output, const at::Tensor& input) override {
    check_parts(output, input, size_, "all_gather");
    check_on_cpu(input, "all_gather");
    const std::int64_t element_bytes = input.element_size();
    const MPI_Datatype element = mpi_type(input);
    const char* const from = static_cast<const char*>(input.const_data_ptr());
    char* const to = static_cast<char*>(output.mutable_data_ptr());
    for_each_piece(input.numel(), piece_, [&](std::int64_t begin, int count) {
      const StridedType part(element, count, input.numel() * element_bytes);
      CHECK_MPI(MPI_Allgather(from + begin * element_bytes, count, element, to + begin * element_bytes, 1, part.get(),
                              comm_));
    });
  }

  void reduce_scatter(at::Tensor& output, const at::Tensor& input) override {
    check_parts(input, output, size_, "reduce_scatter");
    check_on_cpu(input, "reduce_scatter");
    const at::NoGradGuard no_grad;
    const at::Tensor parts = input.view({size_, -1});
    const at::Tensor flat = output.view({-1});
    const at::ScalarType wide = input.scalar_type() == at::kBFloat16 ? at::kFloat : input.scalar_type();
    const bool whole = wide == input.scalar_type() && input.numel() <= piece_;
    const std::int64_t piece = whole ? piece_ : std::max<std::int64_t>(1, std::min(piece_, kWidenedElements) / size_);
    for_each_piece(flat.numel(), piece, [&](std::int64_t begin, int count) {
      const at::Tensor send = parts.narrow(1, begin, count).to(wide).contiguous();
      const at::Tensor target = flat.narrow(0, begin, count);
      const at::Tensor receive = wide == input.scalar_type() ? target : at::empty({count}, send.options());
      CHECK_MPI(MPI_Reduce_scatter_block(send.const_data_ptr(), receive.mutable_data_ptr(), count, mpi_type(send),
                                         MPI_SUM, comm_));
      if (wide != input.scalar_type()) {
        target.copy_(receive);
      }
    });
  }

  void broadcast(at::Tensor& tensor, int root) override {
    check_transportable(tensor, "broadcast");
    check_on_cpu(tensor, "broadcast");
    check_root(root, size_, "broadcast");
    char* const data = static_cast<char*>(tensor.mutable_data_ptr());
    for_each_piece(tensor.numel(), piece_, [&](std::int64_t begin, int count) {
      CHECK_MPI(MPI_Bcast(data + begin * tensor.element_size(), count, mpi_type(tensor), root, comm_));
    });
  }

  void barrier() override { CHECK_MPI(MPI_Barrier(comm_)); }

  std::unique_ptr<Communicator> split(int color, int key) override {
    TORCH_CHECK(color >= 0, "split: expected a color of 0 or more, found ", color);
    MPI_Comm part = MPI_COMM_NULL;
    CHECK_MPI(MPI_Comm_split(comm_, color, key, &part));
    return std::make_unique<MpiCommunicator>(part, piece_);
  }

  std::unique_ptr<Communicator> split_by_machine() override {
    MPI_Comm part = MPI_COMM_NULL;
    CHECK_MPI(MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &part));
    return std::make_unique<MpiCommunicator>(part, piece_);
  }

 private:
  MPI_Comm comm_;
  const std::int64_t piece_;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace

std::unique_ptr<Communicator> make_mpi_world_communicator(std::int64_t piece_elements) {
  constexpr std::int64_t kLargestCount = std::numeric_limits<int>::max();
  TORCH_CHECK(piece_elements > 0 && piece_elements <= kLargestCount, "expected pieces of 1 to ", kLargestCount,
              " elements, found ", piece_elements);
  MPI_Comm world = MPI_COMM_NULL;
  CHECK_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &world));
  return std::make_unique<MpiCommunicator>(world, piece_elements);
}

}  // namespace entune
