#include <autograd/tape/tape.hpp>
#include <nn/training/nonfinite.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>

namespace xgrad::nn {

namespace {

/// The place of the first number that is not finite.
std::optional<std::size_t> first_nonfinite(const Tensor& x) {
  if (!is_floating(x.dtype())) return std::nullopt;
  return visit_floating(x.dtype(), [&]<class T>(T) -> std::optional<std::size_t> {
    const std::span<const T> values = x.values<T>();
    const auto found = std::find_if(values.begin(), values.end(), [](T value) { return !std::isfinite(value); });
    if (found == values.end()) return std::nullopt;
    return static_cast<std::size_t>(found - values.begin());
  });
}

std::string row_of(const Tensor& x, std::size_t element) {
  return std::to_string(element / (x.size() / static_cast<std::size_t>(x.shape(0))));
}

}  // namespace

std::string nonfinite_origin(LossFunction loss, const Tensor& x, const Tensor& y,
                             const std::vector<Tensor>& parameters) {
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (first_nonfinite(parameters[i])) {
      const std::string& label = parameters[i].label();
      return "parameter " + (label.empty() ? std::to_string(i) : label) +
             " is not finite; the step before was too large (learning rate, gradient clipping)";
    }
  if (const auto at = first_nonfinite(x))
    return "the inputs are not finite, first in row " + row_of(x, *at) + " of the batch";
  if (const auto at = first_nonfinite(y))
    return "the targets are not finite, first in row " + row_of(y, *at) + " of the batch";
  Tape tape({.trace_nonfinite = true});
  const Tensor value = loss(x, y);
  if (tape.nonfinite() == nullptr) tape.backward(value);
  return tape.nonfinite() != nullptr ? tape.nonfinite()->text() : "a second run of the step is finite";
}

}  // namespace xgrad::nn
