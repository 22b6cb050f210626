#pragma once

#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <typeinfo>
#include <vector>

// Which sanitizer the program is built with, g++'s way and clang's.
#if defined(__SANITIZE_ADDRESS__)
#define XGRAD_ADDRESS_SANITIZER 1
#elif defined(__SANITIZE_THREAD__)
#define XGRAD_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define XGRAD_ADDRESS_SANITIZER 1
#elif __has_feature(thread_sanitizer)
#define XGRAD_THREAD_SANITIZER 1
#endif
#endif
#if defined(XGRAD_ADDRESS_SANITIZER) || defined(XGRAD_THREAD_SANITIZER)
#define XGRAD_SANITIZER 1
#endif

// What tests of several files expect in the same words.

namespace expect {

/// The text of the error that f throws, behind its class: `ShapeError: item: ...`.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const xgrad::ShapeError& error) {
    return std::string("ShapeError: ") + error.what();
  } catch (const xgrad::TypeError& error) {
    return std::string("TypeError: ") + error.what();
  } catch (const xgrad::TapeError& error) {
    return std::string("TapeError: ") + error.what();
  } catch (const xgrad::ValueError& error) {
    return std::string("ValueError: ") + error.what();
  } catch (const xgrad::FileError& error) {
    return std::string("FileError: ") + error.what();
  } catch (const std::exception& error) {
    return std::string(typeid(error).name()) + ": " + error.what();
  }
  return "no error";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The values of any dtype, row-major.
inline std::vector<double> values(const xgrad::Tensor& x) {
  std::vector<double> result;
  xgrad::visit(x.dtype(), [&](auto zero) {
    for (const auto value : x.values<decltype(zero)>()) result.push_back(static_cast<double>(value));
  });
  return result;
}

/// max |x_i - y_i|; infinite if a number is NaN or if there are not as many of both.
inline double difference(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double one = std::abs(x[i] - y[i]);
    largest = one <= largest ? largest : std::isnan(one) ? std::numeric_limits<double>::infinity() : one;
  }
  return largest;
}
inline double difference(const xgrad::Tensor& x, std::span<const double> y) { return difference(values(x), y); }
inline double difference(const xgrad::Tensor& x, const xgrad::Tensor& y) { return difference(values(x), values(y)); }

template <class T>
bool same_bits(const std::vector<T>& x, const std::vector<T>& y) {
  return x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0);
}

/// A tensor of its own with these values that requires a gradient.
inline xgrad::Tensor leaf(const xgrad::Tensor& x) {
  xgrad::Tensor copy = x.clone();
  copy.requires_gradient();
  return copy;
}

/// Numbers in [low, high) that look random, the same for the same seed on every machine (splitmix64, Steele et al.
/// 2014).
inline std::vector<double> numbers(std::size_t count, std::uint64_t seed, double low = -1, double high = 1) {
  std::vector<double> result(count);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u;
  for (double& x : result) {
    std::uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    x = low + (high - low) * (static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53);
  }
  return result;
}
inline xgrad::Tensor random_tensor(const xgrad::Shape& shape, std::uint64_t seed, xgrad::DType dtype = xgrad::float64,
                                   double low = -1, double high = 1) {
  return xgrad::tensor(numbers(shape.elements(), seed, low, high), shape, dtype);
}

/// Not under AddressSanitizer: there every block comes from the system and goes back to it.
inline bool memory_is_cached() {
#ifdef XGRAD_ADDRESS_SANITIZER
  return false;
#else
  return true;
#endif
}

}  // namespace expect
