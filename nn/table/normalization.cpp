#include <autograd/ops/layout.hpp>
#include <autograd/tensor/creation.hpp>
#include <nn/layers/normalization.hpp>
#include <nn/table/models.hpp>
#include <nn/table/module_table.hpp>

#include <vector>

namespace xgrad::nn {

namespace {

/// With these running statistics, in eval mode.
BatchNorm evaluating(const BatchNorm& model, const Tensor& mean, const Tensor& variance) {
  BatchNorm copy = clone(model);
  copy.running_mean.assign(mean);
  copy.running_var.assign(variance);
  copy.eval();
  return copy;
}

/// What both layers refuse: of 3 features.
template <class M>
void refuse_inputs(ModuleRow& row, const M& model, const std::string& name) {
  const OpCall call = in_encoder(clone(model));
  row.refuses<ShapeError>(call, {ones({2, 4})}, "encoder: " + name + " expects (…, 3), got (2, 4)")
      .template refuses<ShapeError>(call, {ones({})}, "encoder: " + name + " expects (…, 3), got ()")
      .template refuses<TypeError>(call, {ones({2, 3}, int64)}, "encoder: " + name + ": input 0 is int64")
      .template refuses<TypeError>(call, {ones({2, 3}, float32)}, "encoder: " + name + ": input 0 is float32");
}

// With epsilon 3, x = (1, 3) has the mean 2 and √(variance + epsilon) = √(1 + 3) = 2: (x - 2)/2 = ∓½.

ModuleRow batch_norm_row() {
  const auto training = [](Generator&) { return BatchNorm(3); };
  const auto steady = [](Generator&) {
    return evaluating(BatchNorm(3, {.epsilon = 0.1}), tensor({0.5, -1, 0}), tensor({0.5, 1, 2}));
  };
  ModuleRow row("BatchNorm", ModuleRow::Kind::layer,
                "(x - mean)/√(variance + epsilon)·weight + bias over the batch, or running");
  for (const Shape& shape : {Shape{4, 3}, Shape{2, 3, 3}}) row.sample(drawn(training, {shape}, {0.5, 1.5}));
  for (const Shape& shape : {Shape{3}, Shape{4, 3}, Shape{2, 2, 3}}) row.sample(drawn(steady, {shape}, {0.5, 1.5}));
  row.big_sample(drawn([](Generator&) { return BatchNorm(70); }, {{1001, 70}}, {0.5, 1.5}))
      .big_sample(drawn([](Generator&) { return BatchNorm(1001); }, {{70, 1001}}, {0.5, 1.5}));
  const BatchNorm plain(2, {.epsilon = 3});
  const BatchNorm scaled = with_values(BatchNorm(2, {.epsilon = 3}), {tensor({2, 6}), tensor({10, 20})});
  const Tensor x = tensor({{1, 5}, {3, 5}});  // the second feature is constant
  // A shift of all rows changes nothing: dx = 0 for a cotangent of ones. dweight = Σ (x - mean)/√..., dbias = rows.
  row.point(layer_case(clone(plain), x), tensor({{-0.5, 0}, {0.5, 0}}), {zeros({2}), tensor({2, 2}), zeros({2, 2})},
            "Ioffe and Szegedy 2015, algorithm 1, by hand")
      .point(layer_case(scaled, x), tensor({{9, 20}, {11, 20}}), {zeros({2}), tensor({2, 2}), zeros({2, 2})}, "by hand")
      .point(layer_case(clone(scaled), reshape(x, {2, 1, 2})), reshape(tensor({{9, 20}, {11, 20}}), {2, 1, 2}), {},
             "rows of any shape")
      // (x - 2)/√(1 + 3) and (x - 3)/√(6 + 3), times 2 and 6
      .point(layer_case(evaluating(scaled, tensor({2, 3}), tensor({1, 6})), tensor({{1, 6}, {6, 3}})),
             tensor({{9, 26}, {14, 20}}), {tensor({1.5, 1}), tensor({2, 2}), tensor({{1, 2}, {1, 2}})}, "by hand");
  refuse_inputs(row, BatchNorm(3), "batch_norm");
  row.refuses<ShapeError>(in_encoder(BatchNorm(3)), {ones({1, 3})},
                          "encoder: batch_norm: x is (1, 3) in training; need at least two rows")
      .refuses<ShapeError>(in_encoder(BatchNorm(3)), {ones({3})}, "encoder: batch_norm: x is (3,) in training")
      .refuses<ShapeError>(in_encoder(BatchNorm(3)), {ones({0, 3})}, "encoder: batch_norm: x is (0, 3) in training")
      .refuses_to_make([] { return BatchNorm(0); }, "BatchNorm: 0 features; need at least one")
      .refuses_to_make([] { return BatchNorm(2, {.epsilon = 0}); }, "BatchNorm: epsilon 0; need epsilon > 0")
      .refuses_to_make([] { return BatchNorm(2, {.momentum = 1.5}); },
                       "BatchNorm: momentum 1.5; need 0 <= momentum <= 1");
  return row;
}

ModuleRow layer_norm_row() {
  const auto normalising = [](Generator&) { return LayerNorm(3); };
  ModuleRow row("LayerNorm", ModuleRow::Kind::layer, "(x - mean)/√(variance + epsilon)·weight + bias of each row");
  for (const Shape& shape : {Shape{3}, Shape{4, 3}, Shape{2, 2, 3}})
    row.sample(drawn(normalising, {shape}, {0.5, 1.5}));
  row.big_sample(drawn([](Generator&) { return LayerNorm(1001); }, {{70, 1001}}, {0.5, 1.5}))
      .big_sample(drawn([](Generator&) { return LayerNorm(7); }, {{9001, 7}}, {0.5, 1.5}));
  const LayerNorm plain(2, {.epsilon = 3});
  const LayerNorm scaled = with_values(LayerNorm(2, {.epsilon = 3}), {tensor({2, 6}), tensor({10, 20})});
  const Tensor x = tensor({{1, 3}, {7, 7}});  // the second row is constant
  // dx = (w - mean(w) - x̂·mean(w·x̂))/2: w = (2, 6) and x̂ = (-½, ½) give ((-2 + ½)/2, (2 - ½)/2), x̂ = 0 gives
  // ±2/√3.
  const double second = 1.1547005383792515;  // 2/√3, OEIS A020832
  row.point(layer_case(clone(plain), x), tensor({{-0.5, 0.5}, {0, 0}}),
            {tensor({-0.5, 0.5}), tensor({2, 2}), zeros({2, 2})}, "Ba, Kiros and Hinton 2016, eq. 4, by hand")
      .point(layer_case(scaled, x), tensor({{9, 23}, {10, 20}}),
             {tensor({-0.5, 0.5}), tensor({2, 2}), tensor({{-0.75, 0.75}, {-second, second}})}, "by hand")
      .point(layer_case(clone(scaled), tensor({1, 3})), tensor({9, 23}),
             {tensor({-0.5, 0.5}), tensor({1, 1}), tensor({-0.75, 0.75})}, "by hand")
      .point(layer_case(clone(scaled), zeros({0, 2})), zeros({0, 2}), {zeros({2}), zeros({2}), zeros({0, 2})},
             "no rows");
  refuse_inputs(row, LayerNorm(3), "layer_norm");
  row.refuses_to_make([] { return LayerNorm(-1); }, "LayerNorm: -1 features; need at least one")
      .refuses_to_make([] { return LayerNorm(2, {.epsilon = -1}); }, "LayerNorm: epsilon -1; need epsilon > 0");
  return row;
}

}  // namespace

std::vector<ModuleRow> normalization_rows() { return {batch_norm_row(), layer_norm_row()}; }

}  // namespace xgrad::nn
