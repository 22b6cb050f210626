#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/tape/tape.hpp>
#include <nn/training/snapshot.hpp>

#include <cmath>
#include <cstddef>
#include <utility>

namespace xgrad::nn {

Snapshot::Snapshot(std::vector<Tensor> tensors) : tensors_(std::move(tensors)) {
  for (const Tensor& tensor : tensors_) check_defined("Snapshot", "a tensor", tensor);
  save();
}

void Snapshot::save() {
  const Pause pause;
  values_.clear();
  for (const Tensor& tensor : tensors_) values_.push_back(tensor.clone());
}

void Snapshot::restore() {
  const Pause pause;
  for (std::size_t i = 0; i < tensors_.size(); ++i) tensors_[i].assign(values_[i]);
}

double Snapshot::largest_change() const {
  const Pause pause;
  double largest = 0;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (tensors_[i].size() == 0) continue;
    const double change = max(abs(tensors_[i].to(float64) - values_[i].to(float64))).item();
    if (!(change <= largest)) largest = change;
    if (std::isnan(largest)) break;
  }
  return largest;
}

std::vector<std::optional<double>> Snapshot::relative_changes() const {
  const Pause pause;
  std::vector<std::optional<double>> changes(tensors_.size());
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const Tensor saved = values_[i].to(float64);
    const double size = norm(saved).item();
    if (size != 0) changes[i] = norm(tensors_[i].to(float64) - saved).item() / size;
  }
  return changes;
}

}  // namespace xgrad::nn
