#pragma once

#include <autograd/check/report.hpp>
#include <autograd/tensor/tensor.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xgrad {

/// Which derivatives of a tensor are compared.
enum class GradientMode : std::uint8_t {
  automatic,    ///< full for a tensor of at most `sample` entries, sampled and directional for a larger one
  full,         ///< along every entry
  sampled,      ///< along `sample` entries drawn at random, the one of the largest gradient included
  directional,  ///< along one direction through all entries, each of them up or down by the same step at random
};

struct GradientCheckOptions {
  /// 1: the gradient against differences of the function. 2: the gradient's own gradient, along a random direction v
  /// (<∇f, v> by a differentiable backward), against differences of the gradient. n: the same of <∇..<∇f, v>.., v>, n -
  /// 1 times along v. Check the orders below too.
  int order = 1;
  /// For a function whose result is not one number: the check is of <cotangent, f>. Any floating dtype.
  Tensor cotangent = {};
  GradientMode mode = GradientMode::automatic;
  std::size_t sample = 64;
  /// Largest |numerical - analytical|, relative to the larger of |g| at the entry and the rms of the tensor's g. Twice
  /// the numerical value's own error comes on top.
  double tolerance = 1e-6;
  /// Largest error of a numerical value, relative to the same, that still proves something; above it an entry is
  /// `inconclusive`, unless it is off by so much that it is `wrong` all the same. With the default, no entry passes
  /// that is wrong by 0.05 %.
  double noise_limit = 1e-4;
  /// float32: instead of differences, the backward in float32 against the backward in float64, both at the tensors'
  /// values rounded to float32, every entry. Order 1 only.
  DType dtype = DType::float64;
  /// With dtype float32, the largest difference, relative as above, in units of float32's rounding 2^-24.
  double rounding_limit = 1000;
  /// Of samples and directions.
  std::uint64_t seed = 0;
  /// Whether calls of the function may run side by side, each on tensors of its own. By default they do for models,
  /// whose call is const, and not for functions, which may have state. The report has the same bits either way, and for
  /// every number of threads.
  std::optional<bool> parallel = {};
  /// Hears of a long check: how many of all derivatives are compared. One call at a time, on any thread.
  std::function<void(std::size_t done, std::size_t all)> progress = {};
  /// Lets tensors pass whose gradient vanishes everywhere, as those of sign and floor do.
  bool allow_zero = false;
};

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Compares the gradients that a tape gives for f with numerical ones in float64, and reports on every tensor. f gets
/// float64 copies of the tensors and is called a few times per entry; while it runs, constants are made in float64
/// (`DefaultDType`). The tensors themselves are left alone.
///
///     check_gradients([](const auto& x) { return sum(square(x[0]) * x[1]); }, {a, b}).require();
///
/// Numerical gradients: see NumericalDerivative. f may throw a ValueError where values have been moved out of its
/// domain. Besides, backward must give the same bits twice, -2 times the gradient for -2 times the cotangent, and twice
/// the gradient for two calls of f on one tape.
///
/// Throws TypeError for an int64 tensor (let f capture it) or a result that is not float64; ShapeError for a result of
/// several numbers without a cotangent, or of another shape at a second call; ValueError for options that do not fit;
/// GradientError when f breaks off midway (with its own exception nested) or changes its tensors. What f throws for the
/// tensors as they are passes through. Tensors without a name have their label, or `input 0`, `input 1`, ...
GradientReport check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                               const std::vector<Tensor>& tensors, const GradientCheckOptions& options = {});
GradientReport check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f, const NamedTensors& tensors,
                               const GradientCheckOptions& options = {});

/// The same for a function of one tensor.
template <std::same_as<Tensor> X>
GradientReport check_gradients(const std::function<Tensor(const Tensor&)>& f, const X& x,
                               const GradientCheckOptions& options = {}) {
  std::function<Tensor(const std::vector<Tensor>&)> list;
  if (f) list = [&f](const std::vector<Tensor>& tensors) { return f(tensors[0]); };
  return check_gradients(list, std::vector<Tensor>{x}, options);
}

/// A function of float64 tensors that it reaches by itself, such as the parameters of a model.
struct GradientSubject {
  std::function<Tensor()> f;
  NamedTensors tensors;
  /// Floating tensors that f reads besides, such as targets: converted along when f is to run in float32.
  std::vector<Tensor> companions = {};
};

/// The same for a function and tensors as they are: the tensors are moved in place, marked by requires_gradient
/// meanwhile, and put back, also when it throws.
GradientReport check_gradients_in_place(const GradientSubject& subject, const GradientCheckOptions& options = {});

/// The same for what `make` gives: at each call one function, of equal values, on tensors that nobody else has. It is
/// called once, or, with parallel calls, once for each thread.
GradientReport check_gradients_of_copies(const std::function<GradientSubject()>& make,
                                         const GradientCheckOptions& options = {});

}  // namespace xgrad
