#pragma once

#include <autograd/tensor/tensor.hpp>

#include <optional>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// The values of tensors at one time, to return to: a model before a step that went wrong, or at its best epoch.
class Snapshot {
 public:
  /// Of the present values.
  explicit Snapshot(std::vector<Tensor> tensors);
  /// Takes the present values in place of those before.
  void save();
  /// Writes the saved values into the tensors.
  void restore();
  /// The saved values, and others, of the same shapes and dtypes, in their place.
  const std::vector<Tensor>& values() const& { return values_; }
  std::vector<Tensor> values() const&& { return values_; }
  void values(std::vector<Tensor> others) { values_ = std::move(others); }
  /// The largest |present - saved| of all elements; NaN if one is.
  double largest_change() const;
  /// ‖present - saved‖ / ‖saved‖ of each tensor; none for one that was 0.
  std::vector<std::optional<double>> relative_changes() const;

 private:
  std::vector<Tensor> tensors_;
  std::vector<Tensor> values_;
};

}  // namespace xgrad::nn
