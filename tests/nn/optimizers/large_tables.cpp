#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace xgrad;

using expect::contains;
using expect::difference;
using expect::error_of;
using expect::values;

// The gradient of a table of which rows are looked up: as rows, by everything that handles gradients, to the bits of
// the dense one.

namespace {

Tensor table(std::int64_t rows, std::int64_t features, DType dtype = float64) {
  return expect::random_tensor({rows, features}, 1, dtype).requires_gradient();
}
Tensor ids(const std::vector<std::int64_t>& list) { return tensor(list, int64); }

Gradients gradients_of(const std::function<Tensor()>& loss, const BackwardOptions& options = {}) {
  Tape tape;
  return tape.backward(loss(), options);
}

/// Σ c · w[ids], with numbers c of its own.
Tensor weighted(const Tensor& w, const Tensor& indices, std::uint64_t seed) {
  const Tensor rows = take(w, indices);
  return sum(rows * expect::random_tensor(rows.shape(), seed, w.dtype()));
}

/// The same gradients, dense.
Gradients dense(const Gradients& gradients) {
  Gradients result;
  for (const auto& [x, gradient] : gradients) result.set(x, gradient.clone());
  return result;
}

}  // namespace

TEST_CASE("the gradient of a table keeps the rows that were looked up, and is dense for those who ask") {
  const Tensor w = table(1000, 2);
  const Gradients g = gradients_of([&] {
    return sum(take(w, ids({900, 5, 900})) * tensor({{1, 2}, {3, 4}, {5, 6}}, float64));
  });
  const RowGradient* const rows = g.rows(w);
  REQUIRE(rows != nullptr);
  CHECK(values(rows->rows) == std::vector<double>{5, 900});
  CHECK(values(rows->values) == std::vector<double>{3, 4, 6, 8});
  std::vector<double> expected(2000);
  expected[10] = 3, expected[11] = 4, expected[1800] = 6, expected[1801] = 8;
  CHECK(g.contains(w));
  CHECK(values(g[w]) == expected);
  CHECK(g.find(w) == &g[w]);
  for (const auto& [x, gradient] : g) CHECK((x.is(w) && values(gradient) == expected));
  CHECK(g.rows(w) == rows);  // a look changes nothing
  CHECK(g.rows(tensor(1.0)) == nullptr);
  CHECK(values(Gradients(g)[w]) == expected);
}

TEST_CASE("whoever writes into the dense form of a gradient of rows is heard") {
  const Tensor w = table(50, 2), before = w.clone();
  Gradients g = gradients_of([&] { return sum(take(w, ids({3}))); });
  Tensor written = g[w];
  written.modify([](auto all) { all[0] = 7; });
  CHECK(g.rows(w) == nullptr);
  nn::SGD({w}, {.learning_rate = 1}).step(g);
  CHECK(w.item({0, 0}) == before.item({0, 0}) - 7);
  CHECK(w.item({3, 1}) == before.item({3, 1}) - 1);
}

TEST_CASE("a step of plain SGD by rows has the bits of the dense one, for every number of threads") {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t features : {1, 3, 32, 200}) {
      const Tensor indices = expect::random_tensor({1500}, 3, float64, 0, 4000).to(int64);
      const auto step = [&](int threads, bool as_rows) {
        return with_threads(threads, [&] {
          const Tensor w = table(4000, features, dtype);
          nn::SGD optimizer({w}, {.learning_rate = 0.1});
          for (std::uint64_t i = 0; i < 3; ++i) {
            Gradients g = gradients_of([&] { return weighted(w, indices, i) + weighted(w, ids({7, 3999}), i); });
            REQUIRE(g.rows(w) != nullptr);
            g.clip_norm(20);
            optimizer.step(as_rows ? g : dense(g));
          }
          return values(w);
        });
      };
      const auto expected = step(1, false);
      for (const int threads : {1, 2, 5}) CHECK(expect::same_bits(step(threads, true), expected));
    }
}

TEST_CASE("rows that a step does not name stay, with momentum and decay: the lazy rule") {
  const std::vector<std::vector<std::int64_t>> steps = {{0, 2}, {2, 3, 2}, {0}, {3, 0}};
  const auto gradient_of = [](std::size_t step, std::int64_t row, const std::vector<std::int64_t>& named) {
    double g = 0;
    for (std::size_t i = 0; i < named.size(); ++i)
      if (named[i] == row) g += 0.5 + static_cast<double>(step) - static_cast<double>(i);
    return g;
  };
  // One number a row; move(row, gradient, step) is the rule of a row that is named.
  const auto compare = [&](nn::Optimizer& optimizer, const Tensor& w, const auto& move) {
    std::vector<double> expected = values(w);
    for (std::size_t s = 0; s < steps.size(); ++s) {
      const Gradients g = gradients_of([&] {
        std::vector<double> c;
        for (std::size_t i = 0; i < steps[s].size(); ++i)
          c.push_back(0.5 + static_cast<double>(s) - static_cast<double>(i));
        return sum(take(w, ids(steps[s])) * tensor(c, {static_cast<std::int64_t>(c.size()), 1}, float64));
      });
      REQUIRE(g.rows(w) != nullptr);
      optimizer.step(g);
      for (const std::int64_t row : {0, 1, 2, 3})
        if (std::find(steps[s].begin(), steps[s].end(), row) != steps[s].end()) {
          const auto r = static_cast<std::size_t>(row);
          expected[r] = move(r, expected[r], gradient_of(s, row, steps[s]), s);
        }
      CHECK(difference(w, expected) < 1e-14);
    }
  };
  for (const bool nesterov : {false, true}) {
    const double rate = 0.1, momentum = 0.9, dampening = nesterov ? 0 : 0.5, decay = 0.01;
    const Tensor w = table(4, 1);
    nn::SGD sgd({w}, {.learning_rate = rate,
                      .momentum = momentum,
                      .dampening = dampening,
                      .weight_decay = decay,
                      .nesterov = nesterov});
    std::vector<double> v(4);
    compare(sgd, w, [&](std::size_t r, double x, double g, std::size_t step) {
      const double d = g + decay * x;
      v[r] = step == 0 ? d : momentum * v[r] + (1 - dampening) * d;
      return x - rate * (nesterov ? d + momentum * v[r] : v[r]);
    });
  }
  for (const bool decoupled : {false, true}) {
    const double rate = 0.1, beta1 = 0.8, beta2 = 0.9, epsilon = 1e-3, decay = 0.05;
    const Tensor w = table(4, 1);
    std::vector<double> m(4), v(4);
    const auto move = [&](std::size_t r, double x, double g, std::size_t step) {
      const double t = static_cast<double>(step + 1);  // the steps of the table, as in PyTorch's SparseAdam
      if (decoupled)
        x -= rate * decay * x;
      else
        g += decay * x;
      m[r] = beta1 * m[r] + (1 - beta1) * g;
      v[r] = beta2 * v[r] + (1 - beta2) * g * g;
      return x - rate / (1 - std::pow(beta1, t)) * m[r] / (std::sqrt(v[r] / (1 - std::pow(beta2, t))) + epsilon);
    };
    if (decoupled) {
      nn::AdamW adam(
          {w}, {.learning_rate = rate, .beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .weight_decay = decay});
      compare(adam, w, move);
    } else {
      nn::Adam adam({w},
                    {.learning_rate = rate, .beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .weight_decay = decay});
      compare(adam, w, move);
    }
  }
}

TEST_CASE("where all rows are named every optimizer makes the dense step, to the bit") {
  const auto run = [](const auto& make, bool as_rows) {
    const Tensor w = table(300, 5);
    const auto optimizer = make(w);
    for (std::uint64_t i = 0; i < 3; ++i) {
      const Gradients g = gradients_of([&] { return weighted(w, arange(300), i); });
      optimizer->step(as_rows ? g : dense(g));
    }
    return values(w);
  };
  const auto check = [&](const auto& make) { CHECK(expect::same_bits(run(make, true), run(make, false))); };
  check([](const Tensor& w) {
    return std::make_unique<nn::SGD>(std::vector{w},
                                     nn::SGDOptions{.momentum = 0.9, .dampening = 0.1, .weight_decay = 0.1});
  });
  check(
      [](const Tensor& w) { return std::make_unique<nn::Adam>(std::vector{w}, nn::AdamOptions{.weight_decay = 0.1}); });
  check([](const Tensor& w) { return std::make_unique<nn::AdamW>(std::vector{w}); });
}

TEST_CASE("sums, scaling, norm and clipping of gradients of rows are those of dense ones") {
  const Tensor w = table(100, 3), bias = table(1, 3);
  const auto found = [&](const std::vector<std::int64_t>& named, std::uint64_t seed) {
    return gradients_of([&] { return weighted(w, ids(named), seed) + sum(bias); });
  };
  const Gradients one = found({1, 50, 1}, 2), two = found({50, 99}, 3);
  const auto check = [&](const auto& change, bool rows_stay = true) {
    Gradients as_rows = one, as_dense = dense(one);
    change(as_rows);
    change(as_dense);
    CHECK((as_rows.rows(w) != nullptr) == rows_stay);
    CHECK(as_dense.rows(w) == nullptr);
    CHECK(difference(as_rows[w], as_dense[w]) == 0);
    CHECK(difference(as_rows[bias], as_dense[bias]) == 0);
    CHECK(as_rows.norm() == doctest::Approx(as_dense.norm()).epsilon(1e-14));
  };
  check([&](Gradients& g) { g += two; });
  check([&](Gradients& g) { g.add(two, -0.25); });
  check([&](Gradients& g) { g.add(dense(two), 3.0); }, false);
  check([](Gradients& g) { g *= 0.3; });
  check([](Gradients& g) { g.clip_value(0.2); });
  check([](Gradients& g) {
    const Tensor& seen = g.begin()->gradient();  // shows what the rows become
    g *= 2.0;
    CHECK(difference(seen, g.begin()->gradient()) == 0);
  });
  Gradients clipped = one;
  CHECK(clipped.clip_norm(0.5) == one.norm());
  CHECK(clipped.norm() == doctest::Approx(0.5).epsilon(1e-14));
  CHECK(difference(one[w], dense(one)[w]) == 0);  // copies are apart

  Gradients others = dense(two);
  others += one;  // rows into dense
  CHECK(difference(others[w], values(one[w] + two[w])) < 1e-15);
  Gradients nothing;
  nothing.add(one, 2.0);
  CHECK(nothing.rows(w) != nullptr);
  CHECK(difference(nothing[w], values(2.0 * one[w])) == 0);
  Gradients broken = gradients_of([&] { return sum(take(w, ids({4}))) * INFINITY; });
  CHECK(contains(error_of([&] { broken.clip_norm(1); }), "ValueError: clip_norm: the gradient of a tensor of shape"));
}

TEST_CASE("several lookups of a table stay rows; beside a dense use, or for a table that is computed, it is dense") {
  const Tensor w = table(20, 3), x = expect::random_tensor({4, 3}, 9);
  const Tensor first = ids({2, 19, 2}), second = tensor({{0, 2}, {5, 2}}, int64);
  const auto lookups = [&](const Tensor& of) { return weighted(of, first, 2) + weighted(of, second, 3); };
  const auto by_products = [&](const Tensor& of) {  // by one-hot rows
    const Tensor a = matmul(one_hot(first, 20, float64), of), b = matmul(one_hot(second, 20, float64), of);
    return sum(a * expect::random_tensor(a.shape(), 2)) + sum(b * expect::random_tensor(b.shape(), 3));
  };
  const auto logits = [&](const Tensor& of) { return sum(square(matmul(x, of, false, true))); };  // a tied table
  const Gradients both = gradients_of([&] { return lookups(w); });
  REQUIRE(both.rows(w) != nullptr);
  CHECK(values(both.rows(w)->rows) == std::vector<double>{0, 2, 5, 19});
  CHECK(difference(both[w], gradients_of([&] { return by_products(w); })[w]) < 1e-14);
  const Gradients mixed = gradients_of([&] { return weighted(w, first, 2) + logits(w) + weighted(w, second, 3); });
  CHECK(mixed.rows(w) == nullptr);
  CHECK(difference(mixed[w], gradients_of([&] { return by_products(w) + logits(w); })[w]) < 1e-13);
  const Gradients made = gradients_of([&] { return lookups(tanh(w)); });
  CHECK(made.rows(w) == nullptr);
  CHECK(difference(made[w], gradients_of([&] { return by_products(tanh(w)); })[w]) < 1e-14);
  const Gradients only = gradients_of([&] { return lookups(w) * sum(x); }, {.only = {w}});
  CHECK(only.rows(w) != nullptr);
  // Recorded sweeps are dense, and are differentiated again: Σ c_i² (w_i²)'...
  const auto twice = [&](const auto& f) {
    Tape tape;
    const Gradients g = tape.backward(f(w), {.differentiable = true});
    return tape.backward(sum(square(g[w])))[w];
  };
  CHECK(difference(twice([&](const Tensor& of) { return lookups(of) * lookups(of); }),
                   twice([&](const Tensor& of) { return by_products(of) * by_products(of); })) < 1e-11);
}

TEST_CASE("a table of one number a row, and lookups of nothing") {
  const Tensor bias = expect::random_tensor({30}, 1).requires_gradient();
  const Gradients g = gradients_of([&] { return sum(square(take(bias, ids({4, 4, 1})))); });
  REQUIRE(g.rows(bias) != nullptr);
  CHECK(difference(g.rows(bias)->values, std::vector<double>{2 * bias.item({1}), 4 * bias.item({4})}) < 1e-15);
  const Gradients none = gradients_of([&] { return sum(take(bias, ids({}))); });
  CHECK(none.rows(bias)->rows.size() == 0);
  CHECK(difference(none[bias], zeros({30}, float64)) == 0);
  const Tensor before = bias.clone();
  nn::Adam({bias}).step(none);
  CHECK(difference(bias, before) == 0);
}

TEST_CASE("a model with a table trains by rows in parts and over several batches, to the bits for all threads") {
  struct Model : nn::Module {
    nn::Embedding words = add("words", nn::Embedding(500, 6, {.bag = nn::Bag::mean, .padding = 0}));
    nn::Linear output = add("output", nn::Linear(6, 3));
    Tensor operator()(const Tensor& x) const { return output(words(x)); }
  };
  const Tensor x = expect::random_tensor({96, 4}, 1, float64, 0, 500).to(int64);
  const Tensor y = expect::random_tensor({96}, 2, float64, 0, 3).to(int64);
  seed(1);
  const Model model;
  const auto loss = [&](const Tensor& inputs, const Tensor& labels) {
    return nn::cross_entropy(model(inputs), labels);
  };
  const auto whole = nn::batch_gradients(loss, x, y, {.parts = 1}).gradients;
  REQUIRE(whole.rows(model.words.weight) != nullptr);
  const auto in_parts = [&](int threads) {
    return with_threads(threads, [&] { return nn::batch_gradients(loss, x, y, {.parts = 5}); });
  };
  const auto parts = in_parts(1).gradients;
  REQUIRE(parts.rows(model.words.weight) != nullptr);
  CHECK(values(parts.rows(model.words.weight)->rows) == values(whole.rows(model.words.weight)->rows));
  CHECK(difference(parts[model.words.weight], whole[model.words.weight]) < 1e-7);
  CHECK(difference(parts[model.output.weight], whole[model.output.weight]) < 1e-7);
  const auto by_four = in_parts(4).gradients;
  CHECK(expect::same_bits(values(by_four[model.words.weight]), values(parts[model.words.weight])));

  const auto fitted = [&](std::int64_t accumulate, std::int64_t size) {
    const Model copy = nn::clone(model);
    nn::SGD optimizer(copy.parameters(), {.learning_rate = 0.5});
    nn::fit(copy, nn::cross_entropy, optimizer, nn::Dataset(x, y),
            {.epochs = 2, .batches = {.size = size}, .accumulate = accumulate, .clip_norm = 0.1});
    return copy.words.weight.clone();
  };
  CHECK(difference(fitted(3, 32), fitted(1, 96)) < 1e-6);
}

TEST_CASE("a step's memory follows the rows used and not the table") {
  const Tensor w = zeros({200000, 32}, float32).requires_gradient();  // 25.6 MB
  nn::Adam optimizer({w});
  const auto step = [&] { optimizer.step(gradients_of([&] { return sum(take(w, ids({7, 199999, 7}))); })); };
  step();  // makes the moments
  release_cached_memory();
  step();
  CHECK(memory_statistics().cached_bytes < 1000000);
}

TEST_CASE("recompute hands rows on") {
  const Tensor w = table(40, 2), indices = ids({3, 8, 3});
  const auto f = [&](const Tensor& scale) { return weighted(w, indices, 5) * scale; };
  const Tensor scale = tensor(2.0, float64);
  const Gradients again = gradients_of([&] { return recompute(f, scale); }),
                  kept = gradients_of([&] { return f(scale); });
  REQUIRE(again.rows(w) != nullptr);
  CHECK(expect::same_bits(values(again.rows(w)->values), values(kept.rows(w)->values)));
}

TEST_CASE("an operation of one's own gives rows by call.add_rows, which says what does not fit") {
  const auto lookup = [](const Tensor& w, const Tensor& at, const Tensor& rows, const Tensor& given) {
    return custom(
        "lookup", [](const Tensor& of, const Tensor& where) { return take(of, where); },
        [rows, given](const Call& call) {
          call.add_rows(0, rows.defined() ? rows : call.input(1), given.defined() ? given : call.cotangent());
          return Tensors(2);
        },
        w, at);
  };
  const Tensor w = table(10, 2), at = ids({1, 4});
  const auto run = [&](const Tensor& rows, const Tensor& given) {
    return gradients_of([&] { return sum(lookup(w, at, rows, given)); });
  };
  const auto rows_of = [&](const Gradients& g) { return g.rows(w)->rows; };
  CHECK(values(rows_of(run({}, {}))) == std::vector<double>{1, 4});
  CHECK(values(rows_of(run(ids({9}), ones({1, 2}, float64)))) == std::vector<double>{9});
  const std::string text =
      "backward: the vjp of lookup gives rows of input 0 of shape (10, 2) and dtype float64: numbers ";
  CHECK(error_of([&] { run(ids({1}), {}); }) ==
        "ShapeError: " + text +
            "(1,) int64, values (2, 2) float64; need the rows' shape, then the input's without axis 0");
  CHECK(error_of([&] {
          run(ids({1, 10}), {});
        }) == "ValueError: " + text + "(2,) int64, values (2, 2) float64; need 0 <= row < the input's first extent");
  CHECK(error_of([&] {
          run(tensor({1.0, 2.0}), {});
        }) == "TypeError: " + text + "(2,) float32, values (2, 2) float64; need int64 rows");
  CHECK(error_of([&] {
          run({}, ones({2, 2}, float32));
        }) == "TypeError: " + text + "(2,) int64, values (2, 2) float32; need equal dtypes");
}

TEST_CASE("an optimizer of one's own sees dense gradients unless it takes rows") {
  struct Plain final : nn::Optimizer {
    explicit Plain(std::vector<Tensor> parameters) : Optimizer("Plain", one_group(std::move(parameters)), 1, 0, {}) {}
    void update(std::span<const Change> changes) override {
      for (const Change& change : changes) {
        CHECK(change.rows == nullptr);
        parameter(change.parameter).assign(parameter(change.parameter) - *change.gradient);
      }
    }
  };
  const Tensor w = table(10, 2), before = w.clone();
  Plain optimizer({w});
  optimizer.step(gradients_of([&] { return sum(take(w, ids({4}))); }));
  CHECK(w.item({4, 1}) == before.item({4, 1}) - 1);
  CHECK(w.item({5, 1}) == before.item({5, 1}));
}

TEST_CASE("tracing looks at rows, too") {
  const Tensor w = table(10, 2);
  Tape tape({.trace_nonfinite = true});
  const Gradients g = tape.backward(sum(take(w, ids({4})) * INFINITY * 0.0 + take(w, ids({5}))));
  REQUIRE(tape.nonfinite() != nullptr);
  CHECK(g.rows(w) != nullptr);
}

TEST_CASE("an update by rows refuses rows that do not rise, that there are not, or that do not fit") {
  Tensor w = zeros({10, 2}, float64), velocity;
  const SgdRule rule;
  const auto update = [&](const Tensor& rows, const Tensor& gradient) {
    const SgdTerm term{w, gradient, velocity, rule, &rows};
    sgd_update({&term, 1});
  };
  const Tensor two = ones({2, 2}, float64);
  update(ids({0, 9}), two);
  const Tensor after = w.clone();
  CHECK(error_of([&] {
          update(ids({3, 3}), two);
        }) == "ValueError: sgd_update: row 3 of the gradient; need rows that rise and are below 10");
  CHECK(contains(error_of([&] { update(ids({3, 10}), two); }), "row 10 of the gradient"));
  CHECK(contains(error_of([&] { update(ids({-1, 1}), two); }), "row -1 of the gradient"));
  CHECK(error_of([&] { update(ids({3}), two); }) ==
        "ShapeError: sgd_update: the gradient of 1 rows is (2, 2), the target is (10, 2); need (1, 2)");
  CHECK(contains(error_of([&] { update(ids({3, 4}), two.to(float32)); }), "TypeError: sgd_update"));
  CHECK(contains(error_of([&] { update(tensor({3.0, 4.0}), two); }), "TypeError: sgd_update"));
  CHECK(difference(w, after) == 0);
}
