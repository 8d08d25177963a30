#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "distributed/communicator.h"
#include "distributed/preconditions.h"

namespace entune {

double over_ranks(Communicator& group, double value, ReduceOp op) {
  at::Tensor cell = at::tensor({value}, at::kDouble);
  group.all_reduce(cell, op);
  return cell.item<double>();
}

std::vector<std::string> all_gather_bytes(Communicator& group, const std::string& bytes) {
  const std::int64_t length = static_cast<std::int64_t>(bytes.size());
  at::Tensor lengths = at::empty({group.size()}, at::kLong);
  group.all_gather(lengths, at::full({1}, length, at::kLong));

  // Padded to the longest: the lengths are few and short against what travels on tensors.
  const std::int64_t longest = lengths.max().item<std::int64_t>();
  at::Tensor mine = at::zeros({1, longest}, at::kByte);
  std::memcpy(mine.mutable_data_ptr<std::uint8_t>(), bytes.data(), bytes.size());
  at::Tensor all = at::empty({group.size(), longest}, at::kByte);
  group.all_gather(all, mine);

  std::vector<std::string> result;
  for (int rank = 0; rank < group.size(); ++rank) {
    result.emplace_back(reinterpret_cast<const char*>(all.const_data_ptr<std::uint8_t>()) + rank * longest,
                        lengths[rank].item<std::int64_t>());
  }
  return result;
}

std::string broadcast_bytes(Communicator& group, const std::string& bytes, int root) {
  check_root(root, group.size(), "broadcast_bytes");
  at::Tensor length = at::full({1}, static_cast<std::int64_t>(bytes.size()), at::kLong);
  group.broadcast(length, root);
  at::Tensor content = at::empty({length.item<std::int64_t>()}, at::kByte);
  if (group.rank() == root) {
    std::memcpy(content.mutable_data_ptr<std::uint8_t>(), bytes.data(), bytes.size());
  }
  group.broadcast(content, root);
  return {reinterpret_cast<const char*>(content.const_data_ptr<std::uint8_t>()),
          static_cast<std::size_t>(content.numel())};
}

}  // namespace entune
