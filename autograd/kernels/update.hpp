#pragma once

#include <cstddef>
#include <cstdint>

namespace xgrad::kernels {

// Updates of numbers in place, T = float and double; serial: whoever calls cuts them into parts.

/// Stochastic gradient descent, as PyTorch 1.13 defines it (Sutskever et al. 2013 with the rate outside of the
/// velocity):
///
///     d = gradient + weight_decay · parameter
///     velocity = d at first, then momentum · velocity + (1 - dampening) · d
///     parameter -= learning_rate · (nesterov ? d + momentum · velocity : velocity)
struct SgdRule {
  double learning_rate = 0.01;
  double momentum = 0.0;
  double dampening = 0.0;
  double weight_decay = 0.0;
  bool nesterov = false;
};

/// Without momentum the velocity is not touched; d stands for it.
template <class T>
void sgd_update(const SgdRule& rule, bool at_first, std::size_t count, const T* gradient, T* velocity, T* parameter);

/// Adam (Kingma and Ba 2015, algorithm 1), as PyTorch 1.13 writes it, with epsilon outside of the root, for a
/// parameter's update number t = 1, 2, ...:
///
///     g = gradient + weight_decay · parameter, or, decoupled (Loshchilov and Hutter 2019, algorithm 2), g = gradient
///         after parameter -= learning_rate · weight_decay · parameter
///     m = beta1 · m + (1 - beta1) · g,   v = beta2 · v + (1 - beta2) · g²,   both 0 at first
///     parameter -= learning_rate / (1 - beta1^t) · m / (√v / √(1 - beta2^t) + epsilon)
///
/// Where the divisor is 0, as for gradients of 0 without an epsilon, the parameter stays. What AdamW, which is
/// decoupled, begins with differs in the last two.
template <bool decoupled>
struct AdamRuleOf {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = decoupled ? 0.01 : 0.0;
  bool decoupled_decay = decoupled;
};
using AdamRule = AdamRuleOf<false>;

template <class T>
void adam_update(const AdamRule& rule, std::int64_t t, bool at_first, std::size_t count, const T* gradient, T* m, T* v,
                 T* parameter);

}  // namespace xgrad::kernels
