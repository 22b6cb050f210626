#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <autograd/xtensor.hpp>

#include <cmath>
#include <memory>
#include <thread>
#include <vector>
#include <xtensor/xmath.hpp>

using namespace xgrad;
using expect::contains;
using expect::error_of;
using expect::leaf;
using expect::values;

using Values = std::vector<double>;

namespace {

/// y = A⁻¹ b for a tridiagonal matrix A with diagonal d (n,) and -1 beside it, solved by Thomas' algorithm. The adjoint
/// solves with Aᵀ = A: db = A⁻¹ g, dd = -db · y.
class SolveTridiagonal : public Operation {
 public:
  std::string_view name() const override { return "solve_tridiagonal"; }

  OperationTraits traits() const override { return {.saved_inputs = Which::only(0), .saved_outputs = Which::all()}; }

  Tensors forward(const Inputs& inputs) override {
    if (inputs[0].shape() != inputs[1].shape())
      throw ShapeError("solve_tridiagonal: d is " + to_string(inputs[0].shape()) + ", b is " +
                       to_string(inputs[1].shape()) + "; need equal shapes");
    return from_xtensor(solve(as_xtensor<double>(inputs[0]), as_xtensor<double>(inputs[1])));
  }

  Tensors vjp(const Call& call) const override {
    const Tensor d = call.input(0);
    const Tensor y = call.output();
    const Tensor g = call.cotangent();
    const xt::xarray<double> db = solve(as_xtensor<double>(d), as_xtensor<double>(g));
    Tensors gradients(2);
    if (call.needs(0)) gradients[0] = from_xtensor(-db * as_xtensor<double>(y));
    if (call.needs(1)) gradients[1] = from_xtensor(db);
    return gradients;
  }

 private:
  template <class D, class B>
  static xt::xarray<double> solve(const D& d, const B& b) {
    const std::size_t n = d.size();
    xt::xarray<double> y = b;
    xt::xarray<double> pivot = d;
    for (std::size_t i = 1; i < n; ++i) {
      pivot(i) -= 1 / pivot(i - 1);
      y(i) += y(i - 1) / pivot(i - 1);
    }
    for (std::size_t i = n; i-- > 0;) y(i) = (y(i) + (i + 1 < n ? y(i + 1) : 0)) / pivot(i);
    return y;
  }
};

/// Counts how it is used; y = x, or what it was told to give.
struct Counter : Operation {
  struct Counts {
    int forwards = 0;
    int vjps = 0;
    int alive = 0;
  };
  Counts* counts;
  OperationTraits told;
  explicit Counter(Counts* c, const OperationTraits& t = {}) : counts(c), told(t) { ++counts->alive; }
  Counter(const Counter& other) : Operation(other), counts(other.counts), told(other.told) { ++counts->alive; }
  Counter(Counter&& other) noexcept : Operation(other), counts(other.counts), told(other.told) { ++counts->alive; }
  ~Counter() override { --counts->alive; }
  std::string_view name() const override { return "counter"; }
  OperationTraits traits() const override { return told; }
  Tensors forward(const Inputs& inputs) override {
    ++counts->forwards;
    return inputs[0];
  }
  Tensors vjp(const Call& call) const override {
    ++counts->vjps;
    return call.cotangent();
  }
};

/// x0·1 + x1·2 + ...: many inputs.
struct WeightedSum : Operation {
  std::vector<bool>* needed = nullptr;
  std::string_view name() const override { return "weighted_sum"; }
  OperationTraits traits() const override { return {Which::none(), Which::none(), Contribution::exact, true}; }
  Tensors forward(const Inputs& inputs) override {
    Tensor total = inputs[0] * 1.0;
    for (std::size_t i = 1; i < inputs.size(); ++i) total = total + inputs[i] * static_cast<double>(i + 1);
    return total;
  }
  Tensors vjp(const Call& call) const override {
    Tensors gradients(call.input_count());
    for (std::size_t i = 0; i < call.input_count(); ++i) {
      if (needed != nullptr) needed->push_back(call.needs(i));
      gradients[i] = call.cotangent() * static_cast<double>(i + 1);  // also where nobody asked
    }
    return gradients;
  }
};

/// x (n,) -> its n elements, each a scalar: as many outputs as there are elements.
struct Split : Operation {
  std::string_view name() const override { return "split"; }
  OperationTraits traits() const override { return {Which::none(), Which::none(), Contribution::exact, false}; }
  Tensors forward(const Inputs& inputs) override {
    Tensors parts(inputs[0].size());
    for (std::size_t i = 0; i < parts.size(); ++i)
      parts[i] = tensor(inputs[0].item({static_cast<std::int64_t>(i)}), float64);
    return parts;
  }
  Tensors vjp(const Call& call) const override {
    Values dx;
    for (std::size_t i = 0; i < 5; ++i) dx.push_back(call.cotangent(i).item());
    return tensor(dx, {5}, float64);
  }
};

/// x -> (x rounded down as int64, the rest): an output without a gradient beside one with.
struct IntegerAndRest : Operation {
  std::string_view name() const override { return "integer_and_rest"; }
  OperationTraits traits() const override { return {Which::none(), Which::none(), Contribution::exact, false}; }
  Tensors forward(const Inputs& inputs) override {
    const Tensor whole = floor(inputs[0]);
    return {whole.to(int64), inputs[0] - whole};
  }
  Tensors vjp(const Call& call) const override { return call.cotangent(1); }
};

}  // namespace

TEST_CASE("an operation with a hand-written adjoint in xtensor takes part like a built-in one") {
  const Tensor d = leaf(tensor({3.0, 4.0, 5.0, 3.5}, float64));
  const Tensor b = leaf(tensor({1.0, -2.0, 0.5, 2.0}, float64));
  Tape tape;
  const Tensor y = apply_operation(SolveTridiagonal(), d, b);
  // A y = b
  const Values s = values(y);
  CHECK(3 * s[0] - s[1] == doctest::Approx(1));
  CHECK(-s[0] + 4 * s[1] - s[2] == doctest::Approx(-2));
  CHECK(-s[1] + 5 * s[2] - s[3] == doctest::Approx(0.5));
  CHECK(-s[2] + 3.5 * s[3] == doctest::Approx(2));
  const Gradients g = tape.backward(sum(y * y * y));
  // Against the inverse by Gauss and Jordan: db = A⁻¹ g, dd_i = -db_i y_i with g = 3y².
  double matrix[4][8] = {
      {3, -1, 0, 0, 1, 0, 0, 0}, {-1, 4, -1, 0, 0, 1, 0, 0}, {0, -1, 5, -1, 0, 0, 1, 0}, {0, 0, -1, 3.5, 0, 0, 0, 1}};
  for (int i = 0; i < 4; ++i)
    for (int row = 0; row < 4; ++row) {
      const double factor = row == i ? 1 - 1 / matrix[i][i] : matrix[row][i] / matrix[i][i];
      for (int column = 0; column < 8; ++column) matrix[row][column] -= factor * matrix[i][column];
    }
  Values db(4), dd(4);
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t k = 0; k < 4; ++k) db[i] += matrix[i][4 + k] * 3 * s[k] * s[k];
    dd[i] = -db[i] * s[i];
  }
  CHECK(expect::difference(g[b], db) < 1e-14);
  CHECK(expect::difference(g[d], dd) < 1e-14);
}

TEST_CASE("inputs that a user's operation refuses leave the tape as it was") {
  const Tensor d = leaf(tensor({3.0, 4.0}, float64));
  Tape tape;
  CHECK(error_of([&] { apply_operation(SolveTridiagonal(), d, tensor({1.0}, float64)); }) ==
        "ShapeError: solve_tridiagonal: d is (2,), b is (1,); need equal shapes");
  CHECK(tape.size() == 0);
  CHECK_THROWS_AS(apply_operation(SolveTridiagonal(), d, tensor({1.0, 2.0})), TypeError);
  CHECK(tape.size() == 0);
}

TEST_CASE("an operation that is not recorded runs forward alone and is gone afterwards") {
  Counter::Counts counts;
  const Tensor constant = tensor(2.0);
  {
    Tape tape;
    CHECK(apply_operation(Counter(&counts), constant).item() == 2);
    CHECK(tape.size() == 0);
    CHECK(counts.alive == 0);
  }
  const Tensor a = leaf(tensor(3.0));
  CHECK(apply_operation(Counter(&counts), a).item() == 3);  // no tape
  CHECK(counts.forwards == 2);
  CHECK(counts.vjps == 0);
  CHECK(counts.alive == 0);
}

TEST_CASE("the tape owns a recorded operation and calls its vjp only when the output depends on it") {
  Counter::Counts counts;
  const Tensor a = leaf(tensor(3.0));
  {
    Tape tape;
    const Tensor y = apply_operation(Counter(&counts), a);
    CHECK(counts.alive == 1);
    const Tensor unused = apply_operation(Counter(&counts), a);
    CHECK(counts.alive == 2);
    CHECK(tape.backward(y * 5.0)[a].item() == 5);
    CHECK(counts.vjps == 1);
  }
  CHECK(counts.alive == 0);
}

TEST_CASE("what a forward throws comes through, and nothing is recorded or left alive") {
  struct Thrower : Counter {
    using Counter::Counter;
    Tensors forward(const Inputs&) override { throw ValueError("thrower: no"); }
  };
  Counter::Counts counts;
  const Tensor a = leaf(tensor(3.0));
  Tape tape;
  CHECK(error_of([&] { apply_operation(Thrower(&counts), a); }) == "ValueError: thrower: no");
  CHECK(counts.alive == 0);
  CHECK(tape.size() == 0);
  CHECK((a * 2.0).body().tape != 0);  // still recording
}

TEST_CASE("a forward that hands an input or a kept tensor out gives a result of its own") {
  struct Constant : Counter {
    Tensor kept = tensor(7.0);
    using Counter::Counter;
    Tensors forward(const Inputs&) override { return kept; }
  };
  Counter::Counts counts;
  const Tensor a = leaf(tensor(3.0));
  Tape tape;
  const Tensor y = apply_operation(Counter(&counts), a);
  CHECK_FALSE(y.is(a));
  CHECK_FALSE(y.is_leaf());
  CHECK(a.is_leaf());
  const Constant operation(&counts);
  const Tensor z = apply_operation(operation, y);
  CHECK(z.item() == 7);
  CHECK(operation.kept.body().tape == 0);
  CHECK(tape.backward(y * 2.0 + z)[a].item() == 3);
  const Tensor constant = tensor(5.0);
  for (const Tensor& x : {a, constant}) {
    Tensor written = apply_operation(Counter(&counts), x);  // on no tape
    written.modify([](auto entries) { entries[0] = 9; });
    CHECK(x.item() < 9);
  }
}

TEST_CASE("operations inside forward are not recorded") {
  const Tensor a = leaf(tensor(3.0));
  Tape tape;
  apply_operation(WeightedSum(), a, a);
  CHECK(tape.size() == 2);  // a, weighted_sum
}

TEST_CASE("an operation takes any number of inputs") {
  const std::vector<std::size_t> counts{1, 2, 3, 4, 70};
  for (const std::size_t count : counts) {
    CAPTURE(count);
    std::vector<Tensor> leaves;
    std::vector<const Tensor*> list;
    for (std::size_t i = 0; i < count; ++i) leaves.push_back(leaf(tensor(1.0)));
    for (const Tensor& x : leaves) list.push_back(&x);
    Tape tape;
    const Tensors y = apply_all(WeightedSum(), Inputs(list.data(), count));
    CHECK(y[0].item() == static_cast<double>(count * (count + 1) / 2));
    const Gradients g = tape.backward(y[0]);
    bool right = true;
    for (std::size_t i = 0; i < count; ++i) right = right && g[leaves[i]].item() == static_cast<double>(i + 1);
    CHECK(right);
  }
}

TEST_CASE("an input that stands twice gets both contributions") {
  const Tensor a = leaf(tensor(1.0));
  Tape tape;
  CHECK(tape.backward(apply_operation(WeightedSum(), a, a, a))[a].item() == 1 + 2 + 3);
}

TEST_CASE("a vjp learns which inputs need a gradient, and what it gives for others is dropped") {
  const Tensor a = leaf(tensor(1.0));
  const Tensor constant = tensor(1.0);
  std::vector<bool> needed;
  WeightedSum operation;
  operation.needed = &needed;
  Tape tape;
  const Gradients g = tape.backward(apply_operation(operation, constant, a, constant));
  CHECK(needed == std::vector<bool>{false, true, false});
  CHECK(g.size() == 1);
  CHECK(g[a].item() == 2);
}

TEST_CASE("an operation has many outputs, and those that are not used have zero cotangents") {
  const Tensor x = leaf(tensor({1.0, 2.0, 3.0, 4.0, 5.0}, float64));
  const Tensor* const list[] = {&x};
  Tape tape;
  const Tensors parts = apply_all(Split(), Inputs(list, 1));
  REQUIRE(parts.size() == 5);
  CHECK(parts[3].item() == 4);
  CHECK(values(tape.backward(parts[1] * parts[3] + parts[4])[x]) == Values{0, 4, 0, 2, 1});
}

TEST_CASE("an int64 output has no gradient and is a constant") {
  const Tensor x = leaf(tensor({1.25, -0.5}, float64));
  const Tensor* const list[] = {&x};
  Tape tape;
  const Tensors parts = apply_all(IntegerAndRest(), Inputs(list, 1));
  CHECK(values(parts[0]) == Values{1, -1});
  CHECK(values(parts[1]) == Values{0.25, 0.5});
  CHECK(parts[0].body().tape == 0);
  CHECK(values(tape.backward(sum(parts[1] * parts[0].to(float64)))[x]) == Values{1, -1});
}

TEST_CASE("only what the traits save is kept alive and guarded against changes") {
  Counter::Counts counts;
  const Tensor a = leaf(full({1000}, 2.0));
  for (const bool saves : {false, true}) {
    CAPTURE(saves);
    const OperationTraits traits{.saved_inputs = saves ? Which::all() : Which::none(), .saved_outputs = Which::none()};
    Tape tape;
    Tensor h = a * 1.0;
    const std::size_t before = tape.saved_bytes();
    const Tensor y = apply_operation(Counter(&counts, traits), h.clone());
    CHECK(tape.saved_bytes() - before == (saves ? 4000 : 0));
    const Tensor z = sum(apply_operation(Counter(&counts, traits), h));
    h.modify([](auto x) { x[0] = 1; });
    if (saves)
      CHECK(contains(error_of([&] { tape.backward(z); }), "counter saved a tensor of shape (1000,)"));
    else
      CHECK(values(tape.backward(z)[a]) == Values(1000, 1));
  }
}

TEST_CASE("a set of input numbers answers beyond 64 when it has all") {
  CHECK(Which::all().contains(0));
  CHECK(Which::all().contains(63));
  CHECK(Which::all().contains(1000));
  CHECK_FALSE(Which::none().contains(0));
  CHECK_FALSE(Which::none().contains(64));
  CHECK(Which::only(63).contains(63));
  CHECK_FALSE(Which::only(63).contains(62));
  CHECK_FALSE(Which::only(3).contains(67));
}

TEST_CASE("a list of tensors copies, moves and grows beyond three") {
  const Tensor a = tensor(1.0), b = tensor(2.0), c = tensor(3.0), d = tensor(4.0);
  for (const Tensors& list : {Tensors{a, b}, Tensors{a, b, c, d}}) {
    Tensors copy = list;
    CHECK(copy.size() == list.size());
    for (std::size_t i = 0; i < list.size(); ++i) CHECK(copy[i].is(list[i]));
    const Tensors moved = std::move(copy);
    CHECK(moved.size() == list.size());
    CHECK(moved[1].is(b));
    Tensors assigned(7);
    assigned = list;
    CHECK(assigned.size() == list.size());
    CHECK(assigned[0].is(a));
    assigned = Tensors(c);
    CHECK(assigned.size() == 1);
    CHECK(assigned[0].is(c));
  }
  CHECK(Tensors().size() == 0);
  CHECK_FALSE(Tensors(5)[4].defined());
}

TEST_CASE("dtypes of inputs must be floating and agree, or both are named") {
  const Tensor single = tensor(1.0), wide = tensor(1.0, float64), index = arange(1);
  const auto check = [](const Tensor& x, const Tensor& y) {
    const Tensor* const list[] = {&x, &y};
    return common_floating_dtype("op", Inputs(list, 2));
  };
  CHECK(check(single, single) == float32);
  CHECK(check(wide, wide) == float64);
  const std::string mixed = error_of([&] { check(single, wide); });
  CHECK(contains(mixed,
                 "TypeError: op: input 0 is float32, input 1 is float64; dtypes do not mix, convert one with to("));
  CHECK(contains(mixed, "pass it as an argument"));
  CHECK(error_of([&] { check(wide, index); }) ==
        "TypeError: op: input 1 is int64; need float32 or float64, convert with to(...)");
}

TEST_CASE("a path scope names a layer on its thread while it lives") {
  CHECK(PathScope::current().empty());
  const PathScope outer("net");
  {
    const PathScope inner("net.hidden");
    CHECK(PathScope::current() == "net.hidden");
    std::thread([] { CHECK(PathScope::current().empty()); }).join();
  }
  CHECK(PathScope::current() == "net");
}

TEST_CASE("an operation whose forward gives nothing is refused, and the tape stays as it was") {
  struct Nothing : Operation {
    std::string_view name() const override { return "nothing"; }
    Tensors forward(const Inputs&) override { return {}; }
    Tensors vjp(const Call&) const override { return {}; }
  };
  const Tensor x = tensor({1.0, 2.0}).requires_gradient();
  Tape tape;
  const Tensor y = sum(x * x);
  const std::size_t before = tape.size();
  CHECK_THROWS_WITH_AS(apply_operation(Nothing(), y), "nothing: forward gives no outputs; need at least one",
                       TapeError);
  CHECK(tape.size() == before);
  CHECK(tape.backward(y)[x].item({1}) == 4.0);  // d(x²)/dx
}

TEST_CASE("custom makes an operation of two lambdas, of one or several inputs") {
  const Tensor x = expect::leaf(tensor({1.0, -2.0}, float64));
  const Tensor y = expect::leaf(tensor({3.0, 4.0}, float64));
  const double factor = 2;
  const auto forward = [factor](const Tensor& a, const Tensor& b) {
    CHECK_FALSE(is_recorded(a * b));  // paused
    return a * a * b * factor;
  };
  Tape tape;
  const Tensor z = custom(
      "square_times", forward,
      [factor](const Call& call) {
        const Tensor& g = call.cotangent();
        return Tensors{g * call.input(0) * call.input(1) * (2 * factor), g * square(call.input(0)) * factor};
      },
      x, y);
  CHECK(expect::values(z) == std::vector<double>{6, 32});
  const Gradients gradients = tape.backward(sum(z));
  CHECK(expect::values(gradients[x]) == std::vector<double>{12, -32});
  CHECK(expect::values(gradients[y]) == std::vector<double>{2, 8});
}

TEST_CASE("the vjp of custom is differentiated again when it is said to be recorded, refused when not") {
  const Tensor x = expect::leaf(tensor(3.0, float64));
  const auto forward = [](const Tensor& a) { return a * a * a; };
  const auto vjp = [](const Call& call) { return call.cotangent() * 3.0 * square(call.input(0)); };
  {
    Tape tape;
    const Gradients first =
        tape.backward(custom_with({.recorded_vjp = true}, "cube", forward, vjp, x), {.differentiable = true});
    CHECK(tape.backward(first[x])[x].item() == 18);
  }
  Tape tape;
  const Tensor y = custom("cube", forward, vjp, x);
  CHECK(expect::error_of([&] { tape.backward(y, {.differentiable = true}); }) ==
        "TapeError: backward: cube cannot be differentiated twice; its vjp is not built from recorded operations");
}

TEST_CASE("a vjp that asks for an input or output that there is not gets an error") {
  const Tensor x = expect::leaf(tensor(3.0));
  const auto asks = [&](auto question) {
    Tape tape;
    const Tensor y = custom(
        "curious", [](const Tensor& a) { return a * 1.0; },
        [&](const Call& call) {
          question(call);
          return call.cotangent();
        },
        x);
    return expect::error_of([&] { tape.backward(y); });
  };
  CHECK(asks([](const Call& call) { call.needs(1); }) ==
        "ValueError: backward: the vjp of curious asks for input 1; need input < 1");
  CHECK(asks([](const Call& call) { call.cotangent(1); }) ==
        "ValueError: backward: the vjp of curious asks for output 1; need output < 1");
  CHECK(asks([](const Call& call) { call.output_shape(7); }) ==
        "ValueError: backward: the vjp of curious asks for output 7; need output < 1");
}
