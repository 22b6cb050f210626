#include <autograd/kernels/rows.hpp>
#include <autograd/kernels/simd/lanes.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/memory.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

namespace xgrad::kernels {

namespace {

constexpr std::size_t block_elements = 16384;

template <class T>
using List = std::vector<T, CachedAllocator<T>>;

/// A row that is named, and what it is to get.
template <class T>
struct Naming {
  std::size_t row;
  const T* values;
  T factor;
};

/// By rows; those of one row stay in their order (radix sort, the last digit first).
template <class T>
void sort(List<Naming<T>>& namings, std::size_t rows) {
  constexpr std::size_t digits = 256;
  List<Naming<T>> sorted(namings.size());
  for (std::size_t unit = 1; rows > unit; unit *= digits) {
    std::array<std::size_t, digits + 1> place{};
    const auto digit = [unit](const Naming<T>& naming) { return naming.row / unit % digits; };
    for (const Naming<T>& naming : namings) ++place[digit(naming) + 1];
    std::partial_sum(place.begin(), place.end(), place.begin());
    for (const Naming<T>& naming : namings) sorted[place[digit(naming)]++] = naming;
    namings.swap(sorted);
  }
}

/// The namings of several terms, those of one row side by side.
template <class T>
struct Named {
  List<Naming<T>> namings;
  List<std::size_t> first;  // naming of each row, and their number
  std::size_t width;        // of a row

  Named(std::span<const RowTerm> terms, const Shape& shape) : width(1) {
    for (std::size_t axis = 1; axis < shape.rank(); ++axis) width *= shape.extent(axis);
    for (const RowTerm& term : terms) {
      const T* values = term.values.template data<T>();
      for (const std::int64_t row : term.rows.template values<std::int64_t>()) {
        namings.push_back({static_cast<std::size_t>(row), values, static_cast<T>(term.factor)});
        values += width;
      }
    }
    sort(namings, shape.extent(0));
    for (std::size_t i = 0; i < namings.size(); ++i)
      if (i == 0 || namings[i].row != namings[i - 1].row) first.push_back(i);
    first.push_back(namings.size());
  }
  std::size_t rows() const { return first.size() - 1; }
  std::size_t row(std::size_t k) const { return namings[first[k]].row; }

  /// target += the terms of the k-th row.
  void add(std::size_t k, T* target) const {
    for (std::size_t i = first[k]; i < first[k + 1]; ++i) {
      const T* const from = namings[i].values;
      if (const T factor = namings[i].factor; factor == 1)
        for_vectors<T>(0, width, [=](std::size_t j, auto lanes) {
          store(load(target + j, lanes) + load(from + j, lanes), target + j, lanes);
        });
      else
        for_vectors<T>(0, width, [=](std::size_t j, auto lanes) {
          store(load(target + j, lanes) + load(from + j, lanes) * factor, target + j, lanes);
        });
    }
  }
};

}  // namespace

RowGradient sum_rows(std::span<const RowTerm> terms, const Shape& shape) {
  RowGradient sum;
  visit_floating(terms.front().values.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Named<T> named(terms, shape);
    Shape few = shape;
    few[0] = static_cast<std::int64_t>(named.rows());
    sum.rows = Tensor::uninitialized({few[0]}, DType::int64);
    sum.values = Tensor::uninitialized(few, dtype_of<T>);
    auto* const rows = sum.rows.fresh_data<std::int64_t>();
    T* const values = sum.values.fresh_data<T>();
    for_units(named.rows(), named.width, block_elements, [&](std::size_t k) {
      rows[k] = static_cast<std::int64_t>(named.row(k));
      std::memset(values + k * named.width, 0, named.width * sizeof(T));
      named.add(k, values + k * named.width);
    });
  });
  return sum;
}

void add_rows(Tensor& target, std::span<const RowTerm> terms) {
  visit_floating(target.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Named<T> named(terms, target.shape());
    T* const values = target.fresh_data<T>();
    for_units(named.rows(), named.width, block_elements,
              [&](std::size_t k) { named.add(k, values + named.row(k) * named.width); });
  });
}

}  // namespace xgrad::kernels
