#pragma once

#include <autograd/gradient_report.hpp>
#include <autograd/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace xgrad {

struct GradientCheckOptions {
  /// 1: the gradient against differences of the function. 2: the gradient's own gradient, along a random direction v
  /// (<∇f, v> by a differentiable backward), against differences of the gradient; check order 1 too.
  int order = 1;
  /// For a function whose result is not one number: the check is of <cotangent, f>. Any floating dtype.
  Tensor cotangent = {};
  /// Largest |numerical - analytical|, relative to the larger of |g| at the entry and the rms of the tensor's g. Twice
  /// the numerical value's own error comes on top.
  double tolerance = 1e-6;
  /// Largest error of a numerical value, relative to the same, that still proves something; above it an entry is
  /// `inconclusive`, unless it is off by so much that it is `wrong` all the same. With the default, no entry passes
  /// that is wrong by 0.05 %.
  double noise_limit = 1e-4;
  /// Tensors of at most so many entries are checked at every entry; of larger ones so many are, drawn at random, the
  /// one of the largest gradient included. 0: always every entry.
  std::size_t sample = 64;
  /// Of sample and direction.
  std::uint64_t seed = 0;
  /// Of the tensors; otherwise their labels, or `input 0`, `input 1`, ...
  std::vector<std::string> names = {};
  /// Lets tensors pass whose gradient vanishes everywhere, as those of sign and floor do.
  bool allow_zero = false;
};

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Compares the gradients that a tape gives for f with numerical ones, entry by entry and in float64, and reports on
/// every tensor. f gets float64 copies of the tensors and is called a few times per entry; while it runs, constants are
/// made in float64 (`DefaultDType`). The tensors themselves are left alone.
///
///     check_gradients([](const auto& x) { return sum(square(x[0]) * x[1]); }, {a, b}).require();
///
/// Numerical gradients: see NumericalDerivative. f may throw a ValueError where values have been moved out of its
/// domain.
///
/// Throws TypeError for an int64 tensor (let f capture it) or a result that is not float64; ShapeError for a result of
/// several numbers without a cotangent, or of another shape at a second call; ValueError for options that do not fit;
/// GradientError when f breaks off midway (with its own exception nested) or changes its tensors. What f throws for the
/// tensors as they are passes through.
GradientReport check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                               const std::vector<Tensor>& tensors, const GradientCheckOptions& options = {});
GradientReport check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f, const NamedTensors& tensors,
                               const GradientCheckOptions& options = {});

/// The same for float64 tensors that f reaches by itself, such as the parameters of a model: they are moved in place,
/// marked by requires_gradient meanwhile, and put back, also when it throws.
GradientReport check_gradients_in_place(const std::function<Tensor()>& f, const NamedTensors& tensors,
                                        const GradientCheckOptions& options = {});

}  // namespace xgrad
