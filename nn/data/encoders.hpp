#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad::nn {

/// Class indices as rows with one entry set: `OneHotEncoder{.classes = 3}.encode(labels)` has 0 and 1, `.low = -1`
/// gives the -1 and 1 of outputs that end in tanh.
struct OneHotEncoder {
  std::int64_t classes;
  double low = 0;
  double high = 1;

  /// indices int64 (n,) -> (n, classes): high at the index, low elsewhere. ShapeError, TypeError for other indices;
  /// ValueError for an index outside [0, classes) or low >= high. Not recorded.
  Tensor encode(const Tensor& indices, DType dtype = default_dtype()) const;
};

/// Texts as numbers 0, 1, ...: number i stands for the i-th category.
class OrdinalEncoder {
 public:
  /// Categories in the order of their numbers. ValueError for none, or for one that is listed twice.
  explicit OrdinalEncoder(std::vector<std::string> categories);
  /// The distinct values in the order of their bytes. ValueError for no values.
  static OrdinalEncoder fit(std::span<const std::string> values);

  const std::vector<std::string>& categories() const& { return categories_; }
  std::vector<std::string> categories() const&& { return categories_; }
  std::int64_t size() const { return static_cast<std::int64_t>(categories_.size()); }
  /// The number of a category, none if it is unknown.
  std::optional<std::int64_t> find(std::string_view value) const;

  /// int64 (n,). ValueError for an unknown category.
  Tensor encode(std::span<const std::string> values) const;
  /// The categories of int64 (n,). ShapeError, TypeError for other indices, ValueError for one that has no category.
  std::vector<std::string> decode(const Tensor& indices) const;

 private:
  std::vector<std::string> categories_;
  std::map<std::string, std::int64_t, std::less<>> numbers_;
};

}  // namespace xgrad::nn
