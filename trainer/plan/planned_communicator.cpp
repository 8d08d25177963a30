#include "trainer/plan/planned_communicator.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>

namespace entune {
namespace {

constexpr std::int64_t kWidenedElements = 16 << 20;

class PlannedCommunicator : public Communicator {
 public:
  PlannedCommunicator(int rank, int size, bool widens) : rank_(rank), size_(size), widens_(widens) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void all_reduce(at::Tensor& tensor, ReduceOp) override {
    if (is_widened(tensor)) wide(std::min(tensor.numel(), kWidenedElements), tensor);
  }
  void all_gather(at::Tensor&, const at::Tensor&) override {}
  void reduce_scatter(at::Tensor& output, const at::Tensor& input) override {
    if (!is_widened(input)) return;
    const std::int64_t piece = std::min(output.numel(), std::max<std::int64_t>(1, kWidenedElements / size_));
    const at::Tensor send = wide(piece * size_, input), receive = wide(piece, input);
  }
  void broadcast(at::Tensor&, int) override {}
  void barrier() override {}
  std::unique_ptr<Communicator> split(int, int) override { return make_planned_communicator(rank_, size_, widens_); }

 private:
  bool is_widened(const at::Tensor& tensor) const {
    return widens_ && tensor.is_meta() && tensor.scalar_type() == at::kBFloat16;
  }
  static at::Tensor wide(std::int64_t elements, const at::Tensor& like) {
    return at::empty({elements}, like.options().dtype(at::kFloat));
  }

  int rank_, size_;
  bool widens_;
};

}  // namespace

std::unique_ptr<Communicator> make_planned_communicator(int rank, int size, bool widens) {
  return std::make_unique<PlannedCommunicator>(rank, size, widens);
}

}  // namespace entune
