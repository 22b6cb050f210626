#include <autograd/tensor/format.hpp>
#include <autograd/text/numbers.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/files/whole_file.hpp>
#include <nn/report/gnuplot.hpp>
#include <nn/report/picture.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace xgrad::nn {

namespace {

constexpr int letter = 7;  // width of most, and
constexpr int line = 18;   // height of all letters, in the units of the SVG

constexpr double largest_number = 1e300;  // gnuplot counts in doubles, and differences must not overflow

/// The end of a long name: of a path, the part that tells.
std::string shortened(std::string_view name, std::size_t characters = 60) {
  std::string text = printable(name);
  if (utf8_characters(text) <= characters) return text;
  std::size_t cut = 0;
  while (utf8_characters(std::string_view(text).substr(cut)) >= characters)
    cut += utf8_length(std::string_view(text).substr(cut));
  return "…" + text.substr(cut);
}

int width_of(const std::vector<std::string>& names) {
  std::size_t longest = 0;
  for (const std::string& name : names) longest = std::max(longest, utf8_characters(name));
  return letter * static_cast<int>(longest);
}

std::vector<std::string> shortened(std::vector<std::string> names, std::size_t characters) {
  for (std::string& name : names) name = shortened(name, characters);
  return names;
}

/// Exact for gnuplot, which reads NaN as missing.
std::string number(double value) { return std::isfinite(value) ? exact_number(value) : "NaN"; }

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

std::string labels(const std::string& title, const std::string& x_label, const std::string& y_label) {
  return fmt::format("set title {}\nset xlabel {} offset 0,0.4\nset ylabel {}\n", gnuplot_text(title),
                     gnuplot_text(x_label), gnuplot_text(y_label));
}

/// Where all x are whole numbers, such as epochs, so are the tics: 1, 2 or 5 times a power of 10 apart.
std::string whole_tics(const std::vector<double>& x, double range) {
  if (!std::all_of(x.begin(), x.end(), [](double v) { return v == std::floor(v); })) return "";
  const double power = std::pow(10, std::floor(std::log10(std::max(range / 8, 1.0))));
  double step = power;
  for (const double factor : {2, 5, 10})
    if (range / step > 8) step = factor * power;
  return "set xtics " + number(step) + '\n';
}

// Okabe and Ito (2008): told apart with every kind of colour vision; without their yellow, which white swallows.
constexpr std::array<const char*, 7> colours = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                "#000000", "#E69F00", "#56B4E9"};

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

Picture::Picture(const LinePlot& plot) {
  check(plot);
  const auto shown = [&plot](double y) { return std::abs(y) <= largest_number && (!plot.logarithmic || y > 0); };
  const auto [first, last] = std::minmax_element(plot.x.begin(), plot.x.end());
  const double margin = *first == *last ? 0.5 : 0;

  std::string data = "$data << end\n", curves;
  bool empty = true, negative = false;
  for (std::size_t i = 0; i < plot.x.size(); ++i) {
    data += number(plot.x[i]);
    for (const Series& one : plot.series) {
      data += ' ' + number(shown(one.y[i]) ? one.y[i] : NAN);
      empty = empty && !shown(one.y[i]);
      negative = negative || one.y[i] < 0;
    }
    data += '\n';
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const Series& one = plot.series[i];
    names.push_back(shortened(one.name));
    // A curve of gaps alone is kept for its name in the legend.
    const bool gaps = std::none_of(one.y.begin(), one.y.end(), shown);
    curves += fmt::format(
        "{}{} with linespoints linewidth 1.5 pointtype 7 pointsize {} dashtype {} linecolor rgb '{}' title {}",
        i > 0 ? ", " : "plot ", gaps ? "NaN" : fmt::format("$data using 1:{}", i + 2),
        plot.x.size() > 30 ? "0.3" : "0.5", 1 + i / colours.size() % 5, colours[i % colours.size()],
        gnuplot_text(names.back()));
  }

  width_ = 560;
  const int columns = std::max(1, (width_ - 60) / (width_of(names) + 50));
  const int lines = names.size() > 1 ? (static_cast<int>(names.size()) + columns - 1) / columns : 0;
  height_ = 310 + line * lines;
  const auto from_bottom = [&](int place) { return number(static_cast<double>(place + line * lines) / height_); };
  const std::string legend =
      lines == 0
          ? "set key off\n"
          : fmt::format("set key at screen 0.5, screen {} center top horizontal Left reverse samplen 2 maxcols {}\n",
                        from_bottom(6), columns);
  commands_ = fmt::format(
      "{}{}end\nset border 3\nset tics nomirror\nset grid linecolor rgb '#999999'\nset format '%g'\n"
      "set xrange [{}:{}]\n{}{}{}set bmargin at screen {}\n{}{}\n",
      labels(plot.title, plot.x_label, plot.y_label), data, number(*first - margin), number(*last + margin),
      whole_tics(plot.x, *last - *first), plot.logarithmic ? "set logscale y\n" : "",
      empty                         ? "set yrange [1:10]\n"
      : plot.from_zero && !negative ? "set yrange [0:*]\n"
                                    : "",
      from_bottom(56), legend, curves);
}

Picture::Picture(const HeatMap& map) {
  check(map);
  constexpr std::size_t largest_with_numbers = 40;
  const bool with_numbers = map.columns.size() <= largest_with_numbers;
  const std::vector<double> shades = map.shades.empty() ? shades_of(map.values) : map.shades;
  const std::vector<std::string> columns = shortened(map.columns, 24), rows = shortened(map.rows, 24);

  std::vector<std::string> texts;
  for (const double value : map.values) texts.push_back(short_number(value, 6));
  std::string data = "$cells << end\n";
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (std::isfinite(map.values[i]))
      data += fmt::format("{} {} {} {} {}\n", i % columns.size(), i / columns.size(), number(shades[i]), texts[i],
                          shades[i] > 0.5 ? "0xffffff" : "0x000000");

  const auto n = static_cast<int>(columns.size()), m = static_cast<int>(rows.size());
  const int cell = with_numbers ? std::max(38, width_of(texts) + 10) : 12;
  const int left = 70 + width_of(rows), right = 100, top = 40, bottom = 50 + width_of(columns) * 3 / 4;
  width_ = left + std::max(n * cell, 200) + right;
  height_ = top + std::max(m * (with_numbers ? 30 : 12), 50 + width_of({map.shade_label})) + bottom;
  const auto part = [](int pixels, int of) { return static_cast<double>(pixels) / of; };
  commands_ = fmt::format(
      "{}{}end\nset lmargin at screen {}\nset rmargin at screen {}\nset bmargin at screen {}\n"
      "set tmargin at screen {}\nset xrange [-0.5:{}]\nset yrange [{}:-0.5]\nset cbrange [0:1]\n"
      "set palette defined (0 '#ffffff', 1 '#08519c')\nset key off\nset cblabel {}\n{}{}{}"
      "plot $cells using 1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror "
      "linecolor palette fillstyle solid 1 border linecolor rgb '#dddddd'{}\n",
      labels(map.title, map.x_label, map.y_label), data, part(left, width_), 1 - part(right, width_),
      part(bottom, height_), 1 - part(top, height_), n - 0.5, m - 0.5, gnuplot_text(map.shade_label),
      map.shades.empty() ? "unset colorbox\n" : "", tics("x", columns, "rotate by 45 right"), tics("y", rows, ""),
      with_numbers ? ", $cells using 1:2:4:5 with labels textcolor rgb variable" : "");
}

std::string Picture::svg() const {
  return run_gnuplot(fmt::format(
      "set encoding utf8\nset terminal svg noenhanced background '#ffffff' font 'sans-serif,12' size {},{}\n{}", width_,
      height_, commands_));
}

std::string Picture::png() const {
  return run_gnuplot(fmt::format(
      "set encoding utf8\nset terminal pngcairo noenhanced background '#ffffff' font 'sans-serif,9' fontscale 2 "
      "linewidth 2 pointscale 2 size {},{}\n{}",
      2 * width_, 2 * height_, commands_));
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
