#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/kernels/rows.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace xgrad;

namespace {

/// Row numbers that look random, some several times.
Tensor rows_of(const Shape& shape, std::int64_t extent, std::uint64_t seed) {
  return expect::random_tensor(shape, seed, float64, 0, static_cast<double>(extent)).to(int64);
}

}  // namespace

TEST_CASE("rows add up as a loop over their namings adds them, in order, for every number of threads") {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t extent : {1, 7, 300, 70000})
      for (const Shape& row : {Shape{}, Shape{5}, Shape{3, 11}, Shape{0}}) {
        Shape table = row, first = row, second = row;
        table.insert(0, extent);
        first.insert(0, 40);
        second.insert(0, 3);
        second.insert(0, 200);
        const kernels::RowTerm terms[] = {
            {rows_of({40}, extent, 1), expect::random_tensor(first, 2, dtype)},
            {rows_of({200, 3}, extent, 3), expect::random_tensor(second, 4, dtype), -0.5}};
        const std::size_t width = row.elements();
        std::vector<double> dense(table.elements());
        std::vector<char> named(static_cast<std::size_t>(extent));
        for (const kernels::RowTerm& term : terms) {
          const auto values = expect::values(term.values);
          for (std::size_t i = 0; i < term.rows.size(); ++i) {
            const auto at = static_cast<std::size_t>(term.rows.values<std::int64_t>()[i]);
            named[at] = 1;
            for (std::size_t j = 0; j < width; ++j) {
              double& sum = dense[at * width + j];
              sum += term.factor * values[i * width + j];
              if (dtype == float32) sum = static_cast<float>(sum);  // both steps are exact or rounded once
            }
          }
        }
        const auto sum = with_threads(1, [&] { return kernels::sum_rows(terms, table); });
        std::size_t k = 0;
        for (std::size_t r = 0; r < named.size(); ++r) {
          if (!named[r]) continue;
          REQUIRE(sum.rows.values<std::int64_t>()[k] == static_cast<std::int64_t>(r));
          const auto values = expect::values(sum.values);
          for (std::size_t j = 0; j < width; ++j) REQUIRE(values[k * width + j] == dense[r * width + j]);
          ++k;
        }
        CHECK(sum.rows.size() == k);
        CHECK(sum.values.shape()[0] == static_cast<std::int64_t>(k));
        CHECK(expect::same_bits(expect::values(sum.values), expect::values(with_threads(3, [&] {
                                                                             return kernels::sum_rows(terms, table);
                                                                           }).values)));
        Tensor target = zeros(table, dtype);
        kernels::add_rows(target, terms);
        CHECK(expect::difference(target, dense) == 0);
      }
}
