#include <autograd/tensor/format.hpp>
#include <autograd/tensor/shape.hpp>

#include <algorithm>

namespace xgrad {

namespace {

[[noreturn]] void throw_rank(std::size_t rank) {
  throw_as<ShapeError>("shape: rank {}; at most {} axes are supported", rank, Extents::capacity);
}

}  // namespace

Extents::Extents(std::span<const std::int64_t> values) : size_(static_cast<std::uint32_t>(values.size())) {
  if (values.size() > capacity) throw_rank(values.size());
  clear_few();
  std::copy(values.begin(), values.end(), values_.begin());
}

void Extents::push_back(std::int64_t value) { insert(size_, value); }

void Extents::throw_position(std::size_t position) const {
  throw_as<ShapeError>("shape: position {} in {}; it has {} entries", position, *this, size());
}

void Extents::erase(std::size_t position) {
  checked(position);
  std::copy(begin() + position + 1, end(), begin() + position);
  --size_;
}

void Extents::insert(std::size_t position, std::int64_t value) {
  if (size_ == capacity) throw_rank(capacity + 1);
  if (position > size_) throw_position(position);
  std::copy_backward(begin() + position, end(), end() + 1);
  values_[position] = value;
  ++size_;
}

void Shape::throw_elements(std::string_view operation) const {
  if (std::any_of(begin(), end(), [](std::int64_t extent) { return extent < 0; }))
    throw_as<ShapeError>("{}: shape {} has a negative extent", operation, *this);
  throw MemoryError(operation,
                    fmt::format("shape {} has more elements than can be counted; need fewer than 2^63", *this));
}

std::string to_string(const Extents& extents) {
  std::string text = "(";
  for (std::size_t i = 0; i < extents.size(); ++i) text += fmt::format("{}{}", i > 0 ? ", " : "", extents[i]);
  return text + (extents.size() == 1 ? ",)" : ")");
}

void throw_axis(std::string_view operation, std::int64_t axis, std::size_t rank) {
  if (rank == 0) throw_as<ShapeError>("{}: axis {} of a tensor of rank 0; it has no axis", operation, axis);
  throw_as<ShapeError>("{0}: axis {1} of a tensor of rank {2}; need -{2} <= axis < {2}", operation, axis, rank);
}

std::array<bool, Extents::capacity> axis_flags(std::string_view operation, const Axes& axes, std::size_t rank) {
  std::array<bool, Extents::capacity> flags{};
  if (axes.empty()) std::fill_n(flags.begin(), rank, true);
  for (const std::int64_t axis : axes) {
    const std::size_t position = normalize_axis(operation, axis, rank);
    if (flags[position]) throw_as<ShapeError>("{}: axes {} name axis {} twice", operation, axes, position);
    flags[position] = true;
  }
  return flags;
}

Shape broadcast(std::string_view operation, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape result = longer;
  for (std::size_t i = 0; i < shorter.rank(); ++i) {
    std::int64_t& extent = result[result.rank() - 1 - i];
    const std::int64_t other = shorter[shorter.rank() - 1 - i];
    if (extent == 1)
      extent = other;
    else if (other != 1 && other != extent)
      throw_as<ShapeError>(
          "{}: shapes {} and {} do not broadcast; need equal extents or 1 on every axis, aligned at the right",
          operation, a, b);
  }
  return result;
}

void check_last_extent(std::string_view operation, const Shape& x, std::int64_t extent) {
  if (x.rank() == 0 || x.back() != extent) throw_as<ShapeError>("{} expects (…, {}), got {}", operation, extent, x);
}

bool broadcasts_to(const Shape& from, const Shape& to) {
  if (from.rank() > to.rank()) return false;
  for (std::size_t i = 0; i < from.rank(); ++i) {
    const std::int64_t extent = from[from.rank() - 1 - i];
    if (extent != 1 && extent != to[to.rank() - 1 - i]) return false;
  }
  return true;
}

}  // namespace xgrad
