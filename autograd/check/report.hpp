#pragma once

#include <autograd/tensor/dtype.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/shape.hpp>

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad {

/// A gradient check that failed; the text has the table. Also thrown by a check whose function breaks off midway or
/// changes its tensors.
class GradientError : public Error {
 public:
  using Error::Error;
};

/// What a gradient check found out about a tensor, in order of severity.
enum class GradientVerdict : std::uint8_t {
  ok,                ///< numerical and analytical gradient agree
  kink,              ///< left and right slopes differ at some entries, the analytical value lies between them
  zero,              ///< both vanish everywhere: nothing was proved
  inconclusive,      ///< the numerical gradient is not known to within the tolerance
  unreachable,       ///< on the tape the output does not depend on the tensor
  non_finite,        ///< the gradient, or the function around the point, is infinite or NaN
  wrong,             ///< they disagree
  nondeterministic,  ///< the function, or its gradient, gave two results for the same values
};

/// `ok`, `wrong`, `non-finite`, ...
std::string_view name_of(GradientVerdict verdict);

/// Numbers about one entry of a tensor, or about one direction through all of its entries. NaN: not known.
struct GradientEntry {
  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  bool direction = false;           ///< through the whole tensor, not along one entry
  Extents index;                    ///< of the entry
  double numerical = unknown;       ///< with dtype float32: the gradient in float64
  double analytical = unknown;      ///< with dtype float32: the gradient in float32
  double absolute_error = unknown;  ///< |numerical - analytical|
  double relative_error = unknown;  ///< to the largest of both and the gradient's rms (along a direction: its norm)
  double noise = unknown;           ///< error of the numerical value: truncation and rounding
  double tolerance = unknown;       ///< absolute: |numerical - analytical| - 2 noise within it is ok
  double step = 0;                  ///< the smallest that the numerical value was made from
  double left = unknown;            ///< one-sided slopes, known where something was odd; infinite at a jump
  double right = unknown;
};

/// The result for one tensor. The numbers are those of its worst entry: among those of the row's verdict the one of
/// largest relative error.
struct GradientRow : GradientEntry {
  std::string name;
  Shape shape;
  GradientVerdict verdict = GradientVerdict::ok;
  std::size_t entries = 0;            ///< checked one by one, of shape.elements()
  bool directional = false;           ///< checked along a random direction through all entries (too)
  std::size_t failed = 0;             ///< entries of the verdict, unless that is ok or about the tensor as a whole
  std::vector<GradientEntry> others;  ///< of the verdict, the next worst ones, unless that is ok
  double largest = 0;                 ///< largest |numerical| of all checked entries, as far as it exceeds its error
  std::string note;                   ///< what else there is to say, one line
};

class GradientReport {
 public:
  std::vector<GradientRow> rows;
  int order = 1;
  DType dtype = float64;        ///< whose backward was checked
  std::string mode;             ///< how entries were chosen, in words
  std::size_t evaluations = 0;  ///< of the function (order 1) or of its gradient (order 2) with moved values
  bool allow_zero = false;      ///< from the options

  /// The row of a tensor by name; ValueError if there is none.
  const GradientRow& operator[](std::string_view name) const&;
  GradientRow operator[](std::string_view name) const&& { return (*this)[name]; }
  /// ok and kink pass. zero, and unreachable where the function does not depend on the tensor numerically either, pass
  /// with allow_zero. A report without rows does not pass.
  bool passed(const GradientRow& row) const;
  bool ok() const;
  /// Throws a GradientError with the table unless ok.
  void require() const;

  /// An aligned table, one row a tensor, and a line about each tensor that is not plainly ok. With colours, verdicts
  /// are set in green, yellow and red (ECMA-48).
  std::string text(bool colours = false) const;
  /// The same table; in colours when the stream is std::cout or std::cerr on a terminal and the environment variable
  /// NO_COLOR is not set (https://no-color.org).
  friend std::ostream& operator<<(std::ostream& stream, const GradientReport& report);
  /// For machines: {"ok", "order", "dtype", "mode", "evaluations", "rows": [{"name", "shape", "verdict", ...}]} with
  /// the members' names. What is not known is null, infinite numbers are "inf" and "-inf".
  std::string json() const;
};

}  // namespace xgrad
