#include <doctest/doctest.h>
#include <autograd/ops/indexing.hpp>
#include <autograd/tensor/creation.hpp>

#include <limits>
#include <vector>

#include "tests/support/expect.hpp"

using namespace xgrad;

TEST_CASE("an index out of range is reported with its place, its value and the name of who asks") {
  const auto error = [](const Tensor& indices, std::int64_t extent) {
    return expect::error_of([&] { check_indices("look_up", "word", indices, extent); });
  };
  CHECK(error(tensor({0, 4, 2}, int64), 5) == "no error");
  CHECK(error(zeros({0}, int64), 0) == "no error");
  CHECK(error(tensor(5, int64), 5) == "ValueError: look_up: word 5; need 0 <= word < 5");
  CHECK(error(tensor({0, 4, -1, 9}, int64), 5) == "ValueError: look_up: word -1 in row 2; need 0 <= word < 5");
  CHECK(error(tensor({{0, 1}, {2, 3}, {4, 5}}, int64), 5) ==
        "ValueError: look_up: word 5 at (2, 1); need 0 <= word < 5");
  CHECK(error(tensor({std::numeric_limits<double>::lowest()}).to(float32), 5) ==
        "TypeError: look_up: each word is float32; need int64");
  const std::vector<std::int64_t> list = {3, 0, 7};
  CHECK(expect::error_of([&] { check_indices("select", "row", list, 7); }) ==
        "ValueError: select: row 7 at position 2; need 0 <= row < 7");
  CHECK(expect::error_of([&] { check_indices("select", "row", list, 8); }) == "no error");
}
