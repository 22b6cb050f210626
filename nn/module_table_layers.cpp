#include <nn/activations.hpp>
#include <nn/dropout.hpp>
#include <nn/linear.hpp>
#include <nn/module_table.hpp>
#include <nn/network_graph.hpp>
#include <nn/sequential.hpp>

#include <string>
#include <vector>

namespace xgrad::nn {

namespace {

constexpr auto layer = ModuleRow::Kind::layer;

/// The model with these values in its parameters, in order.
template <class M>
M with_values(const M& model, const OpInputs& values) {
  std::vector<Tensor> parameters = model.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].assign(values.at(i));
  return model;
}

/// What make(generator) gives on an input, all values drawn.
template <class Make>
MakeCase drawn(const Make& make, const Argument& input, const Domain& parameters = {-1, 1}) {
  return [=](std::uint64_t seed) {
    const DefaultDType constants(float64);
    Generator generator(seed);
    const auto model = make(generator);
    std::vector<Argument> arguments;
    for (const Tensor& parameter : model.parameters()) arguments.push_back({parameter.shape(), parameters});
    arguments.push_back(input);
    const OpInputs values = make_inputs({nullptr, arguments}, float64, seed);
    return layer_case(with_values(model, values), values.back());
  };
}

/// For models of which nothing is drawn when they are made.
template <class M>
auto made_like(const M& model) {
  return [model](Generator&) { return clone(model); };
}

/// The call of a layer whose path is `encoder`.
template <class M>
OpCall in_encoder(const M& model) {
  Module parent;
  parent.add("encoder", model);
  return [model](const OpInputs& x) { return model(x[0]); };
}

/// A layer around an operation, on the domain of its row, where it refuses int64.
template <class M>
ModuleRow activation(const M& model, const std::string& operation) {
  const OpRow& function = op_row(operation);
  const Domain& domain = function.samples.front().arguments.front().domain;
  ModuleRow row(M::kind, layer, function.formula);
  for (const Shape& shape : {Shape{7}, Shape{3, 5}, Shape{2, 3, 4}})
    row.sample(drawn(made_like(model), {shape, domain}, {0.1, 0.4}));
  row.big_sample(drawn(made_like(model), {{70, 1001}, domain}));
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

ModuleRow linear_row() {
  const auto biased = [](Generator& generator) { return Linear(3, 2, {}, generator); };
  const auto unbiased = [](Generator& generator) { return Linear(2, 1, {.bias = false}, generator); };
  Generator generator;
  const Linear both = with_values(biased(generator), {tensor({{1, 2}, {3, 4}, {5, 6}}), tensor({10, 20})});
  const Linear weight = with_values(unbiased(generator), {tensor({{1}, {10}})});
  ModuleRow row("Linear", layer, "x·W + b");
  for (const Shape& shape : {Shape{3}, Shape{4, 3}, Shape{2, 3, 3}}) row.sample(drawn(biased, {shape}));
  for (const Shape& shape : {Shape{2}, Shape{4, 2}, Shape{2, 3, 2}}) row.sample(drawn(unbiased, {shape}));
  row.big_sample(drawn([](Generator& g) { return Linear(301, 70, {}, g); }, {{257, 301}}));
  // (1, 0, -1)·W = (1 - 5, 2 - 6), (2, 1, 0)·W = (2 + 3, 4 + 4); dW = xᵀ·1, db = Σ rows of 1, dx = 1·Wᵀ
  row.point(layer_case(both, tensor({{1, 0, -1}, {2, 1, 0}})), tensor({{6, 16}, {15, 28}}),
            {tensor({{3, 3}, {1, 1}, {-1, -1}}), tensor({2, 2}), tensor({{3, 7, 11}, {3, 7, 11}})}, "by hand")
      .point(layer_case(weight, tensor({3, 4})), tensor({43}), {tensor({{3}, {4}}), tensor({1, 10})}, "by hand")
      .point(layer_case(weight, zeros({0, 2})), zeros({0, 1}), {zeros({2, 1}), zeros({0, 2})}, "an empty sum");
  const OpCall call = in_encoder(clone(both));
  row.refuses<ShapeError>(call, {ones({2, 4})}, "encoder: linear expects (…, 3), got (2, 4)")
      .refuses<ShapeError>(call, {ones({})}, "encoder: linear expects (…, 3), got ()")
      .refuses<TypeError>(call, {ones({1, 3}, int64)},
                          "encoder: linear expects float64, as its weight is, got int64; convert with to(...)")
      .refuses<TypeError>(call, {ones({1, 3}, float32)},
                          "encoder: linear expects float64, as its weight is, got float32")
      .refuses<ValueError>([](const OpInputs& x) { return Linear(0, 2)(x[0]); }, {ones({1})},
                           "Linear: 0 inputs and 2 outputs; need at least one of each");
  return row;
}

ModuleRow flatten_row() {
  ModuleRow row("Flatten", layer, "(n, ...) to (n, product of the others)");
  for (const Shape& shape : {Shape{5}, Shape{2, 3}, Shape{2, 3, 4}, Shape{2, 1, 3, 2}})
    row.sample(drawn(made_like(Flatten()), {shape}));
  row.big_sample(drawn(made_like(Flatten()), {{70, 13, 77}}));
  row.point(layer_case(Flatten(), tensor(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2})),
            tensor({{1, 2, 3, 4}, {5, 6, 7, 8}}), {ones({2, 2, 2})}, "definition")
      .point(layer_case(Flatten(), tensor({1, 2})), tensor({{1}, {2}}), {ones({2})}, "definition");
  row.refuses<ShapeError>(in_encoder(Flatten()), {ones({})}, "encoder: flatten expects (n, …), got ()");
  return row;
}

ModuleRow sequential_row() {
  const auto classifier = [](Generator& g) {
    return Sequential(LeakyReLU(0.1), Linear(3, 4, {}, g), Tanh(), Sequential(Linear(4, 3, {}, g), Swish()),
                      LogSoftmax());
  };
  const auto dropping = [](Generator& g) {
    return Sequential(PReLU(2), Flatten(), Linear(6, 5, {}, g), Softplus(), Dropout(0.3, g),
                      Linear(5, 2, {.bias = false}, g), Sigmoid());
  };
  const auto wide = [](Generator& g) {
    return Sequential(Linear(65, 257, {}, g), Swish(), Dropout(0.3, g), Linear(257, 10, {}, g), Softmax());
  };
  Generator generator;
  const Sequential small =
      with_values(Sequential(Linear(2, 1, {.bias = false}, generator), ReLU()), {tensor({{1}, {10}})});
  ModuleRow row("Sequential", layer, "one layer after another");
  row.sample(drawn(classifier, {{4, 3}, away_from({0})})).sample(drawn(dropping, {{4, 3, 2}, away_from({0})}));
  row.big_sample(drawn(wide, {{301, 65}}, {-0.1, 0.1}));
  row.point(layer_case(small, tensor({{3, 4}, {-3, -4}})), tensor({{43}, {0}}),
            {tensor({{3}, {4}}), tensor({{1, 10}, {0, 0}})}, "by hand")
      .point(layer_case(Sequential(), tensor({1, 2})), tensor({1, 2}), {ones({2})}, "the identity");
  row.kink(layer_case(small, tensor({{10, -1}})), zeros({1, 1}), {zeros({2, 1}), zeros({1, 2})});
  row.refuses<ShapeError>(in_encoder(Sequential(Linear(3, 2, {}, generator), Tanh())), {ones({2, 4})},
                          "encoder.0: linear expects (…, 3), got (2, 4)");
  return row;
}

ModuleRow dropout_row() {
  const auto dropping = [](Generator& generator) { return Dropout(0.3, generator); };
  const auto evaluating = [](Generator& generator) {
    Dropout dropout(0.3, generator);
    dropout.eval();
    return dropout;
  };
  Generator generator;
  const Tensor x = tensor({1, -2, 3});
  ModuleRow row("Dropout", layer, "in training 0 with probability p and x/(1 - p) otherwise; in eval mode x");
  row.sample(drawn(dropping, {{4, 5}})).sample(drawn(evaluating, {{4, 5}})).sample(drawn(dropping, {{2, 3, 4}}));
  row.big_sample(drawn(dropping, {{70, 1001}}));
  row.point(layer_case(evaluating(generator), x), x, {ones({3})}, "the identity")
      .point(layer_case(Dropout(0, generator), x), x, {ones({3})}, "the identity")
      .point(layer_case(Dropout(1, generator), x), zeros({3}), {zeros({3})}, "definition");
  row.refuses<TypeError>(in_encoder(Dropout(0.5, generator)), {ones({2}, int64)},
                         "encoder: dropout expects float32 or float64, got int64")
      .refuses<ValueError>([generator](const OpInputs& in) mutable { return Dropout(1.5, generator)(in[0]); }, {x},
                           "Dropout: probability 1.500000; need 0 <= probability <= 1");
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
  for (const Shape& shape : {Shape{4, 3}, Shape{2, 3, 3}})
    row.sample(drawn(made_like(PReLU(3)), {shape, input}, {0.1, 0.4}));
  row.big_sample(drawn(made_like(PReLU(1001)), {{70, 1001}, input}, {0.1, 0.4}));
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
      .refuses<ValueError>([](const OpInputs& x) { return PReLU(0)(x[0]); }, {ones({1})},
                           "PReLU: 0 slopes; need at least one");
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
  row.sample(drawn(made_like(M(0)), {{3, 5}})).sample(drawn(made_like(M(1)), {{2, 3, 4}}));
  row.refuses<ShapeError>(in_encoder(M(2)), {ones({2, 3})}, "encoder: " + operation + ": axis 2 of a tensor of rank 2");
  return row;
}

ModuleRow network_graph_row() {
  const GraphDescription skipping = {
      .inputs = {"a", "b"},
      .nodes = {{"y"}, {"s", NodeActivation::softplus}, {"h", NodeActivation::tanh}, {"g", NodeActivation::sigmoid}},
      .edges = {{"h", "y"}, {"a", "h"}, {"b", "h"}, {"a", "y"}, {"s", "y"}, {"h", "s"}, {"b", "g"}, {"g", "s"}},
      .outputs = {"y", "g"}};
  GraphDescription wide{.inputs = {"x", "y"}};
  for (int i = 0; i < 40; ++i) {
    const std::string name = std::to_string(i);
    wide.nodes.push_back({name, i % 2 == 0 ? NodeActivation::tanh : NodeActivation::identity});
    wide.outputs.push_back(name);
    wide.edges.insert(wide.edges.end(), {{"x", name}, {"y", name}});
    for (int k = 0; k < i; k += 7) wide.edges.push_back({std::to_string(k), name});
  }
  const auto made = [](const GraphDescription& graph) {
    return [graph](Generator& generator) { return NetworkGraph(graph, generator); };
  };
  const GraphDescription rectified = {
      .inputs = {"x"}, .nodes = {{"r", NodeActivation::relu}}, .edges = {{"x", "r"}}, .outputs = {"r"}};
  GraphDescription looped = rectified;
  looped.edges.push_back({"r", "r"});
  Generator generator;
  // y = 3·r + 10·x, r = relu(2·x + 1)
  const NetworkGraph small = with_values(NetworkGraph({.inputs = {"x"},
                                                       .nodes = {{"r", NodeActivation::relu}, {"y"}},
                                                       .edges = {{"x", "r"}, {"r", "y"}, {"x", "y"}},
                                                       .outputs = {"y"}},
                                                      generator),
                                         {tensor({2, 3, 10}), tensor({1, 0})});
  ModuleRow row("NetworkGraph", layer, "v_j = f_j(b_j + Σ w·v_i) over the edges i to j of an acyclic graph");
  row.order = 1;
  for (const std::int64_t batch : {1, 5, 17}) row.sample(drawn(made(skipping), {{batch, 2}}));
  row.big_sample(drawn(made(wide), {{301, 2}}));
  row.point(layer_case(small, tensor({{1}, {-1}})), tensor({{19}, {-10}}),
            {tensor({3, 3, 0}), tensor({3, 2}), tensor({{16}, {10}})}, "by hand")
      .kink(layer_case(with_values(NetworkGraph(rectified, generator), {tensor({2}), tensor({-2})}), tensor({{1}})),
            tensor({{0}}), {tensor({0}), tensor({0}), tensor({{0}})});
  const OpCall call = in_encoder(clone(small));
  row.refuses<ShapeError>(call, {ones({2, 3})}, "encoder: network_graph expects (batch, 1), got (2, 3)")
      .refuses<ShapeError>(call, {ones({})}, "encoder: network_graph expects (batch, 1), got ()")
      .refuses<TypeError>(call, {ones({2, 1}, float32)},
                          "encoder: network_graph expects float64, as its weight is, got float32")
      .refuses<ValueError>([looped](const OpInputs& x) { return NetworkGraph(looped)(x[0]); }, {ones({1, 1})},
                           "NetworkGraph: cycle r -> r; need an acyclic graph");
  return row;
}

}  // namespace

std::vector<ModuleRow> layer_rows() {
  std::vector<ModuleRow> rows = {linear_row(),
                                 flatten_row(),
                                 sequential_row(),
                                 dropout_row(),
                                 known_activation(ReLU(), "relu"),
                                 leaky_relu_row(),
                                 prelu_row(),
                                 elu_row(),
                                 known_activation(Swish(), "swish"),
                                 known_activation(Sigmoid(), "sigmoid"),
                                 known_activation(Tanh(), "tanh"),
                                 known_activation(HardTanh(), "hard_tanh"),
                                 known_activation(Softplus(), "softplus"),
                                 known_activation(LogSigmoid(), "log_sigmoid"),
                                 along_axis<Softmax>("softmax", 0.5),
                                 along_axis<LogSoftmax>("log_softmax", -0.6931471805599453),
                                 network_graph_row()};
  return rows;
}

}  // namespace xgrad::nn
