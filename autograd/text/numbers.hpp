#pragma once

#include <optional>
#include <string>

// Numbers as text, in every locale alike. Sources that have {fmt} at hand write "{}" or "{:.3g}" for a plain number;
// what has a rule of its own is here.

namespace xgrad {

/// For readers: at most so many digits, as C's %g writes them, `inf`, `-inf` and `nan`; `-` for what is not known.
std::string short_number(std::optional<double> value, int digits = 3);

/// With so many digits after the point: `0.1250`, `inf`, `-inf`, `nan`.
std::string fixed_number(double value, int digits = 4);

/// 0.125 as `12.5 %`, by the same rules.
std::string percent(std::optional<double> fraction, int digits = 3);

/// A count, or the whole part of a larger number: `1,234,567`.
std::string with_separators(double count);

/// Seconds, rounded up: `12 s`, `3 min 5 s`, `2 h 7 min`.
std::string duration(double seconds);

/// For machines: the shortest text from which the same number is read back (std::to_chars); `inf`, `-inf`, `nan`.
std::string exact_number(double value);

}  // namespace xgrad
