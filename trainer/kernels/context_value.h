#pragma once

#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/custom_function.h>

#include <string>
#include <utility>

namespace entune {

template <typename T>
struct ContextValue : torch::CustomClassHolder {
  explicit ContextValue(T v) : value(std::move(v)) {}
  T value;
};

/// Keeps any C++ value with an autograd function's context, where saved_data takes IValues only.
template <typename T>
void keep_value(torch::autograd::AutogradContext* ctx, const std::string& name, T value) {
  ctx->saved_data[name] = c10::IValue::make_capsule(c10::make_intrusive<ContextValue<T>>(std::move(value)));
}

template <typename T>
const T& kept_value(torch::autograd::AutogradContext* ctx, const std::string& name) {
  return static_cast<ContextValue<T>*>(ctx->saved_data.at(name).toCapsule().get())->value;
}

}  // namespace entune
