#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <stdexcept>
#include <vector>

using namespace xgrad;
using expect::difference;
using expect::Matrix;

namespace {

struct Net : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(3, 4));
  nn::Linear output = add("output", nn::Linear(4, 2));
  bool fails = false;
  Tensor operator()(const Tensor& x) const {
    const Tensor h = tanh(hidden(x));
    if (fails) throw std::runtime_error("the user's own trouble");
    return output(h);
  }
};

constexpr std::size_t rows = 5;
const Matrix x(rows, 3, expect::numbers(rows * 3, 1));
const Matrix target(rows, 2, expect::numbers(rows * 2, 2));

Gradients gradients_of(const Net& net) {
  Tape tape;
  return tape.backward(nn::sse(net(x.tensor()), target.tensor()));
}

}  // namespace

TEST_CASE("an exception in the middle of a step leaves model, thread and the next step as they were") {
  const DefaultDType dtype(float64);
  seed(4);
  Net net;
  const std::string before = nn::digest(net.parameters());
  const Gradients expected = gradients_of(net);

  SUBCASE("in the user's code") {
    net.fails = true;
    CHECK_THROWS_AS(gradients_of(net), std::runtime_error);
    net.fails = false;
  }
  SUBCASE("for a shape that does not fit, named by the layer's path") {
    const std::string text = expect::error_of([&] {
      Tape tape;
      net(zeros({rows, 7}));
    });
    CHECK(expect::contains(text, "hidden: linear expects (…, 3), got (5, 7)"));
  }
  SUBCASE("in the loss, after the network was recorded") {
    CHECK(expect::contains(expect::error_of([&] {
                             Tape tape;
                             nn::sse(net(x.tensor()), zeros({rows, 1}));
                           }),
                           "(5, 2)"));
  }
  SUBCASE("in backward") {
    CHECK_THROWS_AS(
        [&] {
          Tape tape;
          tape.backward(net(x.tensor()));  // not one number
        }(),
        ShapeError);
  }
  CHECK(nn::digest(net.parameters()) == before);
  CHECK((net.hidden.weight * 2.0).body().tape == 0);  // no tape is left open
  const Gradients again = gradients_of(net);
  REQUIRE(again.size() == expected.size());
  for (const auto& [parameter, gradient] : expected) CHECK(difference(again[parameter], gradient) == 0);
}

TEST_CASE("a backward that throws closes its tape, so that the one around it records again") {
  const Tensor a = expect::leaf(tensor({1.0, 2.0}));
  Tape outer;
  Tape inner;
  CHECK_THROWS_AS(inner.backward(a * a), ShapeError);  // not one number
  const Tensor y = sum(a * a);
  REQUIRE(outer.size() == 3);
  CHECK(expect::values(outer.backward(y)[a]) == std::vector<double>{2, 4});
}

TEST_CASE("a step that throws may be caught inside the tape, which goes on with what it has") {
  const Tensor a = expect::leaf(tensor({1.0, 2.0}));
  Tape tape;
  Tensor y = sum(a * a);
  const std::size_t recorded = tape.size();
  CHECK_THROWS_AS(y + a * tensor({1.0, 2.0, 3.0}), ShapeError);
  CHECK_THROWS_AS(matmul(a, zeros({3, 3})), ShapeError);
  CHECK_THROWS_AS(a + tensor({1.0, 2.0}, float64), TypeError);
  CHECK_THROWS_AS(reshape(a, {3}), ShapeError);
  CHECK_THROWS_AS(sum(a, {4}), ShapeError);
  CHECK(tape.size() == recorded);
  y = y + sum(a) * 10.0;
  CHECK(expect::values(tape.backward(y)[a]) == std::vector<double>{12, 14});
}

TEST_CASE("an exception out of a Pause or a layer leaves neither open") {
  const Tensor a = expect::leaf(tensor(1.0));
  Tape tape;
  try {
    const Pause pause;
    const PathScope path("net.layer");
    throw std::runtime_error("trouble");
  } catch (const std::runtime_error&) {
  }
  CHECK(PathScope::current().empty());
  CHECK((a * 2.0).body().tape != 0);
}
