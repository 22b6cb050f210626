#include "tests/support/expect.hpp"
#include "tests/support/xml.hpp"

#include <nn/report/picture.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

using namespace xgrad;
using doctest::Approx;
using expect::error_of;

namespace {

nn::Panel panel_of(std::vector<nn::Trace> traces) {
  return {.title = "panel", .x_label = "x / m", .y_label = "y / s", .traces = std::move(traces)};
}
nn::Chart chart_of(nn::Panel panel) { return {.title = "chart", .panels = {std::move(panel)}}; }
nn::Surface two_by_three() {
  return {.x = {0, 3}, .y = {0, 2}, .columns = 3, .rows = 2, .values = {1, 2, 3, 4, 5, 6}, .label = "height / m"};
}

long count(const std::string& svg, const std::string& text) {
  const std::vector<std::string> all = xml::between(svg, "<text>", "</text>");
  return std::count_if(all.begin(), all.end(), [&](std::string found) {
    found.erase(0, found.find_first_not_of(' '));
    return found == text;
  });
}

/// Where gnuplot drew points of one kind.
std::vector<std::pair<double, double>> places(const std::string& svg, const std::string& symbol) {
  std::vector<std::pair<double, double>> found;
  for (const std::string& use : xml::between(svg, "<use xlink:href='#" + symbol + "' transform='translate(", ")")) {
    found.emplace_back();
    std::sscanf(use.c_str(), "%lf,%lf", &found.back().first, &found.back().second);
  }
  return found;
}

}  // namespace

TEST_CASE("panels stand in rows, each with its title and axes, one legend below all") {
  nn::Chart chart{.title = "chart", .columns = 2};
  for (int i = 0; i < 3; ++i)
    chart.panels.push_back(
        panel_of({{.name = "a", .x = {1, 2}, .y = {1, 2}}, {.name = "b", .x = {1, 2}, .y = {2, 1}}}));
  const std::string svg = nn::Picture(chart).svg();
  CHECK(xml::fault(svg) == "");
  CHECK(count(svg, "chart") == 1);
  for (const char* text : {"panel", "x / m", "y / s"}) CHECK(count(svg, text) == 3);
  for (const char* text : {"a", "b"}) CHECK(count(svg, text) == 1);
  nn::Chart row = chart;
  row.columns = 3;
  const auto sizes = [](const nn::Chart& c) {
    const nn::Drawing drawing = nn::drawing_of(c);
    return std::pair(drawing.width, drawing.height);
  };
  CHECK(sizes(row).first * 2 == sizes(chart).first * 3);
  CHECK(sizes(row).second < sizes(chart).second);
}

TEST_CASE("a logarithmic x axis has equal steps for equal factors") {
  nn::Panel panel = panel_of({{.name = "a", .x = {1, 10, 100, 0, -1}, .y = {1, 2, 3, 4, 5}, .mark = nn::Mark::points}});
  panel.x_logarithmic = true;
  const auto points = places(nn::Picture(chart_of(panel)).svg(), "gpPt6");
  REQUIRE(points.size() == 3);
  CHECK(points[1].first - points[0].first == Approx(points[2].first - points[1].first).epsilon(1e-3));
}

TEST_CASE("a logarithmic axis has powers of 10, in figures where they are few") {
  nn::Panel panel = panel_of({{.name = "a", .x = {1e-12, 1}, .y = {0.02, 30}}});
  panel.x_logarithmic = panel.y_logarithmic = true;
  const std::string svg = nn::Picture(chart_of(panel)).svg();
  for (const char* text : {"10⁻¹²", "10⁻⁶", "10⁰", "0.01", "1", "100"}) CHECK(count(svg, text) == 1);
  CHECK(count(svg, "10⁻¹¹") == 0);  // every second is enough
  panel.y_range = {{2.1, 4.9}};     // no power of 10: gnuplot's own tics
  CHECK(count(nn::Picture(chart_of(panel)).svg(), "100") == 0);
}

TEST_CASE("a logarithmic axis of less than two decades begins and ends near its numbers") {
  nn::Panel panel = panel_of({{.name = "a", .x = {7, 8}, .y = {0.83, 4.1}}});
  panel.y_logarithmic = true;
  const std::string svg = nn::Picture(chart_of(panel)).svg();
  for (const char* text : {"0.5", "2", "5"}) CHECK(count(svg, text) == 1);
  for (const char* text : {"0.1", "0.2", "10"}) CHECK(count(svg, text) == 0);
}

TEST_CASE("tics of a long logarithmic axis are multiples of their step, wherever it begins") {
  const auto svg_from = [](double low) {
    nn::Panel panel = panel_of({{.name = "a", .x = {low, 10}, .y = {1, 2}}});
    panel.x_logarithmic = true;
    return nn::Picture(chart_of(panel)).svg();
  };
  for (const double low : {1e-15, 1e-14}) {  // every second
    const std::string svg = svg_from(low);
    for (const char* text : {"10⁻¹⁴", "10⁻²", "10⁰"}) CHECK(count(svg, text) == 1);
    for (const char* text : {"10⁻¹⁵", "10⁻¹³", "10⁻¹"}) CHECK(count(svg, text) == 0);
  }
  CHECK(count(svg_from(1e-30), "10⁻²⁸") == 1);  // every fourth
}

TEST_CASE("a legend has a place for every name within the picture, and shortens what does not fit") {
  std::vector<nn::Trace> traces;
  for (const nn::Mark mark : {nn::Mark::line, nn::Mark::points, nn::Mark::both})
    traces.push_back({.name = "a name that is as long as this one " + std::to_string(traces.size()),
                      .x = {1, 2},
                      .y = {1, 2},
                      .mark = mark});
  for (const int width : {200, 476, 1000}) {
    const nn::Chart chart{.panels = {panel_of(traces)}, .width = width};
    const std::string svg = nn::Picture(chart).svg();
    const nn::Drawing page = nn::drawing_of(chart);
    for (const std::string& text : xml::between(svg, "<g transform=\"translate(", "</text>")) {
      double x = 0, y = 0;
      std::sscanf(text.c_str(), "%lf,%lf", &x, &y);
      CHECK(y < page.height);
      const std::size_t name = text.find("<text>") + 6;
      if (text.find("this one") != std::string::npos)
        CHECK(x + 6.5 * static_cast<double>(text.size() - name) < page.width);
    }
    for (int i = 0; i < 3; ++i) CHECK(svg.find("this one " + std::to_string(i) + "</text>") != std::string::npos);
  }
}

TEST_CASE("names differ in more than their colour, and one name looks alike in all panels") {
  std::vector<nn::Trace> traces;
  for (int i = 0; i < 7; ++i)
    traces.push_back({.name = std::to_string(i), .x = {1, 2}, .y = {1, 2}, .mark = nn::Mark::points});
  const std::string commands =
      nn::drawing_of({.panels = {panel_of(traces), panel_of({traces[6], traces[0]})}}).commands;
  std::vector<std::string> kinds = xml::between(commands, "pointtype ", " ");
  REQUIRE(kinds.size() == 16);  // 7 and 2 traces, 7 in the legend
  CHECK(kinds[7] == kinds[6]);
  CHECK(kinds[8] == kinds[0]);
  kinds.resize(7);
  std::sort(kinds.begin(), kinds.end());
  CHECK(std::adjacent_find(kinds.begin(), kinds.end()) == kinds.end());
}

TEST_CASE("a surface is an image in its rectangle, with contours and, if it is named, a scale") {
  nn::Panel panel = panel_of({});
  panel.surface = two_by_three();
  panel.surface->contours = {3.5, 99};
  const std::string svg = nn::Picture(chart_of(panel)).svg();
  CHECK(xml::fault(svg) == "");
  CHECK(count(svg, "height / m") == 1);
  const std::vector<std::string> images = xml::between(svg, "<image ", ">");
  REQUIRE(images.size() == 1);
  double width = 0, height = 0;
  std::sscanf(xml::between(images[0], "width='", "'").at(0).c_str(), "%lf", &width);
  std::sscanf(xml::between(images[0], "height='", "'").at(0).c_str(), "%lf", &height);
  CHECK(width == Approx(230).epsilon(0.01));
  CHECK(height == Approx(190).epsilon(0.01));
  const auto polygons = [](const std::string& text) { return xml::between(text, "<polygon", ">").size(); };
  panel.surface->label = "";
  const std::string bare = nn::Picture(chart_of(panel)).svg();
  CHECK(polygons(bare) < polygons(svg));
  // The contour 3.5 between the rows of 1 2 3 and 4 5 6 crosses both: it goes from (2.5, 0.5+1/6) up to (0.5, 1.3).
  const auto paths = [](const std::string& text) {
    return xml::between(text, "<path stroke='rgb( 51,  51,  51)'", "/>").size();
  };
  CHECK(paths(bare) == 1);
  panel.surface->contours = {99};
  CHECK(paths(nn::Picture(chart_of(panel)).svg()) == 0);
}

TEST_CASE("a surface without finite values, or of one value, is a picture too") {
  for (const double value : std::vector<double>{NAN, 1.0, 0.0}) {
    for (const bool diverging : {false, true}) {
      nn::Panel panel = panel_of({});
      panel.surface = {.x = {0, 1},
                       .y = {0, 1},
                       .columns = 2,
                       .rows = 1,
                       .values = {value, value},
                       .contours = {1},
                       .label = "z",
                       .diverging = diverging};
      CHECK(xml::fault(nn::Picture(chart_of(panel)).svg()) == "");
    }
  }
}

TEST_CASE("notes stand in the panel") {
  nn::Panel panel = panel_of({{.name = "a", .x = {0, 1}, .y = {0, 1}}});
  panel.notes = {{.x = 0.5, .y = 0.5, .text = "100% <here>"}};
  const std::string svg = nn::Picture(chart_of(panel)).svg();
  CHECK(xml::fault(svg) == "");
  // gnuplot writes it twice at one place: with a filter that paints the white behind it, and once more on top.
  const std::vector<std::string> tags = xml::between(svg, "<g transform=\"", "</g>");
  std::vector<std::string> spots;
  int filtered = 0;
  for (const std::string& tag : tags) {
    if (tag.find("here") == std::string::npos) continue;
    spots.push_back(tag.substr(0, tag.find('"')));
    filtered += tag.find("filter:url(#textbox)") != std::string::npos;
  }
  REQUIRE(spots.size() == 2);
  CHECK(spots[0] == spots[1]);
  CHECK(filtered == 1);
}

TEST_CASE("charts that cannot be drawn are refused") {
  const auto refused = [](nn::Panel panel) { return error_of([&] { nn::Picture(chart_of(std::move(panel))); }); };
  CHECK(error_of([] { nn::Picture(nn::Chart{.title = "chart"}); }) ==
        "ValueError: picture 'chart': no panels; need one or more");
  CHECK(refused(panel_of({})) == "ValueError: picture 'panel': neither a trace nor a surface; need one");
  CHECK(refused(panel_of({{.name = "a", .x = {1, 2}, .y = {1}}})) ==
        "ValueError: picture 'panel': 'a' has 2 numbers of x and 1 of y; need equal counts");
  nn::Panel panel = panel_of({{.name = "a", .x = {1, 2}, .y = {1, 2}}});
  panel.x_range = {2, 1};
  CHECK(refused(panel) == "ValueError: picture 'panel': x from 2 to 1; need finite numbers, the first less");
  panel.x_range = {0, 1};
  panel.x_logarithmic = true;
  CHECK(refused(panel) == "ValueError: picture 'panel': x from 0 to 1; need finite numbers above 0, the first less");
  panel = panel_of({});
  panel.surface = two_by_three();
  panel.surface->values.pop_back();
  CHECK(refused(panel) ==
        "ValueError: picture 'panel': 5 values for 2 rows and 3 columns of a surface; need one for each cell");
  panel.surface = two_by_three();
  panel.surface->contours = {NAN};
  CHECK(refused(panel) == "ValueError: picture 'panel': a contour of nan; need a finite number");
  panel.surface = two_by_three();
  panel.y_logarithmic = true;
  CHECK(refused(panel).starts_with(
      "ValueError: picture 'panel': the surface's y from 0 to 2; need finite numbers above 0"));
  panel.surface->y = {1, 2};
  CHECK(refused(panel) == "ValueError: picture 'panel': a surface has equal cells, no logarithmic axes");
}
