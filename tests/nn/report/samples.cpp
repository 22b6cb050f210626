#include "tests/support/expect.hpp"

#include <autograd/tensor/creation.hpp>
#include <nn/report/samples.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <vector>

using namespace xgrad;
using expect::error_of;
using Rows = std::vector<std::int64_t>;

namespace {

// Right: 0, 3, 5. Wrong: 1 with 0.6, 2 with 0.9, 4 with 0.6.
Tensor probabilities() { return tensor({{0.8, 0.2}, {0.6, 0.4}, {0.1, 0.9}, {0.3, 0.7}, {0.4, 0.6}, {0.5, 0.5}}); }
Tensor labels() { return tensor({0, 1, 0, 1, 0, 0}, int64); }

}  // namespace

TEST_CASE("the most confidently wrong rows come first, of equal ones the earlier, then right ones in order") {
  CHECK(nn::pick_rows(probabilities(), labels()) == Rows{2, 1, 4, 0, 3, 5});
  CHECK(nn::pick_rows(probabilities(), labels(), {.wrong = 2, .right = 0}) == Rows{2, 1});
  CHECK(nn::pick_rows(probabilities(), labels(), {.wrong = 0, .right = 3}) == Rows{0, 3, 5});
  CHECK(nn::pick_rows(zeros({0, 2}), zeros({0}, int64)).empty());
}

TEST_CASE("right rows are drawn by the seed, each at most once and each equally often") {
  std::vector<int> drawn(6, 0);
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const nn::PickOptions options{.wrong = 0, .right = 2, .seed = seed};
    const Rows rows = nn::pick_rows(probabilities(), labels(), options);
    CHECK(rows == nn::pick_rows(probabilities(), labels(), options));
    CHECK(std::set<std::int64_t>(rows.begin(), rows.end()).size() == 2);
    for (const std::int64_t row : rows) ++drawn[static_cast<std::size_t>(row)];
  }
  for (const std::size_t right : std::vector<std::size_t>{0, 3, 5})
    CHECK(std::abs(drawn[right] - 200) < 41);  // 5 deviations of √(300·⅔·⅓)
}

TEST_CASE("samples carry what the model says, and the input in the shape of the dataset's rows") {
  const nn::Dataset images(nn::Rows(tensor(std::vector<double>(24, 0.5), Shape{6, 4})).reshape_rows({2, 2}), labels());
  const std::vector<nn::Sample> samples = nn::samples_of(images, probabilities(), {4, 5});
  REQUIRE(samples.size() == 2);
  CHECK(samples[0].row == 4);
  CHECK(samples[0].input.shape() == Shape{2, 2});
  CHECK(samples[0].input.item({1, 1}) == 0.5);
  CHECK(samples[0].label == 0);
  CHECK(samples[0].predicted == 1);
  CHECK(samples[0].probability == doctest::Approx(0.6));
  CHECK(samples[0].label_probability == doctest::Approx(0.4));
  CHECK(samples[1].predicted == 0);  // of equal ones the first
  const nn::Dataset bytes(nn::Rows({6, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), labels());
  CHECK(expect::values(nn::samples_of(bytes, probabilities(), {3})[0].input) == std::vector<double>{6, 7});
}

TEST_CASE("what is no probability or no label is refused by its row") {
  const nn::Dataset data(zeros({6, 4}), labels());
  CHECK(error_of([] {
          nn::pick_rows(tensor({{1, 3}}), tensor({0}, int64));
        }) == "ValueError: pick_rows: row 0 has the probability 3; need 0 to 1, softmax of scores");
  CHECK(error_of([] {
          nn::pick_rows(tensor({{0, NAN}}), tensor({0}, int64));
        }).starts_with("ValueError: pick_rows: r"));
  CHECK(error_of([] {
          nn::pick_rows(tensor({{0, 1}}), tensor({2}, int64));
        }) == "ValueError: pick_rows: row 0 has the label 2; need 0 <= label < 2");
  CHECK(error_of([] { nn::pick_rows(probabilities(), labels(), {.wrong = -1}); }).starts_with("ValueError: pick_rows"));
  CHECK(error_of([] { nn::pick_rows(probabilities(), zeros({5}, int64)); }).starts_with("ShapeError: pick_rows: "));
  CHECK(error_of([] { nn::pick_rows(probabilities(), zeros({6})); }).starts_with("TypeError: pick_rows: "));
  CHECK(error_of([&] { nn::samples_of(data, probabilities(), {6}); }) ==
        "ValueError: samples_of: row 6; need 0 <= row < 6");
  CHECK(error_of([&] { nn::samples_of(data, zeros({5, 2}), {0}); }).starts_with("ShapeError: samples_of: "));
  CHECK(error_of([&] { nn::samples_of(data, probabilities(), {-1}); }).starts_with("ValueError: samples_of: row -1"));
}
