#include "tests/support/expect.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <examples/playground_data.hpp>
#include <numbers>
#include <vector>

using namespace xgrad;
using examples::playground_data;

// The formulas are those of TensorFlow Playground's dataset.ts; what is checked follows from them alone.
namespace {

struct Row {
  double x, y, label;
};

std::vector<Row> rows_of(const nn::Dataset& data) {
  const auto [x, y] = data.all();
  std::vector<Row> rows;
  for (std::int64_t i = 0; i < data.size(); ++i) rows.push_back({x.item({i, 0}), x.item({i, 1}), y.item({i, 0})});
  return rows;
}

std::ptrdiff_t positive(const std::vector<Row>& rows) {
  return std::count_if(rows.begin(), rows.end(), [](const Row& row) { return row.label > 0; });
}

}  // namespace

TEST_CASE("without noise every label is that of its point") {
  for (const Row& row : rows_of(playground_data("circle", {.rows = 400}))) {
    const double r = std::hypot(row.x, row.y);
    CHECK(row.label == (r < 3 ? 1 : -1));
    CHECK((r <= 2.5 + 1e-6 || (r >= 3.5 - 1e-6 && r <= 5 + 1e-6)));
  }
  for (const Row& row : rows_of(playground_data("xor", {.rows = 400}))) {
    CHECK(row.label == (row.x * row.y >= 0 ? 1 : -1));
    CHECK(std::min(std::abs(row.x), std::abs(row.y)) >= 0.3 - 1e-6);
    CHECK(std::max(std::abs(row.x), std::abs(row.y)) <= 5.3 + 1e-6);
  }
  for (const Row& row : rows_of(playground_data("plane", {.rows = 400})))
    CHECK(row.label == doctest::Approx((row.x + row.y) / 10).epsilon(1e-5));
  for (const Row& row : rows_of(playground_data("multi-gauss", {.rows = 400}))) {
    double nearest = INFINITY, sign = 0;
    for (const double cx : {-4, 0, 4})
      for (const double cy : {-2.5, 2.5}) {
        const double distance = std::hypot(row.x - cx, row.y - cy);
        if (distance < nearest) {
          nearest = distance;
          sign = (cx == 0) == (cy > 0) ? -1 : 1;  // the middle column is turned round
        }
      }
    CHECK(row.label == doctest::Approx(sign * std::max(0.0, 1 - nearest / 2)).epsilon(1e-4));
  }
}

TEST_CASE("the spiral's arms turn 1¾ times while they grow to 5, the second half a turn ahead") {
  const std::vector<Row> rows = rows_of(playground_data("spiral", {.rows = 500}));
  CHECK(positive(rows) == 250);
  double longest = 0;
  for (const Row& row : rows) {
    const double r = std::hypot(row.x, row.y);
    longest = std::max(longest, r);
    const double angle = 1.75 * 2 * std::numbers::pi * r / 5 + (row.label > 0 ? 0 : std::numbers::pi);
    CHECK(row.x == doctest::Approx(r * std::sin(angle)).epsilon(1e-4));
    CHECK(row.y == doctest::Approx(r * std::cos(angle)).epsilon(1e-4));
  }
  CHECK(longest == doctest::Approx(5 * 249 / 250.0));
}

TEST_CASE("gauss has means of ±2 and a variance of 0.5 to 4") {
  for (const double noise : {0.0, 0.25, 0.5}) {
    const double variance = 0.5 + 7 * noise;
    const std::vector<Row> rows = rows_of(playground_data("gauss", {.rows = 20000, .noise = noise, .seed = 3}));
    CHECK(positive(rows) == 10000);
    double sum = 0, squares = 0;
    for (const Row& row : rows)
      for (const double v : {row.x, row.y}) {
        sum += v * row.label;
        squares += std::pow(v - 2 * row.label, 2);
      }
    // 40,000 numbers: four standard errors of the mean, and of the variance (σ²·√(2/n)).
    CHECK(std::abs(sum / 40000 - 2) < 4 * std::sqrt(variance / 40000));
    CHECK(std::abs(squares / 40000 - variance) < 4 * variance * std::sqrt(2 / 40000.0));
  }
}

TEST_CASE("noise moves the spiral's points, and the labels of the others") {
  const std::vector<Row> clean = rows_of(playground_data("spiral")),
                         moved = rows_of(playground_data("spiral", {.noise = 0.3}));
  double furthest = 0;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    CHECK(clean[i].label == moved[i].label);
    furthest = std::max({furthest, std::abs(clean[i].x - moved[i].x), std::abs(clean[i].y - moved[i].y)});
  }
  CHECK(furthest <= 0.3 + 1e-6);
  CHECK(furthest > 0.25);
  for (const char* name : {"circle", "xor", "plane", "multi-gauss"}) {
    const std::vector<Row> a = rows_of(playground_data(name)), b = rows_of(playground_data(name, {.noise = 0.5}));
    std::size_t changed = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      CHECK(a[i].x == b[i].x);
      CHECK(a[i].y == b[i].y);
      changed += a[i].label != b[i].label;
    }
    CHECK(changed > 50);
  }
}

TEST_CASE("a data set depends on name and options only, and comes in a random order") {
  for (const std::string& name : examples::playground_data_names()) {
    const nn::Dataset a = playground_data(name), b = playground_data(name), c = playground_data(name, {.seed = 2});
    const auto equal = [](const nn::Dataset& p, const nn::Dataset& q) {
      const Tensor x = p.inputs().all(), y = q.inputs().all();
      return std::ranges::equal(x.values<float>(), y.values<float>());
    };
    CHECK(equal(a, b));
    CHECK_FALSE(equal(a, c));
    CHECK(a.size() == 500);
    const std::ptrdiff_t first = positive(rows_of(a.subset(0, 100)));
    CHECK(first > 25);
    CHECK(first < 75);
  }
}

TEST_CASE("unknown names and options out of range are refused in words") {
  CHECK_THROWS_WITH_AS(playground_data("spirals"),
                       "playground_data: no data set 'spirals'; did you mean spiral?; there are circle, xor, gauss, "
                       "spiral, plane, multi-gauss",
                       ValueError);
  CHECK_THROWS_WITH_AS(playground_data("gauss", {.rows = 3}),
                       "playground_data: 3 rows of gauss; need an even number, half of each class", ValueError);
  CHECK_THROWS_WITH_AS(playground_data("plane", {.rows = 1}), "playground_data: 1 rows of plane; need 2 or more",
                       ValueError);
  CHECK_THROWS_WITH_AS(playground_data("xor", {.noise = 0.6}), "playground_data: a noise of 0.6; need 0 to 0.5",
                       ValueError);
  CHECK_THROWS_AS(playground_data("xor", {.noise = NAN}), ValueError);
}
