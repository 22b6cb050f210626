#include <autograd/ops/indexing.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/data/encoders.hpp>

#include <cstddef>
#include <set>
#include <utility>

namespace xgrad::nn {

namespace {

std::span<const std::int64_t> checked_indices(const char* operation, const Tensor& indices, std::int64_t count) {
  check_defined(operation, "indices", indices);
  if (indices.rank() != 1) throw_as<ShapeError>("{}: the indices are {}; need (n,)", operation, indices.shape());
  check_indices(operation, "index", indices, count);
  return indices.values<std::int64_t>();
}

}  // namespace

Tensor OneHotEncoder::encode(const Tensor& indices, DType dtype) const {
  if (!(low < high)) throw_as<ValueError>("OneHotEncoder: low {}, high {}; need low < high", low, high);
  if (!is_floating(dtype)) throw TypeError("OneHotEncoder: dtype is int64; need float32 or float64");
  const std::span<const std::int64_t> index = checked_indices("OneHotEncoder", indices, classes);
  Tensor rows = full({indices.shape(0), classes}, low, dtype);
  visit_floating(dtype, [&](auto zero) {
    auto* row = rows.fresh_data<decltype(zero)>();
    for (const std::int64_t i : index) {
      row[i] = static_cast<decltype(zero)>(high);
      row += classes;
    }
  });
  return rows;
}

OrdinalEncoder::OrdinalEncoder(std::vector<std::string> categories) : categories_(std::move(categories)) {
  if (categories_.empty()) throw ValueError("OrdinalEncoder: no categories; need at least one");
  for (const std::string& category : categories_)
    if (!numbers_.emplace(category, static_cast<std::int64_t>(numbers_.size())).second)
      throw_as<ValueError>("OrdinalEncoder: category '{}' is listed twice; it would have two numbers", category);
}

OrdinalEncoder OrdinalEncoder::fit(std::span<const std::string> values) {
  const std::set<std::string> distinct(values.begin(), values.end());
  return OrdinalEncoder(std::vector<std::string>(distinct.begin(), distinct.end()));
}

std::optional<std::int64_t> OrdinalEncoder::find(std::string_view value) const {
  const auto found = numbers_.find(value);
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

Tensor OrdinalEncoder::encode(std::span<const std::string> values) const {
  Tensor indices = Tensor::uninitialized({static_cast<std::int64_t>(values.size())}, int64);
  auto* const target = indices.fresh_data<std::int64_t>();
  for (std::size_t row = 0; row < values.size(); ++row) {
    const std::optional<std::int64_t> number = find(values[row]);
    if (!number)
      throw_as<ValueError>("OrdinalEncoder: unknown category '{}' in row {}; need one of the {} that it was made with",
                           values[row], row, size());
    target[row] = *number;
  }
  return indices;
}

std::vector<std::string> OrdinalEncoder::decode(const Tensor& indices) const {
  std::vector<std::string> values;
  for (const std::int64_t index : checked_indices("OrdinalEncoder", indices, size()))
    values.push_back(categories_[static_cast<std::size_t>(index)]);
  return values;
}

}  // namespace xgrad::nn
