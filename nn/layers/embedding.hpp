#pragma once

#include <autograd/ops/random.hpp>
#include <nn/layers/module.hpp>

#include <cstdint>
#include <optional>

namespace xgrad::nn {

/// What becomes of the k rows that the last axis of the indices (..., k) names.
enum class Bag : std::uint8_t {
  none,  ///< they stay: (..., k, features)
  sum,   ///< Σ of them: (..., features), zeros for k = 0
  mean,  ///< Σ / k: (..., features), zeros for k = 0, as PyTorch's EmbeddingBag gives
};

struct EmbeddingOptions {
  Bag bag = Bag::none;
  /// The index that stands for no word, with which lists of unequal length are filled up (PyTorch's padding_idx). Its
  /// row begins with zeros and is never learned; bags leave it out, also of k.
  std::optional<std::int64_t> padding = std::nullopt;
};

/// y[..., :] = weight[index[...], :] for int64 indices (...) into a table weight (rows, features), optionally summed or
/// averaged over bags of words (Bengio et al. 2003; bags: Mikolov et al. 2013, CBOW). The gradient of a row is the sum
/// of those of the places that name it. The table begins with normal numbers of mean 0 and std 1.
class Embedding : public Module {
 public:
  /// ValueError unless rows and features are positive, and the padding is one of the rows. The table has the default
  /// dtype.
  Embedding(std::int64_t rows, std::int64_t features, const EmbeddingOptions& options = {},
            Generator& generator = default_generator());

  /// TypeError unless the indices are int64; ValueError, with the place among the indices and the value, for an index
  /// outside [0, rows); ShapeError for a bag of indices without axes.
  Tensor operator()(const Tensor& indices) const;
  /// Bags of unequal length, one behind the other in indices (n,): bag i begins at offsets[i] and ends where the next
  /// one begins, the last one at n. offsets (bags,) -> (bags, features). TypeError and ShapeError unless both are int64
  /// and of rank 1, ValueError unless offsets begin with 0, do not fall and do not exceed n, and for Bag::none.
  Tensor operator()(const Tensor& indices, const Tensor& offsets) const;

  Registered weight;  ///< a handle: write new values by `modify` or `assign`

 private:
  void check(const Tensor& indices) const;
  Tensor rows_of(const Tensor& indices) const;
  double flops(const Tensor& indices) const;

  Bag bag_;
  std::optional<std::int64_t> padding_;
};

}  // namespace xgrad::nn
