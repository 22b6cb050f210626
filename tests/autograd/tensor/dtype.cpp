#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/dtype.hpp>

#include <thread>

using namespace xgrad;

static_assert(Element<float> && Element<double> && Element<std::int64_t>);
static_assert(!Element<int> && !Element<bool> && !Element<const float> && !Element<long double>);
static_assert(dtype_of<float> == float32 && dtype_of<double> == float64 && dtype_of<std::int64_t> == int64);

TEST_CASE("a dtype has a size, a name, and is floating or not") {
  CHECK(size_of(float32) == sizeof(float));
  CHECK(size_of(float64) == sizeof(double));
  CHECK(size_of(int64) == sizeof(std::int64_t));
  CHECK(name_of(float32) == "float32");
  CHECK(name_of(float64) == "float64");
  CHECK(name_of(int64) == "int64");
  CHECK(is_floating(float32));
  CHECK(is_floating(float64));
  CHECK_FALSE(is_floating(int64));
}

TEST_CASE("visit calls with a zero of the element type that the dtype names") {
  for (const DType dtype : {float32, float64, int64})
    CHECK(visit(dtype, [](auto zero) { return zero == 0 ? dtype_of<decltype(zero)> : DType{}; }) == dtype);
  for (const DType dtype : {float32, float64})
    CHECK(visit_floating(dtype, [](auto zero) { return dtype_of<decltype(zero)>; }) == dtype);
}

TEST_CASE("constants are float32 unless a DefaultDType scope of the thread says otherwise") {
  CHECK(default_dtype() == float32);
  {
    const DefaultDType outer(float64);
    CHECK(default_dtype() == float64);
    CHECK(zeros({2}).dtype() == float64);
    CHECK(tensor(1.0).dtype() == float64);
    CHECK(tensor({1.0}).dtype() == float64);
    CHECK(full({2}, 1.0).dtype() == float64);
    CHECK(arange(3).dtype() == int64);  // indices
    {
      const DefaultDType inner(float32);
      CHECK(ones({2}).dtype() == float32);
    }
    CHECK(default_dtype() == float64);
    std::thread([] { CHECK(default_dtype() == float32); }).join();
  }
  CHECK(default_dtype() == float32);
}

TEST_CASE("an int64 default is refused and changes nothing") {
  CHECK(expect::error_of([] { const DefaultDType scope(int64); }) ==
        "TypeError: default dtype: int64; constants are float32 or float64");
  CHECK(default_dtype() == float32);
}
