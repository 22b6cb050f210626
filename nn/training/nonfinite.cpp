#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
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
  return visit_floating(x.dtype(), [&](auto zero) -> std::optional<std::size_t> {
    const auto values = x.values<decltype(zero)>();
    const auto found = std::find_if(values.begin(), values.end(), [](auto value) { return !std::isfinite(value); });
    if (found == values.end()) return std::nullopt;
    return static_cast<std::size_t>(found - values.begin());
  });
}

}  // namespace

std::optional<std::string> nonfinite_origin(const AnyModel& model, TensorList inputs, TensorList targets,
                                            const std::vector<Tensor>& parameters, std::int64_t first_row) {
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (first_nonfinite(parameters[i])) {
      const std::string& label = parameters[i].label();
      return fmt::format("parameter {} is not finite; the step before was too large (learning rate, gradient clipping)",
                         label.empty() ? fmt::format("{}", i) : label);
    }
  for (const auto& [what, list] : {std::pair("inputs", inputs), std::pair("targets", targets)})
    for (const Tensor& x : list)
      if (const auto at = first_nonfinite(x))
        return fmt::format("the {} are not finite, first in row {} of the batch", what,
                           static_cast<std::size_t>(first_row) + *at / (x.size() / x.extent(0)));
  Tape tape({.trace_nonfinite = true});
  const Tensor loss = model.loss_of(inputs, targets);
  if (tape.nonfinite() == nullptr) tape.backward(loss);
  if (tape.nonfinite() == nullptr) return std::nullopt;
  return tape.nonfinite()->text();
}

}  // namespace xgrad::nn
