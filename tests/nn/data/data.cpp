#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/tensor/creation.hpp>
#include <nn/data/data.hpp>

#include <cstdint>
#include <vector>

using namespace xgrad;
using expect::error_of;
using nn::Dataset;
using nn::Rows;

namespace {

using Indices = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("bytes become scale times byte plus offset, in the dtype asked for") {
  const Rows column({3, 2}, {0, 1, 2, 127, 128, 255}, 0.5, -1);
  CHECK(column.is_bytes());
  CHECK(column.rows() == 3);
  const Tensor x = column.take(Indices{2, 0});
  CHECK(x.dtype() == float32);
  CHECK(x.shape() == Shape{2, 2});
  CHECK(expect::values(x) == std::vector<double>{63, 126.5, -1, -0.5});
  CHECK(column.take(Indices{0}, float64).dtype() == float64);
  const DefaultDType scope(float64);
  CHECK(column.take(Indices{0}).dtype() == float64);
}

TEST_CASE("all 256 bytes, scaled by 1/255, are k/255 to rounding, with 0 and 1 exact") {
  std::vector<std::uint8_t> bytes(256);
  std::vector<double> expected(256);
  for (std::size_t k = 0; k < 256; ++k) {
    bytes[k] = static_cast<std::uint8_t>(k);
    expected[k] = static_cast<double>(k) / 255;
  }
  const Rows column({1, 256}, bytes, 1.0 / 255);
  const Tensor single = column.take(Indices{0});
  CHECK(expect::difference(single, expected) < 1.2e-7);
  CHECK(single.item({0, 0}) == 0);
  CHECK(single.item({0, 255}) == 1);
  CHECK(expect::difference(column.take(Indices{0}, float64), expected) < 1e-15);
}

TEST_CASE("long rows in any order are taken whole") {
  // Row r holds (r + 3 k) mod 251; more rows than are fetched ahead.
  const std::size_t rows = 50, width = 5000;
  std::vector<std::uint8_t> bytes(rows * width);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>((i / width + 3 * (i % width)) % 251);
  const Rows column({50, 5000}, bytes);
  const Indices indices = {49, 0, 7, 7, 13, 2, 48};
  const Tensor x = column.take(indices);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < indices.size(); ++i)
    for (std::size_t k = 0; k < width; ++k)
      wrong +=
          x.values<float>()[i * width + k] != static_cast<float>((static_cast<std::size_t>(indices[i]) + 3 * k) % 251);
  CHECK(wrong == 0);
}

TEST_CASE("tensor columns keep their dtype unless another floating one is asked for; int64 stays") {
  const Rows single(tensor({{1, 2}, {3, 4}}));
  const Rows twofold(tensor({{1, 2}, {3, 4}}, float64));
  const Rows labels(tensor({5, 6}, int64));
  CHECK(single.take(Indices{1}).dtype() == float32);
  CHECK(twofold.take(Indices{1}).dtype() == float64);
  CHECK(single.take(Indices{1}, float64).dtype() == float64);
  CHECK(twofold.take(Indices{1}, float32).dtype() == float32);
  CHECK(expect::values(twofold.take(Indices{1, 1, 0}, float32)) == std::vector<double>{3, 4, 3, 4, 1, 2});
  CHECK(labels.take(Indices{1}, float32).dtype() == int64);
  CHECK(expect::values(labels.take(Indices{1, 0})) == std::vector<double>{6, 5});
  CHECK(labels.take(Indices{1, 0}).shape() == Shape{2});
  CHECK(single.take(Indices{}).shape() == Shape{0, 2});
}

TEST_CASE("a column of a tensor that requires gradients gives constants") {
  Tensor x = ones({2, 2});
  x.requires_gradient();
  CHECK(!Rows(x).take(Indices{0}).is_leaf());
}

TEST_CASE("subsets share the values and count from their own first row") {
  const Rows bytes({4, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  const Rows inner = bytes.subset(1, 4).subset(1, 2);
  CHECK(inner.rows() == 1);
  CHECK(expect::values(inner.take(Indices{0})) == std::vector<double>{4, 5});
  CHECK(inner.bytes().data() == bytes.bytes().data() + 4);
  CHECK(inner.bytes().size() == 2);
  CHECK(error_of([&] { inner.take(Indices{1}); }) == "ValueError: take: index 1 at position 0; need 0 <= index < 1");
  const Rows numbers = Rows(arange(10)).subset(6, 9);
  CHECK(expect::values(numbers.take(Indices{0, 2})) == std::vector<double>{6, 8});
  CHECK(Rows(arange(10)).subset(10, 10).rows() == 0);
}

TEST_CASE("rows can be reshaped and bytes read on another scale") {
  const Rows images({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(images.reshape_rows({4}).take(Indices{0, 1}).shape() == Shape{2, 4});
  CHECK(images.reshape_rows({1, 2, 2}).shape() == Shape{2, 1, 2, 2});
  CHECK(expect::values(images.reshape_rows({4}).rescale(2, 1).take(Indices{1})) == std::vector<double>{9, 11, 13, 15});
  CHECK(error_of([&] { images.reshape_rows({3}); }) ==
        "ShapeError: reshape_rows: rows of (2, 2, 2) have 4 elements, the new shape (3,) has 3; need the same number");
  CHECK(error_of([&] { Rows(arange(3)).rescale(2); }).starts_with("TypeError: rescale: "));
}

TEST_CASE("columns refuse what does not fit") {
  CHECK(error_of([] { Rows(tensor(1.0)); }).starts_with("ShapeError: Rows: "));
  CHECK(error_of([] { Rows(Shape{}, {1}); }).starts_with("ShapeError: Rows: "));
  CHECK(error_of([] { Rows({2, 2}, {1, 2, 3}); }) == "ShapeError: Rows: 3 bytes for shape (2, 2); need 4");
  const Rows column({2, 1}, {1, 2});
  CHECK(error_of([&] { column.take(Indices{0, 2}); }).starts_with("ValueError: take: index 2 at position 1"));
  CHECK(error_of([&] { column.take(Indices{-1}); }).starts_with("ValueError: take: index -1"));
  CHECK(error_of([&] { column.take(Indices{0}, int64); }).starts_with("TypeError: take: "));
  CHECK(error_of([&] { column.subset(1, 3); }) ==
        "ValueError: subset: rows 1 to 3 of 2; need 0 <= first <= last <= rows");
  CHECK(error_of([&] { column.subset(-1, 1); }).starts_with("ValueError: subset: "));
  CHECK(error_of([&] { column.subset(2, 1); }).starts_with("ValueError: subset: "));
}

TEST_CASE("a dataset pairs inputs with targets") {
  const Dataset data(tensor({{1, 2}, {3, 4}, {5, 6}}), tensor({7, 8, 9}, int64));
  CHECK(data.size() == 3);
  const auto [x, y] = data.take(Indices{2, 0});
  CHECK(expect::values(x) == std::vector<double>{5, 6, 1, 2});
  CHECK(expect::values(y) == std::vector<double>{9, 7});
  const auto [all_x, all_y] = data.all(float64);
  CHECK(all_x.dtype() == float64);
  CHECK(expect::values(all_x) == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(expect::values(all_y) == std::vector<double>{7, 8, 9});
}

TEST_CASE("split and subset keep inputs and targets together") {
  const Dataset data(tensor({{1, 2}, {3, 4}, {5, 6}}), tensor({7, 8, 9}, int64));
  const auto [first, rest] = data.split(2);
  CHECK(first.size() == 2);
  CHECK(rest.size() == 1);
  CHECK(expect::values(rest.all().inputs) == std::vector<double>{5, 6});
  CHECK(expect::values(rest.all().targets) == std::vector<double>{9});
  CHECK(expect::values(data.subset(1, 2).all().targets) == std::vector<double>{8});
  CHECK(data.split(0).first.size() == 0);
  CHECK(error_of([&] { data.split(4); }).starts_with("ValueError: subset: "));
}

TEST_CASE("inputs and targets need equal first extents") {
  CHECK(error_of([] {
          Dataset(zeros({3, 2}), zeros({2}));
        }) == "ShapeError: Dataset: inputs are (3, 2), targets are (2,); need equal first extents");
}

TEST_CASE("selected rows are copies in the type of their source") {
  const Rows bytes({4, 2}, {0, 1, 2, 3, 4, 5, 6, 7}, 0.5, 1);
  const Rows chosen = bytes.subset(1, 4).select(Indices{2, 0, 2});
  CHECK(chosen.is_bytes());
  CHECK(chosen.shape() == Shape{3, 2});
  CHECK(std::vector<std::uint8_t>(chosen.bytes().begin(), chosen.bytes().end()) ==
        std::vector<std::uint8_t>{6, 7, 2, 3, 6, 7});
  CHECK(expect::values(chosen.take(Indices{0})) == std::vector<double>{4, 4.5});
  const Dataset data(tensor({{1, 2}, {3, 4}, {5, 6}}, float64), tensor({7, 8, 9}, int64));
  const nn::Batch batch = data.select(Indices{2, 1}).all();
  CHECK(batch.inputs.dtype() == float64);
  CHECK(expect::values(batch.inputs) == std::vector<double>{5, 6, 3, 4});
  CHECK(batch.targets.dtype() == int64);
  CHECK(expect::values(batch.targets) == std::vector<double>{9, 8});
  CHECK(error_of([&] { bytes.select(Indices{4}); }) ==
        "ValueError: select: index 4 at position 0; need 0 <= index < 4");
}
