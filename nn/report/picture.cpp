#include <autograd/tensor/error.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/report/gnuplot.hpp>
#include <nn/report/picture.hpp>
#include <nn/report/whole_file.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>

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
std::string number(double value, const char* format = "%.17g") {
  if (!std::isfinite(value)) return "NaN";
  std::array<char, 40> text;
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

/// Tics at names; a percent sign would be a format.
std::string tics(const char* axis, const std::vector<std::string>& names, const char* rotation) {
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string name;
    for (const char c : names[i]) name += c == '%' ? "%%" : std::string(1, c);
    list += (i > 0 ? ", " : "") + gnuplot_text(name) + ' ' + std::to_string(i);
  }
  return std::string("set ") + axis + "tics (" + list + ") scale 0 " + rotation + '\n';
}

std::string labels(const std::string& title, const std::string& x_label, const std::string& y_label) {
  return "set title " + gnuplot_text(title) + "\nset xlabel " + gnuplot_text(x_label) + " offset 0,0.4\nset ylabel " +
         gnuplot_text(y_label) + '\n';
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
  const auto fail = [&](const std::string& what) { throw ValueError("picture '" + plot.title + "': " + what); };
  if (plot.series.empty()) fail("no curves; need one or more");
  if (plot.x.empty()) fail("x is empty; need one number or more");
  if (!std::all_of(plot.x.begin(), plot.x.end(), [](double x) { return std::isfinite(x); }))
    fail("a number of x is not finite; only y has gaps");
  for (const Series& one : plot.series)
    if (one.y.size() != plot.x.size())
      fail("'" + one.name + "' has " + std::to_string(one.y.size()) + " numbers, x has " +
           std::to_string(plot.x.size()) + "; need as many");
}

void check(const HeatMap& map) {
  const auto fail = [&](const std::string& what) { throw ValueError("picture '" + map.title + "': " + what); };
  const std::size_t cells = map.rows.size() * map.columns.size();
  if (cells == 0) fail("no rows or no columns; need one or more");
  if (map.values.size() != cells || (!map.shades.empty() && map.shades.size() != cells))
    fail(std::to_string(map.values.size()) + " values and " + std::to_string(map.shades.size()) + " shades for " +
         std::to_string(map.rows.size()) + " rows and " + std::to_string(map.columns.size()) +
         " columns; need one for each cell, or no shades");
  for (const double shade : map.shades)
    if (!(shade >= 0 && shade <= 1)) fail("a shade of " + number(shade, "%g") + "; need 0 to 1");
}

/// The values brought to [0, 1]; all 0 if they are alike.
std::vector<double> shades_of(const std::vector<double>& values) {
  double least = INFINITY, largest = -INFINITY;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    least = std::min(least, value);
    largest = std::max(largest, value);
  }
  std::vector<double> shades;
  // Halves do not overflow.
  for (const double value : values)
    shades.push_back(largest > least ? (value / 2 - least / 2) / (largest / 2 - least / 2) : 0.0);
  return shades;
}

}  // namespace

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
    curves += (i > 0 ? ", " : "plot ") + (gaps ? "NaN" : "$data using 1:" + std::to_string(i + 2)) +
              " with linespoints linewidth 1.5 pointtype 7 pointsize " + (plot.x.size() > 30 ? "0.3" : "0.5") +
              " dashtype " + std::to_string(1 + i / colours.size() % 5) + " linecolor rgb '" +
              colours[i % colours.size()] + "' title " + gnuplot_text(names.back());
  }

  const bool legend = plot.series.size() > 1;
  width_ = 560;
  const int columns = std::max(1, (width_ - 60) / (width_of(names) + 50));
  const int lines = legend ? (static_cast<int>(names.size()) + columns - 1) / columns : 0;
  height_ = 310 + line * lines;
  commands_ = labels(plot.title, plot.x_label, plot.y_label) + data +
              "end\nset border 3\nset tics nomirror\nset grid linecolor rgb '#999999'\n" +
              "set format '%g'\nset xrange [" + number(*first - margin) + ':' + number(*last + margin) + "]\n" +
              whole_tics(plot.x, *last - *first) + (plot.logarithmic ? "set logscale y\n" : "") +
              (empty                         ? "set yrange [1:10]\n"
               : plot.from_zero && !negative ? "set yrange [0:*]\n"
                                             : "") +
              "set bmargin at screen " + number((56.0 + line * lines) / height_) +
              (legend ? "\nset key at screen 0.5, screen " + number((6.0 + line * lines) / height_) +
                            " center top horizontal Left reverse samplen 2 maxcols " + std::to_string(columns) + '\n'
                      : "\nset key off\n") +
              curves + '\n';
}

Picture::Picture(const HeatMap& map) {
  check(map);
  constexpr std::size_t largest_with_numbers = 40;
  const bool with_numbers = map.columns.size() <= largest_with_numbers;
  const std::vector<double> shades = map.shades.empty() ? shades_of(map.values) : map.shades;
  const std::vector<std::string> columns = shortened(map.columns, 24), rows = shortened(map.rows, 24);

  std::vector<std::string> texts;
  for (const double value : map.values) texts.push_back(number(value, "%.6g"));
  std::string data = "$cells << end\n";
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (std::isfinite(map.values[i]))
      data += std::to_string(i % columns.size()) + ' ' + std::to_string(i / columns.size()) + ' ' + number(shades[i]) +
              ' ' + texts[i] + (shades[i] > 0.5 ? " 0xffffff\n" : " 0x000000\n");

  const auto n = static_cast<int>(columns.size()), m = static_cast<int>(rows.size());
  const int cell = with_numbers ? std::max(38, width_of(texts) + 10) : 12;
  const int left = 70 + width_of(rows), right = 100, top = 40, bottom = 50 + width_of(columns) * 3 / 4;
  width_ = left + std::max(n * cell, 200) + right;
  height_ = top + std::max(m * (with_numbers ? 30 : 12), 50 + width_of({map.shade_label})) + bottom;
  const auto at = [](const char* side, double place) {
    return std::string("set ") + side + "margin at screen " + number(place) + '\n';
  };
  commands_ =
      labels(map.title, map.x_label, map.y_label) + data + "end\n" + at("l", static_cast<double>(left) / width_) +
      at("r", 1 - static_cast<double>(right) / width_) + at("b", static_cast<double>(bottom) / height_) +
      at("t", 1 - static_cast<double>(top) / height_) + "set xrange [-0.5:" + number(n - 0.5) + "]\nset yrange [" +
      number(m - 0.5) + ":-0.5]\nset cbrange [0:1]\n" +
      "set palette defined (0 '#ffffff', 1 '#08519c')\nset key off\nset cblabel " + gnuplot_text(map.shade_label) +
      '\n' + (map.shades.empty() ? "unset colorbox\n" : "") + tics("x", columns, "rotate by 45 right") +
      tics("y", rows, "") + "plot $cells using 1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror " +
      "linecolor palette fillstyle solid 1 border linecolor rgb '#dddddd'" +
      (with_numbers ? ", $cells using 1:2:4:5 with labels textcolor rgb variable\n" : "\n");
}

std::string Picture::svg() const {
  return run_gnuplot("set encoding utf8\nset terminal svg noenhanced background '#ffffff' font 'sans-serif,12' size " +
                     std::to_string(width_) + ',' + std::to_string(height_) + '\n' + commands_);
}

std::string Picture::png() const {
  return run_gnuplot(
      "set encoding utf8\nset terminal pngcairo noenhanced background '#ffffff' font 'sans-serif,9' fontscale 2 " +
      std::string("linewidth 2 pointscale 2 size ") + std::to_string(2 * width_) + ',' + std::to_string(2 * height_) +
      '\n' + commands_);
}

void Picture::write(const std::string& path) const {
  const bool svg_file = path.ends_with(".svg");
  if (!svg_file && !path.ends_with(".png"))
    throw ValueError("picture: '" + path + "' ends with neither .svg nor .png, the formats that there are");
  WholeFile file(path);
  file.write(svg_file ? svg() : png());
}

void require_gnuplot() { run_gnuplot(""); }

}  // namespace xgrad::nn
