#include <autograd/ops/indexing.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/words.hpp>
#include <nn/data/data.hpp>

#include <algorithm>
#include <cstddef>

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

Columns::Columns(std::vector<Tensor> tensors, std::vector<std::string> names) : names_(std::move(names)) {
  if (tensors.empty()) throw ValueError("Columns: no tensors; need at least one");
  if (!names_.empty() && names_.size() != tensors.size())
    throw_as<ValueError>("Columns: {} names for {} tensors; need one for each, or none", names_.size(), tensors.size());
  for (std::size_t i = 0; i < names_.size(); ++i)
    if (std::find(names_.begin(), names_.begin() + static_cast<std::ptrdiff_t>(i), names_[i]) !=
        names_.begin() + static_cast<std::ptrdiff_t>(i))
      throw_as<ValueError>("Columns: the name '{}' is used twice", names_[i]);
  if (tensors.size() == 1)
    Tensor::operator=(std::move(tensors.front()));
  else
    several_ = std::move(tensors);
}

std::span<const Tensor> Columns::tensors() const& {
  if (!several_.empty()) return several_;
  return {static_cast<const Tensor*>(this), defined() ? std::size_t{1} : std::size_t{0}};
}

const Tensor& Columns::operator[](std::size_t place) const& {
  if (place >= count()) throw_as<ValueError>("batch: column {} of {}; need a place below that", place, count());
  return tensors()[place];
}

const Tensor& Columns::operator[](std::string_view name) const& {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end())
    throw_as<ValueError>("batch: no column '{}' among {}{}", name, names_.empty() ? "nameless ones" : joined(names_),
                         did_you_mean(name, names_));
  return tensors()[static_cast<std::size_t>(found - names_.begin())];
}

Columns Columns::map(const std::function<Tensor(const Tensor&)>& f) const {
  if (count() == 0) return {};
  std::vector<Tensor> mapped;
  for (const Tensor& x : tensors()) mapped.push_back(f(x));
  return {std::move(mapped), names_};
}

std::string Columns::shapes() const {
  return joined(tensors(), [](const Tensor& x) { return to_string(x.shape()); });
}

namespace {

/// f of each column's rows, under the same names.
std::vector<NamedRows> mapped(std::vector<NamedRows> columns, const auto& f) {
  for (NamedRows& column : columns) column.rows = f(column.rows);
  return columns;
}

Columns tensors_of(const std::vector<NamedRows>& columns, const auto& f) {
  if (columns.size() == 1 && columns.front().name.empty()) return Tensor(f(columns.front().rows));
  std::vector<Tensor> tensors;
  std::vector<std::string> names;
  for (const NamedRows& column : columns) {
    tensors.push_back(f(column.rows));
    if (!column.name.empty()) names.push_back(column.name);
  }
  return {std::move(tensors), std::move(names)};
}

void check_names(const std::vector<NamedRows>& columns, const char* side) {
  if (columns.empty()) throw_as<ValueError>("Dataset: no {}; need at least one", side);
  for (const NamedRows& column : columns) {
    if (column.name.empty() != columns.front().name.empty())
      throw_as<ValueError>("Dataset: some {} have names and some have not; name all or none", side);
    if (!column.name.empty() && std::count_if(columns.begin(), columns.end(),
                                              [&](const NamedRows& other) { return other.name == column.name; }) > 1)
      throw_as<ValueError>("Dataset: two {} are called '{}'", side, column.name);
  }
}

}  // namespace

Dataset::Dataset(Rows inputs, Rows targets)
    : Dataset(std::vector<NamedRows>(1, std::move(inputs)), std::vector<NamedRows>(1, std::move(targets))) {}

Dataset::Dataset(std::vector<NamedRows> inputs, std::vector<NamedRows> targets)
    : inputs_(std::move(inputs)), targets_(std::move(targets)) {
  check_names(inputs_, "inputs");
  check_names(targets_, "targets");
  const auto shapes = [](const std::vector<NamedRows>& columns) {
    return joined(columns, [](const NamedRows& column) { return to_string(column.rows.shape()); });
  };
  for (const auto* columns : {&inputs_, &targets_})
    for (const NamedRows& column : *columns)
      if (column.rows.rows() != size())
        throw_as<ShapeError>("Dataset: inputs are {}, targets are {}; need equal first extents", shapes(inputs_),
                             shapes(targets_));
}

const Rows& Dataset::only(const std::vector<NamedRows>& columns, const char* side) {
  if (columns.size() != 1)
    throw_as<ValueError>("Dataset: it has {} {}, and one was asked for; look at input_columns() and target_columns()",
                         columns.size(), side);
  return columns.front().rows;
}

Dataset Dataset::subset(std::int64_t first, std::int64_t last) const {
  const auto part = [&](const Rows& rows) { return rows.subset(first, last); };
  return {mapped(inputs_, part), mapped(targets_, part)};
}

std::pair<Dataset, Dataset> Dataset::split(std::int64_t count) const {
  return {subset(0, count), subset(count, size())};
}

Dataset Dataset::select(std::span<const std::int64_t> indices) const {
  const auto chosen = [&](const Rows& rows) { return rows.select(indices); };
  return {mapped(inputs_, chosen), mapped(targets_, chosen)};
}

Batch Dataset::take(std::span<const std::int64_t> indices, std::optional<DType> dtype) const {
  const auto taken = [&](const Rows& rows) { return rows.take(indices, dtype); };
  return {tensors_of(inputs_, taken), tensors_of(targets_, taken)};
}

Batch Dataset::all(std::optional<DType> dtype) const {
  const auto taken = [&](const Rows& rows) { return rows.all(dtype); };
  return {tensors_of(inputs_, taken), tensors_of(targets_, taken)};
}

}  // namespace xgrad::nn
