#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace xgrad {

/// A short list of integers kept in place: the extents of a tensor, or a list of axes. At most 8 entries.
class Extents {
 public:
  static constexpr std::size_t capacity = 8;

  Extents() { clear_few(); }
  Extents(const Extents& other) { copy(other); }
  Extents& operator=(const Extents& other) {
    copy(other);
    return *this;
  }
  Extents(std::initializer_list<std::int64_t> values) : Extents(std::span(values.begin(), values.size())) {}
  explicit Extents(std::span<const std::int64_t> values);  ///< ShapeError for more than 8

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::int64_t* begin() const { return values_.data(); }
  const std::int64_t* end() const { return values_.data() + size_; }
  std::int64_t* begin() { return values_.data(); }
  std::int64_t* end() { return values_.data() + size_; }
  // ShapeError for a position that there is not, and for more than 8 entries.
  std::int64_t operator[](std::size_t i) const { return values_[checked(i)]; }
  std::int64_t& operator[](std::size_t i) { return values_[checked(i)]; }
  std::int64_t back() const { return (*this)[std::size_t{size_} - 1]; }
  std::int64_t& back() { return (*this)[std::size_t{size_} - 1]; }

  void push_back(std::int64_t value);
  void erase(std::size_t position);
  void insert(std::size_t position, std::int64_t value);

  friend bool operator==(const Extents& a, const Extents& b) {
    if (a.size_ != b.size_) return false;
    for (std::size_t i = 0; i < a.size_; ++i)
      if (a.values_[i] != b.values_[i]) return false;
    return true;
  }

  [[noreturn]] void throw_position(std::size_t position) const;

 private:
  std::size_t checked(std::size_t position) const {
    if (position >= size_) [[unlikely]]
      throw_position(position);
    return position;
  }
  void clear_few() {
    for (std::size_t i = 0; i < few; ++i) values_[i] = 0;
  }
  void copy(const Extents& other) {
    size_ = other.size_;
    // Most are short: a fixed few words, in one cache line with what stands before.
    for (std::size_t i = 0; i < few; ++i) values_[i] = other.values_[i];
    if (size_ > few) [[unlikely]]
      for (std::size_t i = few; i < size_; ++i) values_[i] = other.values_[i];
  }

  static constexpr std::size_t few = 2;
  std::uint32_t size_ = 0;
  std::array<std::int64_t, capacity> values_;  // the first `few` and the first `size_` are set
};

/// Extents of a tensor, outermost first; rank 0 is a scalar. Rank is at most 8, extents are not negative.
class Shape : public Extents {
 public:
  using Extents::Extents;
  /// One axis: `zeros(3)` as `zeros({3})`.
  template <std::integral I>
  requires(!std::same_as<I, bool>) Shape(I extent)  // NOLINT(google-explicit-constructor)
      : Extents({static_cast<std::int64_t>(extent)}) {}

  std::size_t rank() const { return size(); }
  /// Extent of one axis in [0, rank) as a count.
  std::size_t extent(std::size_t axis) const { return static_cast<std::size_t>((*this)[axis]); }
  /// elements() of a shape that has passed it before, as a tensor's has.
  std::size_t product() const {
    std::size_t n = 1;
    for (const std::int64_t extent : *this) n *= static_cast<std::size_t>(extent);
    return n;
  }
  /// Product of the extents: 1 for rank 0, 0 if any extent is 0. ShapeError, which names who asks, for a negative
  /// extent; ValueError unless the product of those that are not 0 is below 2^63.
  std::size_t elements(std::string_view operation = "shape") const {
    std::int64_t n = 1;
    bool empty = false, fits = true;
    for (const std::int64_t extent : *this) {
      empty |= extent == 0;
      fits &= extent >= 0 && !__builtin_mul_overflow(n, extent + (extent == 0), &n);
    }
    if (!fits) [[unlikely]]
      throw_elements(operation);
    return empty ? 0 : static_cast<std::size_t>(n);
  }

 private:
  [[noreturn]] void throw_elements(std::string_view operation) const;
};

/// Axes of a tensor; negative ones count from the end.
class Axes : public Extents {
 public:
  using Extents::Extents;
  /// `sum(x, 0)` as `sum(x, {0})`.
  template <std::integral I>
  requires(!std::same_as<I, bool>) Axes(I axis)  // NOLINT(google-explicit-constructor)
      : Extents({static_cast<std::int64_t>(axis)}) {}
};

/// So many entries of one value.
template <std::derived_from<Extents> List = Extents>
List repeated(std::size_t count, std::int64_t value) {
  List list;
  for (std::size_t i = 0; i < count; ++i) list.push_back(value);
  return list;
}

/// `(2, 3)`, `(2,)` for one entry, `()` for none: as NumPy prints shapes.
std::string to_string(const Extents& extents);

[[noreturn]] void throw_axis(std::string_view operation, std::int64_t axis, std::size_t rank);

/// axis in [0, rank), from one in [-rank, rank); ShapeError that names the operation otherwise.
inline std::size_t normalize_axis(std::string_view operation, std::int64_t axis, std::size_t rank) {
  const auto position = static_cast<std::size_t>(axis) + (axis < 0 ? rank : 0);  // modulo 2^64
  if (position >= rank) throw_axis(operation, axis, rank);
  return position;
}

/// One flag per axis of rank; no axes means all of them. ShapeError for an axis out of range or named twice.
std::array<bool, Extents::capacity> axis_flags(std::string_view operation, const Axes& axes, std::size_t rank);

/// Shape of the elementwise combination by NumPy's rule: aligned at the right, extents equal or 1. ShapeError names
/// both.
Shape broadcast(std::string_view operation, const Shape& a, const Shape& b);

/// ShapeError unless x is (…, extent): `linear expects (…, 784), got (128, 28, 28)`.
void check_last_extent(std::string_view operation, const Shape& x, std::int64_t extent);

/// Whether `from` broadcasts to exactly `to`.
bool broadcasts_to(const Shape& from, const Shape& to);

}  // namespace xgrad
