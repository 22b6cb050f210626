#pragma once

#include <autograd/ops/update.hpp>
#include <nn/optimizers/optimizer.hpp>

namespace xgrad::nn {

using SGDOptions = SgdRule;

/// Stochastic gradient descent, as PyTorch 1.13 defines it; the recursion stands at SgdRule, which the options are. The
/// lectures' Δθ = -η g + α Δθ_previous is the same for a constant rate. Weight decay is the gradient of
/// weight_decay · l2_penalty.
class SGD : public Optimizer {
 public:
  /// ValueError as for every optimizer, and for Nesterov's momentum without momentum or with dampening.
  SGD(std::vector<Tensor> parameters, const SGDOptions& options = {});
  template <class = void>  // so that {} is no parameters rather than no groups
  SGD(std::vector<Group> groups, const SGDOptions& options = {}) : SGD("SGD", std::move(groups), options) {}

 private:
  SGD(const char* name, std::vector<Group> groups, const SGDOptions& options);
  void update(std::span<const Change> changes) override;
  bool takes_rows() const override { return true; }

  std::vector<SgdRule> rules_;  // of the groups
};

}  // namespace xgrad::nn
