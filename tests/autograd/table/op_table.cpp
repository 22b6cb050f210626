#include "tests/support/folder.hpp"
#include "tests/support/table_loop.hpp"

#include <doctest/doctest.h>
#include <autograd/tensor/creation.hpp>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <vector>

using namespace table_loop;

namespace {

/// Names of the functions that the headers of autograd/ops declare with a Tensor as result.
std::set<std::string> declared_operations() {
  static const std::regex declaration("(?:^|\n)(?:inline )?Tensor (\\w+)\\(");
  std::set<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(XGRAD_SOURCE_DIR) / "autograd/ops")) {
    // Draws have no tensor input that they compute with.
    if (entry.path().extension() != ".hpp" || entry.path().stem() == "random") continue;
    const std::string source = content_of(entry.path());
    for (std::sregex_iterator match(source.begin(), source.end(), declaration), end; match != end; ++match)
      names.insert((*match)[1]);
  }
  return names;
}

bool has_nan(const Tensor& x) {
  for (std::size_t k = 0; k < x.size(); ++k)
    if (std::isnan(at(x, k))) return true;
  return false;
}

/// The Hessian-vector product of cotangent · f along `directions`, with the gradients themselves.
struct SecondOrder {
  OpInputs gradients;
  OpInputs products;
};

SecondOrder differentiate_twice(const OpRow& row, const OpCall& call, const OpInputs& inputs) {
  const OpInputs leaves = leaves_of(row, inputs);
  Tape tape;
  const Tensor value = call(leaves);
  const Gradients first = tape.backward(value, ones_like(value), {.differentiable = true});
  SecondOrder result{gradients_of(row, leaves, first), OpInputs(inputs.size())};
  std::vector<Tensor> outputs;
  std::vector<Tensor> cotangents;
  for (const Tensor& x : leaves) {
    const Tensor* gradient = first.find(x);
    if (gradient == nullptr || gradient->body().tape == 0) continue;  // constant: it has no second derivative
    outputs.push_back(*gradient);
    cotangents.push_back(ones_like(*gradient));
  }
  result.products =
      outputs.empty() ? gradients_of(row, leaves, {}) : gradients_of(row, leaves, tape.backward(outputs, cotangents));
  return result;
}

}  // namespace

TEST_CASE("every operation that a header declares has a row, and every row an operation") {
  // Declared beside the operations, but none themselves.
  const std::map<std::string, std::string> excluded = {
      {"constant_like", "makes the tensor that stands for a C++ number; it has no tensor input that it computes with"},
      {"orthonormal_factor", "has no gradient"},
      {"slice_axis", "another name of slice"},
      {"stack_axis", "another name of stack"}};
  // Operations that are declared elsewhere.
  const std::set<std::string> elsewhere = {"broadcast_to", "clone", "to"};

  std::set<std::string> rows;
  for (const OpRow& row : op_table()) {
    INFO("row ", row.name);
    CHECK(rows.insert(row.name).second);
  }
  const std::set<std::string> declared = declared_operations();
  REQUIRE(declared.size() > 50);
  for (const std::string& name : declared) {
    INFO("operation ", name);
    CHECK(rows.contains(name) != excluded.contains(name));
  }
  for (const std::string& name : rows) {
    INFO("row ", name);
    CHECK((declared.contains(name) || elsewhere.contains(name)));
  }
  for (const auto& [name, reason] : excluded) CHECK(declared.contains(name));
}

TEST_CASE("every row is filled in") {
  for (const OpRow& row : op_table()) {
    INFO("row ", row.name);
    CHECK(!row.formula.empty());
    CHECK(!row.samples.empty());
    CHECK(!row.big.empty());
    CHECK(!row.known.empty());
    for (const OpPoint* point : all_points(row)) CHECK(!point->source.empty());
  }
  CHECK(op_row("exp").formula == "e^x");
  CHECK_THROWS_AS(op_row("nothing"), ValueError);
}

TEST_CASE("values and gradients are those of the named sources") {
  for (const OpRow& row : op_table())
    for (const OpPoint& point : row.known)
      for (const DType dtype : {float64, float32}) report(check_point(row, point, dtype));
}

TEST_CASE("gradients at points without a derivative are the declared ones") {
  for (const OpRow& row : op_table())
    for (const OpPoint& point : row.kinks)
      for (const DType dtype : {float64, float32}) report(check_point(row, point, dtype));
}

TEST_CASE("extreme inputs give the limits, and no slope is NaN") {
  for (const OpRow& row : op_table())
    for (const OpPoint& point : row.extremes)
      for (const DType dtype : {float64, float32}) {
        report(check_point(row, point, dtype));
        const Outcome outcome = evaluate(row, point.call, converted(point.inputs, dtype), ones_like);
        if (!all_finite(point.inputs) || has_nan(outcome.value)) continue;  // outside of the domain
        for (std::size_t i = 0; i < outcome.gradients.size(); ++i)
          for (std::size_t k = 0; outcome.gradients[i].defined() && k < outcome.gradients[i].size(); ++k) {
            INFO(row.name, " in ", name_of(dtype), " at ", at(point.inputs[i], k), ", gradient ", i, " element ", k);
            CHECK(!std::isnan(at(outcome.gradients[i], k)));
          }
      }
}

TEST_CASE("second derivatives at extreme inputs are not NaN where the first are finite") {
  for (const OpRow& row : op_table()) {
    if (row.order < 2) continue;
    for (const OpPoint& point : row.extremes)
      for (const DType dtype : {float64, float32}) {
        const OpInputs inputs = converted(point.inputs, dtype);
        if (!all_finite(inputs)) continue;
        const Outcome outcome = evaluate(row, point.call, inputs, ones_like);
        bool finite = all_finite(outcome.value);
        for (const Tensor& gradient : outcome.gradients)
          finite = finite && (!gradient.defined() || all_finite(gradient));
        if (!finite) continue;
        const SecondOrder second = differentiate_twice(row, point.call, inputs);
        for (std::size_t i = 0; i < inputs.size(); ++i)
          for (std::size_t k = 0; second.products[i].defined() && k < second.products[i].size(); ++k) {
            INFO(row.name, " in ", name_of(dtype), " at ", at(inputs[i], k), ", input ", i, " element ", k);
            CHECK(!std::isnan(at(second.products[i], k)));
          }
      }
  }
}

TEST_CASE("results have the stated dtype, and int64 passes where the row says so") {
  for (const OpRow& row : op_table())
    for (const OpPoint& point : row.known) {
      INFO(row.name, " of ", shapes_of(point.inputs));
      const Tensor value = evaluate(row, point.call, point.inputs, ones_like).value;
      if (row.integer_result) CHECK(value.dtype() == int64);
      const bool whole_numbers = std::all_of(point.inputs.begin(), point.inputs.end(), [](const Tensor& x) {
        for (std::size_t k = 0; k < x.size(); ++k)
          if (!(at(x, k) == std::floor(at(x, k)))) return false;
        return true;
      });
      if (!row.any_dtype || !whole_numbers || row.name == "to") continue;
      OpInputs integers;
      for (const Tensor& x : point.inputs) integers.push_back(x.to(int64));
      const Tensor result = point.call(integers);
      CHECK(result.dtype() == int64);
      Findings findings;
      compare(findings, row.name + " of int64", result, point.value, 0);
      report(findings);
    }
}

TEST_CASE("samples of every shape, no elements included, have values and gradients of the right shape and dtype") {
  for (const OpRow& row : op_table())
    for (const OpSample& sample : row.samples)
      for (const DType dtype : {float32, float64}) {
        const OpInputs inputs = make_inputs(sample, dtype);
        INFO(row.name, " in ", name_of(dtype), " of ", shapes_of(inputs));
        const Outcome outcome = evaluate(row, sample.call, inputs);
        if (row.elementwise) {
          Shape shape;
          for (const Tensor& x : inputs) shape = broadcast("test", shape, x.shape());
          CHECK(outcome.value.shape() == shape);
          CHECK(outcome.value.dtype() == dtype);
        }
        CHECK(all_finite(outcome.value));
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          if (!outcome.gradients[i].defined()) continue;
          CHECK(outcome.gradients[i].shape() == inputs[i].shape());
          CHECK(outcome.gradients[i].dtype() == dtype);
          CHECK(all_finite(outcome.gradients[i]));
        }
      }
}

TEST_CASE("NaN reaches its own element of an elementwise result and leaves the others as they are") {
  for (const OpRow& row : op_table()) {
    if (!row.elementwise || row.nan == NaNRule::moves) continue;
    for (const OpSample& sample : row.samples)
      for (const DType dtype : {float32, float64}) {
        const OpInputs inputs = make_inputs(sample, dtype);
        const Tensor clean = sample.call(inputs);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          if (inputs[i].size() == 0) continue;
          const std::size_t position = inputs[i].size() / 2;
          OpInputs poisoned = inputs;
          poisoned[i] = inputs[i].clone();
          poisoned[i].modify([&](auto values) {
            using T = typename decltype(values)::value_type;
            values[position] = static_cast<T>(NAN);
          });
          const Tensor result = sample.call(poisoned);
          const Tensor origin = broadcast_to(
              reshape(arange(static_cast<std::int64_t>(inputs[i].size())), inputs[i].shape()), result.shape());
          std::size_t wrong = 0;
          for (std::size_t k = 0; k < result.size(); ++k) {
            const bool hit = at(origin, k) == static_cast<double>(position);
            const double value = at(result, k);
            wrong += !hit                             ? value != at(clean, k)
                     : row.nan == NaNRule::propagates ? !std::isnan(value)
                                                      : value != (row.name == "ne" ? 1.0 : 0.0);
          }
          INFO(row.name, " in ", name_of(dtype), " of ", shapes_of(inputs), ", NaN in input ", i);
          CHECK(wrong == 0);
        }
      }
  }
}

TEST_CASE("NaN anywhere in what a reduction or product reads reaches its result") {
  for (const OpRow& row : op_table()) {
    if (row.elementwise || row.nan != NaNRule::propagates) continue;
    for (const OpSample& sample : row.samples)
      for (const DType dtype : {float32, float64}) {
        const OpInputs inputs = make_inputs(sample, dtype);
        if (sample.call(inputs).size() == 0) continue;
        for (std::size_t i = 0; i < inputs.size(); ++i)
          for (std::size_t position = 0; is_floating(inputs[i].dtype()) && position < inputs[i].size(); ++position) {
            OpInputs poisoned = inputs;
            poisoned[i] = inputs[i].clone();
            poisoned[i].modify([&](auto values) {
              using T = typename decltype(values)::value_type;
              values[position] = static_cast<T>(NAN);
            });
            INFO(row.name, " in ", name_of(dtype), " of ", shapes_of(inputs), ", NaN in input ", i, " at ", position);
            CHECK(!all_finite(sample.call(poisoned)));
          }
      }
  }
}

TEST_CASE("bad inputs throw the right error and leave tape and operands as they were") {
  for (const OpRow& row : op_table())
    for (const BadCall& bad : row.bad) {
      const std::string expects = row.name + " expects ";  // of check_last_extent
      report(check_refused(bad, leaves_of(row, bad.inputs), bad.text.starts_with(expects) ? expects : row.name + ": "));
    }
}

TEST_CASE("each seed draws other inputs, by the rules of their domains") {
  const auto values = [](const Tensor& x) {
    std::vector<double> list;
    for (std::size_t k = 0; k < x.size(); ++k) list.push_back(at(x, k));
    return list;
  };
  const double first = at(make_inputs({nullptr, {{{1}}}}, float64)[0], 0);
  CHECK(first == -2 + 0.37 * 4);  // with seed 0, at 0.37 of the interval
  for (const OpRow& row : op_table())
    for (const OpSample& sample : row.samples) {
      std::set<std::vector<std::vector<double>>> different;
      bool any_real = false;
      for (const std::uint64_t seed : {0u, 1u, 2u, 3u}) {
        const OpInputs inputs = make_inputs(sample, float64, seed);
        std::vector<std::vector<double>> drawn;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          const auto& [shape, domain] = sample.arguments[i];
          drawn.push_back(values(inputs[i]));
          INFO(row.name, " of ", shapes_of(inputs), ", seed ", seed, ", input ", i);
          CHECK(same_bits(inputs[i], make_inputs(sample, float64, seed)[i]));
          CHECK(inputs[i].shape() == shape);
          const bool real = domain.kind == Domain::Kind::real;
          any_real = any_real || (real && inputs[i].size() > 0);
          bool inside = true;
          for (const double value : drawn.back()) {
            inside = inside && value >= domain.low && value <= domain.high && (real || value == std::floor(value));
            for (const double point : domain.avoid)
              inside = inside && std::abs(value - point) >= 0.999999 * (domain.high - domain.low) / 100;
          }
          CHECK(inside);
          if (real) CHECK(std::set<double>(drawn.back().begin(), drawn.back().end()).size() == drawn.back().size());
        }
        different.insert(drawn);
      }
      if (any_real) CHECK(different.size() == 4);
    }
}
