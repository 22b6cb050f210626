#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <autograd/ops/update.hpp>

#include <cstdint>
#include <vector>

using namespace xgrad;

namespace {

using Closings = std::vector<std::uint8_t>;

}  // namespace

TEST_CASE("terms are added up in the order of the closings") {
  // In float32 1e8 + 1 is 1e8.
  const Tensor a = full({1}, 1e8), b = full({1}, -1e8), one = ones({1}), half = full({1}, 0.5);
  const auto sum = [&](const std::vector<ValuesFrom>& terms, const Closings& closings) {
    Tensor result = zeros({1});
    sum_in_tree(result, 0, 1, terms, closings);
    return result.item();
  };
  CHECK(sum({{a}}, {0}) == 1e8);
  CHECK(sum({{a}, {one}, {b}}, {0, 1, 1}) == 0);               // (a + 1) + b
  CHECK(sum({{one}, {a}, {b}}, {0, 0, 2}) == 1);               // 1 + (a + b)
  CHECK(sum({{a}, {b}, {one}, {half}}, {0, 1, 0, 2}) == 1.5);  // (a + b) + (1 + 1/2)
  CHECK(sum({{a}, {b}, {one}, {half}}, {0, 0, 0, 3}) == 0);    // a + (b + (1 + 1/2))
}

TEST_CASE("a sum of parts of tensors leaves the rest of the target alone, for every length and place") {
  const DefaultDType scope(float64);
  const Tensor x = arange(60000).to(float64), y = x * 3.0;
  for (const std::size_t count : {0u, 1u, 7u, 8u, 9u, 63u, 40000u})
    for (const std::size_t first : {0u, 1u, 13u}) {
      CAPTURE(count);
      CAPTURE(first);
      Tensor target = full({60000}, -1.0);
      sum_in_tree(target, first, count, std::vector<ValuesFrom>{{x, 5}, {y, 2}}, Closings{0, 1});
      std::size_t wrong = 0;
      for (std::size_t k = 0; k < 60000; ++k) {
        const bool inside = k >= first && k < first + count;
        const auto at = static_cast<double>(k) - static_cast<double>(first);
        wrong += target.values<double>()[k] == (inside ? at + 5 + 3 * (at + 2) : -1.0) ? 0 : 1;
      }
      CHECK(wrong == 0);
    }
}

TEST_CASE("a term may be where the sum goes, and its version rises") {
  Tensor x = tensor({1, 2, 3});
  const auto before = x.version();
  sum_in_tree(x, 0, 3, std::vector<ValuesFrom>{{x}, {x}, {x}}, Closings{0, 1, 1});
  CHECK(expect::values(x) == std::vector<double>{3, 6, 9});
  CHECK(x.version() > before);
}

TEST_CASE("sums of elements that are not there, of other dtypes, or without an order are refused") {
  Tensor x = zeros({2, 3});
  const Tensor y = ones({4}), z = ones({6}, float64), n = ones({6}, int64);
  const auto error = [&](const std::vector<ValuesFrom>& terms, const Closings& closings, std::size_t first = 0,
                         std::size_t count = 4) {
    return expect::error_of([&] { sum_in_tree(x, first, count, terms, closings); });
  };
  CHECK(error({{y}}, {0}) == "no error");
  CHECK(error({{y, 1}}, {0}) == "ShapeError: sum_in_tree: the term is (4,); need elements 1 to 5");
  CHECK(error({{y}}, {0}, 3) == "ShapeError: sum_in_tree: the sum is (2, 3); need elements 3 to 7");
  CHECK(error({{z}}, {0}) ==
        "TypeError: sum_in_tree: the term is float64, the sum is float32; need equal floating dtypes");
  CHECK(expect::contains(error({{n}}, {0}), "TypeError"));
  const std::string rule = "need one for each that leave one sum, at most 64 open";
  CHECK(error({}, {}) == "ValueError: sum_in_tree: 0 closings for 0 terms; " + rule);
  CHECK(error({{y}}, {}) == "ValueError: sum_in_tree: 0 closings for 1 terms; " + rule);
  CHECK(expect::contains(error({{y}}, {1}), rule));
  CHECK(expect::contains(error({{y}, {y}}, {0, 0}), rule));
  CHECK(expect::contains(error({{y}, {y}}, {0, 2}), rule));
  Closings late(65, 0);
  late.back() = 64;
  CHECK(expect::contains(error(std::vector<ValuesFrom>(65, {y}), late), rule));
}
