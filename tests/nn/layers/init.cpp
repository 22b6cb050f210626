#include "tests/support/expect.hpp"
#include "tests/support/matrix.hpp"
#include "tests/support/statistics.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/tensor/creation.hpp>
#include <nn/layers/init.hpp>

#include <cmath>
#include <vector>

using namespace xgrad;
namespace init = xgrad::nn::init;

namespace {

/// Mean 0 and this variance, normally distributed.
void check_normal(const Tensor& x, double variance) {
  const std::vector<double> values = expect::values(x);
  CHECK(statistics::mean_error(values, 0, variance) < 5);
  CHECK(statistics::variance_error(values, 0, variance, 3 * variance * variance) < 5);
  const double deviation = std::sqrt(variance);
  CHECK(statistics::kolmogorov(values, [=](double v) { return statistics::normal_distribution(v / deviation); }) <
        1.95);
}

/// Mean 0 and this variance, uniformly distributed within ±√(3 variance).
void check_uniform(const Tensor& x, double variance) {
  const std::vector<double> values = expect::values(x);
  const double bound = std::sqrt(3 * variance);
  CHECK(statistics::mean_error(values, 0, variance) < 5);
  CHECK(statistics::variance_error(values, 0, variance, 1.8 * variance * variance) < 5);
  CHECK(statistics::kolmogorov(values, [=](double v) { return (v + bound) / (2 * bound); }) < 1.95);
  for (const double value : values)
    if (std::abs(value) > bound * (1 + 1e-6)) FAIL_CHECK(value << " is beyond " << bound);
}

/// max |WᵀW - scale I|, or of W Wᵀ for more columns than rows, summed in double.
double distance_from_orthogonal(const Tensor& weight, double scale = 1) {
  expect::Matrix w(weight);
  if (w.rows < w.columns) w = expect::transposed(w);
  expect::Matrix product = expect::transposed(w) * w;
  for (std::size_t i = 0; i < product.rows; ++i) product(i, i) -= scale;
  return expect::difference(product.values, std::vector<double>(product.values.size()));
}

}  // namespace

TEST_CASE("zero and constant set every value, in any dtype") {
  for (const DType dtype : {float32, float64, int64}) {
    Tensor x = ones({2, 2}, dtype);
    init::zero(x);
    CHECK(expect::values(x) == std::vector<double>(4, 0.0));
    init::constant(x, 3);
    CHECK(expect::values(x) == std::vector<double>(4, 3.0));
    CHECK(x.dtype() == dtype);
  }
}

TEST_CASE("initialisation writes in place: every handle sees it, the version rises") {
  Tensor weight = zeros({20, 30});
  const Tensor handle = weight;
  weight.requires_gradient();
  const std::uint32_t version = weight.version();
  Generator generator(1);
  init::he_normal(weight, 0.0, generator);
  CHECK(handle.item({3, 4}) != 0);
  CHECK(weight.version() > version);
  CHECK(weight.is_leaf());
  init::orthogonal(weight, 1.0, generator);
  CHECK(expect::difference(handle, weight) == 0);
}

TEST_CASE("uniform and normal have their parameters' moments") {
  Generator generator(2);
  for (const DType dtype : {float32, float64}) {
    Tensor x = zeros({300, 400}, dtype);
    init::uniform(x, -0.5, 0.5, generator);
    check_uniform(x, 1.0 / 12);
    init::normal(x, 0, 0.02, generator);
    check_normal(x, 0.0004);
    init::normal(x, 5, 0.5, generator);
    CHECK(statistics::mean_error(expect::values(x), 5, 0.25) < 5);
  }
}

TEST_CASE("Xavier's variance is 2 / (fan_in + fan_out), He's 2 / fan_in") {
  Generator generator(3);
  Tensor weight = zeros({300, 500});  // (in, out)
  init::xavier_normal(weight, {}, generator);
  check_normal(weight, 2.0 / 800);
  init::xavier_uniform(weight, {}, generator);
  check_uniform(weight, 2.0 / 800);
  init::xavier_normal(weight, {.gain = 5.0 / 3}, generator);
  check_normal(weight, 25.0 / 9 * 2 / 800);
  init::xavier_uniform(weight, {.fan = init::Fan::in}, generator);
  check_uniform(weight, 1.0 / 300);
  init::xavier_normal(weight, {.gain = 2, .fan = init::Fan::in}, generator);
  check_normal(weight, 4.0 / 300);
  init::he_normal(weight, 0, generator);
  check_normal(weight, 2.0 / 300);
  init::he_uniform(weight, 0, generator);
  check_uniform(weight, 2.0 / 300);
  init::he_normal(weight, 0.5, generator);
  check_normal(weight, 2.0 / 1.25 / 300);
}

TEST_CASE("Linear's default is uniform within 1 / sqrt(fan_in)") {
  Generator generator(4);
  Tensor weight = zeros({400, 300});
  init::linear_default(weight, 400, generator);
  check_uniform(weight, 1.0 / 1200);
  Tensor bias = zeros({100000});
  init::linear_default(bias, 400, generator);
  check_uniform(bias, 1.0 / 1200);
}

TEST_CASE("orthogonal weights are orthogonal to 1e-6 in float32") {
  Generator generator(5);
  for (const Shape& shape :
       {Shape{1, 1}, Shape{1, 7}, Shape{7, 1}, Shape{64, 64}, Shape{200, 100}, Shape{100, 200}, Shape{256, 256}}) {
    CAPTURE(to_string(shape));
    Tensor single = zeros(shape);
    init::orthogonal(single, 1.0, generator);
    CHECK(distance_from_orthogonal(single) < 1e-6);
    Tensor twofold = zeros(shape, float64);
    init::orthogonal(twofold, 1.0, generator);
    CHECK(distance_from_orthogonal(twofold) < 1e-13);
    init::orthogonal(twofold, 3.0, generator);
    CHECK(distance_from_orthogonal(twofold, 9) < 1e-12);
  }
}

TEST_CASE("orthogonal weights are drawn uniformly: their signs are not LAPACK's") {
  // Without the sign correction a 1 by 1 matrix is always 1. An entry of a uniform n by n one has mean 0, variance 1/n
  // and fourth moment 3 / (n (n + 2)).
  Generator generator(6);
  for (const std::int64_t n : {1, 2, 3}) {
    std::vector<std::vector<double>> entries(static_cast<std::size_t>(n * n));
    for (int trial = 0; trial < 4000; ++trial) {
      Tensor weight = zeros({n, n}, float64);
      init::orthogonal(weight, 1.0, generator);
      for (std::size_t i = 0; i < entries.size(); ++i) entries[i].push_back(expect::values(weight)[i]);
    }
    const double size = static_cast<double>(n);
    for (const std::vector<double>& values : entries) {
      CHECK(statistics::mean_error(values, 0, 1 / size) < 5);
      if (n > 1) CHECK(statistics::variance_error(values, 0, 1 / size, 3 / (size * (size + 2))) < 5);
    }
  }
}

TEST_CASE("gains are those of the literature") {
  using init::Activation;
  CHECK(init::gain(Activation::linear) == 1);
  CHECK(init::gain(Activation::sigmoid) == 1);
  CHECK(init::gain(Activation::tanh) == doctest::Approx(1.6666666666666667).epsilon(1e-15));
  CHECK(init::gain(Activation::relu) == doctest::Approx(1.4142135623730951).epsilon(1e-15));
  CHECK(init::gain(Activation::leaky_relu, 0) == doctest::Approx(init::gain(Activation::relu)).epsilon(1e-15));
  CHECK(init::gain(Activation::leaky_relu, 1) == 1);
  CHECK(init::gain(Activation::leaky_relu) == doctest::Approx(std::sqrt(2 / 1.0001)).epsilon(1e-15));
}

TEST_CASE("the same generator gives the same weights, for every number of threads; another seed others") {
  const auto draw = [](std::uint64_t seed) {
    Generator generator(seed);
    std::vector<double> all;
    Tensor weight = zeros({300, 200});
    init::he_normal(weight, 0, generator);
    for (const double x : expect::values(weight)) all.push_back(x);
    init::xavier_uniform(weight, {}, generator);
    for (const double x : expect::values(weight)) all.push_back(x);
    init::orthogonal(weight, 1.0, generator);
    for (const double x : expect::values(weight)) all.push_back(x);
    return all;
  };
  const std::vector<double> serial = with_threads(1, [&] { return draw(7); });
  for (const int threads : {2, 3, 8}) CHECK(with_threads(threads, [&] { return draw(7); }) == serial);
  CHECK(draw(8) != serial);
}

TEST_CASE("without a generator, initialisation draws from the program's") {
  const Generator::State saved = default_generator().state();
  Tensor a = zeros({4, 4}), b = zeros({4, 4});
  seed(9);
  init::he_normal(a);
  Generator generator(9);
  init::he_normal(b, 0, generator);
  CHECK(expect::difference(a, b) == 0);
  default_generator() = Generator(saved);
}

TEST_CASE("initialisation refuses bad ranks, fans, gains and dtypes, and leaves the values alone") {
  using expect::error_of;
  Tensor bias = ones({3});
  Tensor empty = ones({0, 3});
  Tensor labels = ones({2, 2}, int64);
  Tensor weight = ones({2, 2});
  CHECK(error_of([&] { init::xavier_normal(bias); }) ==
        "ShapeError: xavier_normal: the weight is (3,); need (in, out) with at least one of each");
  CHECK(error_of([&] { init::xavier_uniform(bias); }).starts_with("ShapeError: xavier_uniform: "));
  CHECK(error_of([&] { init::he_normal(empty); }).starts_with("ShapeError: he_normal: "));
  CHECK(error_of([&] { init::he_uniform(bias); }).starts_with("ShapeError: he_uniform: "));
  CHECK(error_of([&] { init::orthogonal(bias); }).starts_with("ShapeError: orthogonal: "));
  CHECK(error_of([&] { init::orthogonal(labels); }).starts_with("TypeError: orthogonal: "));
  CHECK(error_of([&] { init::he_normal(labels); }).starts_with("TypeError: he_normal: "));
  CHECK(
      error_of([&] { init::xavier_normal(weight, {.gain = 0}); }).starts_with("ValueError: xavier_normal: gain is 0"));
  CHECK(error_of([&] { init::orthogonal(weight, -1); }).starts_with("ValueError: orthogonal: gain is -1"));
  CHECK(error_of([&] { init::uniform(weight, 1, 0); }).starts_with("ValueError: uniform: "));
  CHECK(error_of([&] { init::normal(weight, 0, -1); }).starts_with("ValueError: normal: "));
  CHECK(error_of([&] { init::linear_default(weight, 0); }).starts_with("ValueError: linear_default: fan_in is 0"));
  CHECK(expect::values(weight) == std::vector<double>(4, 1.0));
}
