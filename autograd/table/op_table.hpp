#pragma once

#include <autograd/tensor/error.hpp>
#include <autograd/tensor/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace xgrad {

// The list of operations. A row says what an operation is, how to call it, where to try it and what must come out;
// tests, the gradient-check program, benchmarks and the README's list are loops over the rows. Tensors in a row are
// float64 (or int64 for indices); whoever loops converts them. A new operation needs one row, in the source of its
// kind.

using OpInputs = std::vector<Tensor>;
using OpCall = std::function<Tensor(const OpInputs&)>;

/// Where the values of an argument come from: spread over (low, high), all different within a sample, none closer than
/// a hundredth of the interval to a point to avoid. Whole numbers and indices are the integers low, ..., high.
struct Domain {
  enum class Kind : std::uint8_t { real, whole, index };  ///< indices are int64, the others floating
  double low = -2;
  double high = 2;
  std::vector<double> avoid = {};
  Kind kind = Kind::real;
};
inline Domain whole(double low, double high) { return {low, high, {}, Domain::Kind::whole}; }
inline Domain indices(double low, double high) { return {low, high, {}, Domain::Kind::index}; }
inline Domain away_from(std::vector<double> points, double low = -2, double high = 2) {
  return {low, high, std::move(points), Domain::Kind::real};
}

struct Argument {
  Shape shape;
  Domain domain = {};
};

/// Inputs at which the operation is smooth.
struct OpSample {
  OpCall call;
  std::vector<Argument> arguments;
};

/// Inputs with the result that mathematics, a definition or a named source gives for them.
struct OpPoint {
  OpCall call;
  OpInputs inputs;
  Tensor value;             ///< an empty handle: not stated
  OpInputs gradients = {};  ///< for a cotangent of ones; an empty handle: not stated for that input
  std::string source;
};

/// Inputs that must be refused.
struct BadCall {
  OpCall call;
  OpInputs inputs;
  bool (*is_right_error)(const Error&);
  std::string text;  ///< a piece of the message
};

template <class E>
bool is_error(const Error& error) {
  return dynamic_cast<const E*>(&error) != nullptr;
}

enum class NaNRule : std::uint8_t {
  propagates,  ///< a NaN anywhere reaches the result (for elementwise operations: its own element)
  moves,       ///< NaN is a value like another, which may be left out
  compares,    ///< the result is 0 or 1
};

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A point of an elementwise function of one number.
struct UnaryPoint {
  double x;
  double y;
  std::optional<double> derivative = {};
};

class OpRow {
 public:
  OpRow(std::string row_name, std::string row_formula, OpCall row_call)
      : name(std::move(row_name)), formula(std::move(row_formula)), call(std::move(row_call)) {}

  std::string name;
  std::string formula;
  OpCall call;

  std::vector<OpSample> samples = {};
  std::vector<OpSample> big = {};      ///< of a size at which blocks run in parallel
  std::vector<OpPoint> known = {};     ///< values (and gradients) with their source
  std::vector<OpPoint> kinks = {};     ///< the declared gradient where there is no derivative
  std::vector<OpPoint> extremes = {};  ///< 0, points where a formula switches, ±1e4, limits at ±inf
  std::vector<BadCall> bad = {};

  int order = 3;                ///< to which gradients are tested and promised; 0: none flows
  bool elementwise = false;     ///< its inputs broadcast against each other
  bool linear = false;          ///< in all inputs together
  bool curved = true;           ///< has a second derivative that is not zero everywhere
  bool integer_result = false;  ///< int64
  bool any_dtype = false;       ///< takes int64 too
  bool exact = false;           ///< no rounding: float32 and float64 agree bit by bit on float32 inputs
  NaNRule nan = NaNRule::propagates;
  std::vector<std::size_t> constants = {};  ///< inputs through which no gradient flows
  /// Largest error in float32, in units of what rounding each input and the result once does.
  double value_bound = 2;
  double gradient_bound = 4;

  // Building: each returns the row.

  OpRow& sample(std::vector<Argument> arguments, OpCall with = nullptr);
  OpRow& big_sample(std::vector<Argument> arguments, OpCall with = nullptr);
  /// Samples of one argument.
  OpRow& shapes(std::initializer_list<Shape> list, const OpCall& with = nullptr) {
    for (const Shape& shape : list) sample({{shape}}, with);
    return *this;
  }
  OpRow& points(const std::vector<UnaryPoint>& list, const std::string& source) { return add(known, list, source); }
  OpRow& kink(const std::vector<UnaryPoint>& list) { return add(kinks, list, "declared gradient"); }
  OpRow& extreme(const std::vector<UnaryPoint>& list) { return add(extremes, list, "limit"); }
  OpRow& point(OpInputs inputs, Tensor value, const std::string& source, OpInputs gradients = {},
               OpCall with = nullptr);
  OpRow& kink(OpInputs inputs, Tensor value, OpInputs gradients, OpCall with = nullptr);
  OpRow& extreme(OpInputs inputs, Tensor value, OpInputs gradients = {}, OpCall with = nullptr);
  template <class E>
  OpRow& refuses(OpInputs inputs, const std::string& text, OpCall with = nullptr) {
    return add(bad, {std::move(with), std::move(inputs), is_error<E>, text});
  }
  OpRow& with_order(int value) { return set(order, value); }
  OpRow& is_linear() { return set(linear, true).is_flat(); }
  OpRow& is_flat() { return set(curved, false); }
  OpRow& is_exact() { return set(exact, true); }
  OpRow& picks() { return is_flat().is_exact(); }  ///< among its inputs and constants
  OpRow& takes_any_dtype() {
    std::erase_if(bad, [](const BadCall& refused) { return refused.text.ends_with(" is int64"); });
    return set(any_dtype, true);
  }
  OpRow& gives_integers() { return set(integer_result, true).with_order(0); }
  OpRow& with_nan(NaNRule rule) { return set(nan, rule); }
  OpRow& with_constants(std::vector<std::size_t> list) { return set(constants, std::move(list)); }
  OpRow& within(double value, double gradient) { return set(value_bound, value).set(gradient_bound, gradient); }

 private:
  template <class Item>
  OpRow& add(std::vector<Item>& list, Item item) {
    if (!item.call) item.call = call;
    list.push_back(std::move(item));
    return *this;
  }
  OpRow& add(std::vector<OpPoint>& list, const std::vector<UnaryPoint>& points, const std::string& source);
  template <class T>
  OpRow& set(T& column, std::type_identity_t<T> value) {
    column = std::move(value);
    return *this;
  }
};

/// All operations, made at the first call.
const std::vector<OpRow>& op_table();
/// One of them; ValueError for an unknown name.
const OpRow& op_row(const std::string& name);

/// The sample's inputs, the same at every call with the same seed.
OpInputs make_inputs(const OpSample& sample, DType dtype, std::uint64_t seed = 0);

// Rows with the samples that their kind has in common.

using UnaryFunction = Tensor (*)(const Tensor&);
using BinaryFunction = Tensor (*)(const Tensor&, const Tensor&);
using ReduceFunction = Tensor (*)(const Tensor&, const Axes&, bool);

/// f(x) elementwise: sizes around vector widths, ranks 0 to 3, no elements; a refused int64.
OpRow unary(const std::string& name, const std::string& formula, UnaryFunction f, const Domain& domain = {});
/// f(x, y, ...) elementwise: the same sizes, every broadcast pattern; refused shapes and dtypes.
OpRow binary(const std::string& name, const std::string& formula, BinaryFunction f, const Domain& x = {},
             const Domain& y = {});
OpRow elementwise(const std::string& name, const std::string& formula, OpCall f, const std::vector<Domain>& domains);
/// f over axes: all kinds of axis sets with and without keepdims; refused axes and int64.
OpRow reduction(const std::string& name, const std::string& formula, ReduceFunction f, const Domain& domain = {});
/// The call of a reduction over given axes.
OpCall over(ReduceFunction f, Axes axes, bool keepdims = false);

// The rows by kind, one source file each.
std::vector<OpRow> arithmetic_rows();
std::vector<OpRow> elementary_rows();
std::vector<OpRow> activation_rows();
std::vector<OpRow> reduction_rows();
std::vector<OpRow> layout_rows();
std::vector<OpRow> linear_algebra_rows();

}  // namespace xgrad
