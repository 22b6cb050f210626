#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace xgrad;
using expect::contains;
using expect::error_of;
using expect::random_tensor;

namespace {

double off(const Tensor& found, const std::vector<double>& expected) { return expect::difference(found, expected); }

/// y = x·w + b in float64.
nn::Linear line() {
  nn::Linear model(2, 1);
  model.to(float64);
  model.weight.assign(tensor({{0.5}, {-2}}, float64));
  model.bias.assign(tensor({1.0}, float64));
  return model;
}

const Tensor samples = tensor({{1, 2}, {3, -1}, {0, 4}}, float64), wanted = tensor({{1}, {2}, {-3}}, float64);
// Residuals samples·w + b - wanted: 1·0.5 - 2·2 + 1 - 1 = -3.5; 1.5 + 2 + 1 - 2 = 2.5; -8 + 1 + 3 = -4.
const std::vector<double> residuals = {-3.5, 2.5, -4};

struct TwoLayers : nn::Module {
  explicit TwoLayers(DType dtype = float64) {
    Generator generator(5);
    first = add("first", nn::Linear(6, 5, {}, generator));
    second = add("second", nn::Linear(5, 5, {}, generator));
    to(dtype);
  }
  Tensor operator()(const Tensor& in) const { return second(tanh(second(tanh(first(in))))); }  // second is shared
  nn::Linear first{1, 1}, second{1, 1};
};

struct Normalised : nn::Module {
  nn::Linear linear = add("linear", nn::Linear(6, 3));
  nn::BatchNorm norm = add("norm", nn::BatchNorm(3));
  Tensor operator()(const Tensor& in) const { return norm(linear(in)); }
};

/// Couples the rows, though every parameter enters by linear alone.
struct Coupled : nn::Module {
  nn::Linear linear = add("linear", nn::Linear(6, 3));
  Tensor operator()(const Tensor& in) const {
    const Tensor h = linear(in);
    return h - mean(h, {0}, true) * 0.5;
  }
};

/// The definition: each row as a batch of its own.
template <class M>
std::vector<Tensor> row_by_row(const M& model, const Tensor& inputs, const Tensor& targets, const Tensor& parameter) {
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < inputs.shape(0); ++i) {
    Tape tape;
    const Tensor loss = nn::mse(model(slice(inputs, 0, i, i + 1)), slice(targets, 0, i, i + 1));
    rows.push_back(tape.backward(loss)[parameter]);
  }
  return rows;
}

}  // namespace

TEST_CASE("gradient, Hessian and their product of a line by the lectures' formulas") {
  nn::Linear model = line();
  for (const bool frozen : {false, true}) {
    model.requires_gradient(!frozen);
    // mse: ∂/∂w = 2/n Σ r_i·x_i, ∂/∂b = 2/n Σ r_i; H = 2/n Σ (x_i, 1)ᵀ(x_i, 1)
    const std::vector<Tensor> g = nn::gradient(model, nn::mse, samples, wanted);
    CHECK(off(g[0], {2.0 / 3 * 4, 2.0 / 3 * -25.5}) < 1e-14);
    CHECK(off(g[1], {2.0 / 3 * -5}) < 1e-14);
    const auto h = nn::hessian(model, nn::mse, samples, wanted);
    CHECK(h[0][0].shape() == Shape{2, 1, 2, 1});
    CHECK(off(h[0][0], {20.0 / 3, -2.0 / 3, -2.0 / 3, 14}) < 1e-14);
    CHECK(off(h[0][1], {8.0 / 3, 10.0 / 3}) < 1e-14);
    CHECK(off(h[1][1], {2}) < 1e-14);
    const std::vector<Tensor> v = {tensor({{1}, {0}}, float64), tensor({3.0}, float64)};
    const std::vector<Tensor> hv = nn::hessian_vector_product(model, nn::mse, samples, wanted, v);
    CHECK(off(hv[0], {20.0 / 3 + 8, -2.0 / 3 + 10}) < 1e-14);
    CHECK(off(hv[1], {8.0 / 3 + 6}) < 1e-14);
  }
  // Over the parameters themselves, as one writes it without these functions.
  model.requires_gradient(true);
  const std::vector<Tensor> v = {tensor({{1}, {0}}, float64), tensor({3.0}, float64)};
  const auto loss = [&](const std::vector<Tensor>&) { return nn::mse(model(samples), wanted); };
  CHECK(off(hessian_vector_product(loss, model.parameters(), v)[1], {8.0 / 3 + 6}) < 1e-14);
}

TEST_CASE("derivatives of models of several inputs and targets, by lists, and through batches") {
  struct TwoLines : nn::Module {
    nn::Linear first = add("first", line()), second = add("second", line());
    Tensor operator()(const Tensor& a, const Tensor& b) const { return first(a) - second(b); }
  };
  const TwoLines model;
  const auto weighted = [](const Tensor& p, const Tensor& t, const Tensor& w) { return mean(square(p - t) * w); };
  // The second line's input is 0, so that it is its bias alone: the first one's derivatives of mse(first(samples),
  // wanted + bias).
  const Tensor none = zeros(samples.shape(), float64), w = ones(wanted.shape(), float64);
  const std::vector<Tensor> expected = nn::gradient(line(), nn::mse, samples, detach(wanted + model.second.bias));
  const std::vector<Tensor> g = nn::gradient(model, weighted, {samples, none}, {wanted, w});
  for (std::size_t i = 0; i < 2; ++i) CHECK(off(g[i], expect::values(expected[i])) < 1e-14);
  CHECK(off(g[2], {0, 0}) < 1e-14);
  const auto h = nn::hessian(model, weighted, {samples, none}, {wanted, w});
  CHECK(off(h[1][1], {2}) < 1e-14);
  CHECK(off(h[1][3], {-2}) < 1e-14);
  const auto hv = nn::hessian_vector_product(model, weighted, {samples, none}, {wanted, w}, model.parameters());
  CHECK(off(hv[1], expect::values(sum(matmul(reshape(h[1][0], {1, 2}), model.first.weight)) +
                                  h[1][1] * model.first.bias + h[1][3] * model.second.bias)) < 1e-13);
  const nn::PerExampleGradients each = nn::per_example_gradients(model, weighted, {samples, none}, {wanted, w});
  CHECK(off(mean(each[model.first.weight], 0), expect::values(expected[0])) < 1e-14);
  const nn::Batch batch = nn::Dataset({{"a", samples}, {"b", none}}, {{"y", wanted}, {"w", w}}).all();
  CHECK(off(nn::gradient(model, weighted, batch.inputs, batch.targets)[0], expect::values(expected[0])) < 1e-14);
}

TEST_CASE("per-example gradients of a line are 2·r_i·x_i, their norms and weighted sums follow") {
  const nn::Linear model = line();
  for (const nn::Reduction reduction : {nn::Reduction::mean, nn::Reduction::sum}) {
    const auto loss = [reduction](const Tensor& p, const Tensor& t) { return nn::mse(p, t, {.reduction = reduction}); };
    const nn::PerExampleGradients g = nn::per_example_gradients(model, loss, samples, wanted, reduction);
    CHECK(g.examples() == 3);
    std::vector<double> of_w, of_b, norms;
    const std::vector<double> flat = expect::values(samples);
    for (std::size_t i = 0; i < 3; ++i) {
      const double r = 2 * residuals[i];
      of_w.insert(of_w.end(), {r * flat[2 * i], r * flat[2 * i + 1]});
      of_b.push_back(r);
      norms.push_back(std::abs(r) * std::sqrt(flat[2 * i] * flat[2 * i] + flat[2 * i + 1] * flat[2 * i + 1] + 1));
    }
    CHECK(g[model.weight].shape() == Shape{3, 2, 1});
    CHECK(off(g[model.weight], of_w) < 1e-13);
    CHECK(off(g[model.bias], of_b) < 1e-13);
    CHECK(off(g.norms(), norms) < 1e-13);
    const Gradients sum = g.weighted_sum(tensor({1, 0, -0.5}, float64));
    CHECK(off(sum[model.weight], {of_w[0] - of_w[4] / 2, of_w[1] - of_w[5] / 2}) < 1e-13);
    CHECK(off(sum[model.bias], {of_b[0] - of_b[2] / 2}) < 1e-13);
  }
}

TEST_CASE("per-example gradients are those of each row alone, in one pass or row by row, for every number of threads") {
  const auto check = [](const auto& model, const Tensor& inputs, const Tensor& targets) {
    const nn::PerExampleGradients g = nn::per_example_gradients(model, nn::mse, inputs, targets);
    const double tolerance = targets.dtype() == float64 ? 1e-13 : 1e-5;
    for (const nn::NamedTensor& parameter : model.named_parameters()) {
      INFO(parameter.path);
      const Tensor expected = stack(row_by_row(model, inputs, targets, parameter.tensor));
      CHECK(off(g[parameter.tensor], expect::values(expected)) < tolerance);
      const Tensor again =
          with_threads(1, [&] { return nn::per_example_gradients(model, nn::mse, inputs, targets)[parameter.tensor]; });
      CHECK(off(g[parameter.tensor], expect::values(again)) == 0);
    }
    Tensor squares;
    for (const Tensor& parameter : model.parameters()) {
      const Tensor own = sum(square(flatten(g[parameter], 1)), {1});
      squares = squares.defined() ? squares + own : own;
    }
    CHECK(off(g.norms(), expect::values(sqrt(squares))) < tolerance);
    const Tensor weights = tensor(expect::numbers(inputs.extent(0), 3), {inputs.shape(0)}, targets.dtype());
    const Gradients total = g.weighted_sum(weights);
    for (const Tensor& parameter : model.parameters()) {
      Shape shape = repeated<Shape>(parameter.rank() + 1, 1);
      shape[0] = weights.shape(0);
      CHECK(off(total[parameter], expect::values(sum(g[parameter] * reshape(weights, shape), {0}))) < 10 * tolerance);
    }
  };
  check(TwoLayers(), random_tensor({7, 6}, 1, float64), random_tensor({7, 5}, 2, float64));
  check(TwoLayers(float32), random_tensor({7, 6}, 1, float32), random_tensor({7, 5}, 2, float32));
  check(TwoLayers(), random_tensor({4, 3, 6}, 3, float64), random_tensor({4, 3, 5}, 4, float64));  // sequences
  check(Coupled(), random_tensor({5, 6}, 5, float32), random_tensor({5, 3}, 6, float32));
  nn::Sequential embedded(nn::Embedding(9, 4), nn::Linear(4, 2));
  check(embedded, tensor({3, 0, 3, 8}, int64), random_tensor({4, 2}, 7, float32));
}

TEST_CASE("layers that remember their calls count a batch of single rows once") {
  nn::Sequential model(nn::Linear(6, 3), nn::Dropout(0.5));
  const Tensor inputs = random_tensor({5, 6}, 8, float32), targets = random_tensor({5, 3}, 9, float32);
  nn::per_example_gradients(model, nn::mse, inputs, targets);
  Normalised normed;
  normed.eval();
  nn::per_example_gradients(normed, nn::mse, inputs, targets);
  normed.train();  // a row alone has no variance
  CHECK(contains(error_of([&] { nn::per_example_gradients(normed, nn::mse, inputs, targets); }), "norm"));
}

TEST_CASE("what does not fit is named") {
  const nn::Linear model = line();
  CHECK(contains(error_of([&] { nn::per_example_gradients(model, nn::mse, samples, slice(wanted, 0, 0, 2)); }),
                 "ShapeError: per_example_gradients: x is (3, 2), y is (2, 1)"));
  CHECK(contains(error_of([&] { nn::per_example_gradients(model, nn::mse, samples, wanted, nn::Reduction::none); }),
                 "ValueError: per_example_gradients: reduction none"));
  const nn::PerExampleGradients g = nn::per_example_gradients(model, nn::mse, samples, wanted);
  CHECK(
      contains(error_of([&] { g[samples]; }), "TapeError: per_example_gradients: the loss did not depend on a tensor"));
  CHECK(contains(error_of([&] { g.weighted_sum(ones({2})); }),
                 "ShapeError: per_example_gradients: the weights are (2,)"));
}
