#include <autograd/tensor/creation.hpp>
#include <nn/layers/activations.hpp>
#include <nn/table/models.hpp>
#include <nn/table/module_table.hpp>

#include <string>
#include <vector>

namespace xgrad::nn {

namespace {

/// A layer around an operation, on the domain of its row, where it refuses int64.
template <class M>
ModuleRow activation(const M& model, const std::string& operation) {
  const OpRow& function = op_row(operation);
  const Domain& domain = function.samples.front().arguments.front().domain;
  ModuleRow row(M::kind, ModuleRow::Kind::layer, function.formula);
  for (const Shape& shape : {Shape{7}, Shape{3, 5}, Shape{2, 3, 4}})
    row.sample(drawn(model, {shape, domain}, {0.1, 0.4}));
  row.big_sample(drawn(model, {{70, 1001}, domain}));
  row.refuses<TypeError>(in_encoder(clone(model)), {ones({2, 3}, int64)},
                         "encoder: " + operation + ": input 0 is int64");
  return row;
}

/// One with all options as in the operation's row, which knows the values.
template <class M>
ModuleRow known_activation(const M& model, const std::string& operation) {
  ModuleRow row = activation(model, operation);
  for (const OpPoint& at : op_row(operation).known)
    row.point(layer_case(model, at.inputs[0]), at.value, at.gradients, at.source);
  for (const OpPoint& at : op_row(operation).kinks) row.kink(layer_case(model, at.inputs[0]), at.value, at.gradients);
  return row;
}

ModuleRow leaky_relu_row() {
  ModuleRow row = activation(LeakyReLU(0.25), "leaky_relu");
  row.point(layer_case(LeakyReLU(0.25), tensor({-2, 1.5})), tensor({-0.5, 1.5}), {tensor({0.25, 1})}, "by hand")
      .point(layer_case(LeakyReLU(), tensor({-200, 3})), tensor({-2, 3}), {tensor({0.01, 1})},
             "the default slope is 0.01")
      .kink(layer_case(LeakyReLU(0.25), tensor({0.0, 1})), tensor({0, 1}), {tensor({0.25, 1})});
  return row;
}

ModuleRow prelu_row() {
  const Domain input = away_from({0});
  ModuleRow row = activation(PReLU(), "prelu");
  for (const Shape& shape : {Shape{4, 3}, Shape{2, 3, 3}}) row.sample(drawn(PReLU(3), {shape, input}, {0.1, 0.4}));
  row.big_sample(drawn(PReLU(1001), {{70, 1001}, input}, {0.1, 0.4}));
  row.point(layer_case(PReLU(), tensor({{-1, 2}, {-3, 0.5}})), tensor({{-0.25, 2}, {-0.75, 0.5}}),
            {tensor({-4}), tensor({{0.25, 1}, {0.25, 1}})}, "one slope, at first 0.25, with the gradient Σ min(x, 0)")
      .point(layer_case(PReLU(2, 0.5), tensor({{-1, -2}, {-3, 4}})), tensor({{-0.5, -1}, {-1.5, 4}}),
             {tensor({-4, -2}), tensor({{0.5, 0.5}, {0.5, 1}})}, "by hand")
      .point(layer_case(PReLU(3), tensor({-1, 2, -3})), tensor({-0.25, 2, -0.75}),
             {tensor({-1, 0, -3}), tensor({0.25, 1, 0.25})}, "by hand")
      .kink(layer_case(PReLU(2), tensor({{0, -1}})), tensor({{0, -0.25}}), {tensor({0, -1}), tensor({{0.25, 0.25}})});
  const OpCall call = in_encoder(PReLU(3));
  row.refuses<ShapeError>(call, {ones({4, 2})}, "encoder: prelu expects (…, 3), got (4, 2)")
      .refuses<ShapeError>(call, {ones({})}, "encoder: prelu expects (…, 3), got ()")
      .refuses_to_make([] { return PReLU(0); }, "PReLU: 0 slopes; need at least one");
  return row;
}

ModuleRow elu_row() {
  ModuleRow row = known_activation(ELU(2), "elu");
  row.point(layer_case(ELU(), tensor({-1, 1.5})), tensor({-0.6321205588285577, 1.5}),
            {tensor({0.36787944117144233, 1})}, "1/e - 1, OEIS A068985, for the default alpha of 1");
  return row;
}

/// Softmax or its logarithm, along other axes too. of_two: for two equal numbers.
template <class M>
ModuleRow along_axis(const std::string& operation, double of_two) {
  ModuleRow row = known_activation(M(), operation);
  row.point(layer_case(M(0), tensor({{1, 5}, {1, 5}})), full({2, 2}, of_two), {}, "1/2 or its logarithm");
  row.sample(drawn(M(0), {{3, 5}})).sample(drawn(M(1), {{2, 3, 4}}));
  row.refuses<ShapeError>(in_encoder(M(2)), {ones({2, 3})}, "encoder: " + operation + ": axis 2 of a tensor of rank 2");
  return row;
}

ModuleRow identity_row() {
  ModuleRow row("Identity", ModuleRow::Kind::layer, "x");
  for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 5}}) row.sample(drawn(Identity(), {shape}));
  row.big_sample(drawn(Identity(), {{70, 1001}}));
  row.point(layer_case(Identity(), tensor({1, -2})), tensor({1, -2}), {ones({2})}, "definition");
  const OpCall call = in_encoder(Identity());
  row.refuses<ValueError>([call](const OpInputs&) { return call({Tensor()}); }, {},
                          "encoder: identity: x is an empty handle");
  return row;
}

ModuleRow step_row() {
  ModuleRow row = activation(Step(), "step");
  row.order = 0;
  const std::string source = "NumPy documentation of heaviside";
  row.point(layer_case(Step(), tensor({-1.5, 0, 2})), tensor({0, 0.5, 1}), {zeros({3})}, source)
      .point(layer_case(Step(1), tensor({-1.5, 0, 2})), tensor({0, 1, 1}), {zeros({3})}, source);
  return row;
}

// Of functions with a slope: f(2x) has the slope 2 f'(2x). Values at x = ½ and -½ are those of the function at ±1.

const double sigmoid_1 = 0.7310585786300049;              // e/(1 + e), OEIS A001113
const double sigmoid_minus_1 = 0.2689414213699951;        // 1/(1 + e)
const double sigmoid_derivative_1 = 0.19661193324148185;  // e/(1 + e)²

/// The row of the function itself, with samples of a model with another slope.
template <class M>
ModuleRow steep_activation(const M& steep, const std::string& operation, const std::string& formula) {
  ModuleRow row = known_activation(M(), operation);
  row.formula = formula;
  for (const Shape& shape : {Shape{7}, Shape{3, 5}}) row.sample(drawn(steep, {shape}));
  row.sample(drawn(M(-0.5), {{2, 3, 4}})).big_sample(drawn(steep, {{70, 1001}}));
  row.template refuses<TypeError>(in_encoder(clone(steep)), {ones({2}, int64)},
                                  "encoder: " + operation + ": input 0 is int64");
  return row;
}

ModuleRow sigmoid_row() {
  ModuleRow row = steep_activation(Sigmoid(2), "sigmoid", "1/(1 + e^-(slope·x))");
  row.point(layer_case(Sigmoid(2), tensor({0, 0.5, -0.5})), tensor({0.5, sigmoid_1, sigmoid_minus_1}),
            {tensor({0.5, 2 * sigmoid_derivative_1, 2 * sigmoid_derivative_1})}, "e/(1 + e)")
      .point(layer_case(Sigmoid(-1), tensor({1.0})), tensor({sigmoid_minus_1}), {tensor({-sigmoid_derivative_1})},
             "1 - sigmoid(x)")
      .point(layer_case(Sigmoid(0), tensor({5.0})), tensor({0.5}), {tensor({0.0})}, "flat")
      .point(layer_case(Sigmoid(1000), tensor({10, -10.0})), tensor({1, 0}), {zeros({2})}, "the limit");
  row.refuses_to_make([] { return Sigmoid(inf); }, "Sigmoid: slope inf; need a finite number");
  return row;
}

ModuleRow tanh_row() {
  const double tanh_1 = 0.7615941559557649;              // (e² - 1)/(e² + 1), OEIS A073744
  const double tanh_derivative_1 = 0.41997434161402614;  // 4/(e + 1/e)²
  ModuleRow row = steep_activation(Tanh(2), "tanh", "tanh(slope·x)");
  row.point(layer_case(Tanh(2), tensor({0, 0.5, -0.5})), tensor({0, tanh_1, -tanh_1}),
            {tensor({2, 2 * tanh_derivative_1, 2 * tanh_derivative_1})}, "OEIS A073744")
      .point(layer_case(Tanh(1000), tensor({10, -10.0})), tensor({1, -1}), {zeros({2})}, "the limit");
  row.refuses_to_make([] { return Tanh(nan); }, "Tanh: slope nan; need a finite number");
  return row;
}

ModuleRow swish_row() {
  ModuleRow row = steep_activation(Swish(2), "swish", "x/(1 + e^-(beta·x))");
  // σ(2x) + 2x·σ'(2x)
  row.point(layer_case(Swish(2), tensor({0, 0.5, -0.5})), tensor({0, sigmoid_1 / 2, -sigmoid_minus_1 / 2}),
            {tensor({0.5, sigmoid_1 + sigmoid_derivative_1, sigmoid_minus_1 - sigmoid_derivative_1})}, "e/(1 + e)")
      .point(layer_case(Swish(0), tensor({3, -5})), tensor({1.5, -2.5}), {full({2}, 0.5)}, "x/2")
      .point(layer_case(Swish(1e4), tensor({3, -5})), tensor({3, 0}), {tensor({1, 0})}, "the limit, relu");
  row.refuses_to_make([] { return Swish(-inf); }, "Swish: beta -inf; need a finite number");
  return row;
}

ModuleRow maxout_row() {
  ModuleRow row("Maxout", ModuleRow::Kind::layer, op_row("maxout").formula);
  for (const Shape& shape : {Shape{6}, Shape{3, 9}, Shape{2, 3, 12}}) row.sample(drawn(Maxout(3), {shape}));
  row.big_sample(drawn(Maxout(2), {{70, 1002}}));
  row.point(layer_case(Maxout(3), tensor({{1, 5, 4, 2, 3, 0}})), tensor({{4, 5}}), {tensor({{0, 1, 1, 0, 0, 0}})},
            "Goodfellow et al. 2013, by hand")
      .kink(layer_case(Maxout(2), tensor({{2, 0, 2, 1}})), tensor({{2, 1}}), {tensor({{0.5, 0, 0.5, 1}})});
  const OpCall call = in_encoder(Maxout(3));
  row.refuses<ShapeError>(call, {ones({4, 4})},
                          "encoder: maxout: x is (4, 4); need a last axis of 3 pieces of one length")
      .refuses<TypeError>(call, {ones({4, 6}, int64)}, "encoder: maxout: input 0 is int64")
      .refuses_to_make([] { return Maxout(0); }, "Maxout: 0 pieces; need at least one");
  return row;
}

}  // namespace

std::vector<ModuleRow> activation_layer_rows() {
  std::vector<ModuleRow> rows = {identity_row(),
                                 step_row(),
                                 known_activation(ReLU(), "relu"),
                                 leaky_relu_row(),
                                 prelu_row(),
                                 elu_row(),
                                 swish_row(),
                                 sigmoid_row(),
                                 tanh_row(),
                                 known_activation(HardTanh(), "hard_tanh"),
                                 known_activation(Mish(), "mish"),
                                 maxout_row(),
                                 known_activation(Softplus(), "softplus"),
                                 known_activation(LogSigmoid(), "log_sigmoid"),
                                 along_axis<Softmax>("softmax", 0.5),
                                 along_axis<LogSoftmax>("log_softmax", -0.6931471805599453)};
  return rows;
}

}  // namespace xgrad::nn
