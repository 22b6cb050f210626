#pragma once

#include <nn/data/data.hpp>

#include <concepts>
#include <cstdint>
#include <vector>

namespace xgrad::nn {

/// How much of a dataset: a floating number is a fraction of its rows, rounded to the nearest count; an integer is a
/// count.
class Portion {
 public:
  Portion(std::floating_point auto fraction)  // NOLINT(google-explicit-constructor)
      : is_fraction_(true), fraction_(static_cast<double>(fraction)) {}
  Portion(std::integral auto count)  // NOLINT(google-explicit-constructor)
      : count_(static_cast<std::int64_t>(count)) {}
  /// Of so many rows. ValueError for a fraction outside [0, 1), a negative count, or a fraction above 0 that is less
  /// than half a row; `name` stands in its text.
  std::int64_t of(std::int64_t rows, const char* name) const;

 private:
  bool is_fraction_ = false;
  double fraction_ = 0;
  std::int64_t count_ = 0;
};

struct SplitOptions {
  Portion validation = 0;
  Portion test = 0;
  std::uint64_t seed = 0;  ///< of the shuffle
  bool shuffle = true;     ///< without, training has the first rows and test the last
  bool stratify = false;   ///< every part has each class in the proportion of the whole, to less than one row
};

struct DatasetParts {
  Dataset train;
  Dataset validation;  ///< empty if none was asked for
  Dataset test;        ///< likewise
};

/// Cuts a dataset into parts that share no row: `split(all, {.validation = 0.1, .test = 0.2, .seed = 1})`. Training
/// gets what the others leave. The rows of the parts are copies; bytes stay bytes. The order is the permutation that
/// Generator(seed) draws.
///
/// Stratified, each class is cut by itself: whole rows of its share first, those that are left over to the classes with
/// the largest remainders (Hamilton's method), the lower class on a tie. A class with a row for every part that is not
/// empty is in all of them, though its share be less: 18 and 2 rows with a test of 0.2 give 3 and 1.
///
/// ValueError when no row is left to train; for stratify also if there is one class only, if a part that is not empty
/// has fewer rows than there are classes, or if a class has fewer rows than there are parts. ShapeError, TypeError for
/// stratify unless targets are int64 (n,).
DatasetParts split(const Dataset& data, const SplitOptions& options);

struct FoldsOptions {
  std::int64_t count = 5;
  std::uint64_t seed = 0;  ///< of the shuffle
  bool shuffle = true;     ///< without, every fold has every count-th row
  bool stratify = false;   ///< every fold has as many rows of each class as the others, or one less
};

/// The rows of one fold, for Dataset::select.
struct Fold {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> test;
};

/// Cross-validation (Stone 1974): cuts a dataset `count` times, so that each row is tested once, in folds whose sizes
/// differ by at most one.
///
///     for (const nn::Fold& fold : nn::folds(all, {.count = 5, .seed = 1, .stratify = true}))
///       scores.push_back(score(all.select(fold.train), all.select(fold.test)));
///
/// ValueError for a count below 2 or above the number of rows; for stratify also if there is one class only or one has
/// fewer rows than there are folds. ShapeError, TypeError for stratify unless targets are int64 (n,).
std::vector<Fold> folds(const Dataset& data, const FoldsOptions& options = {});

}  // namespace xgrad::nn
