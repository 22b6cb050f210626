#include <autograd/tensor/format.hpp>
#include <autograd/text/numbers.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/files/whole_file.hpp>
#include <nn/report/gnuplot.hpp>
#include <nn/report/picture.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace xgrad::nn {

namespace {

std::vector<std::string> all_shortened(std::vector<std::string> names, std::size_t characters) {
  for (std::string& name : names) name = shortened(name, characters);
  return names;
}

/// Exact for gnuplot, which reads NaN as missing.
std::string shade_number(double value) { return std::isfinite(value) ? exact_number(value) : "NaN"; }

/// Tics at names; a percent sign would be a format.
std::string tics(const char* axis, const std::vector<std::string>& names, const char* rotation) {
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string name;
    for (const char c : names[i]) name.append(c == '%' ? 2 : 1, c);
    list += fmt::format("{}{} {}", i > 0 ? ", " : "", gnuplot_text(name), i);
  }
  return fmt::format("set {}tics ({}) scale 0 {}\n", axis, list, rotation);
}

void check(const LinePlot& plot) {
  const auto fail = [&](const std::string& what) { throw_as<ValueError>("picture '{}': {}", plot.title, what); };
  if (plot.series.empty()) fail("no curves; need one or more");
  if (plot.x.empty()) fail("x is empty; need one number or more");
  if (!std::all_of(plot.x.begin(), plot.x.end(), [](double x) { return std::isfinite(x); }))
    fail("a number of x is not finite; only y has gaps");
  for (const Series& one : plot.series)
    if (one.y.size() != plot.x.size())
      fail(fmt::format("'{}' has {} numbers, x has {}; need equal lengths", one.name, one.y.size(), plot.x.size()));
}

Chart chart_of(const LinePlot& plot) {
  check(plot);
  Panel panel = {.title = plot.title,
                 .x_label = plot.x_label,
                 .y_label = plot.y_label,
                 .y_logarithmic = plot.logarithmic,
                 .from_zero = plot.from_zero};
  for (const Series& one : plot.series)
    panel.traces.push_back({.name = one.name, .x = plot.x, .y = one.y, .mark = Mark::both});
  return {.panels = {std::move(panel)}, .width = 476, .height = 224};
}

void check(const HeatMap& map) {
  const auto fail = [&](const std::string& what) { throw_as<ValueError>("picture '{}': {}", map.title, what); };
  const std::size_t cells = map.rows.size() * map.columns.size();
  if (cells == 0) fail("no rows or no columns; need one or more");
  if (map.values.size() != cells || (!map.shades.empty() && map.shades.size() != cells))
    fail(fmt::format("{} values and {} shades for {} rows and {} columns; need one for each cell, or no shades",
                     map.values.size(), map.shades.size(), map.rows.size(), map.columns.size()));
  for (const double shade : map.shades)
    if (!(shade >= 0 && shade <= 1)) fail(fmt::format("a shade of {}; need 0 to 1", shade));
}

/// The values brought to [0, 1]; all 0 if they are alike.
std::vector<double> shades_of(const std::vector<double>& values) {
  const auto [least, largest] = finite_range(values);
  std::vector<double> shades;
  // Halves do not overflow.
  for (const double value : values)
    shades.push_back(largest > least ? (value / 2 - least / 2) / (largest / 2 - least / 2) : 0.0);
  return shades;
}

/// A picture that gnuplot, which does not tell when a disk is full, wrote to its end.
std::string require_end(std::string picture, std::string_view end) {
  if (picture.size() < end.size() || picture.find(end, picture.size() - end.size() - 2) == std::string::npos)
    throw FileError("picture: what gnuplot wrote is cut off; is the disk for temporary files full?");
  return picture;
}

}  // namespace

std::pair<double, double> finite_range(std::span<const double> values) {
  double least = INFINITY, largest = -INFINITY;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    least = std::min(least, value);
    largest = std::max(largest, value);
  }
  return {least, largest};
}

Picture::Picture(const Chart& chart) : Picture(drawing_of(chart)) {}
Picture::Picture(Drawing drawing)
    : width_(drawing.width), height_(drawing.height), commands_(std::move(drawing.commands)) {}

Picture::Picture(const LinePlot& plot) : Picture(chart_of(plot)) {}

Picture::Picture(const HeatMap& map) {
  check(map);
  constexpr std::size_t largest_with_numbers = 40;
  const bool with_numbers = map.columns.size() <= largest_with_numbers;
  const std::vector<double> shades = map.shades.empty() ? shades_of(map.values) : map.shades;
  const std::vector<std::string> columns = all_shortened(map.columns, 24), rows = all_shortened(map.rows, 24);

  std::vector<std::string> texts;
  for (const double value : map.values) texts.push_back(short_number(value, 6));
  std::string data = "$cells << end\n";
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (std::isfinite(map.values[i]))
      data += fmt::format("{} {} {} {} {}\n", i % columns.size(), i / columns.size(), shade_number(shades[i]), texts[i],
                          shades[i] > 0.5 ? "0xffffff" : "0x000000");

  const auto n = static_cast<int>(columns.size()), m = static_cast<int>(rows.size());
  const int cell = with_numbers ? std::max(38, text_width(texts) + 10) : 12;
  const int left = 70 + text_width(rows), right = map.shades.empty() ? 20 : 100, top = 40,
            bottom = 50 + text_width(columns) * 3 / 4;
  width_ = left + std::max(n * cell, 200) + right;
  height_ = top + std::max(m * (with_numbers ? 30 : 12), 50 + text_width({map.shade_label})) + bottom;
  const auto part = [](int pixels, int of) { return static_cast<double>(pixels) / of; };
  commands_ = fmt::format(
      "{}{}end\nset lmargin at screen {}\nset rmargin at screen {}\nset bmargin at screen {}\n"
      "set tmargin at screen {}\nset xrange [-0.5:{}]\nset yrange [{}:-0.5]\nset cbrange [0:1]\n"
      "set palette defined (0 '#ffffff', 1 '#08519c')\nset key off\nset cblabel {}\n{}{}{}"
      "plot $cells using 1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror "
      "linecolor palette fillstyle solid 1 border linecolor rgb '#dddddd'{}\n",
      gnuplot_labels(map.title, map.x_label, map.y_label), data, part(left, width_), 1 - part(right, width_),
      part(bottom, height_), 1 - part(top, height_), n - 0.5, m - 0.5, gnuplot_text(map.shade_label),
      map.shades.empty() ? "unset colorbox\n" : "", tics("x", columns, "rotate by 45 right"), tics("y", rows, ""),
      with_numbers ? ", $cells using 1:2:4:5 with labels textcolor rgb variable" : "");
}

std::string Picture::svg() const {
  const std::string commands = fmt::format(
      "set encoding utf8\nset terminal svg noenhanced background '#ffffff' font 'sans-serif,12' size {},{}\n{}", width_,
      height_, commands_);
  return slim_svg(require_end(run_gnuplot(commands), "</svg>"));
}

std::string Picture::png() const {
  const std::string commands = fmt::format(
      "set encoding utf8\nset terminal pngcairo noenhanced background '#ffffff' font 'sans-serif,9' fontscale 2 "
      "linewidth 2 pointscale 2 size {},{}\n{}",
      2 * width_, 2 * height_, commands_);
  return require_end(run_gnuplot(commands), "IEND\xAE\x42\x60\x82");
}

void Picture::write(const std::string& path) const {
  const bool svg_file = path.ends_with(".svg");
  if (!svg_file && !path.ends_with(".png"))
    throw_as<ValueError>("picture: '{}' ends with neither .svg nor .png, the formats that there are", path);
  WholeFile file(path);
  file.write(svg_file ? svg() : png());
}

void require_gnuplot() { run_gnuplot(""); }

}  // namespace xgrad::nn
