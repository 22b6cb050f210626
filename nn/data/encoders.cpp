#include <autograd/tensor/error.hpp>
#include <nn/data/encoders.hpp>

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

namespace xgrad::nn {

namespace {

std::span<const std::int64_t> checked_indices(const char* operation, const Tensor& indices, std::int64_t count) {
  if (indices.rank() != 1)
    throw ShapeError(std::string(operation) + ": the indices are " + to_string(indices.shape()) + "; need (n,)");
  if (indices.dtype() != int64)
    throw TypeError(std::string(operation) + ": the indices are " + std::string(name_of(indices.dtype())) +
                    "; need int64");
  const std::span<const std::int64_t> values = indices.values<std::int64_t>();
  for (std::size_t row = 0; row < values.size(); ++row)
    if (values[row] < 0 || values[row] >= count)
      throw ValueError(std::string(operation) + ": index " + std::to_string(values[row]) + " in row " +
                       std::to_string(row) + "; need 0 <= index < " + std::to_string(count));
  return values;
}

}  // namespace

Tensor OneHotEncoder::encode(const Tensor& indices, DType dtype) const {
  if (!(low < high))
    throw ValueError("OneHotEncoder: low " + std::to_string(low) + ", high " + std::to_string(high) +
                     "; need low < high");
  if (!is_floating(dtype)) throw TypeError("OneHotEncoder: dtype is int64; need float32 or float64");
  const std::span<const std::int64_t> index = checked_indices("OneHotEncoder", indices, classes);
  const Tensor rows = full({indices.shape(0), classes}, low, dtype);
  visit_floating(dtype, [&]<class T>(T) {
    T* const values = static_cast<T*>(rows.mutable_data());
    for (std::size_t row = 0; row < index.size(); ++row)
      values[row * static_cast<std::size_t>(classes) + static_cast<std::size_t>(index[row])] = static_cast<T>(high);
  });
  return rows;
}

OrdinalEncoder::OrdinalEncoder(std::vector<std::string> categories) : categories_(std::move(categories)) {
  if (categories_.empty()) throw ValueError("OrdinalEncoder: no categories; need at least one");
  for (const std::string& category : categories_)
    if (!numbers_.emplace(category, static_cast<std::int64_t>(numbers_.size())).second)
      throw ValueError("OrdinalEncoder: category '" + category + "' is listed twice; it would have two numbers");
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
  const Tensor indices = Tensor::uninitialized({static_cast<std::int64_t>(values.size())}, int64);
  auto* const target = static_cast<std::int64_t*>(indices.mutable_data());
  for (std::size_t row = 0; row < values.size(); ++row) {
    const std::optional<std::int64_t> number = find(values[row]);
    if (!number)
      throw ValueError("OrdinalEncoder: unknown category '" + values[row] + "' in row " + std::to_string(row) +
                       "; need one of the " + std::to_string(size()) + " that it was made with");
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
