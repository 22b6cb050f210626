#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/compare.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/indexing.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/embedding.hpp>
#include <nn/layers/init.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace xgrad::nn {

namespace {

/// The bag of every place, int64 (n,), from where the bags begin.
Tensor bags_of_places(std::int64_t places, const Tensor& offsets) {
  const auto begin = offsets.values<std::int64_t>();
  Tensor bags = Tensor::uninitialized({places}, int64);
  std::int64_t* const bag = bags.fresh_data<std::int64_t>();
  for (std::size_t i = 0; i < begin.size(); ++i) {
    const std::int64_t end = i + 1 < begin.size() ? begin[i + 1] : places;
    if ((i == 0 && begin[i] != 0) || begin[i] > end)
      throw_as<ValueError>("embedding: offset {} is {} for {} indices; need offsets from 0 on that do not fall", i,
                           begin[i], places);
    std::fill(bag + begin[i], bag + end, static_cast<std::int64_t>(i));
  }
  if (begin.empty() && places > 0) throw_as<ValueError>("embedding: {} indices and no offsets; need a bag", places);
  return bags;
}

}  // namespace

Embedding::Embedding(std::int64_t rows, std::int64_t features, const EmbeddingOptions& options, Generator& generator)
    : bag_(options.bag), padding_(options.padding) {
  if (rows < 1 || features < 1)
    throw_as<ValueError>("Embedding: a table of {} rows and {} features; need at least one of each", rows, features);
  if (padding_ && (*padding_ < 0 || *padding_ >= rows))
    throw_as<ValueError>("Embedding: padding {}; need 0 <= padding < {}", *padding_, rows);
  weight = parameter("weight", zeros({rows, features}));
  init::normal(weight, 0, 1, generator);
  if (!padding_) return;
  weight.modify([&](auto values) {
    const auto of_row = values.subspan(static_cast<std::size_t>(*padding_ * features), weight.extent(1));
    std::fill(of_row.begin(), of_row.end(), 0);
  });
}

/// (..., features); of the padding zeros in a bag, its row without a gradient elsewhere.
Tensor Embedding::rows_of(const Tensor& indices) const {
  const Tensor rows = take(weight, indices);
  if (!padding_) return rows;
  const Tensor words = unsqueeze(ne(indices, static_cast<double>(*padding_)), -1).to(rows.dtype());
  return bag_ == Bag::none ? where(words, rows, detach(rows)) : where(words, rows, 0.0);
}

Tensor Embedding::operator()(const Tensor& indices) const {
  const auto found = [&] {
    check(indices);
    if (bag_ == Bag::none) return rows_of(indices);
    const Tensor total = sum(rows_of(indices), {-2});
    if (bag_ == Bag::sum) return total;
    if (!padding_) return total / static_cast<double>(std::max<std::int64_t>(indices.shape().back(), 1));
    const Tensor words = sum(ne(indices, static_cast<double>(*padding_)).to(total.dtype()), {-1}, true);
    return total / maximum(words, 1.0);
  };
  check_defined("embedding", "indices", indices);
  return LayerCall(*this, "Embedding").run(found, flops(indices));
}

Tensor Embedding::operator()(const Tensor& indices, const Tensor& offsets) const {
  check_defined("embedding", "indices", indices);
  check_defined("embedding", "offsets", offsets);
  const auto found = [&] {
    check(indices);
    check(offsets);
    if (indices.rank() != 1 || offsets.rank() != 1)
      throw_as<ShapeError>("embedding expects indices (n,) with offsets (bags,), got {} and {}", indices.shape(),
                           offsets.shape());
    if (bag_ == Bag::none) throw ValueError("embedding: offsets without bags; need Bag::sum or Bag::mean");
    const std::int64_t count = offsets.shape(0);
    const Tensor bags = bags_of_places(indices.shape(0), offsets);
    const Tensor rows = rows_of(indices), total = scatter_add(rows, bags, count);
    if (bag_ == Bag::sum) return total;
    const Tensor words =
        padding_ ? ne(indices, static_cast<double>(*padding_)).to(rows.dtype()) : ones(indices.shape(), rows.dtype());
    return total / maximum(unsqueeze(scatter_add(words, bags, count), -1), 1.0);
  };
  return LayerCall(*this, "Embedding").run(found, flops(indices));
}

double Embedding::flops(const Tensor& indices) const {
  return bag_ == Bag::none ? 0 : static_cast<double>(indices.size()) * static_cast<double>(weight.shape()[1]);
}

void Embedding::check(const Tensor& indices) const {
  if (indices.dtype() != DType::int64) throw_as<TypeError>("embedding expects int64 indices, got {}", indices.dtype());
  if (bag_ != Bag::none && indices.rank() == 0)
    throw ShapeError("embedding expects indices (…, k) for bags of k, got ()");
}

}  // namespace xgrad::nn
