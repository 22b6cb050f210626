#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <autograd/autograd.hpp>
#include <autograd/check/gradient_check.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

// How check_gradients chooses what it compares, runs it in parallel, and tests a gradient against itself.

using namespace xgrad;

namespace {

using Arguments = std::vector<Tensor>;
using Verdict = GradientVerdict;

/// The identity, whose vjp is what a test says.
class Identity final : public Operation {
 public:
  using Vjp = std::function<Tensor(const Tensor& g)>;
  explicit Identity(Vjp vjp) : vjp_(std::move(vjp)) {}
  std::string_view name() const override { return "identity"; }
  OperationTraits traits() const override { return {Which::none(), Which::none(), Contribution::exact, true}; }
  Tensors forward(const Inputs& inputs) override { return inputs[0]; }
  Tensors vjp(const Call& call) const override { return vjp_(call.cotangent()); }

 private:
  Vjp vjp_;
};

Tensor wrong_at(const Tensor& x, std::size_t where, double factor) {
  return apply_operation(Identity([=](const Tensor& g) {
                           Tensor dx = g.clone();
                           dx.modify([&](std::span<double> values) { values[where] *= factor; });
                           return dx;
                         }),
                         x);
}

const Tensor big = tensor(expect::numbers(400, 5), Shape{20, 20}, float64);
const Tensor small = tensor(expect::numbers(12, 6), Shape{12}, float64);

Tensor both(const Arguments& in) { return sum(square(in[0])) + sum(exp(in[1])); }

}  // namespace

TEST_CASE("the mode says which entries are compared, and by default the size does") {
  const auto checked = [](const GradientCheckOptions& options) { return check_gradients(both, {big, small}, options); };
  const auto entries = [&](const GradientCheckOptions& options) {
    const GradientReport report = checked(options);
    CHECK(report.ok());
    std::string text;
    for (const GradientRow& row : report.rows) text += std::to_string(row.entries) + (row.directional ? "+1 " : " ");
    return text;
  };
  CHECK(entries({}) == "64+1 12 ");
  CHECK(entries({.sample = 5}) == "5+1 5+1 ");
  CHECK(entries({.mode = GradientMode::full}) == "400 12 ");
  CHECK(entries({.mode = GradientMode::sampled, .sample = 10}) == "10 10 ");
  CHECK(entries({.mode = GradientMode::directional}) == "0+1 0+1 ");
  CHECK(expect::contains(checked({.mode = GradientMode::full}).text(), "first order, every entry, 2"));
  CHECK(expect::contains(checked({.mode = GradientMode::sampled}).text(), "64 of 400 "));
  CHECK(expect::contains(checked({}).text(), "64 of 400 + direction"));
  CHECK(expect::contains(checked({}).text(), "first order, 64 entries of larger tensors and a direction, 2"));
  CHECK(expect::contains(checked({.mode = GradientMode::directional}).text(), "direction"));
  CHECK(
      expect::contains(expect::error_of([&] { checked({.sample = 0}); }), "ValueError: check_gradients: a sample of"));
}

TEST_CASE("a direction through a tensor shows one wrong entry of 400, which a sample misses") {
  for (const std::size_t where : {std::size_t{3}, std::size_t{234}, std::size_t{399}}) {
    const auto f = [=](const Arguments& in) { return sum(exp(wrong_at(in[0], where, 1.01))); };
    const auto verdict = [&](GradientMode mode) {
      return check_gradients(f, {big}, {.mode = mode, .sample = 8}).rows[0].verdict;
    };
    CHECK(verdict(GradientMode::sampled) == Verdict::ok);
    CHECK(verdict(GradientMode::directional) == Verdict::wrong);
    CHECK(verdict(GradientMode::automatic) == Verdict::wrong);
    CHECK(verdict(GradientMode::full) == Verdict::wrong);
    const GradientRow row = check_gradients(f, {big}, {.sample = 8}).rows[0];
    CHECK(row.direction);
    CHECK(row.failed == 1);
    CHECK(expect::contains(check_gradients(f, {big}, {.sample = 8}).text(), "1 of 9 entries and directions"));
  }
}

TEST_CASE("directions work for second order, kinks, zero gradients and cut tensors") {
  const GradientCheckOptions along{.mode = GradientMode::directional};
  CHECK(check_gradients(both, {big, small}, {.order = 2, .mode = GradientMode::directional}).ok());
  CHECK(check_gradients([](const Arguments& in) { return sum(relu(in[0])); }, {zeros({200})}, along).rows[0].verdict ==
        Verdict::kink);
  const auto cut = [](const Arguments& in) { return sum(detach(in[0]) * 2.0) + sum(in[1] * 0.0 + 1.0); };
  const GradientReport report = check_gradients(cut, {big, small}, along);
  CHECK(report.rows[0].verdict == Verdict::unreachable);
  CHECK(report.rows[0].largest > 0);
  CHECK(report.rows[1].verdict == Verdict::zero);
  CHECK(check_gradients(cut, {zeros({0}), small}, along).rows[0].entries == 0);
  const auto cubes = [](const Arguments& in) { return sum(in[0] * in[0] * in[0]); };
  const GradientRow row = check_gradients(cubes, {big}, along).rows[0];
  CHECK(row.relative_error < 1e-8);
}

TEST_CASE("parallel calls use several threads and give the same bits as serial ones, for every number of threads") {
  std::atomic<int> alive{0}, most{0};
  const auto f = [&](const Arguments& in) {
    const int now = ++alive;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    const Tensor y = sum(relu(matmul(in[0], tanh(transpose(in[0]))))) + sum(exp(in[1]));
    --alive;
    return y;
  };
  const std::string serial = check_gradients(f, {big, small}).json();
  CHECK(most == 1);  // functions may have state
  for (const int threads : {1, 2, 3, 8})
    CHECK(with_threads(threads, [&] { return check_gradients(f, {big, small}, {.parallel = true}).json(); }) == serial);
  CHECK(most > 1);
  CHECK(expect::contains(expect::error_of([&] {
                           check_gradients_in_place({[] { return tensor(1.0); }, {}}, {.parallel = true});
                         }),
                         "parallel calls on tensors in place"));
}

TEST_CASE("copies are made once, or once for each thread, and an error in one comes through") {
  std::atomic<int> made{0};
  const auto make = [&] {
    ++made;
    const Tensor x = tensor(expect::numbers(100, 7), Shape{100}, float64);
    return GradientSubject{[x] { return sum(sin(x)); }, {{"x", x}}};
  };
  CHECK(check_gradients_of_copies(make, {.parallel = false}).ok());
  CHECK(made == 1);
  CHECK(with_threads(3, [&] { return check_gradients_of_copies(make).ok(); }));
  CHECK(made >= 2);
  CHECK(made <= 4);
  std::atomic<int> calls{0};
  const auto breaks = [&](const Arguments& in) -> Tensor {
    if (++calls > 50) throw std::runtime_error("out of paper");
    return sum(square(in[0]));
  };
  CHECK_THROWS_AS(check_gradients(breaks, {big}, {.parallel = true}), GradientError);
  CHECK(expect::contains(expect::error_of([] { check_gradients_of_copies(nullptr); }), "the function is empty"));
}

TEST_CASE("a gradient that is not linear in the cotangent is wrong, also where it has the right value") {
  const auto f = [](const Tensor& x) {
    return sum(exp(apply_operation(Identity([](const Tensor& g) { return g * abs(g) / (abs(g) + 0.0); }), x)));
  };
  const auto squares = [](const Tensor& x) {  // right for the cotangent 1 alone
    return sum(apply_operation(Identity([](const Tensor& g) { return square(g); }), x));
  };
  CHECK(check_gradients([&](const Arguments& in) { return f(in[0]); }, {small}).ok());
  const GradientReport report = check_gradients([&](const Arguments& in) { return squares(in[0]); }, {small});
  CHECK(report.rows[0].verdict == Verdict::wrong);
  CHECK(expect::contains(report.text(),
                         "the gradient is not linear in the cotangent: for -2 times the cotangent, entry "
                         "(0,) is -2 times what it should be"));
}

TEST_CASE("a gradient that does not accumulate over two calls is wrong") {
  // The second contribution of a sweep is lost, as when an engine overwrites.
  int seen = 0;
  const auto f = [&](const Arguments& in) {
    return sum(
        exp(apply_operation(Identity([&seen](const Tensor& g) { return ++seen % 5 == 0 ? g * 0.0 : g; }), in[0])));
  };
  const GradientReport report = check_gradients(f, {small});  // backward runs: twice, with -2, then both calls at once
  CHECK(report.rows[0].verdict == Verdict::wrong);
  CHECK(expect::contains(report.rows[0].note, "does not accumulate"));
}
