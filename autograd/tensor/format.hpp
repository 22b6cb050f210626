#pragma once

#include <autograd/tensor/dtype.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/shape.hpp>

#include <fmt/core.h>
#include <concepts>
#include <string>
#include <utility>

// Texts by {fmt}, for sources: no header that users include brings it. "{}" of a double is its shortest text that reads
// back the same, whatever the locale.

namespace xgrad {

/// throw_as<ShapeError>("dot: shapes {} and {}; need equal lengths", x.shape(), y.shape());
template <class E, class... Values>
[[noreturn, gnu::noinline, gnu::cold]] void throw_as(fmt::format_string<Values...> text, Values&&... values) {
  throw E(fmt::vformat(text, fmt::make_format_args(values...)));
}

}  // namespace xgrad

template <std::derived_from<xgrad::Extents> E>
struct fmt::formatter<E> : fmt::formatter<std::string> {
  auto format(const E& extents, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(xgrad::to_string(extents), context);
  }
};

template <>
struct fmt::formatter<xgrad::DType> : fmt::formatter<fmt::string_view> {
  auto format(xgrad::DType dtype, fmt::format_context& context) const {
    const std::string_view name = xgrad::name_of(dtype);
    return fmt::formatter<fmt::string_view>::format({name.data(), name.size()}, context);
  }
};
