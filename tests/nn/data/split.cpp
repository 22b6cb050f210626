#include "tests/support/expect.hpp"
#include "tests/support/statistics.hpp"

#include <doctest/doctest.h>
#include <autograd/tensor/creation.hpp>
#include <nn/data/split.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

using namespace xgrad;
using expect::error_of;
using nn::Dataset;
using nn::DatasetParts;

namespace {

/// Example i has the input i and the class of `labels`.
Dataset labelled(const std::vector<double>& labels) {
  const auto rows = static_cast<std::int64_t>(labels.size());
  return {arange(rows).to(float64), tensor(labels, {rows}, int64)};
}

Dataset counted(std::int64_t rows) { return {arange(rows).to(float64), arange(rows)}; }

std::vector<double> inputs(const Dataset& data) { return expect::values(data.all().inputs); }

std::map<double, int> classes(const Dataset& data) {
  std::map<double, int> counts;
  for (const double label : expect::values(data.all().targets)) ++counts[label];
  return counts;
}

std::vector<double> together(const DatasetParts& parts) {
  std::vector<double> all;
  for (const Dataset* part : {&parts.train, &parts.validation, &parts.test})
    for (const double x : inputs(*part)) all.push_back(x);
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

TEST_CASE("parts share no row, leave none out and have the sizes asked for") {
  for (const auto& [options, sizes] :
       {std::pair{nn::SplitOptions{.validation = 0.1, .test = 0.25}, std::array{65, 10, 25}},
        std::pair{nn::SplitOptions{.validation = 7, .test = 0.014}, std::array{92, 7, 1}},
        std::pair{nn::SplitOptions{.test = 99}, std::array{1, 0, 99}},
        std::pair{nn::SplitOptions{}, std::array{100, 0, 0}}}) {
    const DatasetParts parts = split(counted(100), options);
    CHECK(parts.train.size() == sizes[0]);
    CHECK(parts.validation.size() == sizes[1]);
    CHECK(parts.test.size() == sizes[2]);
    CHECK(together(parts) == inputs(counted(100)));
    for (const Dataset* part : {&parts.train, &parts.validation, &parts.test})
      CHECK(inputs(*part) == expect::values(part->all().targets));  // targets stay with their inputs
  }
}

TEST_CASE("the seed decides the split; without shuffling the order stays") {
  const auto train = [](std::uint64_t seed) { return inputs(split(counted(100), {.test = 0.5, .seed = seed}).train); };
  CHECK(train(1) == train(1));
  CHECK(train(1) != train(2));
  std::vector<double> sorted = train(1);
  CHECK_FALSE(std::is_sorted(sorted.begin(), sorted.end()));
  const DatasetParts plain = split(counted(10), {.validation = 2, .test = 3, .shuffle = false});
  CHECK(inputs(plain.train) == std::vector<double>{0, 1, 2, 3, 4});
  CHECK(inputs(plain.validation) == std::vector<double>{5, 6});
  CHECK(inputs(plain.test) == std::vector<double>{7, 8, 9});
}

TEST_CASE("every row is as likely to be tested as any other") {
  std::vector<std::size_t> counts(20);
  for (std::uint64_t seed = 0; seed < 4000; ++seed)
    for (const double row : inputs(split(counted(20), {.test = 5, .seed = seed}).test))
      ++counts[static_cast<std::size_t>(row)];
  CHECK(std::abs(statistics::chi_square_error(counts)) < 5);
}

TEST_CASE("stratified parts have the classes of the whole in proportion") {
  std::vector<double> labels;  // 60 of class 7, 30 of class -1, 10 of class 3, mixed
  for (int i = 0; i < 100; ++i) labels.push_back(i % 10 < 6 ? 7 : i % 10 < 9 ? -1 : 3);
  const DatasetParts parts = split(labelled(labels), {.validation = 0.1, .test = 0.3, .seed = 5, .stratify = true});
  CHECK(classes(parts.test) == std::map<double, int>{{-1, 9}, {3, 3}, {7, 18}});
  CHECK(classes(parts.validation) == std::map<double, int>{{-1, 3}, {3, 1}, {7, 6}});
  CHECK(classes(parts.train) == std::map<double, int>{{-1, 18}, {3, 6}, {7, 36}});
  CHECK(together(parts) == inputs(labelled(labels)));
}

TEST_CASE("stratified counts that do not divide differ from their share by less than one row") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::vector<double> labels;
    for (const double x : expect::numbers(97, seed, 0, 4)) labels.push_back(std::floor(std::sqrt(x) * 2));
    std::map<double, int> all;
    for (const double label : labels) ++all[label];
    if (std::any_of(all.begin(), all.end(), [](const auto& c) { return c.second < 8; })) continue;
    const DatasetParts parts = split(labelled(labels), {.test = 20, .seed = seed, .stratify = true});
    REQUIRE(parts.test.size() == 20);
    for (const auto& [label, count] : classes(parts.test)) CHECK(std::abs(count - all[label] * 20.0 / 97) < 1);
  }
}

TEST_CASE("what is left over goes to the largest remainders (Hamilton)") {
  // Shares of 4 test rows: class 0 has 5/11 · 4 = 1.82, class 1 has 4/11 · 4 = 1.45, class 2 has 2/11 · 4 = 0.73.
  const DatasetParts parts = split(labelled({0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2}), {.test = 4, .stratify = true});
  CHECK(classes(parts.test) == std::map<double, int>{{0, 2}, {1, 1}, {2, 1}});
}

TEST_CASE("a class that can be in every part is") {
  std::vector<double> labels(18, 0);
  labels.insert(labels.end(), {1, 1});
  const DatasetParts two = split(labelled(labels), {.test = 0.2, .stratify = true});
  CHECK(classes(two.test) == std::map<double, int>{{0, 3}, {1, 1}});
  CHECK(classes(two.train) == std::map<double, int>{{0, 15}, {1, 1}});
  labels.push_back(1);
  const DatasetParts three = split(labelled(labels), {.validation = 2, .test = 2, .stratify = true});
  for (const Dataset* part : {&three.validation, &three.test})
    CHECK(classes(*part) == std::map<double, int>{{0, 1}, {1, 1}});
  CHECK(classes(three.train) == std::map<double, int>{{0, 16}, {1, 1}});
  // The test takes nearly all, but leaves one of each class to train.
  CHECK(classes(split(labelled(labels), {.test = 19, .stratify = true}).train) ==
        std::map<double, int>{{0, 1}, {1, 1}});
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::vector<double> drawn = {0, 0, 0, 1, 1, 1, 2, 2, 2};
    for (const double x : expect::numbers(5 + seed % 40, seed, 0, 1)) drawn.push_back(std::floor(3 * x * x * x));
    const auto rows = static_cast<double>(drawn.size());
    std::map<double, int> all;
    for (const double label : drawn) ++all[label];
    const DatasetParts parts = split(labelled(drawn), {.validation = 3, .test = 4, .seed = seed, .stratify = true});
    CHECK(together(parts) == inputs(labelled(drawn)));
    for (const Dataset* part : {&parts.train, &parts.validation, &parts.test}) CHECK(classes(*part).size() == 3);
    for (const auto& [label, count] : classes(parts.test)) CHECK(std::abs(count - all[label] * 4 / rows) < 2);
  }
}

TEST_CASE("bytes stay bytes") {
  const Dataset images(nn::Rows({4, 2}, {0, 1, 2, 3, 4, 5, 6, 7}, 0.5, 1), arange(4));
  const DatasetParts parts = split(images, {.test = 1, .shuffle = false});
  CHECK(parts.train.inputs().is_bytes());
  CHECK(expect::values(parts.test.all().inputs) == std::vector<double>{4, 4.5});
}

TEST_CASE("splits that leave nothing, and classes that a part would miss, are refused") {
  const auto refused = [](const Dataset& data, const nn::SplitOptions& options) {
    return error_of([&] { split(data, options); });
  };
  CHECK(refused(counted(10), {.validation = 5, .test = 0.5}) ==
        "ValueError: split: validation 5 and test 5 of 10 rows; need rows that are left to train");
  CHECK(refused(counted(10), {.test = 11}).starts_with("ValueError: split: validation 0 and test 11"));
  CHECK(refused(counted(10), {.test = 1.0}).starts_with("ValueError: split: test fraction 1;"));
  CHECK(refused(counted(10), {.validation = -0.1}).starts_with("ValueError: split: validation fraction -0.1"));
  CHECK(refused(counted(10), {.validation = -1}).starts_with("ValueError: split: validation -1"));
  CHECK(refused(counted(10), {.test = 0.01}) == "ValueError: split: test fraction 0.01 of 10 rows is no row");
  CHECK(refused(labelled({4, 4, 4, 4}), {.test = 1, .stratify = true}) ==
        "ValueError: split: stratify with one class only, 4 in all 4 rows; need two or more");
  CHECK(refused(labelled({0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), {.test = 3, .stratify = true}) ==
        "ValueError: split: class 1 has 1 rows, too few for the test part; stratify needs one in every part");
  CHECK(refused(labelled({0, 0, 0, 1, 1, 1}), {.test = 1, .stratify = true}) ==
        "ValueError: split: 1 rows of 2 classes for the test part; stratify needs one of each in every part");
  const Dataset regression(zeros({4, 1}), zeros({4}));
  CHECK(refused(regression, {.test = 1, .stratify = true})
            .starts_with("TypeError: split: stratify with targets of float32"));
  CHECK(refused({zeros({4, 1}), zeros({4, 1})}, {.test = 1, .stratify = true})
            .starts_with("ShapeError: split: stratify"));
}

TEST_CASE("every row is tested in one fold and trained on in the others, in folds of equal sizes") {
  for (const auto& [rows, count] : {std::pair{10, 5}, std::pair{11, 3}, std::pair{4, 4}}) {
    for (const bool shuffle : {false, true}) {
      const std::vector<nn::Fold> folds = nn::folds(counted(rows), {.count = count, .seed = 3, .shuffle = shuffle});
      REQUIRE(folds.size() == static_cast<std::size_t>(count));
      std::vector<int> tested(static_cast<std::size_t>(rows), 0);
      for (const auto& [train, test] : folds) {
        CHECK(static_cast<int>(test.size()) >= rows / count);
        CHECK(static_cast<int>(test.size()) <= (rows + count - 1) / count);
        std::vector<std::int64_t> all = train;
        all.insert(all.end(), test.begin(), test.end());
        std::sort(all.begin(), all.end());
        for (std::int64_t row = 0; row < rows; ++row) CHECK(all.at(static_cast<std::size_t>(row)) == row);
        for (const std::int64_t row : test) ++tested[static_cast<std::size_t>(row)];
      }
      CHECK(std::all_of(tested.begin(), tested.end(), [](int times) { return times == 1; }));
    }
  }
  const auto first = [](std::uint64_t seed) { return nn::folds(counted(50), {.seed = seed})[0].test; };
  CHECK(first(1) == first(1));
  CHECK(first(1) != first(2));
  CHECK(nn::folds(counted(6), {.count = 3, .shuffle = false})[1].test == std::vector<std::int64_t>{1, 4});
}

TEST_CASE("stratified folds have each class in its proportion") {
  std::vector<double> labels(23, 0);
  labels.insert(labels.end(), 12, 1);
  labels.insert(labels.end(), 5, 2);
  const Dataset data = labelled(labels);
  for (const nn::Fold& fold : nn::folds(data, {.count = 5, .seed = 1, .stratify = true})) {
    const std::map<double, int> counts = classes(data.select(fold.test));
    for (const auto& [label, rows] : std::map<double, int>{{0, 23}, {1, 12}, {2, 5}}) {
      CHECK(counts.at(label) >= rows / 5);
      CHECK(counts.at(label) <= (rows + 4) / 5);
    }
    CHECK(fold.test.size() == 8);
  }
}

TEST_CASE("folds that cannot be are refused") {
  CHECK(error_of([] { nn::folds(counted(5), {.count = 1}); }) ==
        "ValueError: folds: 1 folds of 5 rows; need 2 folds or more, and a row for each");
  CHECK(error_of([] { nn::folds(counted(5), {.count = 6}); }).starts_with("ValueError: folds: 6 folds of 5 rows"));
  CHECK(error_of([] {
          nn::folds(labelled({0, 0, 1, 0}), {.count = 2, .stratify = true});
        }) == "ValueError: folds: class 1 has 1 rows, too few for 2 folds; stratify needs one in each");
  CHECK(error_of([] {
          nn::folds(labelled({0, 0}), {.count = 2, .stratify = true});
        }).starts_with("ValueError: folds: stratify with one class only"));
  CHECK(error_of([] {
          nn::folds(Dataset(zeros({4, 1}), zeros({4, 1})), {.count = 2, .stratify = true});
        }).starts_with("ShapeError: folds: stratify with targets (4, 1)"));
}
