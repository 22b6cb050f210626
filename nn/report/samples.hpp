#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/data/data.hpp>

#include <cstdint>
#include <vector>

namespace xgrad::nn {

/// One row of a dataset beside what a model says about it.
struct Sample {
  std::int64_t row = 0;  ///< in the dataset
  Tensor input;          ///< in the shape of the dataset's rows
  std::int64_t label = 0;
  std::int64_t predicted = 0;    ///< the first most probable class
  double probability = 0;        ///< of that class
  double label_probability = 0;  ///< of the label
};

struct PickOptions {
  std::int64_t wrong = 12;  ///< most rows that were predicted wrong, the most confident ones, in this order
  std::int64_t right = 12;  ///< most rows that were predicted right, drawn at random, in the dataset's order
  std::uint64_t seed = 0;   ///< of the draw
};

/// Rows worth a look. probabilities (n, classes), of which the first largest decides; labels int64 (n,). ShapeError,
/// TypeError for others, ValueError for probabilities outside [0, 1] (take softmax of scores first), a label outside
/// [0, classes) or a negative count. Nothing is recorded.
std::vector<std::int64_t> pick_rows(const Tensor& probabilities, const Tensor& labels, const PickOptions& options = {});

/// These rows of a dataset with int64 labels (n,), in their order. probabilities (n, classes), a row for each row of
/// the dataset. Inputs have the shape of the dataset's rows; Rows::reshape_rows makes images of flat ones. Errors
/// likewise, and ValueError for a row outside.
std::vector<Sample> samples_of(const Dataset& data, const Tensor& probabilities, const std::vector<std::int64_t>& rows);

}  // namespace xgrad::nn
