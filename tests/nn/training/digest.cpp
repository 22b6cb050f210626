#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/training/digest.hpp>

using namespace xgrad;

// The function was run in Python after Fowler, Noll and Vo's description, checked there with their published values
// fnv1a64("a") = af63dc4c8601ec8c and fnv1a64("foobar") = 85944171f73967e8.
TEST_CASE("the digest is FNV-1a over the bytes of all tensors in order") {
  CHECK(nn::digest({}) == "cbf29ce484222325");
  CHECK(nn::digest({tensor({1.0, 2.0})}) == "097a69ee2da301d8");
  CHECK(nn::digest({tensor(1.0), tensor(2.0)}) == "097a69ee2da301d8");
  Tensor text = zeros({1}, int64);
  text.modify(
      [](auto values) { values[0] = static_cast<std::remove_reference_t<decltype(values[0])>>(2387315040071937894); });
  CHECK(nn::digest({text}) == "745faceb4ecb0ede");  // the bytes of "foobar!!"
}

TEST_CASE("the digest tells one bit, and the order of tensors") {
  const Tensor one = tensor({1.0}, float64);
  const Tensor next = tensor({1.0 + 0x1p-52}, float64);
  CHECK(nn::digest({one}) != nn::digest({next}));
  CHECK(nn::digest({one, next}) != nn::digest({next, one}));
  CHECK(nn::digest({tensor(0.0)}) != nn::digest({tensor(-0.0)}));
}
