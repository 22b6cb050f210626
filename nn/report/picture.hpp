#pragma once

#include <nn/report/chart.hpp>

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// One curve of a line plot.
struct Series {
  std::string name;
  std::vector<double> y;  ///< one for each x; NaN, infinite and beyond ±1e300 are gaps
};

/// Curves over a shared x. With two or more, a legend names them.
struct LinePlot {
  std::string title = {};
  std::string x_label = {};  ///< with its unit: `time / s`
  std::string y_label = {};
  std::vector<double> x = {};  ///< finite
  std::vector<Series> series = {};
  bool from_zero = false;    ///< the y axis begins at 0 if no y is negative
  bool logarithmic = false;  ///< y to base 10; then numbers that are not positive are gaps
};

/// A table of numbers (rows, columns), the first row at the top: each number stands in its cell, as long as there are
/// at most 40 columns, and cells of larger shades are darker. A cell that is not finite stays empty.
struct HeatMap {
  std::string title = {};
  std::string x_label;
  std::string y_label;
  std::vector<std::string> columns;  ///< names
  std::vector<std::string> rows;
  std::vector<double> values;       ///< (rows, columns), row-major
  std::vector<double> shades = {};  ///< likewise, in [0, 1]; if empty, the values are taken, from least to largest
  std::string shade_label = {};     ///< what the shades are
};

/// A picture on white, drawn by the program gnuplot (Debian's package gnuplot-nox), which runs as a child process with
/// nothing but its standard streams; no text passes through a shell. The same numbers give the same bytes.
///
/// Texts are shown as they are, but for bytes that are not UTF-8 (shown as U+FFFD), line ends (spaces), and names of
/// more than 60 characters (their end).
class Picture {
 public:
  /// ValueError unless there is a curve, x is finite and not empty, and every y is as long as x.
  Picture(const LinePlot& plot);  // NOLINT(google-explicit-constructor): Picture(plot).svg(), write({...})
  /// ValueError unless there are rows and columns, a value for each cell, and a shade in [0, 1] for each cell or none.
  Picture(const HeatMap& map);  // NOLINT(google-explicit-constructor)
  /// ValueError as drawing_of.
  Picture(const Chart& chart);  // NOLINT(google-explicit-constructor)

  /// The text of an SVG document. FileError if gnuplot is not installed, or with its own message if it fails.
  std::string svg() const;
  /// The bytes of a PNG file, two pixels a unit of the SVG. FileError likewise.
  std::string png() const;
  /// A file, whole or not at all, in the format of its ending, `.svg` or `.png`; ValueError for others. FileError
  /// likewise, and if it cannot be written.
  void write(const std::string& path) const;

 private:
  explicit Picture(Drawing drawing);

  int width_ = 0;
  int height_ = 0;
  std::string commands_;
};

/// FileError, which says what to install, unless gnuplot can be run: call it before a long run that ends in pictures.
void require_gnuplot();

/// The least and the largest of the finite values; (∞, -∞) if there is none.
std::pair<double, double> finite_range(std::span<const double> values);

}  // namespace xgrad::nn
