#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/tensor/shape.hpp>

#include <type_traits>

using namespace xgrad;
using expect::error_of;

TEST_CASE("a shape lists extents, outermost first, and multiplies them to its elements") {
  const Shape shape{2, 3, 4};
  CHECK(shape.rank() == 3);
  CHECK(shape[0] == 2);
  CHECK(shape.back() == 4);
  CHECK(shape.elements() == 24);
  CHECK(Shape{}.rank() == 0);
  CHECK(Shape{}.empty());
  CHECK(Shape{}.elements() == 1);
  CHECK(Shape{5, 0, 3}.elements() == 0);
  CHECK(Shape{1LL << 31, 1LL << 31}.elements() == std::size_t{1} << 62);
  CHECK(repeated<Shape>(3, 7) == Shape{7, 7, 7});
  // (2, 3) and not three twos: only braces make a shape of numbers.
  static_assert(!std::is_constructible_v<Shape, int, int> && !std::is_constructible_v<Axes, std::size_t, std::int64_t>);
}

TEST_CASE("extents are equal when count and entries are") {
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK(Shape{2, 3} != Shape{3, 2});
  CHECK(Shape{2} != Shape{2, 1});
  CHECK(Shape{} == Shape{});
  Shape shrunk{2, 9};
  shrunk.erase(1);
  CHECK(shrunk == Shape{2});  // what was behind the end does not count
}

TEST_CASE("extents are inserted, appended and erased in place") {
  Shape shape{2, 4};
  shape.insert(1, 3);
  CHECK(shape == Shape{2, 3, 4});
  shape.insert(0, 1);
  CHECK(shape == Shape{1, 2, 3, 4});
  shape.insert(4, 5);
  CHECK(shape == Shape{1, 2, 3, 4, 5});
  shape.push_back(6);
  CHECK(shape == Shape{1, 2, 3, 4, 5, 6});
  shape.erase(0);
  shape.erase(4);
  shape.erase(1);
  CHECK(shape == Shape{2, 4, 5});
  shape[1] = 8;
  shape.back() = 9;
  CHECK(shape == Shape{2, 8, 9});
}

TEST_CASE("eight axes fit, nine do not") {
  Shape shape{1, 2, 3, 4, 5, 6, 7, 8};
  CHECK(shape.rank() == 8);
  CHECK(shape.back() == 8);
  const std::string text = "ShapeError: shape: rank 9; at most 8 axes are supported";
  CHECK(error_of([&] { shape.push_back(9); }) == text);
  CHECK(error_of([&] { shape.insert(0, 9); }) == text);
  CHECK(shape == Shape{1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(error_of([] { Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}; }) == text);
  CHECK(error_of([] { repeated<Shape>(9, 1); }) == text);
}

TEST_CASE("elements that cannot be counted, and negative extents, are errors that name who asks") {
  constexpr std::int64_t big = std::int64_t{1} << 32;
  const std::string rule = " has more elements than can be counted; need fewer than 2^63";
  CHECK(error_of([] {
          static_cast<void>(Shape{big, big}.elements());
        }) == "ValueError: shape: shape (4294967296, 4294967296)" + rule);
  CHECK(error_of([] {
          static_cast<void>(Shape{4, (big << 30) + 1}.elements("full"));
        }) == "ValueError: full: shape (4, 4611686018427387905)" + rule);
  // The order of the extents does not matter, zeros do not hide the others: strides need their product.
  CHECK(error_of([] {
          static_cast<void>(Shape{0, big, big}.elements());
        }) == "ValueError: shape: shape (0, 4294967296, 4294967296)" + rule);
  CHECK(error_of([] {
          static_cast<void>(Shape{big, big, 0}.elements());
        }) == "ValueError: shape: shape (4294967296, 4294967296, 0)" + rule);
  CHECK(Shape{big, 0, big / 2 - 1}.elements() == 0);
  CHECK(error_of([] {
          static_cast<void>(Shape{2, -1}.elements());
        }) == "ShapeError: shape: shape (2, -1) has a negative extent");
  CHECK(error_of([] {
          static_cast<void>(Shape{-1, -1}.elements());
        }) == "ShapeError: shape: shape (-1, -1) has a negative extent");
}

TEST_CASE("positions that a shape does not have are errors") {
  Shape shape{2, 3};
  CHECK(error_of([&] { static_cast<void>(shape[2]); }) == "ShapeError: shape: position 2 in (2, 3); it has 2 entries");
  CHECK_THROWS_AS(static_cast<void>(Shape{}.back()), ShapeError);
  CHECK_THROWS_AS(static_cast<void>(shape.extent(2)), ShapeError);
  CHECK_THROWS_AS(shape.erase(2), ShapeError);
  CHECK_THROWS_AS(shape.insert(3, 1), ShapeError);
  CHECK(shape == Shape{2, 3});
}

TEST_CASE("shapes print as NumPy's tuples") {
  CHECK(to_string(Shape{}) == "()");
  CHECK(to_string(Shape{3}) == "(3,)");
  CHECK(to_string(Shape{2, 3}) == "(2, 3)");
  CHECK(to_string(Axes{-1, 0}) == "(-1, 0)");
}

TEST_CASE("negative axes count from the end, others are refused by name") {
  CHECK(normalize_axis("sum", 0, 3) == 0);
  CHECK(normalize_axis("sum", 2, 3) == 2);
  CHECK(normalize_axis("sum", -1, 3) == 2);
  CHECK(normalize_axis("sum", -3, 3) == 0);
  CHECK(error_of([] { normalize_axis("sum", 3, 3); }) ==
        "ShapeError: sum: axis 3 of a tensor of rank 3; need -3 <= axis < 3");
  CHECK(error_of([] { normalize_axis("max", -4, 3); }) ==
        "ShapeError: max: axis -4 of a tensor of rank 3; need -3 <= axis < 3");
  CHECK(error_of([] { normalize_axis("sum", 0, 0); }) ==
        "ShapeError: sum: axis 0 of a tensor of rank 0; it has no axis");
}

TEST_CASE("axis flags mark the named axes, or all when none is named") {
  const auto none = axis_flags("sum", {}, 3);
  CHECK((none[0] && none[1] && none[2] && !none[3]));
  const auto some = axis_flags("sum", {-1, 0}, 3);
  CHECK((some[0] && !some[1] && some[2] && !some[3]));
  const auto scalar = axis_flags("sum", {}, 0);
  CHECK(!scalar[0]);
  CHECK(error_of([] { axis_flags("sum", {0, 1, -2}, 3); }) == "ShapeError: sum: axes (0, 1, -2) name axis 1 twice");
  CHECK(error_of([] {
          axis_flags("sum", {0, 5}, 3);
        }) == "ShapeError: sum: axis 5 of a tensor of rank 3; need -3 <= axis < 3");
}

// The examples of NumPy's manual, "Broadcasting".
TEST_CASE("shapes broadcast by NumPy's rule") {
  CHECK(broadcast("add", {256, 256, 3}, {3}) == Shape{256, 256, 3});
  CHECK(broadcast("add", {8, 1, 6, 1}, {7, 1, 5}) == Shape{8, 7, 6, 5});
  CHECK(broadcast("add", {7, 1, 5}, {8, 1, 6, 1}) == Shape{8, 7, 6, 5});
  CHECK(broadcast("add", {5, 4}, {1}) == Shape{5, 4});
  CHECK(broadcast("add", {15, 3, 5}, {15, 1, 5}) == Shape{15, 3, 5});
  CHECK(broadcast("add", {15, 3, 5}, {3, 1}) == Shape{15, 3, 5});
  CHECK(broadcast("add", {}, {2, 3}) == Shape{2, 3});
  CHECK(broadcast("add", {2, 3}, {}) == Shape{2, 3});
  CHECK(broadcast("add", {}, {}) == Shape{});
  CHECK(broadcast("add", {1}, {0}) == Shape{0});
  CHECK(broadcast("add", {2, 1}, {0}) == Shape{2, 0});
  CHECK(error_of([] { broadcast("add", {3}, {4}); }) ==
        "ShapeError: add: shapes (3,) and (4,) do not broadcast; need equal extents or 1 on every axis, aligned at the "
        "right");
  CHECK(error_of([] {
          broadcast("mul", {2, 1}, {8, 4, 3});
        }) ==
        "ShapeError: mul: shapes (2, 1) and (8, 4, 3) do not broadcast; need equal extents or 1 on every axis, aligned "
        "at the right");
  CHECK_THROWS_AS(broadcast("add", {2}, {0}), ShapeError);
}

TEST_CASE("a shape broadcasts to another when broadcasting both gives that other") {
  CHECK(broadcasts_to({3}, {2, 3}));
  CHECK(broadcasts_to({2, 1}, {2, 3}));
  CHECK(broadcasts_to({}, {2, 3}));
  CHECK(broadcasts_to({2, 3}, {2, 3}));
  CHECK(broadcasts_to({1}, {0}));
  CHECK_FALSE(broadcasts_to({2, 3}, {3}));
  CHECK_FALSE(broadcasts_to({1, 3}, {3}));
  CHECK_FALSE(broadcasts_to({2}, {2, 3}));
  CHECK_FALSE(broadcasts_to({3}, {1}));
  CHECK_FALSE(broadcasts_to({0}, {1}));
}
