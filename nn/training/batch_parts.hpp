#pragma once

#include <nn/ranks/part_tree.hpp>
#include <nn/training/batch_gradients.hpp>
#include <nn/training/model.hpp>
#include <nn/training/team.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace xgrad::nn {

// A batch in parts that run in parallel, here and, with a team, on its ranks, which all call these functions and get
// the same. The share says which of the rows are given.

/// How a batch is cut: the first rows % parts of the parts have one row more.
struct BatchCut {
  std::int64_t rows, parts;

  /// wanted: as BatchGradientsOptions have it.
  BatchCut(std::int64_t all, std::int64_t wanted);
  std::int64_t first_row(std::int64_t part) const;
  std::int64_t size(std::int64_t part) const { return first_row(part + 1) - first_row(part); }
  /// Of these parts.
  Run rows_of(const Run& run) const { return {first_row(run.first), first_row(run.last)}; }
  /// The parts whose rows are in these inputs.
  Run given(TensorList inputs, const TeamShare& share) const;
};

/// The loss and its gradients, see batch_gradients.
BatchGradients gradients_in_parts(const AnyModel& model, TensorList inputs, TensorList targets,
                                  const BatchGradientsOptions& options, const TeamShare& share = {});
/// What the model gives for all rows, from the same parts with the same random numbers; nothing is recorded. Then those
/// of `others`, of which a team's ranks have their rows, as of the inputs.
std::vector<Tensor> outputs_in_parts(const AnyModel& model, TensorList inputs, std::int64_t parts,
                                     const TeamShare& share = {}, TensorList others = std::span<const Tensor>());
/// The gradients of Σ cotangent · output, from the same parts. The cotangents are those of all rows.
Gradients gradients_of_outputs(const AnyModel& model, TensorList inputs, TensorList cotangents, std::int64_t parts,
                               const TeamShare& share = {});
/// Tensor k of every list along axis 0, for each k.
std::vector<Tensor> concatenated(std::span<const std::vector<Tensor>> lists);

}  // namespace xgrad::nn
