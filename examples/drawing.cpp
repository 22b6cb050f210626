#include "drawing.hpp"

#include <algorithm>
#include <autograd/tensor/creation.hpp>
#include <cstdint>
#include <span>

namespace examples {

using namespace xgrad;

std::vector<double> numbers(const Tensor& x) {
  return visit(x.dtype(), [&x](auto zero) {
    const auto values = x.values<decltype(zero)>();
    return std::vector<double>(values.begin(), values.end());
  });
}

Tensor evenly(double first, double last, std::int64_t count, DType dtype) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(first + (last - first) * static_cast<double>(i) / static_cast<double>(count - 1));
  return tensor(values, {count, 1}, dtype);
}

nn::Trace trace(std::string name, const Tensor& x, const Tensor& y, nn::Mark mark) {
  return {.name = std::move(name), .x = numbers(x), .y = numbers(y), .mark = mark};
}

nn::Surface surface(const PlaneFunction& f, std::pair<double, double> x, std::pair<double, double> y,
                    std::size_t cells) {
  std::vector<double> points;
  const auto place = [cells](std::pair<double, double> range, std::size_t i) {
    return range.first + (range.second - range.first) * (static_cast<double>(i) + 0.5) / static_cast<double>(cells);
  };
  for (std::size_t row = 0; row < cells; ++row)
    for (std::size_t column = 0; column < cells; ++column)
      points.insert(points.end(), {place(x, column), place(y, row)});
  const auto count = static_cast<std::int64_t>(cells * cells);
  return {.x = x, .y = y, .columns = cells, .rows = cells, .values = numbers(f(tensor(points, {count, 2})))};
}

nn::Panel regions(std::string title, const PlaneFunction& model, const nn::Dataset& data, std::int64_t points) {
  nn::Panel panel = {.title = std::move(title), .x_label = "x₁", .y_label = "x₂"};
  panel.surface = surface(model, {-6, 6}, {-6, 6});
  panel.surface->contours = {0};
  panel.surface->diverging = true;
  panel.surface->range = {-1, 1};
  nn::Trace positive = {.name = "class 1", .mark = nn::Mark::points, .colour = "#053061"};
  nn::Trace negative = {.name = "class −1", .mark = nn::Mark::points, .colour = "#7F3B08"};
  const auto [inputs, targets] = data.subset(0, std::min(points, data.size())).all();
  const std::vector<double> x = numbers(inputs), y = numbers(targets);
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (y[i] != 1 && y[i] != -1) continue;
    nn::Trace& trace = y[i] > 0 ? positive : negative;
    trace.x.push_back(x[2 * i]);
    trace.y.push_back(x[2 * i + 1]);
  }
  for (const nn::Trace& trace : {positive, negative})
    if (!trace.x.empty()) panel.traces.push_back(trace);
  return panel;
}

}  // namespace examples
