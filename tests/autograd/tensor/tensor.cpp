#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>

#include <cmath>
#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace xgrad;
using expect::error_of;
using expect::values;

using Values = std::vector<double>;

static_assert(std::is_nothrow_move_constructible_v<Tensor> && std::is_nothrow_move_assignable_v<Tensor>);
static_assert(sizeof(Tensor) == sizeof(void*));

namespace {

std::string printed(const auto& x) {
  std::ostringstream text;
  text << x;
  return text.str();
}

}  // namespace

TEST_CASE("a tensor has shape, rank, size, bytes and dtype") {
  const Tensor x = zeros({2, 3}, float64);
  CHECK(x.shape() == Shape{2, 3});
  CHECK(x.shape(0) == 2);
  CHECK(x.shape(-1) == 3);
  CHECK(x.rank() == 2);
  CHECK(x.size() == 6);
  CHECK(x.bytes() == 48);
  CHECK(x.dtype() == float64);
  CHECK(x.defined());
  CHECK(static_cast<bool>(x));
  CHECK_FALSE(x.is_leaf());
  CHECK(error_of([&] { static_cast<void>(x.shape(2)); }) ==
        "ShapeError: shape: axis 2 of a tensor of rank 2; need -2 <= axis < 2");
}

TEST_CASE("shapes, axes and dtypes print as NumPy's") {
  CHECK(printed(zeros({2, 3}).shape()) == "(2, 3)");
  CHECK(printed(Shape{5}) == "(5,)");
  CHECK(printed(Axes{-1, 0}) == "(-1, 0)");
  CHECK(printed(float32) == "float32");
  CHECK(printed(tensor({1}, int64).dtype()) == "int64");
}

TEST_CASE("rank 0 and size 0 are tensors like others") {
  CHECK(tensor(3.0).rank() == 0);
  CHECK(tensor(3.0).size() == 1);
  CHECK(tensor(3.0).item() == 3);
  const Tensor none = zeros({2, 0, 3});
  CHECK(none.size() == 0);
  CHECK(none.bytes() == 0);
  CHECK(none.values<float>().empty());
  CHECK(none.clone().shape() == Shape{2, 0, 3});
  CHECK(none.to(float64).dtype() == float64);
  Tensor same = none;
  same.modify([](auto entries) { CHECK(entries.empty()); });
  same.assign(ones({2, 0, 3}, float64));
  CHECK(same.dtype() == float64);
}

TEST_CASE("an empty handle is told apart, and every use of it throws") {
  Tensor empty;
  CHECK_FALSE(empty.defined());
  CHECK_FALSE(static_cast<bool>(empty));
  CHECK(empty.is(Tensor()));
  CHECK(printed(empty) == "empty tensor");
  const auto text = [](const char* operation, const char* argument = "the tensor") {
    return std::string("ValueError: ") + operation + ": " + argument + " is an empty handle; assign a tensor first";
  };
  CHECK(error_of([&] { static_cast<void>(empty.shape()); }) == text("shape"));
  CHECK(error_of([&] { static_cast<void>(empty.dtype()); }) == text("dtype"));
  CHECK(error_of([&] { static_cast<void>(empty.item()); }) == text("item"));
  CHECK(error_of([&] { static_cast<void>(empty.values<float>()); }) == text("dtype"));
  CHECK(error_of([&] { empty.modify([](auto) {}); }) == text("modify"));
  CHECK(error_of([&] { empty.requires_gradient(); }) == text("requires_gradient"));
  CHECK(error_of([&] { empty.label("x"); }) == text("label"));
  CHECK(error_of([&] { static_cast<void>(empty.label()); }) == text("label"));
  CHECK(error_of([&] { static_cast<void>(empty.is_leaf()); }) == text("is_leaf"));
  CHECK(error_of([&] { static_cast<void>(empty.clone()); }) == text("clone"));
  CHECK(error_of([&] { static_cast<void>(empty.to(float64)); }) == text("to"));
  CHECK(error_of([&] { static_cast<void>(detach(empty)); }) == text("detach", "x"));
  CHECK(error_of([&] { empty.assign(tensor(1.0)); }) == text("assign"));
  CHECK(error_of([&] { tensor(1.0).assign(empty); }) == text("assign", "values"));
  CHECK(error_of([&] { empty + tensor(1.0); }) == text("add", "input 0"));
  CHECK(error_of([&] { where(empty, tensor(1.0), tensor(2.0)); }) == text("where", "input 0"));
  empty = tensor(2.0);
  CHECK(empty.item() == 2);
  const Tensor taken = std::move(empty);
  CHECK(taken.item() == 2);
  CHECK_FALSE(empty.defined());
}

TEST_CASE("copies of a handle are one tensor") {
  Tensor a = tensor({1.0, 2.0});
  const Tensor b = a;
  CHECK(b.is(a));
  a.modify([](auto x) { x[0] = 5; });
  CHECK(b.item({0}) == 5);
  a.requires_gradient();
  CHECK(b.is_leaf());
  a.label("a");
  CHECK(b.label() == "a");
  Tensor& self = a;
  a = self;
  CHECK(a.is(b));
  a = tensor({7.0});
  CHECK_FALSE(a.is(b));
  CHECK(b.item({0}) == 5);
}

TEST_CASE("tensors are made of constants, numbers, rows, or a list with a shape") {
  CHECK(values(zeros({2, 2})) == Values{0, 0, 0, 0});
  CHECK(values(ones({3})) == Values{1, 1, 1});
  CHECK(values(full({2}, 2.5)) == Values{2.5, 2.5});
  CHECK(values(full({2}, 7, int64)) == Values{7, 7});
  CHECK(values(arange(4)) == Values{0, 1, 2, 3});
  CHECK(arange(4).dtype() == int64);
  CHECK(values(arange(3, float64)) == Values{0, 1, 2});
  CHECK(arange(0).shape() == Shape{0});
  CHECK(tensor(1.5).shape() == Shape{});
  CHECK(tensor({1.5}).shape() == Shape{1});
  const Tensor rows = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}});
  CHECK(rows.shape() == Shape{2, 3});
  CHECK(values(rows) == Values{1, 2, 3, 4, 5, 6});  // row-major
  CHECK(rows.item({1, 0}) == 4);
  CHECK(tensor({{1.0}, {2.0}}).shape() == Shape{2, 1});
  CHECK(tensor({{4.0}}).shape() == Shape{1, 1});
  CHECK(tensor({1, 2.5}).shape() == Shape{2});
  const Values list{1, 2, 3, 4, 5, 6, 7, 8};
  const Tensor cube = tensor(list, {2, 2, 2}, float64);
  CHECK(cube.item({1, 0, 1}) == 6);
  CHECK(cube.dtype() == float64);
  CHECK(tensor({1.0}).dtype() == float32);
  CHECK(tensor(0.1, float64).item() == 0.1);
  CHECK(tensor(0.1).item() == static_cast<double>(0.1f));
}

TEST_CASE("what cannot be a tensor is refused with its numbers") {
  CHECK(error_of([] {
          tensor({{1.0, 2.0}, {3.0}});
        }) == "ShapeError: tensor: rows of 2 and of 1 values; need rows of equal length");
  const Values three{1, 2, 3};
  CHECK(error_of([&] { tensor(three, {2, 2}); }) == "ShapeError: tensor: 3 values for shape (2, 2); need 4");
  CHECK(error_of([] { zeros({2, -1}); }) == "ShapeError: zeros: shape (2, -1) has a negative extent");
  CHECK(error_of([] { arange(-1); }) == "ShapeError: arange: shape (-1,) has a negative extent");
  CHECK(error_of([] {
          zeros({1LL << 40, 1LL << 40});
        }) ==
        "ValueError: zeros: shape (1099511627776, 1099511627776) has more elements than can be counted; need fewer "
        "than 2^63");
  CHECK(error_of([] { zeros({1LL << 56}, float64); }) ==
        "ValueError: zeros: no memory for shape (72057594037927936,) of float64");
}

TEST_CASE("numbers that int64 does not have are refused wherever they are converted") {
  const double inf = std::numeric_limits<double>::infinity();
  const std::string rule = " as int64; need a number from -2^63 on and below 2^63";
  CHECK(error_of([] { full({}, 1e30, int64); }) == "ValueError: full: 1e+30" + rule);
  CHECK(error_of([] { full({2}, std::nan(""), int64); }) == "ValueError: full: nan" + rule);
  CHECK(error_of([&] { tensor(-inf, int64); }) == "ValueError: tensor: -inf" + rule);
  CHECK(error_of([] { tensor({1.0, 0x1p63}, int64); }) == "ValueError: tensor: 9.223372036854776e+18" + rule);
  CHECK(error_of([] { tensor({{-0x1.0000000000001p63}}, int64); }) ==
        "ValueError: tensor: -9.223372036854778e+18" + rule);
  CHECK(error_of([] { tensor({0.0, 1e30}, float64).to(int64); }) == "ValueError: to: 1e+30" + rule);
  CHECK(error_of([] { tensor({0x1p63}).to(int64); }) == "ValueError: to: 9.223372036854776e+18" + rule);
  CHECK(error_of([] { tensor({std::nan("")}).to(int64); }) == "ValueError: to: nan" + rule);
  CHECK(error_of([&] { eq(arange(2), inf); }) == "ValueError: eq: inf" + rule);
  CHECK(error_of([] { lt(arange(2), std::nan("")); }) == "ValueError: lt: nan" + rule);
  CHECK(error_of([] { ge(arange(2), 1e19); }) == "ValueError: ge: 1e+19" + rule);
  CHECK(error_of([] { gt(arange(2), 0.5); }) ==
        "TypeError: gt: 0.5 beside an int64 tensor; convert it with to(float32)");
  const Tensor lowest = full({1}, -0x1p63, int64), near_the_end = tensor({0x1.fffffffffffffp62}, float64).to(int64);
  CHECK(lowest.values<std::int64_t>()[0] == std::numeric_limits<std::int64_t>::min());
  CHECK(near_the_end.values<std::int64_t>()[0] == 9'223'372'036'854'774'784);
}

TEST_CASE("arange counts on where a dtype no longer has every integer") {
  const Tensor x = arange((1 << 24) + 4, float32);
  CHECK(x.values<float>()[(1 << 24) + 3] == 16'777'220.0f);  // the even one of the neighbours of 16,777,219
}

TEST_CASE("values are seen in their own dtype only") {
  const Tensor x = tensor({1.0, 2.0});
  CHECK(x.values<float>()[1] == 2.0f);
  CHECK(x.data<float>()[0] == 1.0f);
  CHECK(error_of([&] { static_cast<void>(x.values<double>()); }) ==
        "TypeError: tensor: the values are float32, asked for as float64; convert with to(float64)");
  const Tensor whole = arange(2);
  CHECK(error_of([&] { static_cast<void>(whole.data<float>()); }) ==
        "TypeError: tensor: the values are int64, asked for as float32; convert with to(float32)");
  static_assert(std::is_same_v<decltype(x.values<float>()), std::span<const float>>);
}

TEST_CASE("item gives the one value, or the value at an index") {
  CHECK(tensor({{4.0}}).item() == 4);
  CHECK(arange(5).item({3}) == 3);
  CHECK(tensor(9.0).item({}) == 9);
  const Tensor x = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}});
  CHECK(x.item({0, 2}) == 3);
  CHECK(error_of([&] { static_cast<void>(x.item()); }) == "ShapeError: item: shape (2, 3) has 6 elements; need one");
  CHECK(error_of([&] { static_cast<void>(zeros({0}).item()); }) ==
        "ShapeError: item: shape (0,) has 0 elements; need one");
  const std::string rule = " of shape (2, 3); need one number per axis, each in [0, extent)";
  CHECK(error_of([&] { static_cast<void>(x.item({1})); }) == "ShapeError: item: index (1,)" + rule);
  CHECK(error_of([&] { static_cast<void>(x.item({0, 3})); }) == "ShapeError: item: index (0, 3)" + rule);
  CHECK(error_of([&] { static_cast<void>(x.item({0, -1})); }) == "ShapeError: item: index (0, -1)" + rule);
  CHECK(error_of([&] { static_cast<void>(x.item({0, 0, 0})); }) == "ShapeError: item: index (0, 0, 0)" + rule);
  CHECK(error_of([&] {
          static_cast<void>(x.item({0, 0, 0, 0, 0, 0, 0, 0, 0}));
        }) == "ShapeError: item: an index of 9 numbers for shape (2, 3); need one number per axis");
}

TEST_CASE("modify writes the values and raises the version") {
  Tensor x = tensor({1.0, 2.0, 3.0});
  const std::uint32_t before = x.version();
  x.modify([](auto entries) {
    for (auto& entry : entries) entry *= 2;
  });
  CHECK(values(x) == Values{2, 4, 6});
  CHECK(x.version() == before + 1);
  x.modify([](std::span<float> entries) { entries[0] = 9.5f; });
  CHECK(x.item({0}) == 9.5);
  CHECK(x.version() == before + 2);
  CHECK(error_of([&] { x.modify([](std::span<double>) {}); }) ==
        "TypeError: modify: the values are float32, which the function does not take; need f(std::span<T>) for that "
        "dtype");
  CHECK(x.version() == before + 2);
  Tensor index = arange(2);
  index.modify([](std::span<std::int64_t> entries) { entries[1] = 1LL << 60; });
  CHECK(index.values<std::int64_t>()[1] == 1LL << 60);
}

TEST_CASE("detach shares values and version, and is a constant") {
  Tensor x = expect::leaf(tensor({1.0, 2.0}));
  Tensor constant = detach(x);
  CHECK_FALSE(constant.is(x));
  CHECK_FALSE(constant.is_leaf());
  CHECK(constant.data<float>() == x.data<float>());
  x.modify([](auto entries) { entries[0] = 5; });
  CHECK(constant.item({0}) == 5);
  CHECK(constant.version() == x.version());
  constant.modify([](auto entries) { entries[1] = 6; });
  CHECK(x.item({1}) == 6);
  Tape tape;
  CHECK((constant * 2.0).body().tape == 0);
  const Tensor y = x * detach(x * 3.0);  // dy/dx = 3x of the constant only
  CHECK(values(tape.backward(sum(y))[x]) == Values{15, 18});
}

TEST_CASE("writing to a detached tensor that the tape saved throws at backward") {
  const Tensor x = expect::leaf(tensor({1.0, 2.0}));
  Tape tape;
  const Tensor y = sum(x * x);
  Tensor constant = detach(x);
  constant.modify([](auto entries) { entries[0] = 5; });
  CHECK_THROWS_AS(tape.backward(y), TapeError);
}

TEST_CASE("a reshape is a new tensor: writing to either does not touch the other") {
  for (const bool is_leaf : {false, true}) {
    CAPTURE(is_leaf);
    Tensor x = tensor({1.0, 2.0, 3.0, 4.0});
    if (is_leaf) x.requires_gradient();
    Tensor square = reshape(x, {2, 2});
    Tensor column = reshape(square, {4, 1});
    CHECK(values(square) == Values{1, 2, 3, 4});
    x.modify([](auto entries) { entries[0] = 10; });
    CHECK(values(x) == Values{10, 2, 3, 4});
    CHECK(values(square) == Values{1, 2, 3, 4});
    square.modify([](auto entries) { entries[1] = 20; });
    CHECK(values(square) == Values{1, 20, 3, 4});
    CHECK(values(x) == Values{10, 2, 3, 4});
    CHECK(values(column) == Values{1, 2, 3, 4});
    column.assign(zeros({4, 1}));
    CHECK(values(column) == Values{0, 0, 0, 0});
    CHECK(values(x) == Values{10, 2, 3, 4});
    CHECK(values(square) == Values{1, 20, 3, 4});
  }
}

TEST_CASE("a reshape copies nothing until somebody writes") {
  Tensor x = tensor({1.0, 2.0, 3.0, 4.0});
  const float* const place = x.data<float>();
  {
    const Tensor square = reshape(x, {2, 2});
    CHECK(square.data<float>() == place);
  }
  x.modify([](auto entries) { entries[0] = 10; });  // the only one that is left writes in place
  CHECK(x.data<float>() == place);
}

TEST_CASE("what was detached follows later writes once a reshape is gone") {
  Tensor x = tensor({1.0, 2.0});
  static_cast<void>(reshape(x, {2, 1}));
  const Tensor constant = detach(x);
  const std::uint32_t version = constant.version();
  x.modify([](auto entries) { entries[0] = 10; });
  CHECK(values(constant) == Values{10, 2});
  CHECK(constant.version() == version + 1);
}

TEST_CASE("a write to what was reshaped raises its version, so that a tape that saved it throws") {
  Tensor x = tensor({1.0, 2.0});
  const Tensor w = expect::leaf(tensor({3.0, 4.0}));
  const Tensor row = reshape(x, {1, 2});
  {
    Tape tape;
    const Tensor y = sum(x * w);
    x.modify([](auto entries) { entries[0] = 10; });
    CHECK_THROWS_AS(tape.backward(y), TapeError);
  }
  Tape tape;
  const Tensor y = sum(row * w);  // saved the reshape, whose values stay
  x.modify([](auto entries) { entries[0] = 20; });
  CHECK(values(tape.backward(y)[w]) == Values{1, 2});
}

TEST_CASE("clone has values of its own, to also another dtype, and both hand gradients on") {
  Tensor x = tensor({1.0, 2.5}, float64);
  Tensor copy = x.clone();
  copy.modify([](auto entries) { entries[0] = 7; });
  CHECK(values(x) == Values{1, 2.5});
  CHECK(copy.dtype() == float64);
  const Tensor same = x.to(float64);
  CHECK_FALSE(same.is(x));
  CHECK(same.data<double>() != x.data<double>());
  CHECK(x.to(float32).dtype() == float32);
  CHECK(values(tensor({1.9, -1.9}, float64).to(int64)) == Values{1, -1});
  CHECK(tensor(0.1, float64).to(float32).item() == static_cast<double>(0.1f));
  CHECK(tensor(std::numeric_limits<double>::max(), float64).to(float32).item() ==
        std::numeric_limits<double>::infinity());
  const Tensor w = expect::leaf(tensor({1.0, 2.0}));
  CHECK_FALSE(w.clone().is_leaf());
  Tape tape;
  const Gradients g = tape.backward(sum(w.to(float64) * x + w.clone().to(float64)));
  CHECK(g[w].dtype() == float32);
  CHECK(values(g[w]) == Values{2, 3.5});
}

TEST_CASE("assign takes values and dtype in place: every handle sees them") {
  Tensor x = tensor({1.0, 2.0});
  const Tensor handle = x;
  const std::uint32_t before = x.version();
  x.assign(tensor({3.0, 4.0}));
  CHECK(values(handle) == Values{3, 4});
  CHECK(x.version() == before + 1);
  x.assign(tensor({0.1, 0.2}, float64));
  CHECK(handle.dtype() == float64);
  CHECK(values(handle) == Values{0.1, 0.2});
  CHECK(x.version() == before + 2);
  x.assign(x);
  CHECK(values(x) == Values{0.1, 0.2});
  Tensor source = tensor({5.0, 6.0}, float64);
  x.assign(source);
  source.modify([](auto entries) { entries[0] = 0; });
  CHECK(values(x) == Values{5, 6});  // a copy
  x.assign(arange(2));
  CHECK(handle.dtype() == int64);
}

TEST_CASE("assign refuses another shape and int64 for a leaf, and names the tensor") {
  Tensor x = tensor({1.0, 2.0});
  CHECK(error_of([&] { x.assign(zeros({3})); }) ==
        "ShapeError: assign: the tensor is (2,), the values are (3,); need equal shapes");
  x.label("hidden.bias").requires_gradient();
  CHECK(error_of([&] {
          x.assign(zeros({1, 2}));
        }) == "ShapeError: assign: hidden.bias is (2,), the values are (1, 2); need equal shapes");
  CHECK(error_of([&] { x.assign(arange(2)); }) ==
        "TypeError: assign: int64 values for a tensor that requires a gradient; need float32 or float64");
  CHECK(values(x) == Values{1, 2});
}

TEST_CASE("an assignment in another dtype raises the version for a tape too") {
  Tensor x = expect::leaf(tensor({1.0, 2.0}));
  Tape tape;
  const Tensor y = sum(x * x);
  x.assign(tensor({3.0, 4.0}, float64));
  CHECK_THROWS_AS(tape.backward(y), TapeError);
}

TEST_CASE("requires_gradient marks floating tensors that no open tape recorded") {
  Tensor x = tensor({1.0});
  CHECK(&x.requires_gradient() == &x);
  CHECK(x.is_leaf());
  x.requires_gradient(false);
  CHECK_FALSE(x.is_leaf());
  Tensor index = arange(2);
  CHECK(error_of([&] { index.requires_gradient(); }) ==
        "TypeError: requires_gradient: the tensor is int64; only float32 and float64 have gradients");
  CHECK_NOTHROW(index.requires_gradient(false));
  x.requires_gradient();
  Tape tape;
  Tensor y = x * 2.0;
  CHECK(error_of([&] { y.requires_gradient(); }) ==
        "TapeError: requires_gradient: the tensor is the result of a recorded operation; mark detach(x) instead");
  Tensor constant = detach(y);
  CHECK_NOTHROW(constant.requires_gradient());
}

TEST_CASE("a tensor has a label for messages") {
  Tensor x = tensor(1.0);
  CHECK(x.label().empty());
  CHECK(&x.label("net.bias") == &x);
  CHECK(x.label() == "net.bias");
  x.label("");
  CHECK(x.label().empty());
  x.label("a").label("b");
  CHECK(x.label() == "b");
  CHECK(x.clone().label().empty());  // another tensor
}

TEST_CASE("tensors print in xtensor's notation, long ones abridged, with dtype and shape") {
  CHECK(printed(tensor(3.0)) == "3 float32 ()");
  CHECK(printed(tensor({1.0, 2.5, -3.0})) == "{  1, 2.5,  -3} float32 (3,)");
  CHECK(printed(tensor({{1.0, 2.0}, {3.0, 4.0}}, float64)) == "{{1, 2},\n {3, 4}} float64 (2, 2)");
  CHECK(printed(arange(5)) == "{0, 1, 2, 3, 4} int64 (5,)");
  CHECK(printed(zeros({2, 0})) == "{} float32 (2, 0)");
  CHECK(printed(arange(3000)) == "{   0,    1,    2, ..., 2997, 2998, 2999} int64 (3000,)");
  CHECK(expect::contains(printed(tensor({1.0, NAN, INFINITY})), "nan"));
}

TEST_CASE("tensors print the same in every locale") {
  struct German : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const Tensor x = tensor({{12345.5, 1e-7}, {-2.25, 1e6}}, float64);
  const std::string text = "{{12345.5,   1e-07},\n {  -2.25,   1e+06}} float64 (2, 2)";
  CHECK(printed(x) == text);
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new German));
  const std::string one = printed(tensor(12345.5)), whole = printed(arange(2) + arange(2) * 12345), german = printed(x);
  std::locale::global(before);
  CHECK(german == text);
  CHECK(one == "12345.5 float32 ()");
  CHECK(whole == "{    0, 12346} int64 (2,)");
}

TEST_CASE("printing on an open tape records nothing") {
  const Tensor x = expect::leaf(tensor({1.0, 2.0}));
  Tape tape;
  const Tensor y = x * 2.0;
  const std::size_t before = tape.size();
  CHECK_FALSE(printed(y).empty());
  CHECK(tape.size() == before);
}

TEST_CASE("uninitialized memory is the tensor's own, aligned to 64 bytes") {
  Tensor x = Tensor::uninitialized({3, 5}, float64);
  CHECK(reinterpret_cast<std::uintptr_t>(x.data<double>()) % 64 == 0);
  CHECK(x.unique());
  const Tensor other = x;
  CHECK_FALSE(x.unique());
}

namespace {

/// Memory from elsewhere, told when it is given back.
struct Borrowed : Storage {
  bool* freed;
  double numbers[4] = {1, 2, 3, 4};
  explicit Borrowed(bool* flag) : freed(flag) {
    data = numbers;
    destroy = [](Storage* storage) {
      *static_cast<Borrowed*>(storage)->freed = true;
      delete static_cast<Borrowed*>(storage);
    };
  }
};

}  // namespace

TEST_CASE("adopted memory is used in place and given back with the last tensor that looks at it") {
  bool freed = false;
  {
    Tensor square;
    {
      const Tensor x = Tensor::adopt({4}, float64, new Borrowed(&freed));
      CHECK(values(x) == Values{1, 2, 3, 4});
      square = reshape(x, {2, 2});
    }
    CHECK_FALSE(freed);
    CHECK(square.item({1, 0}) == 3);
  }
  CHECK(freed);
}

TEST_CASE("one axis or extent stands for a list of one, and vectors make tensors") {
  const Tensor x = tensor({{1, 2}, {3, 4}});
  CHECK(expect::values(sum(x, 0)) == std::vector<double>{4, 6});
  CHECK(expect::values(mean(x, -1, true)) == std::vector<double>{1.5, 3.5});
  CHECK(expect::values(max(x, std::size_t{1})) == std::vector<double>{2, 4});
  CHECK(zeros(3).shape() == Shape{3});
  CHECK(ones(std::int64_t{2}, float64).dtype() == float64);
  CHECK(reshape(x, -1).shape() == Shape{4});
  CHECK(expect::error_of([&] { sum(x, 2); }).find("ShapeError: sum") == 0);
  CHECK(expect::error_of([&] { zeros(-1); }).find("ShapeError") == 0);

  const Tensor floats = tensor(std::vector<float>{1, 2.5F});
  CHECK(floats.dtype() == float32);
  CHECK(expect::values(floats) == std::vector<double>{1, 2.5});
  CHECK(tensor(std::vector<double>{0.1}, float64).item() == 0.1);
  CHECK(tensor(std::vector<int>{1, 2, 3, 4}, {2, 2}).shape() == Shape{2, 2});
  const std::int64_t large = (std::int64_t{1} << 62) + 1;  // no double
  const Tensor exact = tensor(std::vector<std::int64_t>{large}, int64);
  CHECK(exact.data<std::int64_t>()[0] == large);
  CHECK(tensor(std::vector<float>{}).shape() == Shape{0});
  CHECK(expect::error_of([&] { tensor(std::vector<float>{1, 2}, {3}); }).find("ShapeError: tensor") == 0);
}

TEST_CASE("x += y makes a new tensor, as x = x + y does, and is recorded") {
  const Tensor start = expect::leaf(tensor({1, 2}, float64));
  Tape tape;
  Tensor x = start;
  x += tensor({10, 20}, float64);
  x -= 1.0;
  x *= x;
  x /= 2.0;
  CHECK(expect::values(x) == std::vector<double>{50, 220.5});
  CHECK(expect::values(start) == std::vector<double>{1, 2});
  CHECK(expect::values(tape.backward(sum(x))[start]) == std::vector<double>{10, 21});
}
