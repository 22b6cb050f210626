#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/program_path.hpp"
#include "tests/support/xml.hpp"

#include <nn/report/picture.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace xgrad;
using doctest::Approx;
using expect::error_of;

namespace {

nn::LinePlot plot_of(std::vector<double> x, std::vector<nn::Series> series) {
  return {
      .title = "title", .x_label = "epoch", .y_label = "loss / nat", .x = std::move(x), .series = std::move(series)};
}
nn::HeatMap two_by_two(std::vector<double> values, std::vector<double> shades = {}) {
  return {.title = "title",
          .x_label = "predicted",
          .y_label = "label",
          .columns = {"a", "b"},
          .rows = {"c", "d"},
          .values = std::move(values),
          .shades = std::move(shades),
          .shade_label = "share"};
}

/// What is written in a picture, without the spaces that gnuplot's numbers begin with.
std::vector<std::string> texts(const std::string& svg) {
  std::vector<std::string> found = xml::between(svg, "<text>", "</text>");
  for (std::string& text : found)
    if (text.starts_with(' ')) text.erase(0, 1);
  return found;
}
bool shows(const std::string& svg, const std::string& text) {
  const std::vector<std::string> all = texts(svg);
  return std::find(all.begin(), all.end(), text) != all.end();
}

using Points = std::vector<std::pair<double, double>>;

/// The polylines of the curve of this number, from 1, of a picture without a legend; y is downwards.
std::vector<Points> curve(const std::string& svg, int number) {
  const std::string mark = "gnuplot_plot_" + std::to_string(number);
  std::string plot = svg.substr(svg.find("id=\"" + mark));
  plot = plot.substr(0, plot.find("<g id=", 1));
  std::vector<Points> lines;
  std::istringstream words(xml::between(plot, " d='", "'").at(0));
  for (std::string word; words >> word;) {
    Points::value_type point;
    if (std::sscanf(word.c_str() + 1, "%lf,%lf", &point.first, &point.second) != 2) continue;
    if (word[0] == 'M') lines.emplace_back();
    lines.back().push_back(point);
  }
  return lines;
}

}  // namespace

TEST_CASE("a line plot is a well-formed SVG with title, axes and units, and a legend of two curves or more") {
  const nn::Picture one = plot_of({1, 2, 3}, {{"training", {3, 2, 1}}});
  const std::string svg = one.svg();
  CHECK(xml::fault(svg) == "");
  for (const char* text : {"title", "epoch", "loss / nat", "1", "2", "3"}) CHECK(shows(svg, text));
  CHECK_FALSE(shows(svg, "training"));
  const std::string two = nn::Picture(plot_of({1, 2, 3}, {{"training", {3, 2, 1}}, {"validation", {3, 3, 3}}})).svg();
  CHECK(xml::fault(two) == "");
  CHECK(shows(two, "training"));
  CHECK(shows(two, "validation"));
}

TEST_CASE("points stand where their numbers say") {
  const std::string svg = nn::Picture(plot_of({1, 2, 5}, {{"y", {0, 1, 4}}})).svg();
  const auto lines = curve(svg, 1);
  REQUIRE(lines.size() == 1);
  REQUIRE(lines[0].size() == 3);
  const auto [x0, y0] = lines[0][0];
  CHECK((lines[0][2].first - x0) / (lines[0][1].first - x0) == Approx(4).epsilon(1e-3));
  CHECK((lines[0][2].second - y0) / (lines[0][1].second - y0) == Approx(4).epsilon(1e-3));
  CHECK(lines[0][2].second < y0);  // upwards
}

TEST_CASE("a logarithmic axis has equal steps for equal factors, and numbers that are not positive are gaps") {
  nn::LinePlot plot = plot_of({1, 2, 3, 4, 5}, {{"y", {1, 10, 100, 0, -1}}});
  plot.logarithmic = true;
  const auto lines = curve(nn::Picture(plot).svg(), 1);
  REQUIRE(lines.size() == 1);
  REQUIRE(lines[0].size() == 3);
  CHECK(lines[0][0].second - lines[0][1].second == Approx(lines[0][1].second - lines[0][2].second).epsilon(1e-3));
}

TEST_CASE("NaN and infinite numbers are gaps") {
  for (const double gap : std::vector<double>{NAN, INFINITY, -INFINITY, 1e301}) {
    const auto lines = curve(nn::Picture(plot_of({1, 2, 3, 4, 5}, {{"y", {1, 2, gap, 4, 5}}})).svg(), 1);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].size() == 2);
    CHECK(lines[1].size() == 2);
  }
  const std::string svg = nn::Picture(plot_of({1, 2}, {{"known", {1, 2}}, {"unknown", {NAN, NAN}}})).svg();
  CHECK(shows(svg, "unknown"));  // in the legend
  for (const bool logarithmic : {false, true}) {
    nn::LinePlot nothing = plot_of({1, 2}, {{"y", {NAN, -INFINITY}}});
    nothing.logarithmic = logarithmic;
    if (logarithmic) nothing.series.push_back({"z", {0, -1}});
    CHECK(shows(nn::Picture(nothing).svg(), "epoch"));
  }
}

TEST_CASE("epochs have whole tics, and an axis begins at 0 on request") {
  const std::string few = nn::Picture(plot_of({1, 2}, {{"y", {5, 6}}})).svg();
  CHECK_FALSE(shows(few, "1.5"));
  CHECK_FALSE(shows(few, "0"));
  CHECK(shows(nn::Picture(plot_of({1.25, 1.75}, {{"y", {5, 6}}})).svg(), "1.5"));
  std::vector<double> x, y;
  for (int i = 1; i <= 200; ++i) {
    x.push_back(i);
    y.push_back(1.0 / i);
  }
  const std::string many = nn::Picture(plot_of(x, {{"y", y}})).svg();
  CHECK(shows(many, "50"));
  CHECK(shows(many, "200"));
  for (const char* between : {"10", "20", "25"}) CHECK_FALSE(shows(many, between));
  nn::LinePlot plot = plot_of({1, 2}, {{"y", {5, 6}}});
  plot.from_zero = true;
  CHECK(shows(nn::Picture(plot).svg(), "0"));
  plot.series[0].y[0] = -5;
  CHECK(shows(nn::Picture(plot).svg(), "-4"));  // and hides nothing
}

TEST_CASE("one point is a picture, and so is a large number of curves, each in the legend") {
  CHECK(shows(nn::Picture(plot_of({1}, {{"y", {7}}})).svg(), "7"));
  std::vector<nn::Series> series;
  for (int i = 0; i < 40; ++i) series.push_back({"encoder.layers.hidden." + std::to_string(i), {1.0 * i, 2.0}});
  const std::string svg = nn::Picture(plot_of({1, 2}, series)).svg();
  for (const nn::Series& one : series) CHECK(shows(svg, one.name));
  double height = 0, lowest = 0;
  std::sscanf(xml::between(svg, " height=\"", "\"")[0].c_str(), "%lf", &height);
  for (const std::string& place : xml::between(svg, "translate(", ")")) {
    double x = 0, y = 0;
    std::sscanf(place.c_str(), "%lf,%lf", &x, &y);
    lowest = std::max(lowest, y);
  }
  CHECK(lowest < height);  // the legend is not cut off
}

TEST_CASE("texts are shown as they are") {
  const std::string text = "<b>&\"it's\" `x` 100% \\n {/Symbol a}_b^c @x \xC3\xBC \xE2\x86\x92";
  nn::LinePlot plot = plot_of({1, 2}, {{text, {1, 2}}, {"y", {1, 2}}});
  plot.title = plot.x_label = plot.y_label = text;
  const std::string svg = nn::Picture(plot).svg();
  CHECK(xml::fault(svg) == "");
  const std::vector<std::string> shown = texts(svg);
  CHECK(std::count(shown.begin(), shown.end(), text) == 4);
  nn::HeatMap map = two_by_two({1, 2, 3, 4});
  map.rows = map.columns = {"100% <b>&\"", "it's `x`"};
  const std::string cells = nn::Picture(map).svg();
  CHECK(xml::fault(cells) == "");
  const std::vector<std::string> names = texts(cells);
  CHECK(std::count(names.begin(), names.end(), map.rows[0]) == 2);
  CHECK(std::count(names.begin(), names.end(), map.rows[1]) == 2);
  plot.title = "a\nb\xFF";
  CHECK(shows(nn::Picture(plot).svg(), "a b\xEF\xBF\xBD"));
}

TEST_CASE("of a long name the end is shown") {
  const std::string long_name = std::string(70, 'a') + "\xC3\xBC.weight";
  const std::string svg = nn::Picture(plot_of({1, 2}, {{long_name, {1, 2}}, {"y", {1, 2}}})).svg();
  CHECK(shows(svg, "\xE2\x80\xA6" + std::string(51, 'a') + "\xC3\xBC.weight"));  // 60 characters
}

TEST_CASE("a heat map has a number in each cell, the first row at the top, the darker the larger its shade") {
  const std::string svg = nn::Picture(two_by_two({901, 22, 33, 44}, {0, 1, 0.5, 0.25})).svg();
  CHECK(xml::fault(svg) == "");
  for (const char* text : {"title", "predicted", "label", "share", "a", "b", "c", "d"}) CHECK(shows(svg, text));
  const std::vector<std::string> all = texts(svg);
  const auto first = std::find(all.begin(), all.end(), "901");
  REQUIRE(all.end() - first >= 4);
  CHECK(std::vector<std::string>(first, first + 4) == std::vector<std::string>{"901", "22", "33", "44"});
  const std::vector<std::string> styles = xml::between(svg, "stroke=\"none\" fill=\"rgb", "\"");
  CHECK(styles == std::vector<std::string>{"(0,0,0)", "(255,255,255)", "(0,0,0)", "(0,0,0)"});  // legible
  // White (255, 255, 255) to (8, 81, 156).
  const std::vector<std::string> fills = xml::between(svg, "<polygon fill = '", "'");
  REQUIRE(fills.size() >= 4);
  CHECK(fills[0] == "rgb(255, 255, 255)");
  CHECK(fills[1] == "rgb(  8,  81, 156)");
  CHECK(fills[2].starts_with("rgb(13"));  // (255 + 8) / 2, to a step of the palette
  const std::vector<std::string> corners = xml::between(svg, "points = '", " ");
  double x[4], y[4];
  for (std::size_t i = 0; i < 4; ++i) REQUIRE(std::sscanf(corners[i].c_str(), "%lf,%lf", &x[i], &y[i]) == 2);
  CHECK(x[0] == x[2]);
  CHECK(x[0] < x[1]);
  CHECK(y[0] < y[2]);
  CHECK(y[0] == y[1]);
}

TEST_CASE("without shades the values are taken, and cells that are not finite stay empty") {
  const std::string svg = nn::Picture(two_by_two({-1, 3, 1, NAN})).svg();
  const std::vector<std::string> fills = xml::between(svg, "<polygon fill = '", "'");
  REQUIRE(fills.size() == 3);
  CHECK(fills[0] == "rgb(255, 255, 255)");
  CHECK(fills[1] == "rgb(  8,  81, 156)");
  CHECK_FALSE(shows(svg, "NaN"));
  nn::HeatMap one = two_by_two({7});
  one.rows = one.columns = {"a"};
  CHECK(shows(nn::Picture(one).svg(), "7"));
}

TEST_CASE("a heat map of many columns has no numbers in its cells") {
  nn::HeatMap map = two_by_two({});
  map.columns.assign(41, "a");
  map.values.assign(82, 12345);
  CHECK_FALSE(shows(nn::Picture(map).svg(), "12345"));
  map.columns.pop_back();
  map.values.assign(80, 12345);
  CHECK(shows(nn::Picture(map).svg(), "12345"));
}

TEST_CASE("pictures that cannot be drawn are refused") {
  CHECK(error_of([] { nn::Picture(plot_of({1}, {})); }) == "ValueError: picture 'title': no curves; need one or more");
  CHECK(error_of([] {
          nn::Picture(plot_of({}, {{"y", {}}}));
        }) == "ValueError: picture 'title': x is empty; need one number or more");
  CHECK(error_of([] {
          nn::Picture(plot_of({1, NAN}, {{"y", {1, 2}}}));
        }) == "ValueError: picture 'title': a number of x is not finite; only y has gaps");
  CHECK(error_of([] {
          nn::Picture(plot_of({1, 2}, {{"y", {1, 2, 3}}}));
        }) == "ValueError: picture 'title': 'y' has 3 numbers, x has 2; need equal lengths");
  CHECK(error_of([] {
          nn::Picture(two_by_two({1, 2, 3}));
        }) ==
        "ValueError: picture 'title': 3 values and 0 shades for 2 rows and 2 columns; need one for each cell, or no "
        "shades");
  CHECK(error_of([] { nn::Picture(two_by_two({1, 2, 3, 4}, {1})); }).starts_with("ValueError: picture 'title': 4 val"));
  CHECK(error_of([] {
          nn::Picture(two_by_two({1, 2, 3, 4}, {0, 0, 0, 2}));
        }) == "ValueError: picture 'title': a shade of 2; need 0 to 1");
  nn::HeatMap empty = two_by_two({});
  empty.rows = {};
  CHECK(error_of([&] { nn::Picture{empty}; }) ==
        "ValueError: picture 'title': no rows or no columns; need one or more");
}

TEST_CASE("a picture is written in the format of its ending, the same bytes every time") {
  const Folder folder;
  const nn::Picture picture = plot_of({1, 2, 3}, {{"training", {3, 2, 1}}, {"validation", {3, NAN, 3}}});
  picture.write(folder.file("a.svg"));
  picture.write(folder.file("a.png"));
  CHECK(content_of(folder / "a.svg") == picture.svg());
  CHECK(content_of(folder / "a.png") == picture.png());
  CHECK(picture.png() == picture.png());
  CHECK(folder.entries() == 2);
  // The 8-byte signature, then width and height, big-endian, in the chunk IHDR (ISO/IEC 15948, 11.2.1).
  const std::string png = content_of(folder / "a.png");
  CHECK(png.starts_with("\x89PNG\r\n\x1A\n"));
  int width = 0;
  std::sscanf(xml::between(picture.svg(), " width=\"", "\"")[0].c_str(), "%d", &width);
  CHECK(static_cast<unsigned char>(png[18]) * 256 + static_cast<unsigned char>(png[19]) == 2 * width);

  CHECK(error_of([&] { picture.write(folder.file("a.pdf")); }) ==
        "ValueError: picture: '" + folder.file("a.pdf") +
            "' ends with neither .svg nor .png, the formats that there are");
  CHECK(error_of([&] { picture.write(folder.file("missing/a.svg")); }).starts_with("FileError: "));
  CHECK(folder.entries() == 2);
}

TEST_CASE("without gnuplot a picture is an error that says what to install, and no file") {
  const Folder folder;
  const ProgramPath path(folder.path);
  const nn::Picture picture = plot_of({1}, {{"y", {1}}});
  const std::string missing = "FileError: picture: gnuplot is not installed; apt-get install gnuplot-nox";
  CHECK(error_of([&] { picture.svg(); }) == missing);
  CHECK(error_of([&] { picture.write(folder.file("a.svg")); }) == missing);
  CHECK(error_of([] { nn::require_gnuplot(); }) == missing);
  CHECK(folder.entries() == 0);
}

TEST_CASE("gnuplot is there") { CHECK_NOTHROW(nn::require_gnuplot()); }
