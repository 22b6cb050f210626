#pragma once

#include <autograd/tensor/dtype.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/shape.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <concepts>
#include <string_view>

// Texts by {fmt}, for sources: no header that users include brings it. "{}" of a double is its shortest text that reads
// back the same, whatever the locale.

namespace xgrad {

/// throw_as<ShapeError>("dot: shapes {} and {}; need equal lengths", x.shape(), y.shape());
template <class E, class... Values>
[[noreturn, gnu::noinline, gnu::cold]] void throw_as(fmt::format_string<Values...> text, Values&&... values) {
  throw E(fmt::vformat(text, fmt::make_format_args(values...)));
}

/// Formats by "{}", without options.
struct PlainFormatter {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  static auto write(std::string_view text, fmt::format_context& context) {
    return std::copy(text.begin(), text.end(), context.out());
  }
};

}  // namespace xgrad

template <std::derived_from<xgrad::Extents> E>
struct fmt::formatter<E> : xgrad::PlainFormatter {
  auto format(const E& extents, fmt::format_context& context) const {
    return write(xgrad::to_string(extents), context);
  }
};

template <>
struct fmt::formatter<xgrad::DType> : xgrad::PlainFormatter {
  auto format(xgrad::DType dtype, fmt::format_context& context) const { return write(xgrad::name_of(dtype), context); }
};
