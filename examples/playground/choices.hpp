#pragma once

/// What can be chosen in the playground, each with the function that a session calls and the C++ text by which the
/// shown program says the same. One table for each kind; the first row is the default.

#include <autograd/tensor/tensor.hpp>
#include <nn/graph/network_graph.hpp>
#include <nn/losses/losses.hpp>
#include <nn/optimizers/optimizer.hpp>
#include <nn/optimizers/schedules.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace playground {

using xgrad::Generator;
using xgrad::Tensor;

/// A column of the inputs from columns x₁, x₂ (rows, 1).
struct Feature {
  std::string name;
  std::string label;
  std::string code;
  Tensor (*function)(const Tensor& x1, const Tensor& x2);
};

struct ActivationChoice {
  std::string name;
  std::string code;                    ///< with {} for its argument
  xgrad::nn::NodeActivation function;  ///< nullptr: the argument as it is
};
/// Its slopes are learned, so that it is a layer and no function.
inline constexpr std::string_view prelu = "prelu";

/// How two classes are written for a loss, and what the output unit makes of its sum.
enum class Encoding : std::uint8_t {
  signs,          ///< -1 and 1; tanh. Numbers to be predicted: as they are; no function
  probability,    ///< 0 and 1; sigmoid
  logit,          ///< 0 and 1; no function
  class_indices,  ///< indices 0 and 1, an output unit each; no function
};

struct LossChoice {
  std::string name;
  std::string code;
  Encoding encoding;
  xgrad::nn::Reduction reduction;
  Tensor (*function)(const Tensor& outputs, const Tensor& targets);
};

struct OptimizerChoice {
  std::string name;
  std::string code;  ///< with {rate} and {momentum}; constructs one of `net.parameters()`
  std::unique_ptr<xgrad::nn::Optimizer> (*make)(std::vector<Tensor> parameters, double rate, double momentum);
};

struct ScheduleChoice {
  std::string name;
  std::string code;  ///< with {rate} and {steps}; "" for a constant rate
  xgrad::nn::Schedule (*make)(double rate, std::int64_t steps);
};

struct InitChoice {
  std::string name;
  std::string code;  ///< with {} for the weight; "" keeps what the layers begin with
  void (*function)(Tensor& weight, Generator& generator);
  double bias = 0;
};

struct PenaltyChoice {
  std::string name;
  std::string code;
  Tensor (*function)(const std::vector<Tensor>& weights);
};

const std::vector<Feature>& features();
const std::vector<ActivationChoice>& activations();
const std::vector<LossChoice>& losses();
const std::vector<OptimizerChoice>& optimizers();
const std::vector<ScheduleChoice>& schedules();
const std::vector<InitChoice>& inits();
const std::vector<PenaltyChoice>& penalties();

/// Names of a table's rows, in order.
template <class Row>
std::vector<std::string> names_of(const std::vector<Row>& rows) {
  std::vector<std::string> names;
  for (const Row& row : rows) names.push_back(row.name);
  return names;
}

/// The row of a name that was checked before.
template <class Row>
const Row& row_of(const std::vector<Row>& rows, std::string_view name) {
  for (const Row& row : rows)
    if (row.name == name) return row;
  return rows.front();
}

}  // namespace playground
