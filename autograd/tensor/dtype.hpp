#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace xgrad {

/// Element type of a tensor. Arithmetic and gradients are for the floating types; int64 holds indices and labels.
enum class DType : std::uint8_t { float32, float64, int64 };

inline constexpr DType float32 = DType::float32;
inline constexpr DType float64 = DType::float64;
inline constexpr DType int64 = DType::int64;

constexpr std::size_t size_of(DType dtype) { return dtype == DType::float32 ? 4 : 8; }
constexpr bool is_floating(DType dtype) { return dtype != DType::int64; }
constexpr std::string_view name_of(DType dtype) {
  return dtype == DType::float32 ? "float32" : dtype == DType::float64 ? "float64" : "int64";
}

template <class T>
concept Element = std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, std::int64_t>;

template <Element T>
inline constexpr DType dtype_of = std::is_same_v<T, float>    ? DType::float32
                                  : std::is_same_v<T, double> ? DType::float64
                                                              : DType::int64;

/// Calls f with a zero of the element type that dtype names: `visit(d, [&](auto zero) { using T = decltype(zero); ...
/// })`.
template <class F>
decltype(auto) visit(DType dtype, F&& f) {
  if (dtype == DType::float32) return f(float{});
  if (dtype == DType::float64) return f(double{});
  return f(std::int64_t{});
}

/// The same for the two floating types; the caller has excluded int64.
template <class F>
decltype(auto) visit_floating(DType dtype, F&& f) {
  if (dtype == DType::float32) return f(float{});
  return f(double{});
}

/// The dtype of constants that are made without one (float32 at first), per thread.
DType default_dtype() noexcept;

/// Scope, on the thread that opens it, in which constants are made in another dtype, so that a float64 check of a
/// function that was written for float32 works.
class DefaultDType {
 public:
  explicit DefaultDType(DType dtype);  ///< TypeError unless floating
  ~DefaultDType();
  DefaultDType(const DefaultDType&) = delete;
  DefaultDType& operator=(const DefaultDType&) = delete;

 private:
  DType* const of_thread_;
  DType previous_;
};

}  // namespace xgrad
