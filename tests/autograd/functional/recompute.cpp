#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace xgrad;
using expect::contains;
using expect::error_of;
using expect::leaf;
using expect::random_tensor;

namespace {

using List = std::vector<Tensor>;

/// tanh(h·w) for each of some weights.
Tensor layers(const List& weights, std::size_t begin, std::size_t end, Tensor h) {
  for (std::size_t i = begin; i < end; ++i) h = tanh(matmul(h, weights[i]));
  return h;
}

/// The same in segments of which the tape keeps nothing.
Tensor segments(const List& weights, std::size_t length, Tensor h) {
  for (std::size_t i = 0; i < weights.size(); i += length)
    h = recompute([&weights, length, i](const Tensor& x) { return layers(weights, i, i + length, x); }, h);
  return h;
}

List random_weights(std::size_t count, std::int64_t width) {
  List weights;
  for (std::size_t i = 0; i < count; ++i)
    weights.push_back(leaf(random_tensor({width, width}, 100 + i, float64, -0.6, 0.6)));
  return weights;
}

}  // namespace

TEST_CASE("value and gradients have the bits that they have without recompute") {
  const List weights = random_weights(6, 5);
  const Tensor x = leaf(random_tensor({4, 5}, 1, float64));
  const auto run = [&](std::size_t length) {
    Tape tape;
    const Tensor y = length == 0 ? layers(weights, 0, 6, x) : segments(weights, length, x);
    const Gradients g = tape.backward(sum(square(y)));
    List list = {y.clone(), g[x]};
    for (const Tensor& w : weights) list.push_back(g[w]);
    return list;
  };
  const List plain = run(0);
  for (const std::size_t length : {1u, 2u, 3u, 6u}) {
    const List again = run(length);
    for (std::size_t i = 0; i < plain.size(); ++i) CHECK(expect::values(again[i]) == expect::values(plain[i]));
  }
}

TEST_CASE("a chain of 100 layers in 10 segments keeps memory for 20 of them") {
  // 256 KiB each: a tensor takes two blocks, for its body and its values. Blocks that are freed are used again: those
  // taken from the system are as many as were alive at a time.
  constexpr std::int64_t size = 32768;
  const Tensor x = leaf(random_tensor({size}, 2, float64, 0.1, 1));
  const auto chain = [](Tensor h, int count) {
    for (int i = 0; i < count; ++i) h = sqrt(h);
    return h;
  };
  const auto blocks = [&](bool in_segments, int n) {
    release_cached_memory();
    const std::size_t before = memory_statistics().system_allocations;
    Tape tape;
    Tensor h = x;
    for (int segment = 0; segment < n; ++segment)
      h = in_segments ? recompute([&chain, n](const Tensor& in) { return chain(in, n); }, h) : chain(h, n);
    const std::size_t saved = tape.saved_bytes() / (size * sizeof(double));
    const Tensor g = tape.backward(sum(h))[x];
    CHECK(g.shape() == x.shape());
    return std::pair(saved, memory_statistics().system_allocations - before);
  };
  blocks(false, 10);  // the program's first calls allocate what stays
  const auto [plain_saved, plain_peak] = blocks(false, 10);
  const auto [saved, peak] = blocks(true, 10);
  const std::size_t of_one_layer = blocks(true, 1).second;
  CHECK(plain_saved >= 99);
  CHECK(saved <= 10);
  CHECK(plain_peak >= 2 * 100);
  if (expect::memory_is_cached()) CHECK(peak <= 2 * 20 + of_one_layer);
}

TEST_CASE("random numbers are drawn again from where they were drawn, and streams move on once") {
  Generator own(7);
  const Tensor x = leaf(random_tensor({50}, 3, float64));
  const auto noisy = [&](const Tensor& h) {
    return h * bernoulli(h.shape(), 0.5, float64, own) + normal(h.shape(), 0, 1, float64) * square(h);
  };
  const auto run = [&](bool again) {
    own = Generator(7);
    seed(5);
    Tape tape;
    Tensor h = x;
    for (int i = 0; i < 3; ++i) h = again ? recompute(noisy, h) : noisy(h);
    const Tensor g = tape.backward(sum(h))[x];
    return std::pair(expect::values(g), std::pair(own.state(), default_generator().state()));
  };
  CHECK(run(true) == run(false));
}

TEST_CASE("derivatives of every order, also of functions that contain recompute, nested or not") {
  const List weights = random_weights(4, 3);
  const Tensor x = random_tensor({2, 3}, 4, float64), v = random_tensor({2, 3}, 5, float64);
  const auto plain = [&](const Tensor& t) { return sum(square(layers(weights, 0, 4, t))); };
  const auto again = [&](const Tensor& t) { return sum(square(segments(weights, 2, t))); };
  const auto nested = [&](const Tensor& t) {
    return recompute([&](const Tensor& s) { return sum(square(segments(weights, 1, s))); }, t);
  };
  for (const FunctionOf<Tensor>& f : {FunctionOf<Tensor>(again), FunctionOf<Tensor>(nested)}) {
    CHECK(expect::difference(gradient(f, x), expect::values(gradient(plain, x))) < 1e-15);
    CHECK(expect::difference(hessian(f, x), expect::values(hessian(plain, x))) < 1e-14);
    CHECK(expect::difference(hessian_vector_product(f, x, v), expect::values(hessian_vector_product(plain, x, v))) <
          1e-14);
    // By the weights, of a derivative by x; and a third derivative.
    const auto mixed = [&](const FunctionOf<Tensor>& of) {
      Tape tape;
      return tape.backward(sum(hessian_vector_product(of, x, v) * v))[weights[1]];
    };
    CHECK(expect::difference(mixed(f), expect::values(mixed(plain))) < 1e-13);
  }
  const auto cube = [](const Tensor& t) { return recompute([](const Tensor& s) { return s * s * s; }, t); };
  const auto second = [&](const Tensor& t) { return gradient([&](const Tensor& s) { return gradient(cube, s); }, t); };
  CHECK(second(tensor(2.0, float64)).item() == 12);
  CHECK(gradient(second, tensor(2.0, float64)).item() == 6);
}

TEST_CASE("inputs and results may be several, integers, constants, the same, or ignored") {
  const Tensor a = leaf(tensor({1.0, 2.0}, float64)), b = leaf(tensor({3.0, 5.0}, float64));
  const Tensor constant = tensor({7.0, 11.0}, float64), order = tensor({1, 0}, int64);
  Tape tape;
  const List both = recompute(
      [](const Tensor& x, const Tensor& y, const Tensor& c, const Tensor& i) {
        return List{take(x * y, i) * c, x, argmax(y, 0)};
      },
      a, b, constant, order);
  REQUIRE(both.size() == 3);
  CHECK(expect::values(both[0]) == std::vector<double>{70, 33});
  CHECK(both[2].item() == 1);
  CHECK_FALSE(both[1].is(a));
  const Tensor ignored = recompute([&](const Tensor&) { return constant; }, a);
  CHECK(expect::values(ignored) == expect::values(constant));
  const Tensor twice = recompute([](const Tensor& x, const Tensor& y) { return x * y; }, a, a);
  const Gradients g = tape.backward(sum(both[0]) + sum(both[1]) + sum(twice) + sum(ignored));
  CHECK(expect::values(g[a]) == std::vector<double>{33 + 1 + 2, 35 + 1 + 4});  // b·c of the other place, 1, 2a
  CHECK(expect::values(g[b]) == std::vector<double>{11, 14});
  // Without a tape it is a call.
  const Tensor y = recompute([](const Tensor& x) { return x * 2.0; }, a);
  CHECK(expect::values(y) == std::vector<double>{2, 4});
}

TEST_CASE("what a function may not do is named") {
  const Tensor a = leaf(tensor({1.0, 2.0}, float64));
  const auto backward_of = [&](const auto& f) {
    return error_of([&] {
      Tape tape;
      tape.backward(sum(recompute(f, a)));
    });
  };
  {
    Tape tape;
    const Tensor h = a * 2.0;
    CHECK(
        contains(error_of([&] { recompute([&](const Tensor& x) { return x * h; }, a); }), "TapeError: mul: an input"));
    CHECK(contains(error_of([&] { recompute([&](const Tensor&) { return h; }, a); }),
                   "TapeError: recompute: the function returned a tensor of shape (2,) that was recorded outside"));
    const Tensor right = recompute([](const Tensor& x, const Tensor& y) { return x * y; }, a, h);
    CHECK(expect::values(tape.backward(sum(right))[a]) == std::vector<double>{4, 8});
  }
  int calls = 0;
  CHECK(contains(backward_of([&](const Tensor& x) {
                   return ++calls == 1 ? x * 2.0 : concatenate({x, x});
                 }),
                 "TapeError: recompute: result 0 is (4,) float64 when the function runs again"));
  calls = 0;
  CHECK(contains(backward_of([&](const Tensor& x) { return ++calls == 1 ? x * 2.0 : x * normal({2}, 0, 1, float64); }),
                 "TapeError: recompute: the function draws more random numbers"));
  Tensor w = leaf(tensor({3.0, 4.0}, float64));
  w.label("w");
  calls = 0;
  CHECK(contains(backward_of([&](const Tensor& x) { return ++calls == 1 ? x * w : x * 2.0; }),
                 "TapeError: recompute: the function does not use w of shape (2,)"));
  CHECK(contains(error_of([&] { recompute([](const Tensor&) { return Tensor(); }, a); }), "no error"));
  {
    Tape tape;
    CHECK(contains(error_of([&] { recompute([](const Tensor&) { return Tensor(); }, a); }), "ValueError: recompute"));
  }
  {
    Tape tape;
    const Tensor y = sum(recompute([&](const Tensor& x) { return x * w; }, a));
    w.modify([](auto values) { values[0] = 9; });
    CHECK(contains(error_of([&] { tape.backward(y); }), "TapeError: backward: recompute saved a tensor of shape (2,)"));
  }
}

TEST_CASE("threads and pauses: recompute records nothing in a pause, and runs under the default dtype that it had") {
  const Tensor a = leaf(tensor({1.0, 2.0}, float64));
  Tape tape;
  Tensor y;
  {
    const DefaultDType doubles(float64);
    y = recompute([](const Tensor& x) { return x * full({2}, 3.0); }, a);
  }
  {
    const Pause pause;
    const std::size_t before = tape.size();
    recompute([](const Tensor& x) { return x * 2.0; }, a);
    CHECK(tape.size() == before);
  }
  CHECK(expect::values(tape.backward(sum(y))[a]) == std::vector<double>{3, 3});
}
