#pragma once

#include <nn/layers/module.hpp>
#include <nn/training/model.hpp>

#include <concepts>
#include <functional>
#include <string>

namespace xgrad::nn {

/// Calls the model with the input, paused, and lists the layers that ran: the work of `summary`.
std::string summary_of_call(const Module& model, const std::function<Tensor()>& call);
/// Zeros (1, shape...) in the dtype of the model's parameters.
Tensor example_input(const Module& model, const Shape& shape);

/// A table of the layers that ran for this input, in order: path, kind, output shape, parameters, floating operations
/// and bytes of the output; then totals. A model of several inputs gets them one after another; of several outputs the
/// first one's shape stands with the totals. The model itself is left alone: a clone runs, in eval mode.
template <std::derived_from<Module> M, std::derived_from<Tensor>... X>
requires(sizeof...(X) >= 1) std::string summary(const M& model, const X&... inputs) {
  M copy = clone(model);
  copy.eval();
  return summary_of_call(copy, [&]() -> Tensor { return output_list(copy(inputs...)).front(); });
}

/// The same for one example of this shape: for models that take (n, shape...) in the dtype of their parameters.
template <std::derived_from<Module> M>
std::string summary(const M& model, const Shape& shape) {
  return summary(model, example_input(model, shape));
}

}  // namespace xgrad::nn
