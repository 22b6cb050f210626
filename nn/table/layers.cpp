#include <autograd/ops/elementary.hpp>
#include <autograd/tensor/creation.hpp>
#include <nn/graph/network_graph.hpp>
#include <nn/layers/activations.hpp>
#include <nn/layers/dropout.hpp>
#include <nn/layers/embedding.hpp>
#include <nn/layers/linear.hpp>
#include <nn/layers/sequential.hpp>
#include <nn/table/models.hpp>
#include <nn/table/module_table.hpp>

#include <string>
#include <vector>

namespace xgrad::nn {

namespace {

constexpr auto layer = ModuleRow::Kind::layer;

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
      .refuses<TypeError>(call, {ones({1, 3}, int64)}, "encoder: linear: input 0 is int64")
      .refuses<TypeError>(call, {ones({1, 3}, float32)}, "encoder: linear: input 0 is float32, input 1 is float64")
      .refuses_to_make([] { return Linear(0, 2); }, "Linear: 0 inputs and 2 outputs; need at least one of each");
  return row;
}

ModuleRow embedding_row() {
  const auto table = [](Bag bag) { return [bag](Generator& g) { return Embedding(5, 3, {.bag = bag}, g); }; };
  Generator generator;
  const auto known = [&](Bag bag) {
    return with_values(Embedding(3, 2, {.bag = bag}, generator), {tensor({{1, 2}, {3, 4}, {5, 6}})});
  };
  ModuleRow row("Embedding", layer, "weight[index], alone, summed or averaged over a bag");
  for (const Bag bag : {Bag::none, Bag::sum, Bag::mean}) {
    for (const Shape& shape : {Shape{6}, Shape{4, 3}, Shape{2, 3, 2}})
      row.sample(drawn(table(bag), {shape, indices(0, 4)}));
    row.big_sample(
        drawn([bag](Generator& g) { return Embedding(1000, 64, {.bag = bag}, g); }, {{300, 20}, indices(0, 999)}));
  }
  row.sample(drawn(table(Bag::none), {{}, indices(0, 4)}));
  const auto padded = [](Bag bag) {
    return [bag](Generator& g) { return Embedding(5, 3, {.bag = bag, .padding = 1}, g); };
  };
  for (const Bag bag : {Bag::sum, Bag::mean})
    for (const Shape& shape : {Shape{6}, Shape{4, 3}}) row.sample(drawn(padded(bag), {shape, indices(0, 4)}));
  // Row 2 is named twice, row 1 never.
  const Tensor at = tensor({{2, 0}, {2, 0}}, int64);
  row.point(layer_case(known(Bag::none), at), tensor(std::vector<double>{5, 6, 1, 2, 5, 6, 1, 2}, {2, 2, 2}),
            {tensor({{2, 2}, {0, 0}, {2, 2}})}, "definition")
      .point(layer_case(known(Bag::sum), at), tensor({{6, 8}, {6, 8}}), {tensor({{2, 2}, {0, 0}, {2, 2}})}, "by hand")
      .point(layer_case(known(Bag::mean), at), tensor({{3, 4}, {3, 4}}), {tensor({{1, 1}, {0, 0}, {1, 1}})}, "by hand")
      .point(layer_case(known(Bag::sum), tensor({1, 1, 2}, int64)), tensor({11, 14}),
             {tensor({{0, 0}, {2, 2}, {1, 1}})}, "by hand")
      .point(layer_case(known(Bag::none), tensor(1, int64)), tensor({3, 4}), {tensor({{0, 0}, {1, 1}, {0, 0}})},
             "definition")
      .point(layer_case(known(Bag::mean), zeros({2, 0}, int64)), zeros({2, 2}), {zeros({3, 2})},
             "PyTorch documentation of EmbeddingBag: empty bags give zeros");
  const OpCall call = in_encoder(known(Bag::none));
  row.refuses<ValueError>(call, {tensor({0, 1, 3}, int64)}, "encoder: take: index 3 in row 2; need 0 <= index < 3")
      .refuses<ValueError>(call, {tensor({{0, 1}, {0, -1}}, int64)},
                           "encoder: take: index -1 at (1, 1); need 0 <= index < 3")
      .refuses<ValueError>(call, {tensor(7, int64)}, "encoder: take: index 7; need")
      .refuses<TypeError>(call, {ones({2})}, "encoder: embedding expects int64 indices, got float64")
      .refuses<ShapeError>(in_encoder(known(Bag::sum)), {tensor(1, int64)},
                           "encoder: embedding expects indices (…, k) for bags of k, got ()")
      .refuses_to_make([] { return Embedding(0, 2); },
                       "Embedding: a table of 0 rows and 2 features; need at least one of each")
      .refuses_to_make([] { return Embedding(3, 2, {.padding = 3}); }, "Embedding: padding 3; need 0 <= padding < 3");
  // Row 1 is the padding: no gradient for it, and bags leave it out.
  const auto known_padded = [&](Bag bag) {
    return with_values(Embedding(3, 2, {.bag = bag, .padding = 1}, generator), {tensor({{1, 2}, {3, 4}, {5, 6}})});
  };
  const Tensor unequal = tensor({{2, 0, 2}, {1, 2, 1}, {1, 1, 1}}, int64);
  const std::string source = "PyTorch documentation of padding_idx";
  row.point(layer_case(known_padded(Bag::none), tensor({1, 2}, int64)), tensor({{3, 4}, {5, 6}}),
            {tensor({{0, 0}, {0, 0}, {1, 1}})}, source)
      .point(layer_case(known_padded(Bag::sum), unequal), tensor({{11, 14}, {5, 6}, {0, 0}}),
             {tensor({{1, 1}, {0, 0}, {3, 3}})}, source)
      .point(layer_case(known_padded(Bag::mean), unequal), tensor({{11.0 / 3, 14.0 / 3}, {5, 6}, {0, 0}}),
             {tensor({{1.0 / 3, 1.0 / 3}, {0, 0}, {5.0 / 3, 5.0 / 3}})}, source);
  return row;
}

ModuleRow flatten_row() {
  ModuleRow row("Flatten", layer, "(n, ...) to (n, product of the others)");
  for (const Shape& shape : {Shape{5}, Shape{2, 3}, Shape{2, 3, 4}, Shape{2, 1, 3, 2}})
    row.sample(drawn(Flatten(), {shape}));
  row.big_sample(drawn(Flatten(), {{70, 13, 77}}));
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
      .refuses_to_make([generator]() mutable { return Dropout(1.5, generator); },
                       "Dropout: probability 1.5; need 0 <= probability <= 1");
  return row;
}

ModuleRow network_graph_row() {
  const GraphDescription skipping = {
      .inputs = {"a", "b"},
      .nodes = {{"y"}, {"s", softplus}, {"h", tanh}, {"g", sigmoid}},
      .edges = {{"h", "y"}, {"a", "h"}, {"b", "h"}, {"a", "y"}, {"s", "y"}, {"h", "s"}, {"b", "g"}, {"g", "s"}},
      .outputs = {"y", "g"}};
  GraphDescription wide{.inputs = {"x", "y"}};
  const NodeActivation in_turn[] = {tanh, nullptr};
  for (int i = 0; i < 40; ++i) {
    const std::string name = std::to_string(i);
    wide.nodes.push_back({name, in_turn[i % 2]});
    wide.outputs.push_back(name);
    wide.edges.insert(wide.edges.end(), {{"x", name}, {"y", name}});
    for (int k = 0; k < i; k += 7) wide.edges.push_back({std::to_string(k), name});
  }
  const auto made = [](const GraphDescription& graph) {
    return [graph](Generator& generator) { return NetworkGraph(graph, generator); };
  };
  const GraphDescription rectified = {.inputs = {"x"}, .nodes = {{"r", relu}}, .edges = {{"x", "r"}}, .outputs = {"r"}};
  GraphDescription looped = rectified;
  looped.edges.push_back({"r", "r"});
  Generator generator;
  // y = 3·r + 10·x, r = relu(2·x + 1)
  const NetworkGraph small = with_values(NetworkGraph({.inputs = {"x"},
                                                       .nodes = {{"r", relu}, {"y"}},
                                                       .edges = {{"x", "r"}, {"r", "y"}, {"x", "y"}},
                                                       .outputs = {"y"}},
                                                      generator),
                                         {tensor({2, 3, 10}), tensor({1, 0})});
  ModuleRow row("NetworkGraph", layer, "v_j = f_j(b_j + Σ w·v_i) over the edges i to j of an acyclic graph");
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
                          "encoder: network_graph: input 0 is float32, input 1 is float64")
      .refuses_to_make([looped] { return NetworkGraph(looped); }, "NetworkGraph: cycle r -> r; need an acyclic graph");
  return row;
}

}  // namespace

std::vector<ModuleRow> layer_rows() {
  return {linear_row(), embedding_row(), flatten_row(), sequential_row(), dropout_row(), network_graph_row()};
}

}  // namespace xgrad::nn
