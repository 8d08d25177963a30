#include "distributed/parameter_buckets.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <optional>
#include <utility>

namespace entune {
namespace {

constexpr std::int64_t kAlignment = 64;  // elements

std::int64_t round_up(std::int64_t count, std::int64_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

}  // namespace

struct ParameterBuckets::Bucket {
  std::vector<std::size_t> members = {};   ///< parameters
  std::vector<std::int64_t> offsets = {};  ///< of the members, in elements
  int kind = 0;
  at::ScalarType dtype = at::kFloat;
  std::int64_t filled = 0;  ///< elements
  at::Tensor values = {}, gradients = {};
  std::size_t num_missing = 0;              ///< gradients that the last backward pass has yet to bring
  std::optional<c10::Event> gathered = {};  ///< on the side stream
};

/// Tells of a gradient that has been accumulated.
class ParameterBuckets::Arrival : public torch::autograd::PostAccumulateGradHook {
 public:
  Arrival(ParameterBuckets& owner, std::size_t bucket) : owner_(owner), bucket_(bucket) {}
  void operator()(const at::Tensor&) override { owner_.arrived(bucket_); }

 private:
  ParameterBuckets& owner_;
  std::size_t bucket_;
};

/// A stream beside the current one for collectives that have no hurry.
struct ParameterBuckets::SideStream {
  explicit SideStream(at::Device device)
      : guard(device.type()), current(guard.getStream(device)), stream(guard.getStreamFromGlobalPool(device)) {}

  c10::Event now_of(const c10::Stream& of) const {
    c10::Event event(of.device_type());
    event.record(of);
    return event;
  }
  void follow_current() { now_of(guard.getStream(current.device())).block(stream); }
  void let_current_wait(const c10::Event& event) { event.block(guard.getStream(current.device())); }

  c10::impl::VirtualGuardImpl guard;
  c10::Stream current, stream;
};

ParameterBuckets::ParameterBuckets(const std::vector<BucketedParameter>& parameters, Communicator& group,
                                   const BucketOptions& options)
    : group_(group), options_(options), buckets_(fill_buckets(parameters)) {
  const at::NoGradGuard no_grad;
  bucket_of_.resize(parameters.size());
  for (const BucketedParameter& parameter : parameters) parameters_.push_back(parameter.value);
  for (Bucket& bucket : buckets_) {
    for (const std::size_t member : bucket.members) bucket_of_[member] = parts_.size();
    lay_out(bucket, parameters);
  }
  if (!options_.overlap) return;
  if (!parameters_.empty() && !parameters_.front().is_cpu())
    side_ = std::make_unique<SideStream>(parameters_.front().device());
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    torch::autograd::impl::set_post_acc_grad_hooks(parameters_[i], std::make_unique<Arrival>(*this, bucket_of_[i]));
}

ParameterBuckets::~ParameterBuckets() {
  await(0, parameters_.size());
  for (const at::Tensor& parameter : parameters_) {
    if (options_.overlap) torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
    parameter.mutable_grad() = at::Tensor();
  }
}

std::vector<ParameterBuckets::Bucket> ParameterBuckets::fill_buckets(
    const std::vector<BucketedParameter>& parameters) const {
  TORCH_CHECK(options_.bucket_bytes > 0, "expected a bucket size above 0 bytes, found ", options_.bucket_bytes);
  std::vector<Bucket> full, open;
  for (std::size_t i = parameters.size(); i-- > 0;) {
    const at::Tensor& value = parameters[i].value;
    TORCH_CHECK(value.is_leaf() && value.requires_grad(), "expected parameters that are trained; number ", i,
                " is not");
    const auto fits = [&](const Bucket& bucket) {
      return bucket.kind == parameters[i].kind && bucket.dtype == value.scalar_type();
    };
    auto bucket = std::ranges::find_if(open, fits);
    const std::int64_t size = round_up(value.numel(), kAlignment), bytes_each = value.element_size();
    if (bucket != open.end() && (bucket->filled + size) * bytes_each > options_.bucket_bytes) {
      full.push_back(std::move(*bucket));
      open.erase(bucket);
      bucket = open.end();
    }
    if (bucket == open.end())
      bucket = open.insert(open.end(), Bucket{.kind = parameters[i].kind, .dtype = value.scalar_type()});
    bucket->members.push_back(i);
    bucket->offsets.push_back(bucket->filled);
    bucket->filled += size;
  }
  full.insert(full.end(), std::make_move_iterator(open.begin()), std::make_move_iterator(open.end()));
  return full;
}

void ParameterBuckets::lay_out(Bucket& bucket, const std::vector<BucketedParameter>& parameters) {
  const auto options = parameters[bucket.members.front()].value.options().requires_grad(false);
  const std::int64_t size = round_up(bucket.filled, kAlignment * group_.size());
  bucket.values = at::zeros({size}, options);
  bucket.gradients = at::zeros({size}, options);
  for (std::size_t m = 0; m < bucket.members.size(); ++m) {
    at::Tensor parameter = parameters[bucket.members[m]].value;
    const auto place = [&](const at::Tensor& flat) {
      return flat.narrow(0, bucket.offsets[m], parameter.numel()).view(parameter.sizes());
    };
    place(bucket.values).copy_(parameter);
    parameter.set_data(place(bucket.values));
    parameter.mutable_grad() = place(bucket.gradients);
  }
  const std::int64_t part_size = sharded() ? size / group_.size() : size;
  const std::int64_t part_begin = sharded() ? group_.rank() * part_size : 0;
  parts_.push_back(
      {bucket.values.narrow(0, part_begin, part_size), bucket.gradients.narrow(0, part_begin, part_size), bucket.kind});
}

std::vector<ParameterBuckets::Piece> ParameterBuckets::pieces(std::size_t part) const {
  const Bucket& bucket = buckets_[part];
  const std::int64_t size = parts_[part].value.numel(), part_begin = sharded() ? group_.rank() * size : 0;
  std::vector<Piece> pieces;
  for (std::size_t m = 0; m < bucket.members.size(); ++m) {
    const std::int64_t begin = std::max(bucket.offsets[m], part_begin);
    const std::int64_t end = std::min(bucket.offsets[m] + parameters_[bucket.members[m]].numel(), part_begin + size);
    if (begin < end) pieces.push_back({bucket.members[m], begin - bucket.offsets[m], end - begin, begin - part_begin});
  }
  return pieces;
}

void ParameterBuckets::zero_gradients() {
  for (Bucket& bucket : buckets_) bucket.gradients.zero_();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    TORCH_CHECK(parameters_[i].grad().defined() &&
                    parameters_[i].grad().storage().is_alias_of(buckets_[bucket_of_[i]].gradients.storage()),
                "the gradient of parameter ", i, " has left its bucket");
  }
  num_reduced_ = 0;
  last_backward_ = false;
}

void ParameterBuckets::expect_last_backward() {
  last_backward_ = options_.overlap;
  for (Bucket& bucket : buckets_) bucket.num_missing = bucket.members.size();
}

void ParameterBuckets::arrived(std::size_t bucket) {
  if (!last_backward_ || buckets_[bucket].num_missing == 0) return;
  --buckets_[bucket].num_missing;
  std::size_t end = num_reduced_;
  while (end < buckets_.size() && buckets_[end].num_missing == 0) ++end;
  reduce_until(end);
}

void ParameterBuckets::reduce() {
  reduce_until(buckets_.size());
  if (side_) side_->let_current_wait(side_->now_of(side_->stream));
}

void ParameterBuckets::reduce_until(std::size_t end) {
  if (num_reduced_ == end) return;
  const at::NoGradGuard no_grad;
  c10::OptionalStreamGuard beside;
  if (side_) {
    side_->follow_current();
    beside.reset_stream(side_->stream);
  }
  for (; num_reduced_ < end; ++num_reduced_) {
    if (group_.size() == 1) continue;
    at::Tensor& all = buckets_[num_reduced_].gradients;
    if (sharded()) {
      // A collective's two tensors do not overlap.
      at::Tensor sum = at::empty_like(parts_[num_reduced_].gradient);
      group_.reduce_scatter(sum, all);
      at::Tensor gradient = parts_[num_reduced_].gradient;
      gradient.copy_(sum);
    } else {
      group_.all_reduce(all, ReduceOp::sum);
    }
  }
}

void ParameterBuckets::gather() {
  if (!sharded()) return;
  const at::NoGradGuard no_grad;
  c10::OptionalStreamGuard beside;
  if (side_) {
    side_->follow_current();
    beside.reset_stream(side_->stream);
  }
  // The first parameters, which the next forward pass needs first, stand in the last buckets.
  for (std::size_t i = buckets_.size(); i-- > 0;) {
    group_.all_gather(buckets_[i].values, parts_[i].value.clone());
    if (side_) buckets_[i].gathered.emplace(side_->now_of(side_->stream));
  }
}

void ParameterBuckets::await(std::size_t begin, std::size_t end) {
  if (!side_) return;
  for (std::size_t i = begin; i < end; ++i) {
    std::optional<c10::Event>& gathered = buckets_[bucket_of_[i]].gathered;
    if (gathered) side_->let_current_wait(*gathered);
    gathered.reset();
  }
}

}  // namespace entune
