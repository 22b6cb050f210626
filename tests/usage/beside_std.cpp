#include <algorithm>
#include <functional>
#include <numeric>
#include <stack>
#include <valarray>
#include <vector>

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <autograd/pointwise.hpp>
#include <nn/nn.hpp>

// A user opens both namespaces. Two functions have the names of classes of the standard library, and another name for
// that.

using namespace std;
using namespace xgrad;

TEST_CASE("xgrad's names can be used beside all of the standard library's") {
  const Tensor x = tensor(vector<float>{1, -2, 3});
  CHECK(sum(slice_axis(x, 0, 0, 2)).item() == -1);
  CHECK(stack_axis({x, x}).shape() == Shape{2, 3});
  CHECK(max(x).item() == 3);
  CHECK(min(abs(x)).item() == 1);
  CHECK(sum(exp(log(abs(x)))).item() == doctest::Approx(6));
  CHECK(sum(sqrt(pow(x, 2.0)) + floor(x) * sin(x) * cos(x) * tanh(x) * 0.0).item() == 6);
  CHECK(sum(minimum(x, 0.0) + maximum(x, 0.0) + clamp(x, 0.0, 0.0) + sign(x) * 0.0).item() == 2);
  CHECK(gradient([](const Tensor& t) { return sum(t * t); }, x).item({2}) == 6);
  CHECK(sum(pointwise(
                "twice", [](auto v) { return v + v; }, x))
            .item() == 4);
  CHECK(sum(pointwise(
                "square", [](auto v) { return pow(v, 2) + 0 * abs(v) + 0.0F * tanh(v); }, x))
            .item() == 14);
  CHECK(sum(transpose(reshape(concatenate({x, x}), {2, 3}))).item() == 4);
  CHECK(accumulate(x, x).item({0}) == 2);
  CHECK(lt(x, 0.0).item({1}) == 1);
  CHECK(norm(tensor({3, 4})).item() == 5);
  CHECK(permute(zeros({2, 3}), {1, 0}).shape() == Shape{3, 2});
  vector<int64_t> numbers = {1, 2, 3};
  shuffle(numbers);
  CHECK(accumulate(numbers.begin(), numbers.end(), int64_t{0}) == 6);
  nn::Sequential model(nn::Linear(3, 1), nn::Identity());
  CHECK(model(reshape(x, {1, 3})).size() == 1);
}
