#pragma once

#include <autograd/error.hpp>
#include <autograd/shape.hpp>

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

/// The result for one tensor. The single numbers are those of its worst entry.
struct GradientRow {
  std::string name;
  Shape shape;
  std::size_t entries = 0;  ///< checked, of shape.elements()
  GradientVerdict verdict = GradientVerdict::ok;
  Extents index;  ///< of the worst entry: among those of the row's verdict the one of largest relative error
  double numerical = std::numeric_limits<double>::quiet_NaN();
  double analytical = std::numeric_limits<double>::quiet_NaN();
  double absolute_error = std::numeric_limits<double>::quiet_NaN();  ///< |numerical - analytical|
  double relative_error =
      std::numeric_limits<double>::quiet_NaN();             ///< to the largest of both and the rms of the gradient
  double noise = std::numeric_limits<double>::quiet_NaN();  ///< error of the numerical value
  double tolerance =
      std::numeric_limits<double>::quiet_NaN();  ///< absolute: |numerical - analytical| - noise within it is ok
  double step = 0;
  double left =
      std::numeric_limits<double>::quiet_NaN();  ///< one-sided slopes, known where something was odd; infinite
  double right = std::numeric_limits<double>::quiet_NaN();  ///< at a jump
  std::size_t failed = 0;  ///< entries of the row's verdict, unless it is ok or holds for the tensor as a whole
  double largest = 0;      ///< largest |numerical| of all checked entries, as far as it exceeds its error
  std::string note;        ///< what else there is to say, one line
};

class GradientReport {
 public:
  std::vector<GradientRow> rows;
  int order = 1;
  std::size_t evaluations = 0;  ///< of the function (order 1) or of its gradient (order 2) with moved values
  bool allow_zero = false;      ///< from the options

  /// The row of a tensor by name; ValueError if there is none.
  const GradientRow& operator[](std::string_view name) const;
  /// ok and kink pass. zero, and unreachable where the function does not depend on the tensor numerically either, pass
  /// with allow_zero. A report without rows does not pass.
  bool passed(const GradientRow& row) const;
  bool ok() const;
  /// Throws a GradientError with the table unless ok.
  void require() const;

  std::string text() const;
  /// An aligned table, one row a tensor, and a line about each tensor that is not plainly ok.
  friend std::ostream& operator<<(std::ostream& stream, const GradientReport& report);
};

}  // namespace xgrad
