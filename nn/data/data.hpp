#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
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

/// Inputs and targets of one batch: `auto [x, y] = batch`.
struct Batch {
  Tensor inputs;   ///< (n, ...)
  Tensor targets;  ///< (n, ...), int64 (n,) for class labels

  std::int64_t rows() const { return inputs.shape(0); }
};

/// Examples: rows of inputs and of targets. Copies and subsets share the values.
class Dataset {
 public:
  /// ShapeError unless both have the same number of rows.
  Dataset(Rows inputs, Rows targets);

  std::int64_t size() const { return inputs_.rows(); }
  const Rows& inputs() const& { return inputs_; }
  Rows inputs() const&& { return inputs_; }
  const Rows& targets() const& { return targets_; }
  Rows targets() const&& { return targets_; }

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
  Rows inputs_;
  Rows targets_;
};

}  // namespace xgrad::nn
