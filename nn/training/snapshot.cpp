#include <autograd/tape/tape.hpp>
#include <nn/training/snapshot.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <utility>

namespace xgrad::nn {

Snapshot::Snapshot(std::vector<Tensor> tensors) : tensors_(std::move(tensors)) { save(); }

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
  double largest = 0;
  for (std::size_t i = 0; i < tensors_.size(); ++i)
    visit(tensors_[i].dtype(), [&](auto zero) {
      using T = decltype(zero);
      const std::span<const T> now = tensors_[i].values<T>(), saved = values_[i].values<T>();
      for (std::size_t k = 0; k < now.size(); ++k) {
        const double change = std::abs(static_cast<double>(now[k]) - static_cast<double>(saved[k]));
        largest = change <= largest ? largest : change;
        if (std::isnan(largest)) return;
      }
    });
  return largest;
}

}  // namespace xgrad::nn
