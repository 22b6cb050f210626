#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace xgrad;
using expect::error_of;
using expect::leaf;
using expect::values;

using Values = std::vector<double>;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Gradients with these values for two tensors, (3, 4) and (12) by default: their norm is 13.
struct Two {
  Tensor a = tensor({1.0, 1.0});
  Tensor b = tensor(1.0);
  Gradients gradients;
  explicit Two(const Tensor& of_a = tensor({3.0, 4.0}), const Tensor& of_b = tensor(12.0)) {
    a.label("a");
    gradients.set(a, of_a);
    gradients.set(b, of_b);
  }
};

}  // namespace

TEST_CASE("gradients are found by the tensor's identity") {
  const Two two;
  const Tensor handle = two.a;
  CHECK(values(two.gradients[handle]) == Values{3, 4});
  CHECK(two.gradients.contains(two.b));
  CHECK_FALSE(two.gradients.contains(two.a.clone()));
  CHECK(two.gradients.find(two.a.clone()) == nullptr);
  CHECK(two.gradients.find(two.b)->item() == 12);
  CHECK(two.gradients.size() == 2);
  CHECK_FALSE(two.gradients.empty());
}

TEST_CASE("empty gradients contain nothing") {
  const Gradients none;
  CHECK(none.empty());
  CHECK(none.size() == 0);
  CHECK(none.begin() == none.end());
  CHECK_FALSE(none.contains(tensor(1.0)));
  CHECK(none.norm() == 0);
}

TEST_CASE("the gradient of a tensor that the output does not depend on throws and names it") {
  Two two;
  Tensor stranger = zeros({2, 3});
  const std::string rule = " of shape (2, 3); was it used on the tape, marked by requires_gradient, and not detached?";
  CHECK(error_of([&] { static_cast<void>(two.gradients[stranger]); }) ==
        "TapeError: gradients: the output did not depend on a tensor" + rule);
  stranger.label("net.weight");
  CHECK(error_of([&] { static_cast<void>(two.gradients[stranger]); }) ==
        "TapeError: gradients: the output did not depend on net.weight" + rule);
  CHECK_THROWS_AS(static_cast<void>(two.gradients[Tensor()]), ValueError);
}

TEST_CASE("iteration follows the order in which the tape met the tensors") {
  std::vector<Tensor> leaves;
  for (int i = 0; i < 100; ++i) leaves.push_back(leaf(tensor(static_cast<double>(i))));
  Tape tape;
  Tensor total = leaves[99] * 1.0;
  for (std::size_t i = 0; i < 99; ++i) total = total + leaves[i] * static_cast<double>(i);
  const Gradients g = tape.backward(total);
  CHECK(g.size() == 100);
  std::size_t position = 0;
  for (const auto& [x, gradient] : g) {
    CHECK(x.is(leaves[position == 0 ? 99 : position - 1]));
    CHECK(gradient.item() == (position == 0 ? 1.0 : static_cast<double>(position - 1)));
    ++position;
  }
}

TEST_CASE("keys stay alive with the gradients") {
  Gradients gradients;
  {
    const Tensor x = tensor({5.0});
    gradients.set(x, tensor({7.0}));
  }
  CHECK(gradients.begin()->tensor().item() == 5);
}

TEST_CASE("a gradient that is set replaces one and must fit its tensor") {
  Two two;
  two.gradients.set(two.a, tensor({5.0, 6.0}));
  CHECK(values(two.gradients[two.a]) == Values{5, 6});
  CHECK(two.gradients.size() == 2);
  CHECK(error_of([&] {
          two.gradients.set(two.a, tensor({{5.0, 6.0}}));
        }) == "ShapeError: gradients: a of shape (2,) cannot have a gradient of shape (1, 2); need equal shapes");
  CHECK(error_of([&] {
          two.gradients.set(two.a, tensor({5.0, 6.0}, float64));
        }) == "TypeError: gradients: a of shape (2,) is float32, the gradient is float64; need equal dtypes");
  CHECK(values(two.gradients[two.a]) == Values{5, 6});
}

TEST_CASE("gradients add up tensor by tensor, and new tensors come along as copies") {
  Two one;
  const Tensor c = tensor(0.0);
  Gradients other;
  other.set(one.a, tensor({10.0, 20.0}));
  other.set(c, tensor(5.0));
  one.gradients += other;
  CHECK(values(one.gradients[one.a]) == Values{13, 24});
  CHECK(one.gradients[one.b].item() == 12);
  CHECK(one.gradients[c].item() == 5);
  one.gradients *= 2;
  CHECK(values(one.gradients[one.a]) == Values{26, 48});
  CHECK(one.gradients[c].item() == 10);
  CHECK(values(other[one.a]) == Values{10, 20});
  CHECK(other[c].item() == 5);
  one.gradients.add(other, -0.5);
  CHECK(values(one.gradients[one.a]) == Values{21, 38});
  CHECK(one.gradients[c].item() == 7.5);
  Gradients fresh;
  fresh.add(other, 3);
  CHECK(fresh[c].item() == 15);
}

TEST_CASE("gradients may be added to themselves") {
  Two two;
  two.gradients += two.gradients;
  CHECK(values(two.gradients[two.a]) == Values{6, 8});
  CHECK(two.gradients[two.b].item() == 24);
}

TEST_CASE("copies of gradients are values of their own") {
  Two two;
  const Gradients before = two.gradients;
  const Tensor held = two.gradients[two.a];
  two.gradients *= 10;
  CHECK(values(two.gradients[two.a]) == Values{30, 40});
  CHECK(values(before[two.a]) == Values{3, 4});
  CHECK(values(held) == Values{3, 4});
  two.gradients.clip_value(1);
  two.gradients += before;
  CHECK(values(before[two.a]) == Values{3, 4});
}

TEST_CASE("what was given to set stays the caller's") {
  const Tensor mine = tensor({3.0, 4.0});
  Two two(mine);
  two.gradients *= 2;
  two.gradients += two.gradients;
  two.gradients.clip_norm(0.1);
  CHECK(values(mine) == Values{3, 4});
}

TEST_CASE("after backward of a + b, changing one gradient does not touch the other") {
  const Tensor a = leaf(tensor({1.0, 2.0}));
  const Tensor b = leaf(tensor({3.0, 4.0}));
  for (int way = 0; way < 3; ++way) {
    CAPTURE(way);
    const Tensor cotangent = tensor({1.0, 1.0});
    Tape tape;
    Gradients g = tape.backward(a + b, cotangent);
    CHECK(g[a].data<float>() != g[b].data<float>());
    CHECK(g[a].data<float>() != cotangent.data<float>());
    Tensor of_a = g[a];
    if (way == 0) of_a.modify([](auto x) { x[0] = 100; });
    if (way == 1) g.add(g, 1);
    if (way == 2) g.clip_value(0.5);
    CHECK(values(g[b]) == (way == 0 ? Values{1, 1} : way == 1 ? Values{2, 2} : Values{0.5, 0.5}));
    CHECK(values(cotangent) == Values{1, 1});
  }
}

TEST_CASE("the norm is the root of the sum of squares over all entries") {
  CHECK(Two().gradients.norm() == 13);  // 3² + 4² + 12² = 13²
  // 2^20 times 0.1 in float32: the sum is made in float64, so only the rounding of 0.1 itself is seen.
  const Tensor x = zeros({1 << 20});
  Gradients large;
  large.set(x, full({1 << 20}, 0.1));
  CHECK(std::abs(large.norm() - 1024.0 * static_cast<double>(0.1f)) < 1e-9);
}

TEST_CASE("the norm of float32 gradients beyond the root of float32's range does not overflow") {
  const Two two(tensor({3e30, 4e30}), tensor(0.0));
  CHECK(two.gradients.norm() == doctest::Approx(5e30).epsilon(1e-6));
}

TEST_CASE("clip_norm scales a norm above the limit down to it and returns the norm before") {
  Two two;
  CHECK(two.gradients.clip_norm(13) == 13);
  CHECK(values(two.gradients[two.a]) == Values{3, 4});
  CHECK(two.gradients.clip_norm(6.5) == 13);
  CHECK(values(two.gradients[two.a]) == Values{1.5, 2});
  CHECK(two.gradients[two.b].item() == 6);
  Two zero(tensor({0.0, 0.0}), tensor(0.0));
  CHECK(zero.gradients.clip_norm(1) == 0);
  CHECK(values(zero.gradients[zero.a]) == Values{0, 0});
}

TEST_CASE("clip_value limits every element to plus and minus the limit") {
  Two two(tensor({-3.0, 0.25}), tensor(12.0));
  two.gradients.clip_value(2);
  CHECK(values(two.gradients[two.a]) == Values{-2, 0.25});
  CHECK(two.gradients[two.b].item() == 2);
}

TEST_CASE("clipping gradients that are not finite throws, or changes nothing when told to skip") {
  for (const double bad : {infinity, -infinity, std::nan("")}) {
    CAPTURE(bad);
    Two two(tensor({3.0, bad}));
    const std::string rule =
        ": the gradient of a of shape (2,) is not finite; find where it came from with Tape({.trace_nonfinite = true})";
    CHECK(error_of([&] { two.gradients.clip_norm(1); }) == "ValueError: clip_norm" + rule);
    CHECK(error_of([&] { two.gradients.clip_value(1); }) == "ValueError: clip_value" + rule);
    CHECK_FALSE(std::isfinite(two.gradients.clip_norm(1, NonFinite::skip)));
    two.gradients.clip_value(1, NonFinite::skip);
    CHECK(two.gradients[two.a].item({0}) == 3);
    CHECK(two.gradients[two.b].item() == 12);
  }
}

TEST_CASE("a limit that is not positive is refused") {
  Two two;
  for (const double limit : {0.0, -1.0, std::nan("")}) {
    CHECK_THROWS_AS(two.gradients.clip_norm(limit), ValueError);
    CHECK_THROWS_AS(two.gradients.clip_value(limit, NonFinite::skip), ValueError);
  }
  CHECK(error_of([&] { two.gradients.clip_norm(0); }) == "ValueError: clip_norm: limit 0; need limit > 0");
}

TEST_CASE("clipping float64 gradients whose squares overflow keeps their direction") {
  Tensor x = zeros({2}, float64);
  Gradients huge;
  huge.set(x, tensor({3e200, 4e200}, float64));
  CHECK(huge.norm() == doctest::Approx(5e200).epsilon(1e-14));
  huge.clip_norm(1);
  CHECK(huge[x].item({0}) == doctest::Approx(0.6).epsilon(1e-14));
  CHECK(huge[x].item({1}) == doctest::Approx(0.8).epsilon(1e-14));
}

TEST_CASE("gradients of a parameter that changed its dtype since do not mix") {
  Tensor x = leaf(tensor({1.0}));
  Tape first;
  Gradients before = first.backward(sum(x * 2.0));
  x.assign(x.to(float64));
  Tape second;
  const Gradients after = second.backward(sum(x * 2.0));
  CHECK(after[x].dtype() == float64);
  CHECK_THROWS_AS(before += after, TypeError);
}

TEST_CASE("a tensor index finds what was inserted, among many") {
  std::vector<Tensor> tensors(1000);
  TensorIndex index;
  CHECK(index.find(nullptr) == TensorIndex::none);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    tensors[i] = tensor(0.0);
    CHECK(index.find(tensors[i].body_or_null()) == TensorIndex::none);
    index.insert(tensors[i].body_or_null(), static_cast<std::uint32_t>(i));
  }
  bool found = true;
  for (std::size_t i = 0; i < tensors.size(); ++i) found = found && index.find(tensors[i].body_or_null()) == i;
  CHECK(found);
  CHECK(index.find(tensor(1.0).body_or_null()) == TensorIndex::none);
}

TEST_CASE("gradients that were moved from are empty and may be used again") {
  Two two;
  const Gradients taken = std::move(two.gradients);
  CHECK(taken.contains(two.a));
  CHECK(two.gradients.empty());
  CHECK_FALSE(two.gradients.contains(two.a));
  CHECK(two.gradients.norm() == 0);
  CHECK_THROWS_AS(static_cast<void>(two.gradients[two.a]), TapeError);
  two.gradients.set(two.b, tensor(2.0));
  two.gradients.set(two.a, tensor({0.0, 1.0}));
  CHECK(two.gradients[two.b].item() == 2);
  two.gradients *= 3.0;
  two.gradients += taken;
  CHECK(values(two.gradients[two.a]) == Values{3, 7});
  Gradients other = taken;
  other = std::move(two.gradients);
  CHECK(values(other[two.a]) == Values{3, 7});
  CHECK_FALSE(two.gradients.contains(two.b));
}

TEST_CASE("the norm of gradients with an infinite entry is infinite, with NaN it is NaN, in both dtypes") {
  for (const DType dtype : {float32, float64}) {
    CHECK(Two(tensor({-infinity, 1.0}, float32), tensor(3.0)).gradients.norm() == infinity);
    Gradients gradients;
    const Tensor x = zeros({3}, dtype);
    gradients.set(x, tensor({infinity, 1.0, 0.0}, dtype));
    CHECK(gradients.norm() == infinity);
    gradients.set(x, tensor({infinity, std::nan(""), 0.0}, dtype));
    CHECK(std::isnan(gradients.norm()));
  }
}

TEST_CASE("the norm of gradients whose squares vanish or overflow is theirs") {
  const auto norm_of = [](double a, double b, double c) {
    Gradients gradients;
    gradients.set(zeros({2}, float64), tensor({a, b}, float64));
    gradients.set(zeros({}, float64), tensor(c, float64));
    return gradients.norm();
  };
  CHECK(norm_of(3e-200, 4e-200, 12e-200) == doctest::Approx(13e-200).epsilon(1e-15));
  CHECK(norm_of(3e200, 4e200, 12e200) == doctest::Approx(13e200).epsilon(1e-15));
  CHECK(norm_of(0, 0, 0) == 0);
}

TEST_CASE("a gradient that is zero but for rows is set as rows") {
  const Tensor table = leaf(zeros({4, 2}));
  Gradients gradients;
  gradients.set(table, RowGradient{tensor({1, 3}, int64), tensor({{1, 2}, {3, 4}})});
  REQUIRE(gradients.rows(table) != nullptr);
  CHECK(values(gradients.rows(table)->rows) == Values{1, 3});
  CHECK(values(gradients[table]) == Values{0, 0, 1, 2, 0, 0, 3, 4});
  const auto refused = [&](const Tensor& rows, const Tensor& numbers) {
    return error_of([&] { gradients.set(table, RowGradient{rows, numbers}); });
  };
  CHECK(refused(tensor({1, 1}, int64), ones({2, 2})) ==
        "ValueError: gradients: row 1 of a tensor of shape (4, 2); need rows that rise, from 0 to 3");
  CHECK(refused(tensor({1, 4}, int64), ones({2, 2})) ==
        "ValueError: gradients: row 4 of a tensor of shape (4, 2); need rows that rise, from 0 to 3");
  CHECK(refused(tensor({-1.0}, int64), ones({1, 2})) ==
        "ValueError: gradients: row -1 of a tensor of shape (4, 2); need rows that rise, from 0 to 3");
  CHECK(refused(tensor({1.0}), ones({1, 2})) == "TypeError: gradients: rows are float32; need int64");
  CHECK(refused(tensor({1, 2}, int64), ones({1, 2})) ==
        "ShapeError: gradients: a tensor of shape (4, 2) cannot have a gradient of rows (2,) and values (1, 2); need "
        "(k,) and (k, ...)");
  CHECK(refused(tensor({1.0}, int64), ones({1, 2}, float64)) ==
        "TypeError: gradients: a tensor of shape (4, 2) is float32, the gradient is float64; need equal dtypes");
}
