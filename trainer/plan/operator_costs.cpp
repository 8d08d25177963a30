#include "trainer/plan/operator_costs.h"

#include <ATen/core/Tensor.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace entune {
namespace {

const std::set<std::string_view>& free_operators() {
  static const std::set<std::string_view> names = {"aten::t",
                                                   "aten::view",
                                                   "aten::narrow",
                                                   "aten::transpose",
                                                   "aten::slice",
                                                   "aten::as_strided",
                                                   "aten::expand",
                                                   "aten::unsqueeze",
                                                   "aten::squeeze",
                                                   "aten::detach",
                                                   "aten::alias",
                                                   "aten::select",
                                                   "aten::reshape",
                                                   "aten::_unsafe_view",
                                                   "aten::flatten",
                                                   "aten::empty",
                                                   "aten::empty_like",
                                                   "aten::empty_strided",
                                                   "aten::result_type",
                                                   "aten::permute",
                                                   "aten::unflatten",
                                                   "aten::set_data",
                                                   "aten::item",
                                                   "aten::_local_scalar_dense",
                                                   "detach",
                                                   "aten::is_nonzero",
                                                   "aten::resolve_conj",
                                                   "aten::expand_as",
                                                   "aten::_reshape_alias",
                                                   "aten::requires_grad_",
                                                   "aten::new_empty",
                                                   "aten::lift_fresh",
                                                   "aten::resolve_neg",
                                                   "aten::unbind",
                                                   "aten::movedim"};
  return names;
}

double bytes_of(const c10::IValue& value) {
  if (value.isTensor()) {
    const at::Tensor& tensor = value.toTensor();
    return tensor.defined() ? static_cast<double>(tensor.numel()) * static_cast<double>(tensor.element_size()) : 0.0;
  }
  if (!value.isTensorList()) return 0.0;
  double sum = 0.0;
  for (const at::Tensor& tensor : value.toTensorVector()) sum += bytes_of(tensor);
  return sum;
}

/// An operator that runs.
struct Frame {
  std::string_view name;
  double bytes = 0.0;
  ProductShape product;
  bool is_free = false;
  bool calls_others = false;
};

}  // namespace

struct OperatorCostCount::State {
  void begin(const at::RecordFunction& function) {
    Frame frame;
    frame.name = function.name();
    frame.is_free = free_operators().contains(frame.name);
    if (!frame.is_free) {
      const c10::ArrayRef<const c10::IValue> inputs = function.inputs();
      for (const c10::IValue& input : inputs) frame.bytes += bytes_of(input);
      const std::size_t first = frame.name == "aten::mm" ? 0 : 1;
      if (frame.name == "aten::mm" || frame.name == "aten::addmm" || frame.name == "aten::addmm_") {
        const at::Tensor &left = inputs[first].toTensor(), &right = inputs[first + 1].toTensor();
        frame.product = {left.size(0), left.size(1), right.size(1)};
      }
    }
    frames.push_back(frame);
  }

  void end(const at::RecordFunction& function) {
    if (frames.empty()) return;
    Frame frame = frames.back();
    frames.pop_back();
    if (frame.is_free) return;
    if (!frames.empty()) frames.back().calls_others = true;
    if (frame.calls_others) return;
    ++costs.num_operators;
    const bool in_place = frame.name.ends_with('_');
    for (const c10::IValue& output : function.outputs()) frame.bytes += bytes_of(output);
    if (frame.product.rows > 0) {
      ++costs.products[frame.product];
    } else if (frame.bytes > 0.0 && frame.name.find("attention") == std::string_view::npos) {
      (in_place ? costs.in_place_bytes : costs.new_bytes)[size_class(frame.bytes)] += frame.bytes;
    }
  }

  std::vector<Frame> frames;
  OperatorCosts costs;
  at::CallbackHandle handle = 0;
};

namespace {

thread_local void* counting = nullptr;

}  // namespace

double OperatorCosts::product_flops() const {
  double sum = 0.0;
  for (const auto& [shape, times] : products) sum += shape.flops() * static_cast<double>(times);
  return sum;
}

OperatorCosts& OperatorCosts::operator+=(const OperatorCosts& other) {
  for (const auto& [shape, times] : other.products) products[shape] += times;
  attention_flops += other.attention_flops;
  attention_backward_flops += other.attention_backward_flops;
  for (const auto& [size, bytes] : other.new_bytes) new_bytes[size] += bytes;
  for (const auto& [size, bytes] : other.in_place_bytes) in_place_bytes[size] += bytes;
  num_operators += other.num_operators;
  return *this;
}

int size_class(double bytes) { return static_cast<int>(std::ceil(std::log2(std::max(1.0, bytes)))); }

OperatorCostCount::OperatorCostCount() : state_(std::make_unique<State>()) {
  counting = state_.get();
  const auto begin = [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
    if (counting != nullptr) static_cast<State*>(counting)->begin(function);
    return nullptr;
  };
  const auto end = [](const at::RecordFunction& function, at::ObserverContext*) {
    if (counting != nullptr) static_cast<State*>(counting)->end(function);
  };
  state_->handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(begin, end).needsInputs(true).needsOutputs(true).scopes({at::RecordScope::FUNCTION}));
}

OperatorCostCount::~OperatorCostCount() {
  at::removeCallback(state_->handle);
  counting = nullptr;
}

OperatorCosts OperatorCostCount::take() { return std::exchange(state_->costs, {}); }

}  // namespace entune
