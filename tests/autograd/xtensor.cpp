#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <autograd/xtensor.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>
#include <xtensor/xmath.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

using namespace xgrad;
using expect::error_of;
using expect::values;

using Values = std::vector<double>;

namespace {

template <class T>
concept ViewableAs = requires(T x) {
  as_xtensor<float>(std::forward<T>(x));
};
static_assert(ViewableAs<const Tensor&>);
static_assert(!ViewableAs<Tensor> && !ViewableAs<const Tensor>);  // the view would outlive the values

}  // namespace

TEST_CASE("a tensor is seen as a const xtensor array over its own memory") {
  const Tensor x = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}});
  const auto view = as_xtensor<float>(x);
  CHECK(view.dimension() == 2);
  CHECK(view.shape(0) == 2);
  CHECK(view.shape(1) == 3);
  CHECK(view(1, 0) == 4);
  CHECK(&view(0, 0) == x.data<float>());
  static_assert(std::is_const_v<std::remove_reference_t<decltype(view(0, 0))>>);
  CHECK(xt::sum(view)() == 21);
}

TEST_CASE("a view in another dtype is refused") {
  const Tensor x = tensor({1.0});
  CHECK(error_of([&] { static_cast<void>(as_xtensor<double>(x)); }) ==
        "TypeError: tensor: the values are float32, asked for as float64; convert with to(float64)");
}

TEST_CASE("rank 0 and size 0 go both ways") {
  const Tensor scalar = tensor(5.0);
  const auto scalar_view = as_xtensor<float>(scalar);
  CHECK(scalar_view.dimension() == 0);
  CHECK(scalar_view() == 5);
  CHECK(from_xtensor(scalar_view * 2.0f).shape() == Shape{});
  CHECK(from_xtensor(scalar_view * 2.0f).item() == 10);
  const Tensor none = zeros({2, 0});
  const auto none_view = as_xtensor<float>(none);
  CHECK(none_view.size() == 0);
  CHECK(from_xtensor(none_view + 1.0f).shape() == Shape{2, 0});
}

TEST_CASE("any expression becomes a tensor with its values, evaluated once") {
  const xt::xarray<double> a{{1, 2}, {3, 4}};
  const Tensor sum = from_xtensor(a + 10.0);
  CHECK(sum.dtype() == float64);
  CHECK(sum.shape() == Shape{2, 2});
  CHECK(values(sum) == Values{11, 12, 13, 14});
  CHECK(values(from_xtensor(xt::transpose(a))) == Values{1, 3, 2, 4});
  CHECK(values(from_xtensor(xt::view(a, xt::all(), 1))) == Values{2, 4});
  CHECK(values(from_xtensor(xt::sum(a, {0}))) == Values{4, 6});
  CHECK(from_xtensor(xt::sum(a)).shape() == Shape{});
  int calls = 0;
  const auto counted = xt::make_lambda_xfunction(
      [&calls](double x) {
        ++calls;
        return x;
      },
      a);
  from_xtensor(counted);
  CHECK(calls == 4);
}

TEST_CASE("an array in column order is read in row order") {
  const xt::xarray<float, xt::layout_type::column_major> columns{{1, 2, 3}, {4, 5, 6}};
  CHECK(values(from_xtensor(columns)) == Values{1, 2, 3, 4, 5, 6});
  xt::xarray<float, xt::layout_type::column_major> moved = columns;
  CHECK(values(from_xtensor(std::move(moved))) == Values{1, 2, 3, 4, 5, 6});
}

TEST_CASE("float, double and int64 keep their dtype, other numbers widen") {
  CHECK(from_xtensor(xt::xarray<float>{1}).dtype() == float32);
  CHECK(from_xtensor(xt::xarray<double>{1}).dtype() == float64);
  CHECK(from_xtensor(xt::xarray<std::int64_t>{1}).dtype() == int64);
  const xt::xarray<std::uint8_t> bytes{0, 128, 255};
  CHECK(from_xtensor(bytes).dtype() == int64);
  CHECK(values(from_xtensor(bytes)) == Values{0, 128, 255});
  CHECK(from_xtensor(xt::xarray<int>{-1}).item() == -1);
  const xt::xarray<bool> flags{true, false};
  CHECK(values(from_xtensor(flags)) == Values{1, 0});
  CHECK(from_xtensor(xt::xarray<long double>{0.5L}).dtype() == float64);
}

TEST_CASE("an array that is moved in gives its memory, one that is not is copied") {
  xt::xarray<float> array{{1, 2}, {3, 4}};
  const float* const place = array.data();
  Tensor copy = from_xtensor(array);
  CHECK(copy.data<float>() != place);
  copy.modify([](auto x) { x[0] = 100; });
  CHECK(array(0, 0) == 1);
  Tensor taken = from_xtensor(std::move(array));
  CHECK(taken.data<float>() == place);
  CHECK(taken.shape() == Shape{2, 2});
  taken.modify([](auto x) { x[3] = 7; });
  CHECK(values(taken) == Values{1, 2, 3, 7});
  const Tensor row = reshape(taken, {4});
  taken = Tensor();
  CHECK(values(row) == Values{1, 2, 3, 7});
}

TEST_CASE("a fixed-rank array becomes a tensor") {
  const xt::xtensor<double, 2> array{{1, 2, 3}};
  CHECK(from_xtensor(array).shape() == Shape{1, 3});
  CHECK(values(from_xtensor(xt::xtensor<float, 1>{1, 2})) == Values{1, 2});
}

TEST_CASE("more than eight axes are refused") {
  const xt::xarray<float> array = xt::zeros<float>(std::vector<std::size_t>(9, 1));
  CHECK_THROWS_AS(from_xtensor(array), ShapeError);
}

TEST_CASE("a tensor made of an expression takes part in the tape as a constant") {
  const Tensor w = expect::leaf(tensor({1.0, 2.0}, float64));
  const xt::xarray<double> data{3, 4};
  Tape tape;
  CHECK(values(tape.backward(sum(w * from_xtensor(data * 2.0)))[w]) == Values{6, 8});
}
