#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// Rows of equal shape in the type of their source: a tensor, or bytes, which a tensor cannot hold. Copies and subsets
/// share the values.
class Rows {
 public:
  /// The rows of a tensor (rows, ...), shared, not copied. ShapeError for rank 0.
  Rows(const Tensor& values);  // NOLINT(google-explicit-constructor): Dataset(inputs, targets) takes tensors
  /// Bytes (rows, ...); they are read as numbers scale · byte + offset. ShapeError when their count is not the shape's.
  Rows(const Shape& shape, std::vector<std::uint8_t> bytes, double scale = 1.0, double offset = 0.0);

  std::int64_t rows() const { return shape_[0]; }
  /// (rows, ...).
  const Shape& shape() const& { return shape_; }
  Shape shape() const&& { return shape_; }
  bool is_bytes() const { return bytes_ != nullptr; }
  /// The bytes of all rows; empty for the rows of a tensor.
  std::span<const std::uint8_t> bytes() const&;
  std::span<const std::uint8_t> bytes() const&& = delete;

  /// Rows first, ..., last - 1. ValueError outside [0, rows].
  Rows subset(std::int64_t first, std::int64_t last) const;
  /// The same values with rows of another shape; ShapeError unless it has the same number of elements.
  Rows reshape_rows(const Shape& row) const;
  /// Bytes read with another scale and offset. TypeError for the rows of a tensor.
  Rows rescale(double scale, double offset = 0.0) const;
  /// The rows of these indices, copied, in the type of the source: bytes stay bytes. ValueError for an index outside.
  Rows select(std::span<const std::int64_t> indices) const;

  /// The rows of these indices (indices, ...), not recorded. Bytes and floating values come in the dtype asked for;
  /// without one, bytes come in the default dtype and floating values in their own. int64 stays. ValueError for an
  /// index outside.
  Tensor take(std::span<const std::int64_t> indices, std::optional<DType> dtype = std::nullopt) const;
  /// All rows.
  Tensor all(std::optional<DType> dtype = std::nullopt) const;

 private:
  std::size_t row_elements() const;
  void require_values(const char* operation) const;

  Shape shape_;
  std::int64_t first_ = 0;  // of the shared values
  Tensor values_;
  std::shared_ptr<const std::vector<std::uint8_t>> bytes_;
  double scale_ = 1.0;
  double offset_ = 0.0;
};

/// One side of a batch: a tensor, as which it is used like any other, or several, with names if wished. Several are no
/// tensor by themselves but an empty handle; they are found by place or name: `x[1]`, `x["age"]`.
class Columns : public Tensor {
 public:
  Columns() = default;
  Columns(Tensor one) : Tensor(std::move(one)) {}  // NOLINT(google-explicit-constructor)
  /// names: as many, or none. ValueError otherwise, for a name that is used twice, or an empty list.
  Columns(std::vector<Tensor> tensors, std::vector<std::string> names = {});  // NOLINT(google-explicit-constructor)

  std::size_t count() const { return tensors().size(); }
  /// All of them, in order.
  std::span<const Tensor> tensors() const&;
  std::vector<Tensor> tensors() const&& { return {tensors().begin(), tensors().end()}; }
  const std::vector<std::string>& names() const& { return names_; }
  std::vector<std::string> names() const&& { return names_; }
  /// ValueError that lists what there is, for a place or name that there is not.
  const Tensor& operator[](std::size_t place) const&;
  Tensor operator[](std::size_t place) const&& { return (*this)[place]; }
  const Tensor& operator[](std::string_view name) const&;
  Tensor operator[](std::string_view name) const&& { return (*this)[name]; }
  /// f(x) for each x, under the same names.
  Columns map(const std::function<Tensor(const Tensor&)>& f) const;
  /// `(32, 4)`, or `(32, 4), (32,)`.
  std::string shapes() const;

 private:
  std::vector<Tensor> several_;
  std::vector<std::string> names_;
};

/// Inputs and targets of one batch: `auto [x, y] = batch`.
struct Batch {
  Columns inputs;   ///< (n, ...)
  Columns targets;  ///< (n, ...), int64 (n,) for class labels

  std::int64_t rows() const { return inputs[0].shape(0); }
};

/// Rows that are one of several inputs or targets of a dataset; the name may be empty.
struct NamedRows {
  NamedRows(Rows values) : rows(std::move(values)) {}  // NOLINT(google-explicit-constructor)
  NamedRows(const Tensor& values) : rows(values) {}    // NOLINT(google-explicit-constructor)
  NamedRows(std::string text, Rows values) : name(std::move(text)), rows(std::move(values)) {}
  std::string name;
  Rows rows;
};

/// Examples: rows of inputs and of targets. Copies and subsets share the values.
class Dataset {
 public:
  /// ShapeError unless both have the same number of rows.
  Dataset(Rows inputs, Rows targets);
  /// Several inputs, which a model takes in this order, and several targets, which a loss sees, masks and weights of
  /// rows among them: `Dataset({{"ids", ids}, {"age", age}}, {{"price", price}, {"weight", weight}})`. Names for all of
  /// a side, or for none. ValueError for an empty list or names that do not fit, ShapeError unless all have the same
  /// number of rows.
  Dataset(std::vector<NamedRows> inputs, std::vector<NamedRows> targets);

  std::int64_t size() const { return inputs_.front().rows.rows(); }
  /// The one input, or target. ValueError if there are several.
  const Rows& inputs() const& { return only(inputs_, "inputs"); }
  Rows inputs() const&& { return only(inputs_, "inputs"); }
  const Rows& targets() const& { return only(targets_, "targets"); }
  Rows targets() const&& { return only(targets_, "targets"); }
  const std::vector<NamedRows>& input_columns() const& { return inputs_; }
  std::vector<NamedRows> input_columns() const&& { return inputs_; }
  const std::vector<NamedRows>& target_columns() const& { return targets_; }
  std::vector<NamedRows> target_columns() const&& { return targets_; }

  /// Examples first, ..., last - 1. ValueError outside [0, size].
  Dataset subset(std::int64_t first, std::int64_t last) const;
  /// The first `count` examples and the rest: `auto [train, held_out] = all.split(55000)`.
  std::pair<Dataset, Dataset> split(std::int64_t count) const;

  /// The examples of these indices as a dataset of copies; see Rows::select.
  Dataset select(std::span<const std::int64_t> indices) const;

  /// The examples of these indices, as `Rows::take` converts them.
  Batch take(std::span<const std::int64_t> indices, std::optional<DType> dtype = std::nullopt) const;
  /// All examples.
  Batch all(std::optional<DType> dtype = std::nullopt) const;

 private:
  static const Rows& only(const std::vector<NamedRows>& columns, const char* side);

  std::vector<NamedRows> inputs_;
  std::vector<NamedRows> targets_;
};

}  // namespace xgrad::nn
