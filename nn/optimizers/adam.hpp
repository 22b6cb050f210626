#pragma once

#include <autograd/ops/update.hpp>
#include <nn/optimizers/optimizer.hpp>

#include <bit>

namespace xgrad::nn {

using AdamOptions = AdamRule;
/// The same members; decay is decoupled and 0.01 unless told otherwise.
using AdamWOptions = AdamRuleOf<true>;

/// Adam (Kingma and Ba 2015, algorithm 1), as PyTorch 1.13 defines it; the recursion stands at AdamRule.
class Adam : public Optimizer {
 public:
  /// ValueError as for every optimizer, and unless 0 <= beta1, beta2 < 1 and epsilon >= 0 is finite.
  Adam(std::vector<Tensor> parameters, const AdamOptions& options = {});
  template <class = void>
  Adam(std::vector<Group> groups, const AdamOptions& options = {}) : Adam("Adam", std::move(groups), options) {}

 protected:
  Adam(const char* name, std::vector<Group> groups, const AdamOptions& options);

 private:
  void update(std::span<const Change> changes) override;
  bool takes_rows() const override { return true; }

  std::vector<AdamRule> rules_;  // of the groups
};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), as PyTorch 1.13 defines it: g is the
/// gradient alone, and before the step θ ← θ - learning_rate · weight_decay · θ.
class AdamW : public Adam {
 public:
  AdamW(std::vector<Tensor> parameters, const AdamWOptions& options = {})
      : AdamW(one_group(std::move(parameters)), options) {}
  template <class = void>
  AdamW(std::vector<Group> groups, const AdamWOptions& options = {})
      : Adam("AdamW", std::move(groups), std::bit_cast<AdamOptions>(options)) {}
};

}  // namespace xgrad::nn
