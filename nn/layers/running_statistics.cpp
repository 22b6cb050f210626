#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/tape/tape.hpp>
#include <nn/layers/running_statistics.hpp>

#include <utility>

namespace xgrad::nn {

namespace {

/// The rows of several calls as one. N = Σ n_i, mean = Σ n_i/N · mean_i, variance = Σ n_i/N · (variance_i + (mean_i -
/// mean)²).
LayerNote combined(const LayerNotes& calls) {
  if (calls.size() == 1) return calls.front();
  LayerNote whole;
  for (const LayerNote& call : calls) whole.rows += call.rows;
  const auto average = [&](const auto& value) {
    Tensor sum;
    for (const LayerNote& call : calls) {
      const Tensor term = value(call) * (static_cast<double>(call.rows) / static_cast<double>(whole.rows));
      sum = sum.defined() ? sum + term : term;
    }
    return sum;
  };
  whole.mean = average([](const LayerNote& call) { return call.mean; });
  whole.variance = average([&](const LayerNote& call) { return call.variance + square(call.mean - whole.mean); });
  return whole;
}

}  // namespace

RunningStatistics::RunningStatistics(Tensor mean, Tensor variance, double momentum)
    : mean_(std::move(mean)), variance_(std::move(variance)), momentum_(momentum) {}

RunningStatistics::RunningStatistics(const RunningStatistics& other)
    : LayerMemory(other), mean_(other.mean_), variance_(other.variance_), momentum_(other.momentum_) {}

void RunningStatistics::remember(const LayerNote& call) {
  const auto rows = static_cast<double>(call.rows);
  const Pause pause;
  const std::lock_guard<std::mutex> lock(mutex_);
  mean_.assign(mean_ * (1 - momentum_) + call.mean * momentum_);
  variance_.assign(variance_ * (1 - momentum_) + call.variance * (momentum_ * rows / (rows - 1)));
}

LayerNotes RunningStatistics::merge(const std::vector<LayerNotes>& parts) const {
  const Pause pause;
  LayerNotes merged;
  for (std::size_t call = 0;; ++call) {
    LayerNotes same;
    for (const LayerNotes& part : parts)
      if (call < part.size()) same.push_back(part[call]);
    if (same.empty()) return merged;
    merged.push_back(combined(same));
  }
}

}  // namespace xgrad::nn
