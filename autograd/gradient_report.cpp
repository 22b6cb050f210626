#include <autograd/gradient_report.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ostream>

namespace xgrad {

namespace {

std::string number(const char* format, double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string value(double x) { return std::isnan(x) ? "-" : number("%.9g", x); }
std::string size(double x) { return std::isnan(x) ? "-" : number("%.1e", x); }

std::string entries(const GradientRow& row) {
  const std::size_t all = row.shape.elements();
  return row.entries == all ? std::to_string(all) : std::to_string(row.entries) + " of " + std::to_string(all);
}

/// What a reader of the verdict wants to know next.
std::string explanation(const GradientRow& row) {
  const std::string share =
      std::to_string(row.failed) + " of " + std::to_string(row.entries) + (row.entries == 1 ? " entry" : " entries");
  const std::string slopes = "slopes " + value(row.left) + " on the left and " + value(row.right) + " on the right";
  switch (row.verdict) {
    case GradientVerdict::ok:
      return "";
    case GradientVerdict::kink:
      return "a kink at " + share + ": " + slopes + ", the gradient between them";
    case GradientVerdict::zero:
      return row.entries == 0 ? "no entries: nothing was proved"
                              : "both gradients vanish everywhere: nothing was proved";
    case GradientVerdict::inconclusive:
      return share + " of which the numerical value is known only to " + size(row.noise) +
             " (here): the function is too noisy or too steep";
    case GradientVerdict::unreachable:
      return "on the tape the output does not depend on it; numerically " +
             (row.largest > 0 ? "its slopes reach " + size(row.largest) + ": was it detached?"
                              : std::string("it does not either"));
    case GradientVerdict::non_finite:
      return share + " where a gradient or the function around is infinite or NaN";
    case GradientVerdict::wrong:
      return share + " off by more than the tolerance, here " + size(row.tolerance) +
             ", and the numerical error, here " + size(row.noise) +
             (std::isnan(row.left) || row.left == row.right ? "" : "; " + slopes);
    case GradientVerdict::nondeterministic:
      return "two results for the same values";
  }
  return "";
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

std::string GradientReport::text() const {
  std::vector<std::array<std::string, 10>> table = {{"tensor", "shape", "entries", "verdict", "worst at", "numerical",
                                                     "analytical", "abs error", "rel error", "step"}};
  std::size_t failures = 0;
  std::string remarks;
  for (const GradientRow& row : rows) {
    table.push_back({row.name, to_string(row.shape), entries(row), std::string(name_of(row.verdict)),
                     row.entries == 0 || std::isnan(row.analytical) ? "-" : to_string(row.index), value(row.numerical),
                     value(row.analytical), size(row.absolute_error), size(row.relative_error),
                     row.step > 0 ? size(row.step) : "-"});
    failures += !passed(row);
    std::string remark = explanation(row);
    if (!row.note.empty()) remark += (remark.empty() ? "" : "; ") + row.note;
    if (!remark.empty()) remarks += "  " + row.name + ": " + remark + '\n';
  }
  std::array<std::size_t, 10> widths{};
  for (const auto& line : table)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  constexpr std::size_t first_number = 5;  // numbers stand at the right of their column
  std::string text;
  for (const auto& line : table) {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string padding(widths[i] - line[i].size(), ' ');
      out += (i > 0 ? "  " : "") + (i < first_number ? line[i] + padding : padding + line[i]);
    }
    text += out.substr(0, out.find_last_not_of(' ') + 1) + '\n';
  }
  text += remarks;
  text += std::string(order == 2 ? "second" : "first") + " order, " + std::to_string(rows.size()) +
          (rows.size() == 1 ? " tensor, " : " tensors, ") + std::to_string(evaluations) + " evaluations: ";
  text += ok() ? "ok" : rows.empty() ? "nothing was checked" : std::to_string(failures) + " failed";
  return text + '\n';
}

std::ostream& operator<<(std::ostream& stream, const GradientReport& report) { return stream << report.text(); }

}  // namespace xgrad
