#pragma once

#include "tests/support/expect.hpp"

#include <autograd/check/experiment.hpp>  // same_bits
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/linear_algebra.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/table/op_table_check.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

// What the loops over op_table have in common. A check returns what is wrong as text, one line a finding, so that the
// negative controls can demand that it finds something.
namespace table_loop {

using namespace xgrad;

using Findings = std::vector<std::string>;

/// What is compared with differences: every entry. Under a sanitizer, which is to see the derivatives run, a direction.
#ifdef XGRAD_SANITIZER
inline constexpr GradientMode compared = GradientMode::directional;
#else
inline constexpr GradientMode compared = GradientMode::full;
#endif

inline void report(const Findings& findings) {
  for (const std::string& finding : findings) FAIL_CHECK(finding);
}

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream stream;
  stream.precision(10);
  (stream << ... << parts);
  return stream.str();
}

inline std::string shapes_of(const OpInputs& inputs) {
  std::string list;
  for (const Tensor& x : inputs) list += (list.empty() ? "" : ", ") + to_string(x.shape());
  return list;
}

inline double at(const Tensor& x, std::size_t k) {
  return visit(x.dtype(), [&](auto zero) { return static_cast<double>(x.data<decltype(zero)>()[k]); });
}

inline bool all_finite(const Tensor& x) {
  for (std::size_t k = 0; k < x.size(); ++k)
    if (!std::isfinite(at(x, k))) return false;
  return true;
}

inline bool all_finite(const OpInputs& inputs) {
  return std::all_of(inputs.begin(), inputs.end(), [](const Tensor& x) { return all_finite(x); });
}

inline Tensor converted(const Tensor& x, DType dtype) { return is_floating(x.dtype()) ? x.to(dtype) : x; }

inline OpInputs converted(const OpInputs& inputs, DType dtype) {
  OpInputs result;
  for (const Tensor& x : inputs) result.push_back(converted(x, dtype));
  return result;
}

/// Constants that share the inputs' values, those that take gradients marked as leaves.
inline OpInputs leaves_of(const OpRow& row, const OpInputs& inputs) {
  OpInputs leaves;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    leaves.push_back(detach(inputs[i]));
    if (takes_gradient(row, inputs, i)) leaves.back().requires_gradient();
  }
  return leaves;
}

struct Outcome {
  Tensor value;
  OpInputs gradients;  ///< one per input; zeros where none flowed, empty handles for inputs that take none
};

using MakeCotangent = std::function<Tensor(const Tensor&)>;

inline Tensor ones_like(const Tensor& y) { return ones(y.shape(), y.dtype()); }

inline OpInputs gradients_of(const OpRow& row, const OpInputs& leaves, const Gradients& gradients) {
  OpInputs result(leaves.size());
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (!takes_gradient(row, leaves, i)) continue;
    const Tensor* gradient = gradients.find(leaves[i]);
    result[i] = gradient != nullptr ? *gradient : zeros(leaves[i].shape(), leaves[i].dtype());
  }
  return result;
}

/// Value and gradients for a cotangent of the value. Constants inside are made in the inputs' dtype.
inline Outcome evaluate(const OpRow& row, const OpCall& call, const OpInputs& inputs,
                        const MakeCotangent& make_cotangent) {
  const auto floating =
      std::find_if(inputs.begin(), inputs.end(), [](const Tensor& x) { return is_floating(x.dtype()); });
  const DefaultDType constants(floating == inputs.end() ? default_dtype() : floating->dtype());
  const OpInputs leaves = leaves_of(row, inputs);
  const bool differentiable = std::any_of(leaves.begin(), leaves.end(), [](const Tensor& x) { return x.is_leaf(); });
  Outcome outcome;
  Tape tape;
  outcome.value = call(leaves);
  if (!differentiable || !is_floating(outcome.value.dtype())) {
    outcome.gradients.resize(inputs.size());
    return outcome;
  }
  outcome.gradients = gradients_of(row, leaves, tape.backward(outcome.value, make_cotangent(outcome.value)));
  return outcome;
}

inline Outcome evaluate(const OpRow& row, const OpCall& call, const OpInputs& inputs) {
  return evaluate(row, call, inputs, [](const Tensor& y) { return cotangent_like(y); });
}

inline double epsilon(DType dtype) {
  return dtype == float32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
}

/// Whether a value agrees with an expected number that is rounded to its dtype, to within `bound` roundings; NaN with
/// NaN, and a denormal number with 0.
inline bool agrees(double value, double expected, DType dtype, double bound) {
  if (dtype == float32) expected = static_cast<double>(static_cast<float>(expected));
  if (std::isnan(expected) || std::isnan(value)) return std::isnan(expected) && std::isnan(value);
  if (std::isinf(expected) || std::isinf(value)) return value == expected;
  const double smallest = dtype == float32 ? std::numeric_limits<float>::min() : std::numeric_limits<double>::min();
  return std::abs(value - expected) <= bound * epsilon(dtype) * std::abs(expected) + smallest;
}

inline void compare(Findings& findings, const std::string& what, const Tensor& value, const Tensor& expected,
                    double bound) {
  if (!expected.defined()) return;
  if (!value.defined()) return findings.push_back(what + ": there is none");
  if (value.shape() != expected.shape())
    return findings.push_back(text(what, ": shape ", to_string(value.shape()), ", not ", to_string(expected.shape())));
  for (std::size_t k = 0; k < value.size(); ++k)
    if (!agrees(at(value, k), at(expected, k), value.dtype(), bound))
      findings.push_back(text(what, ": element ", k, " is ", at(value, k), ", not ", at(expected, k)));
}

/// Value and gradients (for a cotangent of ones) at a point of the table.
inline Findings check_point(const OpRow& row, const OpPoint& point, DType dtype) {
  Findings findings;
  const std::string where =
      text(row.name, " in ", name_of(dtype), " of ", shapes_of(point.inputs), " [", point.source, "] at ",
           point.inputs.empty() || point.inputs[0].size() == 0 ? 0.0 : at(point.inputs[0], 0));
  const Outcome outcome = evaluate(row, point.call, converted(point.inputs, dtype), ones_like);
  compare(findings, where + ": value", outcome.value, point.value, row.exact ? 0 : row.value_bound);
  for (std::size_t i = 0; i < point.gradients.size(); ++i)
    compare(findings, text(where, ": gradient ", i), outcome.gradients[i], point.gradients[i],
            row.exact ? 0 : row.gradient_bound);
  return findings;
}

/// A call that must be refused, on a tape that is in use: the right error, its message beginning with `start`, and tape
/// and operands left as they were.
inline Findings check_refused(const BadCall& bad, const OpInputs& inputs, const std::string& start) {
  Findings findings;
  const std::string what = bad.text + ", wanted of " + shapes_of(inputs);
  const auto demand = [&](bool good, const std::string& finding) {
    if (!good) findings.push_back(text(what, ": ", finding));
  };
  Tape tape;
  const Tensor weight = tensor({3.0}, float64).requires_gradient();
  const Tensor before = square(weight);
  std::vector<std::uint32_t> versions;
  for (const Tensor& x : inputs) versions.push_back(x.version());
  const std::size_t size = tape.size();
  bool thrown = false;
  try {
    bad.call(inputs);
  } catch (const Error& error) {
    thrown = true;
    const std::string message = error.what();
    demand(bad.is_right_error(error), "another class of error: " + message);
    demand(message.find(bad.text) != std::string::npos && message.starts_with(start), message);
  }
  demand(thrown, "no error");
  demand(tape.size() == size, "the tape has grown");
  for (std::size_t i = 0; i < inputs.size(); ++i)
    demand(inputs[i].version() == versions[i], text("input ", i, " was written"));
  demand(tape.open() && tape.backward(sum(before))[weight].item() == 6.0, "the tape is spoilt");  // d(w²)/dw = 2w
  return findings;
}

inline std::vector<const OpPoint*> all_points(const OpRow& row) {
  std::vector<const OpPoint*> points;
  for (const auto* list : {&row.known, &row.kinks, &row.extremes})
    for (const OpPoint& point : *list) points.push_back(&point);
  return points;
}

}  // namespace table_loop
