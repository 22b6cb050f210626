#pragma once

#include <nn/data/data.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace examples {

/// A data set of points in the plane.
struct PlaygroundDataSet {
  std::string name;
  bool regression;    ///< targets are numbers in [-1, 1] rather than the two classes -1 and 1
  std::string about;  ///< a line
};

/// circle, xor, gauss, spiral (classes), plane, multi-gauss (regression): those of TensorFlow Playground (D. Smilkov,
/// S. Carter and others, 2016; dataset.ts), by its formulas.
const std::vector<PlaygroundDataSet>& playground_data_sets();
/// Their names in order, for a flag.
std::vector<std::string> playground_data_names();

struct PlaygroundOptions {
  std::int64_t rows = 500;  ///< as the Playground has for classes; it has 1200 for regression
  double noise = 0;         ///< 0 to 0.5, the Playground's 0 to 50 %
  std::uint64_t seed = 1;
};

/// Inputs (rows, 2), x₁ and x₂, about within ±6; targets (rows, 1); both float32, in a random order, in which the
/// two classes have equally many rows but for xor. The noise moves points (spiral, as their spread gauss) or the places
/// that labels are made for (the others). Row and label depend on name and options only. ValueError for an unknown
/// name, rows that are fewer than 2, or for the classes that are made one after the other odd, and a noise outside [0,
/// 0.5].
xgrad::nn::Dataset playground_data(std::string_view name, const PlaygroundOptions& options = {});

}  // namespace examples
