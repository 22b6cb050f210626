#include <autograd/text/numbers.hpp>

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace xgrad {

std::string short_number(std::optional<double> value, int digits) {
  if (!value) return "-";
  return std::isnan(*value) ? "nan" : fmt::format("{:.{}g}", *value, digits);  // some NaN would be -nan
}

std::string fixed_number(double value, int digits) {
  return std::isnan(value) ? "nan" : fmt::format("{:.{}f}", value, digits);
}

std::string percent(std::optional<double> fraction, int digits) {
  return fraction ? short_number(100 * *fraction, digits) + " %" : "-";
}

std::string with_separators(double count) {
  std::string digits = fmt::format("{:.0f}", count);
  for (std::size_t i = digits.size(); i > (count < 0 ? 4 : 3); i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string exact_number(double value) {
  if (std::isnan(value)) return "nan";
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

}  // namespace xgrad
