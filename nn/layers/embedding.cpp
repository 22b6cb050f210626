#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/indexing.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/embedding.hpp>
#include <nn/layers/init.hpp>

#include <algorithm>

namespace xgrad::nn {

Embedding::Embedding(std::int64_t rows, std::int64_t features, const EmbeddingOptions& options, Generator& generator)
    : bag_(options.bag) {
  if (rows < 1 || features < 1)
    throw_as<ValueError>("Embedding: a table of {} rows and {} features; need at least one of each", rows, features);
  weight = parameter("weight", zeros({rows, features}));
  init::normal(weight, 0, 1, generator);
}

Tensor Embedding::operator()(const Tensor& indices) const {
  const auto found = [&] {
    check(indices);
    const Tensor rows = take(weight, indices);
    if (bag_ == Bag::none) return rows;
    const Tensor total = sum(rows, {-2});
    return bag_ == Bag::sum ? total : total / static_cast<double>(std::max<std::int64_t>(indices.shape().back(), 1));
  };
  check_defined("embedding", "indices", indices);
  const double flops =
      bag_ == Bag::none ? 0 : static_cast<double>(indices.size()) * static_cast<double>(weight.shape()[1]);
  return LayerCall(*this, "Embedding").run(found, flops);
}

void Embedding::check(const Tensor& indices) const {
  if (indices.dtype() != DType::int64) throw_as<TypeError>("embedding expects int64 indices, got {}", indices.dtype());
  if (bag_ != Bag::none && indices.rank() == 0)
    throw ShapeError("embedding expects indices (…, k) for bags of k, got ()");
}

}  // namespace xgrad::nn
