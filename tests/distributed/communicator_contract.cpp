#include "tests/distributed/communicator_contract.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace entune::test {
namespace {

// A piece of seven elements (as one test sets it) cuts these unevenly.
constexpr std::int64_t kElements = 17;

at::TensorOptions on(at::Device device, at::ScalarType dtype = at::kFloat) {
  return at::TensorOptions(device).dtype(dtype);
}

const std::vector<at::ScalarType>& dtypes() {
  static const std::vector<at::ScalarType> all = {at::kFloat, at::kDouble, at::kBFloat16, at::kLong, at::kByte};
  return all;
}

/// Element i of rank r: small enough for sums of four to be exact in bfloat16 and uint8.
std::int64_t value(int rank, std::int64_t i) { return (rank + 1) * (i % 5 + 1) + i % 3; }

at::Tensor values(int rank, std::int64_t begin, std::int64_t end, const at::TensorOptions& options) {
  std::vector<std::int64_t> list;
  for (std::int64_t i = begin; i < end; ++i) {
    list.push_back(value(rank, i));
  }
  return at::tensor(list, at::kLong).to(options);
}

/// Elementwise over ranks, by plain integers.
at::Tensor expected_reduction(int size, std::int64_t begin, std::int64_t end, ReduceOp op, at::ScalarType dtype) {
  std::vector<std::int64_t> list;
  for (std::int64_t i = begin; i < end; ++i) {
    std::int64_t result = 0;
    for (int rank = 0; rank < size; ++rank) {
      result = op == ReduceOp::sum ? result + value(rank, i) : std::max(result, value(rank, i));
    }
    list.push_back(result);
  }
  return at::tensor(list, at::kLong).to(dtype);
}

void expect_equal(const at::Tensor& found, const at::Tensor& expected, const std::string& what) {
  const at::Tensor here = found.cpu(), wanted = expected.cpu();
  EXPECT_TRUE(at::equal(here, wanted)) << what << "\nfound " << here << "\nexpected " << wanted;
}

}  // namespace

void check_all_reduce(Communicator& group, at::Device device) {
  for (const at::ScalarType dtype : dtypes()) {
    for (const ReduceOp op : {ReduceOp::sum, ReduceOp::max}) {
      at::Tensor tensor = values(group.rank(), 0, kElements, on(device, dtype));
      group.all_reduce(tensor, op);
      expect_equal(tensor, expected_reduction(group.size(), 0, kElements, op, dtype), c10::toString(dtype));
    }
  }
  at::Tensor negative = at::full({3}, -1.5f - static_cast<float>(group.rank()), on(device));
  group.all_reduce(negative, ReduceOp::max);
  expect_equal(negative, at::full({3}, -1.5f), "max of negative numbers");
  at::Tensor matrix = at::full({2, 3}, group.rank() + 1.0f, on(device));
  group.all_reduce(matrix, ReduceOp::sum);
  expect_equal(matrix, at::full({2, 3}, group.size() * (group.size() + 1) / 2.0f), "a matrix");
}

void check_all_reduce_rounds_once(Communicator& group, at::Device device) {
  // 256 + 1 is 256 in bfloat16 (8 bits); in float32 the ones add up first: 256 + 1 + ... + 1, rounded once.
  const int size = group.size();
  at::Tensor sum = at::full({4}, group.rank() == 0 ? 256.0f : 1.0f, on(device, at::kBFloat16));
  group.all_reduce(sum, ReduceOp::sum);
  const at::Tensor expected = at::full({4}, 256.0f + static_cast<float>(size - 1)).to(at::kBFloat16);
  expect_equal(sum, expected, "all_reduce");

  const at::Tensor input = at::full({2 * size}, group.rank() == 0 ? 256.0f : 1.0f, on(device, at::kBFloat16));
  at::Tensor part = at::empty({2}, on(device, at::kBFloat16));
  group.reduce_scatter(part, input);
  expect_equal(part, expected.narrow(0, 0, 2), "reduce_scatter");

  // Replicas stay alike only if every rank gets the same bits: no order of summation is promised, one result is.
  at::Tensor random =
      (at::sin(at::arange(1000.0f) * (group.rank() + 1.7f)) * std::pow(10.0f, static_cast<float>(group.rank())))
          .to(device);
  group.all_reduce(random, ReduceOp::sum);
  at::Tensor all = at::empty({size, 1000}, on(device));
  group.all_gather(all, random.view({1, 1000}));
  for (int rank = 0; rank < size; ++rank) {
    expect_equal(all[rank], random, "bits of rank " + std::to_string(rank));
  }
}

void check_all_gather(Communicator& group, at::Device device) {
  for (const at::ScalarType dtype : dtypes()) {
    const at::Tensor input = values(group.rank(), 0, kElements * 2, on(device, dtype)).view({kElements, 2});
    at::Tensor output = at::empty({group.size() * kElements, 2}, on(device, dtype));
    group.all_gather(output, input);
    for (int rank = 0; rank < group.size(); ++rank) {
      expect_equal(output.narrow(0, rank * kElements, kElements),
                   values(rank, 0, kElements * 2, dtype).view({kElements, 2}), c10::toString(dtype));
    }
    expect_equal(input, values(group.rank(), 0, kElements * 2, dtype).view({kElements, 2}), "the input stays");
  }
}

void check_reduce_scatter(Communicator& group, at::Device device) {
  for (const at::ScalarType dtype : dtypes()) {
    const at::Tensor input = values(group.rank(), 0, group.size() * kElements, on(device, dtype));
    at::Tensor output = at::empty({kElements}, on(device, dtype));
    group.reduce_scatter(output, input);
    const std::int64_t begin = group.rank() * kElements;
    expect_equal(output, expected_reduction(group.size(), begin, begin + kElements, ReduceOp::sum, dtype),
                 c10::toString(dtype));
    expect_equal(input, values(group.rank(), 0, group.size() * kElements, dtype), "the input stays");
  }
}

void check_broadcast(Communicator& group, at::Device device) {
  for (const at::ScalarType dtype : dtypes()) {
    for (int root = 0; root < group.size(); ++root) {
      at::Tensor tensor = values(group.rank(), 0, kElements, on(device, dtype));
      group.broadcast(tensor, root);
      expect_equal(tensor, values(root, 0, kElements, dtype), c10::toString(dtype));
    }
  }
}

void check_split(Communicator& group, at::Device device) {
  const int rank = group.rank();
  const int size = group.size();
  // Two groups, each in reverse order.
  const std::unique_ptr<Communicator> part = group.split(rank % 2, -rank);
  std::vector<std::int64_t> members;
  for (int peer = size - 1; peer >= 0; --peer) {
    if (peer % 2 == rank % 2) {
      members.push_back(peer);
    }
  }
  EXPECT_EQ(part->size(), static_cast<int>(members.size()));
  EXPECT_EQ(members.at(part->rank()), rank);
  at::Tensor all = at::empty({part->size()}, on(device, at::kLong));
  part->all_gather(all, at::full({1}, rank, on(device, at::kLong)));
  expect_equal(all, at::tensor(members, at::kLong), "members");

  // Groups of a group; and the parent still works beside its parts.
  const std::unique_ptr<Communicator> self = part->split(part->rank(), 0);
  EXPECT_EQ(self->size(), 1);
  at::Tensor mine = at::full({1}, rank, on(device, at::kLong));
  self->all_reduce(mine, ReduceOp::sum);
  expect_equal(mine, at::full({1}, rank, at::kLong), "a group of one");
  group.all_reduce(mine, ReduceOp::sum);
  expect_equal(mine, at::full({1}, size * (size - 1) / 2, at::kLong), "the parent");
  EXPECT_THROW(group.split(-1, 0), c10::Error);
}

void check_byte_collectives(Communicator& group, at::Device) {
  // Rank r sends r repetitions, rank 0 nothing; with a zero byte.
  const std::string pattern("a\0\xff", 3);
  const auto of_rank = [&](int rank) {
    std::string bytes;
    for (int i = 0; i < rank; ++i) {
      bytes += pattern + std::to_string(rank);
    }
    return bytes;
  };
  const std::vector<std::string> all = all_gather_bytes(group, of_rank(group.rank()));
  ASSERT_EQ(static_cast<int>(all.size()), group.size());
  for (int rank = 0; rank < group.size(); ++rank) {
    EXPECT_EQ(all[rank], of_rank(rank));
    EXPECT_EQ(broadcast_bytes(group, of_rank(group.rank()), rank), of_rank(rank));
  }
  EXPECT_EQ(all_gather_bytes(group, ""), std::vector<std::string>(group.size()));
  group.barrier();
}

void check_empty_tensors(Communicator& group, at::Device device) {
  at::Tensor empty = at::empty({0}, on(device));
  group.all_reduce(empty, ReduceOp::sum);
  group.broadcast(empty, group.size() - 1);
  at::Tensor output = at::empty({0, 3}, on(device));
  group.all_gather(output, at::empty({0, 3}, on(device)));
  group.reduce_scatter(output, at::empty({0, 3}, on(device)));
  EXPECT_EQ(output.numel(), 0);
}

void check_preconditions(Communicator& group, at::Device device) {
  const int size = group.size();
  at::Tensor strided = at::zeros({4, 4}, on(device)).t();
  at::Tensor half = at::zeros({4}, on(device, at::kHalf));
  at::Tensor undefined;
  EXPECT_THROW(group.all_reduce(strided, ReduceOp::sum), c10::Error);
  EXPECT_THROW(group.all_reduce(half, ReduceOp::sum), c10::Error);
  EXPECT_THROW(group.all_reduce(undefined, ReduceOp::sum), c10::Error);
  EXPECT_THROW(group.broadcast(strided, 0), c10::Error);
  at::Tensor fine = at::zeros({4}, on(device));
  EXPECT_THROW(group.broadcast(fine, size), c10::Error);
  EXPECT_THROW(group.broadcast(fine, -1), c10::Error);

  at::Tensor whole = at::zeros({size * 2, 3}, on(device));
  at::Tensor part = at::zeros({2, 3}, on(device));
  at::Tensor wrong = at::zeros({2, 4}, on(device));
  at::Tensor other_dtype = at::zeros({2, 3}, on(device, at::kDouble));
  EXPECT_THROW(group.all_gather(whole, wrong), c10::Error);
  EXPECT_THROW(group.all_gather(whole, other_dtype), c10::Error);
  EXPECT_THROW(group.all_gather(whole, whole.narrow(0, 0, 2)), c10::Error) << "overlap";
  EXPECT_THROW(group.reduce_scatter(wrong, whole), c10::Error);
  EXPECT_THROW(group.reduce_scatter(other_dtype, whole), c10::Error);
  group.all_gather(whole, part);
}

}  // namespace entune::test
