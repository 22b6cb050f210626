#include <autograd/check/report.hpp>

#include <autograd/tensor/format.hpp>
#include <autograd/text/numbers.hpp>
#include <autograd/text/table.hpp>
#include <autograd/text/terminal.hpp>
#include <autograd/text/words.hpp>

#include <unistd.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <iostream>

namespace xgrad {

namespace {

constexpr double rounding_unit = 0x1p-24;  // of float32: half the distance from 1 to the next number

std::string value(double x) { return std::isnan(x) ? "-" : short_number(x, 9); }
std::string size(double x) { return std::isnan(x) ? "-" : fmt::format("{:.1e}", x); }

std::string entries(const GradientRow& row) {
  const std::size_t all = row.shape.elements();
  if (row.entries == 0 && row.directional) return "direction";
  return fmt::format("{}{}{}", row.entries, row.entries == all ? "" : fmt::format(" of {}", all),
                     row.directional ? " + direction" : "");
}

std::string place(const GradientEntry& entry) { return entry.direction ? "direction" : to_string(entry.index); }

/// `3 of 64 entries`.
std::string share(const GradientRow& row) {
  const std::size_t all = row.entries + row.directional;
  return fmt::format(
      "{} of {}", row.failed,
      row.directional ? counted(all, "direction", "entries and directions") : counted(all, "entry", "entries"));
}

/// Empty unless the slopes on both sides are known to differ by more than the tolerance.
std::string slopes(const GradientEntry& entry, const char* before) {
  if (!(std::abs(entry.right - entry.left) > entry.tolerance + 2 * entry.noise)) return "";
  return fmt::format("{}slopes {} on the left and {} on the right", before, value(entry.left), value(entry.right));
}

/// What a reader of the verdict wants to know next.
std::string explanation(const GradientRow& row, bool in_float32) {
  switch (row.verdict) {
    case GradientVerdict::kink:
      if (std::isinf(row.left) || std::isinf(row.right)) return "a jump at " + share(row) + ": any slope will do";
      if (slopes(row, "").empty())
        return fmt::format(
            "a tie at {}: max or min share the gradient among elements that tie, where the function has slope {}",
            share(row), value(row.numerical));
      return fmt::format("a kink at {}, here {}, the gradient between them", share(row), slopes(row, ""));
    case GradientVerdict::zero:
      return row.shape.elements() == 0 ? "no entries: nothing was proved"
                                       : "both gradients vanish everywhere: nothing was proved";
    case GradientVerdict::inconclusive:
      return fmt::format(
          "{} of which the numerical value is known only to {} (here): the function is too noisy or too steep",
          share(row), size(row.noise));
    case GradientVerdict::unreachable:
      return std::string("on the tape the output does not depend on it") +
             (in_float32        ? ""
              : row.largest > 0 ? "; numerically its gradient reaches " + size(row.largest) + ": was it detached?"
                                : "; numerically it does not either");
    case GradientVerdict::non_finite:
      return share(row) + " where a gradient or the function around is infinite or NaN";
    case GradientVerdict::wrong:
      if (row.failed == 0) return "";  // the note says why
      return fmt::format("{} off by more than the tolerance, here {}{}{}", share(row), size(row.tolerance),
                         in_float32 ? "" : ", and the numerical error, here " + size(row.noise), slopes(row, "; "));
    case GradientVerdict::nondeterministic:
      return "two results for the same values";
    default:
      return "";
  }
}

std::string remarks(const GradientRow& row, bool in_float32) {
  const std::string why = explanation(row, in_float32);
  if (why.empty() && row.note.empty()) return "";
  std::string text =
      fmt::format("  {}: {}{}{}\n", row.name, why, why.empty() || row.note.empty() ? "" : "; ", row.note);
  for (const GradientEntry& entry : row.others)
    text +=
        fmt::format("    also at {}: numerical {}, analytical {}, relative error {}{}\n", place(entry),
                    value(entry.numerical), value(entry.analytical), size(entry.relative_error), slopes(entry, ", "));
  return text;
}

// Select Graphic Rendition (ECMA-48).
constexpr const char *red = "31", *green = "32", *yellow = "33";

std::string coloured(std::string_view text, const char* colour) {
  return fmt::format("\x1b[{}m{}\x1b[0m", colour, text);
}

bool wants_colours(const std::ostream& stream) {
  const int descriptor = stream.rdbuf() == std::cout.rdbuf()   ? STDOUT_FILENO
                         : stream.rdbuf() == std::cerr.rdbuf() ? STDERR_FILENO
                                                               : -1;
  const char* const refused = std::getenv("NO_COLOR");
  return descriptor >= 0 && (refused == nullptr || *refused == '\0') && takes_escapes(descriptor);
}

}  // namespace

std::string_view name_of(GradientVerdict verdict) {
  constexpr std::array<std::string_view, 8> names = {"ok",          "kink",       "zero",  "inconclusive",
                                                     "unreachable", "non-finite", "wrong", "nondeterministic"};
  return names[static_cast<std::size_t>(verdict)];
}

const GradientRow& GradientReport::operator[](std::string_view name) const& {
  for (const GradientRow& row : rows)
    if (row.name == name) return row;
  throw_as<ValueError>("gradient report: no row '{}'; there are: {}", name, joined(rows, &GradientRow::name));
}

bool GradientReport::passed(const GradientRow& row) const {
  if (row.verdict == GradientVerdict::zero) return allow_zero;
  if (row.verdict == GradientVerdict::unreachable) return allow_zero && row.largest == 0;
  return row.verdict == GradientVerdict::ok || row.verdict == GradientVerdict::kink;
}

bool GradientReport::ok() const {
  return !rows.empty() && std::all_of(rows.begin(), rows.end(), [this](const GradientRow& row) { return passed(row); });
}

void GradientReport::require() const {
  if (!ok()) throw GradientError("check_gradients:\n" + text());
}

std::string GradientReport::text(bool colours) const {
  const bool in_float32 = dtype == float32;
  TextTable table = {{"tensor", "shape", "entries", "verdict", "worst at", in_float32 ? "float64" : "numerical",
                      in_float32 ? "float32" : "analytical", "abs error", in_float32 ? "roundings" : "rel error",
                      "step"}};
  std::size_t failures = 0;
  std::string text_of_rows;
  for (const GradientRow& row : rows) {
    const double relative = in_float32 ? row.relative_error / rounding_unit : row.relative_error;
    std::string verdict(name_of(row.verdict));
    if (colours) verdict = coloured(verdict, !passed(row) ? red : row.verdict == GradientVerdict::ok ? green : yellow);
    table.push_back({row.name, to_string(row.shape), entries(row), verdict,
                     std::isnan(row.analytical) ? "-" : place(row), value(row.numerical), value(row.analytical),
                     size(row.absolute_error), size(relative), row.step > 0 ? size(row.step) : "-"});
    failures += !passed(row);
    text_of_rows += remarks(row, in_float32);
  }
  const std::string verdict = ok() ? "ok" : rows.empty() ? "nothing was checked" : fmt::format("{} failed", failures);
  return aligned(table, 5) + text_of_rows +
         fmt::format("{} order, {}{}{}, {} evaluations: {}\n", ordinal(order),
                     in_float32 ? "float32 against float64, " : "", mode.empty() ? "" : mode + ", ",
                     counted(rows.size(), "tensor"), evaluations,
                     colours ? coloured(verdict, ok() ? green : red) : verdict);
}

std::ostream& operator<<(std::ostream& stream, const GradientReport& report) {
  return stream << report.text(wants_colours(stream));
}

}  // namespace xgrad
