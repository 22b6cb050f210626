#include <autograd/ops/indexing.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/data/data.hpp>

namespace xgrad::nn {

namespace {

Shape with_rows(std::int64_t rows, const Shape& shape) {
  Shape result = shape;
  result[0] = rows;
  return result;
}

}  // namespace

Rows::Rows(const Tensor& values) : values_(values.defined() ? detach(values) : values) {
  check_defined("Rows", "the tensor", values);
  if (values.rank() == 0) throw ShapeError("Rows: the tensor is (); need (rows, ...)");
  shape_ = values.shape();
}

Rows::Rows(const Shape& shape, std::vector<std::uint8_t> bytes, double scale, double offset)
    : shape_(shape), scale_(scale), offset_(offset) {
  if (shape.rank() == 0) throw ShapeError("Rows: the shape is (); need (rows, ...)");
  if (bytes.size() != shape.elements("Rows"))
    throw_as<ShapeError>("Rows: {} bytes for shape {}; need {}", bytes.size(), shape, shape.elements());
  bytes_ = std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes));
}

std::size_t Rows::row_elements() const { return with_rows(1, shape_).elements(); }

std::span<const std::uint8_t> Rows::bytes() const& {
  if (bytes_ == nullptr) return {};
  return std::span(*bytes_).subspan(static_cast<std::size_t>(first_) * row_elements(), shape_.elements());
}

Rows Rows::subset(std::int64_t first, std::int64_t last) const {
  if (first < 0 || first > last || last > rows())
    throw_as<ValueError>("subset: rows {} to {} of {}; need 0 <= first <= last <= rows", first, last, rows());
  Rows result = *this;
  result.first_ += first;
  result.shape_[0] = last - first;
  return result;
}

Rows Rows::reshape_rows(const Shape& row) const {
  if (row.elements("reshape_rows") != row_elements())
    throw_as<ShapeError>("reshape_rows: rows of {} have {} elements, the new shape {} has {}; need the same number",
                         shape_, row_elements(), row, row.elements());
  Rows result = *this;
  result.shape_ = Shape{rows()};
  for (const std::int64_t extent : row) result.shape_.push_back(extent);
  return result;
}

Rows Rows::rescale(double scale, double offset) const {
  if (!is_bytes()) throw_as<TypeError>("rescale: the values are {}; need bytes", values_.dtype());
  Rows result = *this;
  result.scale_ = scale;
  result.offset_ = offset;
  return result;
}

void Rows::require_values(const char* operation) const {
  if (!is_bytes() && !values_.defined())
    throw_as<ValueError>("{}: the rows were moved from; need those that they were moved to", operation);
}

Rows Rows::select(std::span<const std::int64_t> indices) const {
  check_indices("select", "index", indices, rows());
  if (!is_bytes()) return take(indices);
  std::vector<std::uint8_t> values(indices.size() * row_elements());
  copy_rows(bytes(), indices, values);
  return {with_rows(static_cast<std::int64_t>(indices.size()), shape_), std::move(values), scale_, offset_};
}

Tensor Rows::take(std::span<const std::int64_t> indices, std::optional<DType> dtype) const {
  require_values("take");
  check_indices("take", "index", indices, rows());
  if (dtype && !is_floating(*dtype))
    throw TypeError("take: bytes and floating values were asked for as int64; need float32 or float64");
  const bool integer = !is_bytes() && values_.dtype() == int64;
  const DType result_dtype = integer ? int64 : dtype.value_or(is_bytes() ? default_dtype() : values_.dtype());
  Tensor result = Tensor::uninitialized(with_rows(static_cast<std::int64_t>(indices.size()), shape_), result_dtype);
  if (is_bytes())
    copy_rows(bytes(), indices, scale_, offset_, result);
  else
    copy_rows(values_, first_, indices, result);
  return result;
}

Tensor Rows::all(std::optional<DType> dtype) const {
  const Tensor indices = arange(rows());
  return take(indices.values<std::int64_t>(), dtype);
}

Dataset::Dataset(Rows inputs, Rows targets) : inputs_(std::move(inputs)), targets_(std::move(targets)) {
  if (inputs_.rows() != targets_.rows())
    throw_as<ShapeError>("Dataset: inputs are {}, targets are {}; need equal first extents", inputs_.shape(),
                         targets_.shape());
}

Dataset Dataset::subset(std::int64_t first, std::int64_t last) const {
  return {inputs_.subset(first, last), targets_.subset(first, last)};
}

std::pair<Dataset, Dataset> Dataset::split(std::int64_t count) const {
  return {subset(0, count), subset(count, size())};
}

Dataset Dataset::select(std::span<const std::int64_t> indices) const {
  return {inputs_.select(indices), targets_.select(indices)};
}

Batch Dataset::take(std::span<const std::int64_t> indices, std::optional<DType> dtype) const {
  return {inputs_.take(indices, dtype), targets_.take(indices, dtype)};
}

Batch Dataset::all(std::optional<DType> dtype) const { return {inputs_.all(dtype), targets_.all(dtype)}; }

}  // namespace xgrad::nn
