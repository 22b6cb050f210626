#include "playground_data.hpp"

#include <autograd/ops/indexing.hpp>
#include <autograd/ops/random.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/words.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>

namespace examples {

using namespace xgrad;

namespace {

constexpr double full_turn = 2 * std::numbers::pi;

/// What is drawn for a point: four numbers uniform on [-1, 1), two from the standard normal distribution.
struct Draw {
  std::span<const double> uniform;
  std::span<const double> normal;
  /// The i-th uniform number brought to [low, high).
  double between(std::size_t i, double low, double high) const { return low + (high - low) * (uniform[i] + 1) / 2; }
};

struct Point {
  double x;
  double y;
  double label;
};

/// Of rows of which the first half is of class 1, the other of class -1: the class, and where in its half the row
/// stands, from 0 to below 1.
struct Half {
  double label;
  double place;
};
Half half(std::int64_t row, std::int64_t rows) {
  const std::int64_t n = rows / 2;
  return {row < n ? 1.0 : -1.0, static_cast<double>(row % n) / static_cast<double>(n)};
}

/// Class 1 within half the radius, class -1 around it.
Point circle(const Draw& draw, const Half& half, double noise) {
  constexpr double radius = 5;
  const bool inside = half.label > 0;
  const double r = inside ? draw.between(0, 0, radius / 2) : draw.between(0, 0.7 * radius, radius);
  const double angle = draw.between(1, 0, full_turn);
  const double x = r * std::sin(angle), y = r * std::cos(angle);
  const double distance = std::hypot(x + noise * radius * draw.uniform[2], y + noise * radius * draw.uniform[3]);
  return {x, y, distance < radius / 2 ? 1.0 : -1.0};
}

/// The sign of x₁·x₂, with a gap along the axes.
Point exclusive_or(const Draw& draw, const Half&, double noise) {
  constexpr double radius = 5, gap = 0.3;
  const auto apart = [](double v) { return v + (v > 0 ? gap : -gap); };
  const double x = apart(radius * draw.uniform[0]), y = apart(radius * draw.uniform[1]);
  const double product = (x + noise * radius * draw.uniform[2]) * (y + noise * radius * draw.uniform[3]);
  return {x, y, product >= 0 ? 1.0 : -1.0};
}

/// Two normal distributions, around (2, 2) and (-2, -2), of a variance from 0.5 to 4.
Point gauss(const Draw& draw, const Half& half, double noise) {
  const double spread = std::sqrt(0.5 + 3.5 * noise / 0.5);
  return {2 * half.label + spread * draw.normal[0], 2 * half.label + spread * draw.normal[1], half.label};
}

/// Two arms of 1¾ turns.
Point spiral(const Draw& draw, const Half& half, double noise) {
  const double r = 5 * half.place;
  const double angle = 1.75 * full_turn * half.place + (half.label > 0 ? 0 : std::numbers::pi);
  return {r * std::sin(angle) + noise * draw.uniform[0], r * std::cos(angle) + noise * draw.uniform[1], half.label};
}

/// A number that is wanted at a point of the square ±6; noise moves the place it is wanted for.
template <class Label>
Point regression(const Draw& draw, double noise, const Label& label) {
  constexpr double radius = 6;
  const double x = radius * draw.uniform[0], y = radius * draw.uniform[1];
  return {x, y, label(x + noise * radius * draw.uniform[2], y + noise * radius * draw.uniform[3])};
}

Point plane(const Draw& draw, const Half&, double noise) {
  return regression(draw, noise, [](double x, double y) { return (x + y) / 10; });
}

/// Six hills and hollows, that of the largest size counts: 1 at a centre, 0 from a distance of 2 on.
Point multi_gauss(const Draw& draw, const Half&, double noise) {
  constexpr std::array<Point, 6> centres = {
      {{-4, 2.5, 1}, {0, 2.5, -1}, {4, 2.5, 1}, {-4, -2.5, -1}, {0, -2.5, 1}, {4, -2.5, -1}}};
  return regression(draw, noise, [&](double x, double y) {
    double label = 0;
    for (const Point& centre : centres) {
      const double height = centre.label * std::clamp(1 - std::hypot(x - centre.x, y - centre.y) / 2, 0.0, 1.0);
      if (std::abs(height) > std::abs(label)) label = height;
    }
    return label;
  });
}

using Maker = Point (*)(const Draw&, const Half&, double);
constexpr std::array<Maker, 6> makers = {circle, exclusive_or, gauss, spiral, plane, multi_gauss};

}  // namespace

const std::vector<PlaygroundDataSet>& playground_data_sets() {
  static const std::vector<PlaygroundDataSet> sets = {
      {"circle", false, "a disc inside a ring"},
      {"xor", false, "opposite quadrants belong together"},
      {"gauss", false, "two clouds"},
      {"spiral", false, "two arms wound around each other"},
      {"plane", true, "a number that rises evenly"},
      {"multi-gauss", true, "three hills and three hollows"},
  };
  return sets;
}

std::vector<std::string> playground_data_names() {
  std::vector<std::string> names;
  for (const PlaygroundDataSet& set : playground_data_sets()) names.push_back(set.name);
  return names;
}

nn::Dataset playground_data(std::string_view name, const PlaygroundOptions& options) {
  const std::vector<std::string> names = playground_data_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    throw_as<ValueError>("playground_data: no data set '{}'{}; there are {}", name, did_you_mean(name, names),
                         joined(names));
  const auto kind = static_cast<std::size_t>(found - names.begin());
  const auto [rows, noise, seed] = options;
  const bool halves = !playground_data_sets()[kind].regression && *found != "xor";
  if (rows < 2 || (halves && rows % 2 != 0))
    throw_as<ValueError>("playground_data: {} rows of {}; need {}", rows, name,
                         halves ? "an even number, half of each class" : "2 or more");
  if (!(noise >= 0 && noise <= 0.5)) throw_as<ValueError>("playground_data: a noise of {}; need 0 to 0.5", noise);

  Generator generator(seed, kind);
  const Tensor uniforms = uniform({rows, 4}, -1, 1, float64, generator);
  const Tensor normals = normal({rows, 2}, 0, 1, float64, generator);
  const Tensor order = permutation(rows, generator);
  std::vector<double> inputs, targets;
  for (const std::int64_t row : order.values<std::int64_t>()) {
    const auto i = static_cast<std::size_t>(row);
    const Draw draw = {uniforms.values<double>().subspan(4 * i, 4), normals.values<double>().subspan(2 * i, 2)};
    const Point point = makers[kind](draw, half(row, rows), noise);
    inputs.insert(inputs.end(), {point.x, point.y});
    targets.push_back(point.label);
  }
  return {tensor(inputs, {rows, 2}, float32), tensor(targets, {rows, 1}, float32)};
}

}  // namespace examples
