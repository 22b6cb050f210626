#include "tests/support/table_loop.hpp"

#include <doctest/doctest.h>

using namespace table_loop;

namespace {

/// What float32 roundings of the inputs, and for gradients of the cotangent, do to results in float64 one at a time:
/// Σ |∂y/∂x_j|·|x_j|·ε, the condition.
class Condition {
 public:
  explicit Condition(const Outcome& exact) : exact_(exact), value_(exact.value.size()) {
    for (const Tensor& gradient : exact.gradients) gradients_.emplace_back(gradient.defined() ? gradient.size() : 0);
  }
  void add(const Outcome& moved) {
    add(value_, moved.value, exact_.value);
    for (std::size_t i = 0; i < gradients_.size(); ++i)
      if (exact_.gradients[i].defined()) add(gradients_[i], moved.gradients[i], exact_.gradients[i]);
  }
  const std::vector<double>& value() const { return value_; }
  const std::vector<double>& gradient(std::size_t i) const { return gradients_[i]; }

 private:
  static void add(std::vector<double>& sum, const Tensor& moved, const Tensor& exact) {
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += std::abs(at(moved, k) - at(exact, k));
  }
  const Outcome& exact_;
  std::vector<double> value_;
  std::vector<std::vector<double>> gradients_;
};

Condition condition_of(const OpRow& row, const OpSample& sample, const OpInputs& inputs, const Outcome& exact) {
  Condition condition(exact);
  for (std::size_t i = 0; i < inputs.size() && !row.exact; ++i)
    for (std::size_t j = 0; is_floating(inputs[i].dtype()) && j < inputs[i].size(); ++j) {
      OpInputs moved = inputs;
      moved[i] = inputs[i].clone();
      moved[i].modify([&](std::span<double> values) { values[j] *= 1 + epsilon(float32); });
      condition.add(evaluate(row, sample.call, moved));
    }
  for (std::size_t k = 0; k < exact.value.size() && !row.exact; ++k)
    condition.add(evaluate(row, sample.call, inputs, [k](const Tensor& y) {
      Tensor g = cotangent_like(y);
      g.modify([k](std::span<double> values) { values[k] *= 1 + epsilon(float32); });
      return g;
    }));
  return condition;
}

/// The largest error of float32 results in units of what rounding each input and the result once may do.
struct Worst {
  double units = 0;
  std::string where = {};

  void look(const std::string& place, const Tensor& single, const Tensor& exact, const std::vector<double>& condition) {
    for (std::size_t k = 0; k < exact.size(); ++k) {
      const double error = std::abs(at(single, k) - at(exact, k));
      if (error < std::numeric_limits<float>::min()) continue;
      const double unit = epsilon(float32) * std::abs(at(exact, k)) + condition[k];
      if (error / unit <= units) continue;
      units = error / unit;
      where = text(place, " element ", k, ": ", at(single, k), " for ", at(exact, k));
    }
  }
};

struct Errors {
  Worst value;
  Worst gradient;
};

/// Value and gradients in float32 against those of the same, float32, numbers in float64.
Errors float32_errors(const OpRow& row) {
  Errors errors;
  for (const OpSample& sample : row.samples) {
    const OpInputs inputs = make_inputs(sample, float32);
    const OpInputs same = converted(inputs, float64);
    const std::string place = row.name + " of " + shapes_of(inputs);
    const Outcome single = evaluate(row, sample.call, inputs);
    const Outcome exact = evaluate(row, sample.call, same);
    const Condition condition = condition_of(row, sample, same, exact);
    errors.value.look(place, single.value, exact.value, condition.value());
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (exact.gradients[i].defined())
        errors.gradient.look(text(place, ", gradient ", i), single.gradients[i], exact.gradients[i],
                             condition.gradient(i));
  }
  return errors;
}

/// The single elements of a tensor, as tensors of one element.
Tensor element(const Tensor& x, std::size_t k) {
  return x.size() == 1 ? x : slice(x, 0, static_cast<std::int64_t>(k), static_cast<std::int64_t>(k) + 1);
}

/// Elements of a long vector against the same computed alone, bit by bit: value and gradients.
Findings check_position(const OpRow& row, DType dtype) {
  Findings findings;
  for (const OpSample& sample : row.samples) {
    const OpInputs inputs = make_inputs(sample, dtype);
    const bool vectors = std::all_of(inputs.begin(), inputs.end(), [&](const Tensor& x) {
      return x.rank() == 1 && x.size() > 1 && x.shape() == inputs[0].shape();
    });
    if (!vectors) continue;
    const Outcome together = evaluate(row, sample.call, inputs);
    for (std::size_t k = 0; k < inputs[0].size(); ++k) {
      OpInputs alone;
      for (const Tensor& x : inputs) alone.push_back(element(x, k));
      const Tensor g = element(cotangent_like(together.value), k);
      const Outcome single = evaluate(row, sample.call, alone, [&](const Tensor&) { return g; });
      bool same = same_bits(single.value, element(together.value, k));
      for (std::size_t i = 0; i < inputs.size(); ++i)
        same = same &&
               (!single.gradients[i].defined() || same_bits(single.gradients[i], element(together.gradients[i], k)));
      if (!same) {
        findings.push_back(text(row.name, " in ", name_of(dtype), " of ", shapes_of(inputs), ", element ", k, ": ",
                                at(single.value, 0), " alone, ", at(together.value, k), " among others"));
        break;
      }
    }
  }
  return findings;
}

}  // namespace

TEST_CASE("float32 values and gradients err by a few roundings") {
  for (const OpRow& row : op_table()) {
    if (row.integer_result) continue;
    const Errors errors = float32_errors(row);
    INFO(row.name, ": value ", errors.value.units, " (", errors.value.where, "), gradient ", errors.gradient.units,
         " (", errors.gradient.where, ")");
    CHECK(errors.value.units <= (row.exact ? 0 : row.value_bound));
    CHECK(errors.gradient.units <= (row.exact ? 0 : row.gradient_bound));
  }
}

TEST_CASE("a float32 value that is off by ten roundings is found") {
  const double factor = 1 + 10 * epsilon(float32);
  OpRow row("planted", "e^x",
            [=](const OpInputs& x) { return x[0].dtype() == float32 ? exp(x[0]) * factor : exp(x[0]); });
  row.sample({{{17}}});
  CHECK(float32_errors(row).value.units > op_row("exp").value_bound);
  CHECK(float32_errors(op_row("exp")).value.units < op_row("exp").value_bound);
}

TEST_CASE("broadcast values are, bit by bit, those of inputs that were broadcast beforehand") {
  for (const OpRow& row : op_table()) {
    if (!row.elementwise) continue;
    for (const auto* list : {&row.samples, &row.big})
      for (const OpSample& sample : *list)
        for (const DType dtype : {float32, float64}) {
          const OpInputs inputs = make_inputs(sample, dtype);
          const Tensor value = sample.call(inputs);
          OpInputs whole;
          for (const Tensor& x : inputs) whole.push_back(broadcast_to(x, value.shape()));
          INFO(row.name, " in ", name_of(dtype), " of ", shapes_of(inputs));
          CHECK(same_bits(value, sample.call(whole)));
        }
  }
}

TEST_CASE("an element's bits do not depend on its place or its neighbours") {
  for (const OpRow& row : op_table())
    for (const DType dtype : {float32, float64})
      if (row.elementwise) report(check_position(row, dtype));
}

TEST_CASE("dependence on the place is found") {
  // A value that depends on the length of its vector.
  OpRow row("planted", "x · length", [](const OpInputs& x) { return x[0] * static_cast<double>(x[0].size()); });
  row.sample({{{7}}});
  CHECK(!check_position(row, float32).empty());
}
