#include <autograd/check/report.hpp>

#include <unistd.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace xgrad {

namespace {

constexpr double rounding_unit = 0x1p-24;  // of float32: half the distance from 1 to the next number

std::string number(const char* format, double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string value(double x) { return std::isnan(x) ? "-" : number("%.9g", x); }
std::string size(double x) { return std::isnan(x) ? "-" : number("%.1e", x); }

std::string entries(const GradientRow& row) {
  const std::size_t all = row.shape.elements();
  if (row.entries == 0 && row.directional) return "direction";
  return (row.entries == all ? std::to_string(all) : std::to_string(row.entries) + " of " + std::to_string(all)) +
         (row.directional ? " + direction" : "");
}

std::string place(const GradientEntry& entry) { return entry.direction ? "direction" : to_string(entry.index); }

/// `3 of 64 entries`.
std::string share(const GradientRow& row) {
  const std::size_t all = row.entries + row.directional;
  return std::to_string(row.failed) + " of " + std::to_string(all) +
         (row.directional ? all == 1 ? " direction" : " entries and directions"
          : all == 1      ? " entry"
                          : " entries");
}

/// Empty unless the slopes on both sides are known to differ by more than the tolerance.
std::string slopes(const GradientEntry& entry, const char* before) {
  if (!(entry.left != entry.right) || std::isnan(entry.left) || std::isnan(entry.right) ||
      std::abs(entry.right - entry.left) <= entry.tolerance + 2 * entry.noise)
    return "";
  return std::string(before) + "slopes " + value(entry.left) + " on the left and " + value(entry.right) +
         " on the right";
}

/// What a reader of the verdict wants to know next.
std::string explanation(const GradientRow& row, bool in_float32) {
  switch (row.verdict) {
    case GradientVerdict::ok:
      return "";
    case GradientVerdict::kink:
      if (std::isinf(row.left) || std::isinf(row.right)) return "a jump at " + share(row) + ": any slope will do";
      return "a kink at " + share(row) + ", here " + slopes(row, "") + ", the gradient between them";
    case GradientVerdict::zero:
      return row.shape.elements() == 0 ? "no entries: nothing was proved"
                                       : "both gradients vanish everywhere: nothing was proved";
    case GradientVerdict::inconclusive:
      return share(row) + " of which the numerical value is known only to " + size(row.noise) +
             " (here): the function is too noisy or too steep";
    case GradientVerdict::unreachable:
      return in_float32 ? "on the tape the output does not depend on it"
                        : "on the tape the output does not depend on it; numerically " +
                              (row.largest > 0 ? "its slopes reach " + size(row.largest) + ": was it detached?"
                                               : std::string("it does not either"));
    case GradientVerdict::non_finite:
      return share(row) + " where a gradient or the function around is infinite or NaN";
    case GradientVerdict::wrong:
      if (row.failed == 0) return "";  // the note says why
      return share(row) + " off by more than the tolerance, here " + size(row.tolerance) +
             (in_float32 ? "" : ", and the numerical error, here " + size(row.noise)) + slopes(row, "; ");
    case GradientVerdict::nondeterministic:
      return "two results for the same values";
  }
  return "";
}

std::string remarks(const GradientRow& row, bool in_float32) {
  std::string text = explanation(row, in_float32);
  if (!row.note.empty()) text += (text.empty() ? "" : "; ") + row.note;
  if (text.empty()) return "";
  text = "  " + row.name + ": " + text + '\n';
  for (const GradientEntry& entry : row.others)
    text += "    also at " + place(entry) + ": numerical " + value(entry.numerical) + ", analytical " +
            value(entry.analytical) + ", relative error " + size(entry.relative_error) + slopes(entry, ", ") + '\n';
  return text;
}

/// Select Graphic Rendition: green, yellow, red.
const char* colour_of(GradientVerdict verdict, bool passed) {
  if (!passed) return "\x1b[31m";
  return verdict == GradientVerdict::ok ? "\x1b[32m" : "\x1b[33m";
}

bool wants_colours(const std::ostream& stream) {
  const int descriptor = stream.rdbuf() == std::cout.rdbuf()   ? STDOUT_FILENO
                         : stream.rdbuf() == std::cerr.rdbuf() ? STDERR_FILENO
                                                               : -1;
  const char* const refused = std::getenv("NO_COLOR");
  return descriptor >= 0 && (refused == nullptr || *refused == '\0') && isatty(descriptor) != 0;
}

}  // namespace

std::string_view name_of(GradientVerdict verdict) {
  switch (verdict) {
    case GradientVerdict::ok:
      return "ok";
    case GradientVerdict::kink:
      return "kink";
    case GradientVerdict::zero:
      return "zero";
    case GradientVerdict::inconclusive:
      return "inconclusive";
    case GradientVerdict::unreachable:
      return "unreachable";
    case GradientVerdict::non_finite:
      return "non-finite";
    case GradientVerdict::wrong:
      return "wrong";
    case GradientVerdict::nondeterministic:
      return "nondeterministic";
  }
  return "";
}

const GradientRow& GradientReport::operator[](std::string_view name) const {
  for (const GradientRow& row : rows)
    if (row.name == name) return row;
  std::string names;
  for (const GradientRow& row : rows) names += (names.empty() ? "" : ", ") + row.name;
  throw ValueError("gradient report: no row '" + std::string(name) + "'; there are: " + names);
}

bool GradientReport::passed(const GradientRow& row) const {
  switch (row.verdict) {
    case GradientVerdict::ok:
    case GradientVerdict::kink:
      return true;
    case GradientVerdict::zero:
      return allow_zero;
    case GradientVerdict::unreachable:
      return allow_zero && row.largest == 0;
    default:
      return false;
  }
}

bool GradientReport::ok() const {
  return !rows.empty() && std::all_of(rows.begin(), rows.end(), [this](const GradientRow& row) { return passed(row); });
}

void GradientReport::require() const {
  if (!ok()) throw GradientError("check_gradients:\n" + text());
}

std::string GradientReport::text(bool colours) const {
  constexpr std::size_t verdict_column = 3;
  constexpr std::size_t first_number = 5;  // numbers stand at the right of their column
  const bool in_float32 = dtype == float32;
  std::vector<std::array<std::string, 10>> table = {
      {"tensor", "shape", "entries", "verdict", "worst at", in_float32 ? "float64" : "numerical",
       in_float32 ? "float32" : "analytical", "abs error", in_float32 ? "roundings" : "rel error", "step"}};
  std::size_t failures = 0;
  std::string text_of_rows;
  for (const GradientRow& row : rows) {
    const double relative = in_float32 ? row.relative_error / rounding_unit : row.relative_error;
    table.push_back({row.name, to_string(row.shape), entries(row), std::string(name_of(row.verdict)),
                     std::isnan(row.analytical) ? "-" : place(row), value(row.numerical), value(row.analytical),
                     size(row.absolute_error), size(relative), row.step > 0 ? size(row.step) : "-"});
    failures += !passed(row);
    text_of_rows += remarks(row, in_float32);
  }
  std::array<std::size_t, 10> widths{};
  for (const auto& line : table)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  std::string text;
  for (std::size_t k = 0; k < table.size(); ++k) {
    std::string out;
    for (std::size_t i = 0; i < table[k].size(); ++i) {
      const std::string padding(widths[i] - table[k][i].size(), ' ');
      std::string cell = table[k][i];
      if (colours && k > 0 && i == verdict_column)
        cell = colour_of(rows[k - 1].verdict, passed(rows[k - 1])) + cell + "\x1b[0m";
      out += (i > 0 ? "  " : "") + (i < first_number ? cell + padding : padding + cell);
    }
    text += out.substr(0, out.find_last_not_of(' ') + 1) + '\n';
  }
  text += text_of_rows;
  text += std::string(order == 2 ? "second" : "first") + " order, " + (in_float32 ? "float32 against float64, " : "") +
          (mode.empty() ? "" : mode + ", ") + std::to_string(rows.size()) +
          (rows.size() == 1 ? " tensor, " : " tensors, ") + std::to_string(evaluations) + " evaluations: ";
  const std::string verdict = ok() ? "ok" : rows.empty() ? "nothing was checked" : std::to_string(failures) + " failed";
  text += colours ? (ok() ? "\x1b[32m" : "\x1b[31m") + verdict + "\x1b[0m" : verdict;
  return text + '\n';
}

std::ostream& operator<<(std::ostream& stream, const GradientReport& report) {
  return stream << report.text(wants_colours(stream));
}

}  // namespace xgrad
