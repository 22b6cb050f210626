#include "tests/support/expect.hpp"
#include "tests/support/reference.hpp"

#include <doctest/doctest.h>
#include <autograd/ops/layout.hpp>
#include <autograd/tensor/creation.hpp>
#include <nn/training/metrics.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

using namespace xgrad;
using expect::error_of;

TEST_CASE("accuracy is the fraction of rows whose largest score is the label's") {
  for (const DType dtype : {float32, float64}) {
    const Tensor scores = tensor({{0.1, 0.7, 0.2}, {5, -1, 2}, {-3, -2, -1}, {0, 1, 0}}, dtype);
    CHECK(nn::accuracy(scores, tensor({1, 0, 2, 1}, int64)) == 1);
    CHECK(nn::accuracy(scores, tensor({1, 1, 2, 0}, int64)) == 0.5);
    CHECK(nn::accuracy(scores, tensor({0, 2, 1, 0}, int64)) == 0);
  }
}

TEST_CASE("of equal scores the first counts, as argmax gives it") {
  const Tensor scores = tensor({{1, 1, 0}, {0, 1, 1}});
  CHECK(nn::accuracy(scores, tensor({0, 1}, int64)) == 1);
  CHECK(nn::accuracy(scores, tensor({1, 2}, int64)) == 0);
}

TEST_CASE("infinite scores are compared, rows with a NaN are wrong") {
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(nn::accuracy(tensor({{-infinity, 0}, {infinity, 0}}), tensor({1, 0}, int64)) == 1);
  for (const double label : {0.0, 1.0, 2.0})
    for (const Tensor& scores :
         {tensor({{nan, 1, 1}}), tensor({{1, nan, 1}}), tensor({{1, 1, nan}}), tensor({{nan, nan, nan}})})
      CHECK(nn::accuracy(scores, tensor({label}, int64)) == 0);
}

TEST_CASE("accuracy refuses other shapes, dtypes and labels") {
  const Tensor scores = tensor({{1, 2}, {3, 4}});
  CHECK(error_of([&] {
          nn::accuracy(scores, tensor({1, 0, 1}, int64));
        }).starts_with("ShapeError: accuracy: predictions are (2, 2), labels are (3,)"));
  CHECK(error_of([&] { nn::accuracy(scores, tensor({{1}, {0}}, int64)); }).starts_with("ShapeError: accuracy: "));
  CHECK(error_of([&] { nn::accuracy(tensor({1, 2}), tensor({1, 0}, int64)); }).starts_with("ShapeError: accuracy: "));
  CHECK(error_of([] { nn::accuracy(zeros({0, 2}), zeros({0}, int64)); }).starts_with("ShapeError: accuracy: "));
  CHECK(error_of([&] { nn::accuracy(scores, tensor({1, 0})); }).starts_with("TypeError: accuracy: "));
  CHECK(error_of([&] {
          nn::accuracy(tensor({{1, 2}, {3, 4}}, int64), tensor({1, 0}, int64));
        }).starts_with("TypeError: accuracy: "));
  CHECK(error_of([&] {
          nn::accuracy(scores, tensor({1, 2}, int64));
        }) == "ValueError: accuracy: label 2 in row 1; need 0 <= label < 2");
  CHECK(error_of([&] { nn::accuracy(scores, tensor({-1, 1}, int64)); }).starts_with("ValueError: accuracy: label -1"));
}

using nn::Average;
using nn::ConfusionMatrix;

TEST_CASE("rows whose label is ignored are left out of accuracy and of a confusion matrix, whatever they hold") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor scores = tensor({{2, 1, 0}, {nan, nan, nan}, {0, 1, 2}, {0, 3, 1}, {4, 1, 0}});
  for (const std::int64_t ignored : {std::int64_t{-100}, std::int64_t{7}, std::numeric_limits<std::int64_t>::min()}) {
    Tensor labels = tensor({0, 0, 1, 1, 0}, int64);
    labels.modify([&](std::span<std::int64_t> values) { values[1] = values[4] = ignored; });
    const nn::Accuracy accuracy{.ignore_index = ignored};
    CHECK(accuracy(scores, labels) == 2.0 / 3);  // rows 0 and 3 of 0, 2 and 3
    ConfusionMatrix matrix(scores, labels, ignored);
    CHECK(matrix.total() == 3);
    CHECK(matrix.accuracy() == 2.0 / 3);
    CHECK(matrix.count(1, 2) == 1);
    matrix.add(tensor({0, 5}, int64), slice(labels, 0, 0, 2));
    CHECK(matrix.count(0, 0) == 2);
    CHECK(matrix.total() == 4);
    CHECK(error_of([&] { nn::accuracy(scores, labels); }).starts_with("ValueError: accuracy: label"));
    CHECK(error_of([&] { ConfusionMatrix(3).add(scores, labels); }).starts_with("ValueError: ConfusionMatrix: "));
    CHECK(std::isnan(accuracy(slice(scores, 0, 0, 1), slice(labels, 0, 1, 2))));  // as cross_entropy has it
    labels.modify([&](std::span<std::int64_t> values) { values[3] = 3; });
    CHECK(error_of([&] { accuracy(scores, labels); }) == "ValueError: accuracy: label 3 in row 3; need 0 <= label < 3");
  }
  // One of the classes may be the ignored one, as with the index of padding.
  CHECK(nn::Accuracy{.ignore_index = 0}(tensor({{2, 1}, {1, 2}}), tensor({0, 1}, int64)) == 1);
}

namespace {

Tensor int64_tensor(const nlohmann::json& values) {
  const auto numbers = values.get<std::vector<double>>();
  return tensor(numbers, {static_cast<std::int64_t>(numbers.size())}, int64);
}

}  // namespace

TEST_CASE("confusion matrix, precision, recall and F1 agree with scikit-learn") {
  std::size_t cases = 0;
  for (const auto& sample : reference("scikit_learn", "classification")) {
    const std::int64_t classes = sample["classes"];
    ConfusionMatrix matrix(classes);
    matrix.add(int64_tensor(sample["predicted"]), int64_tensor(sample["labels"]));
    CHECK(matrix.total() == static_cast<std::int64_t>(sample["labels"].size()));
    CHECK(matrix.accuracy() == doctest::Approx(sample["accuracy"].get<double>()).epsilon(1e-14));
    for (std::int64_t c = 0; c < classes; ++c) {
      const auto at = static_cast<std::size_t>(c);
      for (std::int64_t other = 0; other < classes; ++other) {
        CHECK(matrix.count(c, other) == sample["confusion"][at][static_cast<std::size_t>(other)]);
        CHECK(matrix.counts().item({c, other}) == sample["confusion"][at][static_cast<std::size_t>(other)]);
      }
      CHECK(matrix.precision(c) == doctest::Approx(sample["precision"][at].get<double>()).epsilon(1e-14));
      CHECK(matrix.recall(c) == doctest::Approx(sample["recall"][at].get<double>()).epsilon(1e-14));
      CHECK(matrix.f1(c) == doctest::Approx(sample["f1"][at].get<double>()).epsilon(1e-14));
    }
    for (const auto& [average, name] : {std::pair{Average::macro, "macro_"}, std::pair{Average::micro, "micro_"}}) {
      const auto expected = [&, prefix = std::string(name)](const char* score) {
        return doctest::Approx(sample[prefix + score].get<double>()).epsilon(1e-14);
      };
      CHECK(matrix.precision(average) == expected("precision"));
      CHECK(matrix.recall(average) == expected("recall"));
      CHECK(matrix.f1(average) == expected("f1"));
    }
    ++cases;
  }
  CHECK(cases == 4);
}

TEST_CASE("scores count for their first largest class, and rows add up") {
  const Tensor scores = tensor({{1, 3, 3}, {5, 2, 1}, {0, 0, 1}});
  const Tensor labels = tensor({2, 0, 2}, int64);
  ConfusionMatrix matrix(scores, labels);
  CHECK(matrix.count(2, 1) == 1);
  CHECK(matrix.count(0, 0) == 1);
  CHECK(matrix.count(2, 2) == 1);
  CHECK(matrix.total() == 3);
  CHECK(matrix.accuracy() == nn::accuracy(scores, labels));
  matrix.add(tensor({2, 2}, int64), tensor({2, 1}, int64));
  CHECK(matrix.count(2, 2) == 2);
  CHECK(matrix.count(1, 2) == 1);
  CHECK(matrix.total() == 5);
  CHECK(ConfusionMatrix(2).accuracy() == 0);
  CHECK(ConfusionMatrix(2).f1(Average::macro) == 0);
}

TEST_CASE("a confusion matrix refuses what it cannot count, and counts nothing of it") {
  ConfusionMatrix matrix(2);
  const Tensor labels = tensor({0, 1}, int64);
  CHECK(error_of([&] {
          matrix.add(tensor({{1, 2, 3}, {4, 5, 6}}), labels);
        }).starts_with("ShapeError: ConfusionMatrix: "));
  CHECK(error_of([&] { matrix.add(tensor({0, 1, 1}, int64), labels); }).starts_with("ShapeError: ConfusionMatrix: "));
  CHECK(error_of([&] { matrix.add(tensor({0.0, 1.0}), labels); }).starts_with("TypeError: ConfusionMatrix: "));
  CHECK(error_of([&] { matrix.add(labels, tensor({0.0, 1.0})); }).starts_with("TypeError: ConfusionMatrix: "));
  CHECK(error_of([&] {
          matrix.add(labels, tensor({0, 2}, int64));
        }) == "ValueError: ConfusionMatrix: label 2 in row 1; need 0 <= label < 2");
  CHECK(error_of([&] {
          matrix.add(tensor({0, -1}, int64), labels);
        }).starts_with("ValueError: ConfusionMatrix: predicted class -1"));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(error_of([&] {
          matrix.add(tensor({{1, 0}, {1, nan}}), labels);
        }).starts_with("ValueError: ConfusionMatrix: a NaN among the scores in row 1"));
  CHECK(matrix.total() == 0);
  CHECK(error_of([&] { matrix.f1(2); }).starts_with("ValueError: ConfusionMatrix: label 2"));
  CHECK(error_of([&] {
          ConfusionMatrix(zeros({2, 1}), labels);
        }).ends_with("need (n, classes), or ConfusionMatrix::binary for one column"));
  CHECK(error_of([] { ConfusionMatrix(1); }).starts_with("ValueError: ConfusionMatrix: 1 classes"));
  CHECK(error_of([&] { ConfusionMatrix(zeros({2}), labels); }).starts_with("ShapeError: ConfusionMatrix: the scores"));
}

TEST_CASE("a confusion matrix of many classes takes the memory of those that occur") {
  for (const std::int64_t classes : {std::int64_t{60'000}, std::int64_t{2'000'000'000}, std::int64_t{1} << 32,
                                     std::numeric_limits<std::int64_t>::max()}) {
    const double last = static_cast<double>(std::min(classes - 1, std::int64_t{1} << 31));
    ConfusionMatrix matrix(classes);
    matrix.add(tensor({0, last, last, 7}, int64), tensor({0, last, 7, 7}, int64));
    CHECK(matrix.total() == 4);
    CHECK(matrix.count(7, static_cast<std::int64_t>(last)) == 1);
    CHECK(matrix.accuracy() == 0.75);
    CHECK(matrix.recall(7) == 0.5);
    CHECK(matrix.f1(1) == 0);
    // 1, 2/3 and 2/3; the other classes have 0.
    CHECK(matrix.f1(Average::macro) == doctest::Approx(7.0 / 3 / static_cast<double>(classes)).epsilon(1e-14));
    CHECK(error_of([&] { matrix.counts(); }).starts_with("ValueError: ConfusionMatrix: counts of "));
  }
}

TEST_CASE("one column of scores decides between two classes, as probabilities or as logits") {
  const Tensor probabilities = tensor({{0.9}, {0.4}, {0.5}, {0.7}, {0.1}});
  const Tensor labels = tensor({{1}, {1}, {0}, {0}, {0}});  // predicted are 1, 0, 0, 1, 0
  CHECK(nn::binary_accuracy(probabilities, labels) == doctest::Approx(3.0 / 5));
  CHECK(nn::binary_precision(probabilities, labels) == 0.5);
  CHECK(nn::binary_recall(probabilities, labels) == 0.5);
  CHECK(nn::binary_f1(probabilities, labels) == 0.5);
  const Tensor logits = tensor({0.2, -0.4, 0, 3, -2}), classes = tensor({1, 1, 0, 0, 0}, int64);
  CHECK(nn::binary_accuracy.from_logits()(logits, classes) == doctest::Approx(3.0 / 5));
  CHECK(nn::binary_f1.from_logits()(reshape(logits, {5, 1}), classes) == 0.5);
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(nn::binary_accuracy(tensor({infinity, -infinity}), tensor({1, 0})) == 1);
  CHECK(ConfusionMatrix::binary(probabilities, labels, 0.3).count(1, 1) == 2);

  // Ignored rows, whatever their scores are; a label of the loss's dtype, too.
  const Tensor some = tensor({0.9, infinity - infinity, 0.2, 0.7}), ignored = tensor({1, -100, 1, 0});
  for (const Tensor& labels_of_some : {ignored, ignored.to(int64)}) {
    CHECK(nn::binary_accuracy.ignoring(-100)(some, labels_of_some) == doctest::Approx(1.0 / 3));
    CHECK(nn::binary_f1.ignoring(-100)(some, labels_of_some) == 0.5);
    CHECK(nn::binary_recall.ignoring(-100).from_logits()(some, labels_of_some) == 1);
    CHECK(ConfusionMatrix::binary(some, labels_of_some, 0.5, -100).total() == 3);
    CHECK(error_of([&] {
            nn::binary_accuracy(some, labels_of_some);
          }).starts_with("ValueError: ConfusionMatrix: label -100"));
  }
  CHECK(nn::binary_recall.ignoring(0)(probabilities, labels) == 0.5);
  CHECK(std::isnan(nn::binary_accuracy.ignoring(-100)(tensor({0.5}), tensor({-100}))));

  CHECK(error_of([&] { nn::accuracy(probabilities, classes); }) ==
        "ShapeError: accuracy: predictions are (5, 1), one column for two classes; need binary_accuracy, for logits "
        "binary_accuracy.from_logits()");
  CHECK(error_of([&] { nn::binary_f1(zeros({5, 2}), classes); }).starts_with("ShapeError: ConfusionMatrix: scores"));
  CHECK(error_of([&] { nn::binary_f1(zeros({5, 1}), zeros({5})); }).starts_with("ShapeError: ConfusionMatrix: "));
  CHECK(error_of([&] { nn::binary_f1(classes, classes); }).starts_with("TypeError: ConfusionMatrix: "));
  CHECK(error_of([&] {
          nn::binary_f1(zeros({2}), tensor({0, 0.5}));
        }) == "ValueError: ConfusionMatrix: label 0.5 in row 1; need 0 or 1");
  CHECK(error_of([&] {
          nn::binary_accuracy(tensor({0, std::nan("")}), tensor({0, 1}));
        }).starts_with("ValueError: ConfusionMatrix: a NaN among the scores in row 1"));
}

TEST_CASE("mean absolute error and R² agree with scikit-learn, for one column and several") {
  std::size_t cases = 0;
  for (const auto& sample : reference("scikit_learn", "regression")) {
    ++cases;
    const auto p = sample["predictions"].get<std::vector<double>>(), t = sample["targets"].get<std::vector<double>>();
    const std::int64_t columns = sample["columns"];
    Shape shape{static_cast<std::int64_t>(t.size()) / columns};
    if (columns > 1) shape.push_back(columns);
    const Tensor predictions = tensor(p, shape, float64), targets = tensor(t, shape, float64);
    CHECK(nn::mean_absolute_error(predictions, targets) ==
          doctest::Approx(sample["mean_absolute_error"].get<double>()).epsilon(1e-13));
    CHECK(nn::r2_score(predictions, targets) == doctest::Approx(sample["r2"].get<double>()).epsilon(1e-12));
    CHECK(nn::r2_score(predictions.to(float32), targets.to(float32)) ==
          doctest::Approx(sample["r2"].get<double>()).epsilon(1e-5));
  }
  CHECK(cases == 4);
}

TEST_CASE("R² needs no digits for a large mean, and is NaN for NaN") {
  // Targets 1e9 + {0, 1, 2}, predicted 1e9 + {0, 1, 1}: 1 - 1/2.
  CHECK(nn::r2_score(tensor({1e9, 1e9 + 1, 1e9 + 1}, float64), tensor({1e9, 1e9 + 1, 1e9 + 2}, float64)) == 0.5);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(nn::r2_score(tensor({1, nan}), tensor({1, 2}))));
  CHECK(std::isnan(nn::r2_score(tensor({1, nan}), tensor({2, 2}))));
  CHECK(std::isnan(nn::mean_absolute_error(tensor({1, nan}), tensor({1, 2}))));
}

TEST_CASE("regression metrics never broadcast") {
  for (const auto metric : {nn::mean_absolute_error, nn::r2_score}) {
    CHECK(error_of([&] { metric(zeros({3, 1}), zeros({3})); }).starts_with("ShapeError: "));
    CHECK(error_of([&] { metric(zeros({0}), zeros({0})); }).starts_with("ShapeError: "));
    CHECK(error_of([&] { metric(tensor(1.0), tensor(1.0)); }).starts_with("ShapeError: "));
    CHECK(error_of([&] { metric(zeros({3}), zeros({3}, float64)); }).starts_with("TypeError: "));
    CHECK(error_of([&] { metric(arange(3), arange(3)); }).starts_with("TypeError: "));
  }
}
