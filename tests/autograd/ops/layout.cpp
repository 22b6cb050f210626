#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace xgrad;
using expect::error_of;
using expect::values;

using Values = std::vector<double>;

namespace {

constexpr std::int64_t largest_int64 = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t least_int64 = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t big = std::int64_t{1} << 32;

}  // namespace

TEST_CASE("a slice takes steps and positions of any size, as Python does") {
  const Tensor x = tensor({0.0, 1.0, 2.0, 3.0, 4.0});
  CHECK(values(slice(x, 0, 0, 5, largest_int64)) == Values{0});              // x[0:5:2**63-1]
  CHECK(values(slice(x, 0, 3, largest_int64, largest_int64)) == Values{3});  // x[3::2**63-1]
  CHECK(values(slice(x, 0, 4, least_int64, least_int64)) == Values{4});      // x[4:-2**63:-2**63]
  CHECK(values(slice(x, 0, largest_int64, least_int64, least_int64 + 1)) == Values{4});
  CHECK(values(slice(x, 0, largest_int64, least_int64, -2)) == Values{4, 2, 0});
  CHECK(values(slice(x, 0, least_int64, largest_int64, 3)) == Values{0, 3});
  CHECK(values(slice(x, 0, largest_int64, largest_int64, 1)).empty());
  const Tensor w = expect::leaf(tensor({{1.0, 2.0}, {3.0, 4.0}}));
  Tape tape;
  CHECK(values(tape.backward(sum(slice(w, 0, 1, largest_int64, largest_int64)))[w]) == Values{0, 0, 1, 1});
}

TEST_CASE("shapes whose elements cannot be counted are refused by reshape and broadcast_to") {
  CHECK(error_of([] {
          reshape(zeros({0}), {big, big});
        }) ==
        "ValueError: reshape: shape (4294967296, 4294967296) has more elements than can be counted; need fewer than "
        "2^63");
  CHECK(error_of([] { reshape(zeros({4}), {4, (big << 30) + 1}); }).starts_with("ValueError: reshape: shape (4, "));
  CHECK(error_of([] { reshape(zeros({4}), {-1, big, big}); }).starts_with("ValueError: reshape: shape"));
  CHECK(error_of([] { reshape(zeros({0}), {-1, 0}); }).starts_with("ShapeError: reshape: (0,) to (-1, 0)"));
  CHECK(error_of([] { reshape(zeros({4}), {-2, -2}); }).starts_with("ShapeError: reshape: (4,) to (-2, -2)"));
  CHECK(reshape(zeros({0}), {0, big}).shape() == Shape{0, big});
  CHECK(error_of([] { broadcast_to(zeros({1}), {big, big}); }).starts_with("ValueError: broadcast_to: shape"));
  CHECK(error_of([] { broadcast_to(zeros({1}), {std::int64_t{1} << 50}); }) ==
        "ValueError: broadcast_to: no memory for shape (1125899906842624,) of float32");
  CHECK(error_of([] { one_hot(arange(1), std::int64_t{1} << 50); }) ==
        "ValueError: one_hot: no memory for shape (1, 1125899906842624) of float32");
  CHECK(error_of([] { uniform({big, big}); }).starts_with("ValueError: uniform: shape"));
  CHECK(error_of([] { permutation(std::int64_t{1} << 50); }).starts_with("ValueError: permutation: no memory"));
  CHECK(error_of([] { matmul(zeros({big << 20, 0}), zeros({0, 64})); }).starts_with("ValueError: matmul: no memory"));
  const Tensor wide = zeros({0, largest_int64});
  CHECK(error_of([&] {
          concatenate({wide, wide}, 1);
        }) == "ShapeError: concatenate: the extents along axis 1 add up to 2^63 and more");
}
