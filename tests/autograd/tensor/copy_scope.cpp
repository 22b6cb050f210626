#include "tests/support/expect.hpp"

#include <autograd/autograd.hpp>
#include <autograd/tensor/copy_scope.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace xgrad;
using expect::values;

using Values = std::vector<double>;

namespace {

/// A tensor as a module registers it.
Tensor registered(const Tensor& x, const std::string& label) {
  Tensor parameter = expect::leaf(x);
  parameter.label(label);
  CHECK(CopyScope::mark(parameter));
  return parameter;
}

}  // namespace

TEST_CASE("in a CopyScope a registered tensor is copied once, however many handles there are") {
  const Tensor weight = registered(tensor({1.0, 2.0}), "weight");
  const Tensor tied = weight;
  CHECK(tied.is(weight));
  const Tensor other = tensor({3.0});
  Tensor first, second, third, plain;
  {
    const CopyScope scope;
    CHECK(CopyScope::current() == &scope);
    first = weight;
    second = tied;
    third = first;  // a copy of the copy is the copy
    plain = other;
  }
  CHECK(CopyScope::current() == nullptr);
  CHECK_FALSE(first.is(weight));
  CHECK(second.is(first));
  CHECK(third.is(first));
  CHECK(plain.is(other));
  CHECK(values(first) == Values{1, 2});
  CHECK(first.is_leaf());
  CHECK(first.label() == "weight");
  CHECK_FALSE(CopyScope::mark(first));
  first.modify([](auto entries) { entries[0] = 9; });
  CHECK(weight.item({0}) == 1);
  const Tensor after = weight;
  CHECK(after.is(weight));
}

TEST_CASE("each CopyScope makes copies of its own, on its own thread") {
  const Tensor weight = registered(tensor({1.0}), "weight");
  const CopyScope outer;
  const Tensor first = weight;
  {
    const CopyScope inner;
    const Tensor second = weight;
    CHECK_FALSE(second.is(first));
  }
  CHECK(CopyScope::current() == &outer);
  const Tensor third = weight;
  CHECK(third.is(first));
}

TEST_CASE("moving a handle in a CopyScope copies nothing") {
  Tensor weight = registered(tensor({1.0}), "weight");
  const TensorBody* const body = weight.body_or_null();
  const CopyScope scope;
  const Tensor moved = std::move(weight);
  CHECK(moved.body_or_null() == body);
}
