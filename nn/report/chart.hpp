#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

enum class Mark : std::uint8_t { line, points, both };

/// Numbers y over x, as a curve, as points, or both.
struct Trace {
  /// In the legend, once for all panels; traces of one name look alike, and each name differs from the others in more
  /// than its colour. Empty: a trace of its own look that the legend leaves out.
  std::string name = {};
  std::vector<double> x = {};
  std::vector<double> y = {};  ///< as many; a point with a number that is not finite or is beyond ±1e300 is a gap
  Mark mark = Mark::line;
  std::string colour = {};  ///< `#rrggbb`; its own if empty, and black without a name
};

/// A function over a rectangle, as colours and contours.
struct Surface {
  std::pair<double, double> x;  ///< from, to
  std::pair<double, double> y;
  std::size_t columns = 0;
  std::size_t rows = 0;
  /// (rows, columns), row-major, at the centres of equal cells, the first row at the least y; not finite: white.
  std::vector<double> values = {};
  std::vector<double> contours = {};  ///< values whose lines are drawn
  std::string label = {};             ///< what the values are, with their unit, at a scale of the colours
  /// Of two signs: orange below 0, white, blue above. Otherwise from white for the least to dark blue. The scale of
  /// the colours is left out where it has no label.
  bool diverging = false;
  std::optional<std::pair<double, double>> range = std::nullopt;  ///< of the colours; the values', if not told
};

/// A word in a panel, centred there.
struct Note {
  double x;
  double y;
  std::string text;
};

/// Axes with what is drawn on them.
struct Panel {
  std::string title = {};
  std::string x_label = {};  ///< with its unit: `time / s`
  std::string y_label = {};
  std::vector<Trace> traces = {};
  std::optional<Surface> surface = std::nullopt;  ///< below the traces
  std::vector<Note> notes = {};
  std::optional<std::pair<double, double>> x_range = std::nullopt;  ///< what is drawn; from the numbers, if not told
  std::optional<std::pair<double, double>> y_range = std::nullopt;
  bool x_logarithmic = false;  ///< to base 10; numbers that are not positive are gaps
  bool y_logarithmic = false;
  bool from_zero = false;  ///< the y axis begins at 0 if no y is negative
};

/// Panels side by side, with one legend below all.
struct Chart {
  std::string title = {};  ///< above all panels
  std::vector<Panel> panels = {};
  std::size_t columns = 3;  ///< panels in a row, at most
  int width = 230;          ///< of a panel between its axes, in units of the SVG
  int height = 190;
};

/// What gnuplot draws, and on how much room.
struct Drawing {
  int width = 0;
  int height = 0;
  std::string commands = {};
};

/// ValueError without panels, for a panel without traces and surface, a trace whose x and y differ in number, a surface
/// without a value for each cell or contours that are not finite, and ranges that are empty, not finite or, on a
/// logarithmic axis, not positive.
Drawing drawing_of(const Chart& chart);

}  // namespace xgrad::nn
