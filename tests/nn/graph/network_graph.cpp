#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <autograd/pointwise.hpp>
#include <nn/graph/network_graph.hpp>
#include <nn/inspection/gradient_check.hpp>
#include <nn/layers/linear.hpp>
#include <nn/losses/losses.hpp>
#include <nn/optimizers/adam.hpp>
#include <nn/optimizers/sgd.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

using namespace xgrad;
using expect::error_of;
using nn::GraphDescription;
using nn::NetworkGraph;
using nn::NodeActivation;

namespace {

Tensor softsign(const Tensor& x) {  // an activation of one's own, of which a graph knows nothing
  return pointwise(
      "softsign", [](auto a) { return a / (1 + abs(a)); }, x);
}

const std::vector<NodeActivation> all_activations = {nullptr,  sigmoid,   tanh,  relu, leaky_relu, elu,
                                                     softplus, hard_tanh, swish, mish, softsign};

std::string numbered(char letter, std::size_t i) {
  std::string name(1, letter);
  return name += std::to_string(i);
}

/// Node j has an edge from each earlier node with probability `density`; nodes, edges and outputs are listed in an
/// order that is not that of evaluation.
GraphDescription random_graph(std::size_t inputs, std::size_t nodes, double density, std::size_t outputs,
                              std::uint64_t seed) {
  const std::vector<double> draws = expect::numbers((inputs + nodes) * nodes, seed, 0, 1);
  GraphDescription graph;
  const auto name = [&](std::size_t i) { return numbered(i < inputs ? 'x' : 'n', i); };
  for (std::size_t i = 0; i < inputs; ++i) graph.inputs.push_back(name(i));
  for (std::size_t j = inputs; j < inputs + nodes; ++j) {
    graph.nodes.push_back({name(j), all_activations[j % all_activations.size()]});
    for (std::size_t i = 0; i < j; ++i)
      if (i + 1 == j || draws[(j - inputs) * (inputs + nodes) + i] < density) graph.edges.push_back({name(i), name(j)});
  }
  for (std::size_t i = 0; i < outputs; ++i) graph.outputs.push_back(name(inputs + nodes - 1 - 2 * i));
  std::reverse(graph.nodes.begin(), graph.nodes.end());
  std::stable_partition(graph.edges.begin(), graph.edges.end(),
                        [&](const nn::GraphEdge& e) { return e.to.size() % 2; });
  return graph;
}

/// The same by one recorded operation after another, node by node: (batch, 1) columns.
Tensor by_definition(const GraphDescription& graph, const NetworkGraph& network, const Tensor& x) {
  std::vector<std::pair<std::string, Tensor>> values;
  const auto find = [&](const std::string& name) {
    const auto at = std::find_if(values.begin(), values.end(), [&](const auto& known) { return known.first == name; });
    return at == values.end() ? Tensor() : at->second;
  };
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const auto column = static_cast<std::int64_t>(i);
    values.emplace_back(graph.inputs[i], slice(x, 1, column, column + 1));
  }
  while (values.size() < graph.inputs.size() + graph.nodes.size())
    for (std::size_t j = 0; j < graph.nodes.size(); ++j) {
      const nn::GraphNode& node = graph.nodes[j];
      if (find(node.name).defined()) continue;
      const auto position = static_cast<std::int64_t>(j);
      Tensor z = zeros({x.shape()[0], 1}, x.dtype()) + slice(network.bias, 0, position, position + 1);
      for (std::size_t e = 0; e < graph.edges.size() && z.defined(); ++e) {
        if (graph.edges[e].to != node.name) continue;
        const Tensor from = find(graph.edges[e].from);
        const auto number = static_cast<std::int64_t>(e);
        z = from.defined() ? z + from * slice(network.weight, 0, number, number + 1) : Tensor();
      }
      if (z.defined()) values.emplace_back(node.name, node.activation == nullptr ? z : node.activation(z));
    }
  std::vector<Tensor> outputs;
  for (const std::string& output : graph.outputs) outputs.push_back(find(output));
  return concatenate(outputs, 1);
}

GraphDescription layered(const std::vector<std::size_t>& widths, NodeActivation hidden) {
  GraphDescription graph;
  const auto name = [](std::size_t layer, std::size_t i) { return numbered('.', layer) + numbered('.', i); };
  for (std::size_t layer = 0; layer < widths.size(); ++layer)
    for (std::size_t i = 0; i < widths[layer]; ++i) {
      const bool last = layer + 1 == widths.size();
      if (layer == 0) graph.inputs.push_back(name(0, i));
      if (layer > 0) graph.nodes.push_back({name(layer, i), last ? nullptr : hidden});
      if (last) graph.outputs.push_back(name(layer, i));
      if (!last)  // in the order of the weight (in, out) of a Linear
        for (std::size_t j = 0; j < widths[layer + 1]; ++j) graph.edges.push_back({name(layer, i), name(layer + 1, j)});
    }
  return graph;
}

const GraphDescription exclusive_or = {
    .inputs = {"a", "b"},
    .nodes = {{"hidden", sigmoid}, {"y"}},
    .edges = {{"a", "hidden"}, {"b", "hidden"}, {"a", "y"}, {"b", "y"}, {"hidden", "y"}},
    .outputs = {"y"}};

std::string refused(const GraphDescription& graph) {
  return error_of([&] { NetworkGraph network(graph); });
}

}  // namespace

TEST_CASE("a graph computes what its description says, in any order of nodes and edges") {
  // c = 2a - b + 1, y = relu(c) + 3a, so that y(1, 2) = 1 + 3 and y(-1, 1) = 0 - 3.
  NetworkGraph graph({.inputs = {"a", "b"},
                      .nodes = {{"y"}, {"relu", relu}, {"c"}},
                      .edges = {{"relu", "y"}, {"a", "y"}, {"b", "c"}, {"c", "relu"}, {"a", "c"}},
                      .outputs = {"y", "c", "b"}});
  CHECK(graph.depth() == 3);
  CHECK(graph.weight.shape() == Shape{5});
  CHECK(graph.bias.shape() == Shape{3});
  graph.weight.assign(tensor({1, 3, -1, 1, 2}));
  graph.bias.assign(tensor({0, 0, 1}));
  const Tensor y = graph(tensor({{1, 2}, {-1, 1}}));
  CHECK(expect::values(y) == std::vector<double>{4, 1, 2, -3, -2, 1});
}

TEST_CASE("a random graph agrees with single recorded operations, in values and gradients, for every size of batch") {
  const DefaultDType scope(float64);
  const GraphDescription description = random_graph(5, 40, 0.3, 4, 1);
  const NetworkGraph graph(description);
  for (const std::int64_t batch : {1, 3, 8, 9, 16, 17, 32, 33, 41, 50, 600}) {
    const Tensor x = expect::leaf(tensor(expect::numbers(static_cast<std::size_t>(5 * batch), 2), {batch, 5}));
    const Tensor cotangent = tensor(expect::numbers(static_cast<std::size_t>(4 * batch), 3), {batch, 4});
    Tape one;
    const Tensor y = graph(x);
    const Gradients gradients = one.backward(y, cotangent);
    Tape other;
    const Tensor same = by_definition(description, graph, x);
    const Gradients expected = other.backward(same, cotangent);
    CHECK(expect::difference(y, same) < 1e-13);
    for (const Tensor& leaf : std::vector<Tensor>{x, graph.weight, graph.bias})
      CHECK(expect::difference(gradients[leaf], expected[leaf]) < 1e-12 * static_cast<double>(batch));
  }
}

TEST_CASE("a layered graph is the multilayer perceptron of the same weights") {
  const std::vector<std::size_t> widths = {7, 20, 12, 3};
  for (const DType dtype : {float32, float64}) {
    const DefaultDType scope(dtype);
    Generator generator(5);
    const nn::Linear first(7, 20, {}, generator), second(20, 12, {}, generator), third(12, 3, {}, generator);
    NetworkGraph graph(layered(widths, tanh));
    graph.weight.assign(concatenate({flatten(first.weight), flatten(second.weight), flatten(third.weight)}));
    graph.bias.assign(concatenate({first.bias, second.bias, third.bias}));
    const Tensor x = tensor(expect::numbers(7 * 45, 6), {45, 7});
    const Tensor target = tensor(expect::numbers(3 * 45, 7), {45, 3});
    Tape tape;
    const Tensor y = graph(x);
    const Tensor same = third(tanh(second(tanh(first(x)))));
    const double rounding = dtype == float32 ? 1e-6 : 1e-15;
    CHECK(expect::difference(y, same) < 2 * rounding);
    const Gradients of_graph = tape.backward(nn::mse(y, target), {.keep = true});
    const Gradients of_layers = tape.backward(nn::mse(same, target));
    const Pause pause;
    CHECK(expect::difference(of_graph[graph.weight],
                             concatenate({flatten(of_layers[first.weight]), flatten(of_layers[second.weight]),
                                          flatten(of_layers[third.weight])})) < rounding);
    CHECK(expect::difference(of_graph[graph.bias], concatenate({of_layers[first.bias], of_layers[second.bias],
                                                                of_layers[third.bias]})) < rounding);
  }
}

TEST_CASE("random graphs with every activation pass the gradient check") {
  const DefaultDType scope(float64);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const NetworkGraph graph(random_graph(3, 24, 0.2, 3, seed));
    const Tensor x = tensor(expect::numbers(3 * 35, seed + 10), {35, 3});
    const Tensor target = tensor(expect::numbers(3 * 35, seed + 20), {35, 3});
    check_gradients(graph, nn::mse, x, target).require();
  }
}

TEST_CASE("an activation in a graph is any function of each number by itself, a lambda too, and no other") {
  const auto half = [](const Tensor& z) { return 0.5 * z; };
  const auto one_node = [](NodeActivation activation) {
    NetworkGraph graph({.inputs = {"x"}, .nodes = {{"y", activation}}, .edges = {{"x", "y"}}, .outputs = {"y"}});
    graph.weight.assign(tensor({3}));
    graph.bias.assign(tensor({1}));
    return graph;
  };
  const Tensor x = expect::leaf(tensor({{1}, {-2}}));
  Tape tape;
  const Tensor y = one_node(half)(x);
  CHECK(expect::values(y) == std::vector<double>{2, -2.5});
  CHECK(expect::values(tape.backward(sum(y))[x]) == std::vector<double>{1.5, 1.5});
  Tape other;
  const Tensor flat = one_node([](const Tensor& z) { return detach(z); })(x);
  CHECK(expect::values(other.backward(sum(flat))[x]) == std::vector<double>{0, 0});
  CHECK(expect::contains(error_of([&] { one_node([](const Tensor& z) { return sum(z); })(x); }),
                         "ShapeError: network_graph: an activation makes () of (8,)"));
}

TEST_CASE("nodes of one activation that a graph does not know agree with those that it knows") {
  const DefaultDType scope(float64);
  const auto own_tanh = [](const Tensor& z) { return tanh(z); };
  Generator generator(7);
  const NetworkGraph known(layered({4, 9, 5, 2}, tanh), generator);
  NetworkGraph own(layered({4, 9, 5, 2}, own_tanh));
  own.weight.assign(known.weight);
  own.bias.assign(known.bias);
  const Tensor x = tensor(expect::numbers(4 * 21, 8), {21, 4});
  const auto gradients = [&](const NetworkGraph& graph) {
    Tape tape;
    const Gradients all = tape.backward(sum(square(graph(x))));
    return concatenate({all[graph.weight], all[graph.bias]});
  };
  CHECK(expect::difference(known(x), own(x)) == 0);
  CHECK(expect::difference(gradients(known), gradients(own)) < 1e-13);
}

TEST_CASE("gradients of a graph can be differentiated again: a polynomial of three levels by its formula") {
  // h = tanh(w0·x + b0), y = w1·h + w2·x + b1 with a skip connection.
  NetworkGraph graph({.inputs = {"x"},
                      .nodes = {{"h", tanh}, {"y"}},
                      .edges = {{"x", "h"}, {"h", "y"}, {"x", "y"}},
                      .outputs = {"y"}});
  graph.to(float64);
  graph.weight.assign(tensor({0.7, 1.5, -2}, float64));
  graph.bias.assign(tensor({0.2, 0.4}, float64));
  const Tensor x = expect::leaf(tensor({{0.3}, {-1.1}}, float64));
  Tape tape;
  Tensor y = graph(x);
  for (int order = 1; order <= 3; ++order) y = tape.backward(sum(y), {.differentiable = true})[x];
  const Gradients g = tape.backward(sum(y));
  double by_w1 = 0;
  for (std::int64_t i = 0; i < 2; ++i) {
    const double t = std::tanh(0.7 * x.item({i, 0}) + 0.2), s = 1 - t * t;
    const double third = s * (6 * t * t - 2);  // of tanh
    CHECK(y.item({i, 0}) == doctest::Approx(1.5 * 0.343 * third).epsilon(1e-13));
    by_w1 += 0.343 * third;
    const double fourth = 8 * t * s * (2 - 3 * t * t);
    CHECK(g[x].item({i, 0}) == doctest::Approx(1.5 * 0.2401 * fourth).epsilon(1e-13));
  }
  CHECK(g[graph.weight].item({1}) == doctest::Approx(by_w1).epsilon(1e-13));
  CHECK(g[graph.weight].item({2}) == 0);
}

TEST_CASE("one hidden node and a skip connection compute exclusive or") {
  // Rumelhart, Hinton and Williams (1986): y = a + b - 2·[a + b > 1.5]; the sigmoid of 40·(a + b - 1.5) is
  // within 2.1e-9.
  NetworkGraph graph(exclusive_or);
  graph.to(float64);
  graph.weight.assign(tensor({40, 40, 1, 1, -2}, float64));
  graph.bias.assign(tensor({-60, 0}, float64));
  const Tensor y = graph(tensor({{0, 0}, {0, 1}, {1, 0}, {1, 1}}, float64));
  CHECK(expect::difference(y, std::vector<double>{0, 1, 1, 0}) < 1e-8);
}

TEST_CASE("a graph with one hidden node learns exclusive or") {
  Generator generator(1);
  const NetworkGraph graph(exclusive_or, generator);
  const Tensor x = tensor({{0, 0}, {0, 1}, {1, 0}, {1, 1}});
  const Tensor y = tensor({{0}, {1}, {1}, {0}});
  nn::Adam optimizer(graph.parameters(), {.learning_rate = 0.05});
  double loss = 1;
  for (int step = 0; step < 3000; ++step) {
    Tape tape;
    const Tensor error = nn::mse(graph(x), y);
    loss = error.item();
    optimizer.step(tape.backward(error));
  }
  CHECK(loss < 1e-4);
}

TEST_CASE("values and gradients have the same bits for every number of threads, also far above the threshold") {
  const NetworkGraph graph(random_graph(20, 300, 0.2, 10, 4));
  REQUIRE(graph.weight.size() > 8000);
  for (const std::int64_t batch : {33, 700}) {
    const Tensor x = expect::leaf(tensor(expect::numbers(static_cast<std::size_t>(20 * batch), 5), {batch, 20}));
    const auto run = [&](int threads) {
      return with_threads(threads, [&] {
        Tape tape;
        const Tensor y = graph(x);
        const Gradients gradients = tape.backward(y, ones(y.shape()));
        return std::vector{expect::values(y), expect::values(gradients[graph.weight]),
                           expect::values(gradients[graph.bias]), expect::values(gradients[x])};
      });
    };
    const auto single = run(1);
    for (const int threads : {2, 3, 8}) CHECK(run(threads) == single);
  }
}

TEST_CASE("a chain of 20,000 nodes is evaluated without recursion") {
  // Each node passes on half of the value of the one before and adds 1: v → 2.
  GraphDescription chain{.inputs = {"0"}, .outputs = {"20000"}};
  for (int i = 1; i <= 20000; ++i) {
    chain.nodes.push_back({std::to_string(i)});
    chain.edges.push_back({std::to_string(i - 1), std::to_string(i)});
  }
  NetworkGraph graph(chain);
  CHECK(graph.depth() == 20000);
  graph.weight.assign(full({20000}, 0.5));
  graph.bias.assign(ones({20000}));
  Tape tape;
  const Tensor y = graph(tensor({{7}}));
  CHECK(y.item() == 2);
  const Gradients gradients = tape.backward(y);
  CHECK(gradients[graph.bias].item({19998}) == 0.5);
  CHECK(gradients[graph.weight].item({19999}) == 2);
}

TEST_CASE("an empty batch, nodes without edges and outputs that are inputs are fine") {
  const NetworkGraph graph({.inputs = {"x"},
                            .nodes = {{"constant", tanh}, {"unused", relu}},
                            .edges = {{"x", "unused"}},
                            .outputs = {"constant", "x"}});
  Tape tape;
  const Tensor none = graph(zeros({0, 1}));
  CHECK(none.shape() == Shape{0, 2});
  const Gradients of_none = tape.backward(none, zeros({0, 2}), {.keep = true});
  CHECK(expect::values(of_none[graph.weight]) == std::vector<double>{0});
  const Tensor y = graph(tensor({{5}, {6}}));
  const double b = graph.bias.item({0});
  CHECK(y.item({0, 0}) == doctest::Approx(std::tanh(b)));
  CHECK(y.item({1, 1}) == 6);
  const Gradients gradients = tape.backward(sum(y));
  CHECK(gradients[graph.bias].item({0}) == doctest::Approx(2 / std::pow(std::cosh(b), 2)));
  CHECK(gradients[graph.bias].item({1}) == 0);
}

TEST_CASE("what fills up a vector does not reach the gradients") {
  // At x = 2 all values are 0; where x is 0, y is 2e38, z infinite, and infinity times a cotangent of 0 is NaN.
  NetworkGraph graph({.inputs = {"x"},
                      .nodes = {{"y"}, {"z"}, {"u"}},
                      .edges = {{"x", "y"}, {"y", "z"}, {"z", "u"}},
                      .outputs = {"u"}});
  graph.weight.assign(tensor({-1e38, 10, 1}));
  graph.bias.assign(tensor({2e38, 0, 0}));
  Tape tape;
  const Tensor u = graph(tensor({{2}}));
  CHECK(u.item() == 0);
  const Gradients gradients = tape.backward(u);
  CHECK(expect::values(gradients[graph.weight]) == std::vector<double>{20, 0, 0});
  CHECK(expect::values(gradients[graph.bias]) == std::vector<double>{10, 1, 1});
}

TEST_CASE("a clone has weights of its own, and a frozen graph passes gradients on to its input alone") {
  NetworkGraph graph(exclusive_or);
  NetworkGraph copy = nn::clone(graph);
  const auto before = expect::values(graph.weight);
  copy.weight.assign(zeros({5}));
  CHECK(expect::values(graph.weight) == before);
  graph.freeze();
  const Tensor x = expect::leaf(ones({3, 2}));
  Tape tape;
  const Gradients gradients = tape.backward(sum(graph(x)));
  CHECK(gradients.size() == 1);
  CHECK(gradients.contains(x));
}

TEST_CASE("weights begin uniform on ±1/√n for n edges into a node") {
  Generator generator(3);
  const NetworkGraph graph(layered({100, 50}, relu), generator);
  for (const Tensor& parameter : {graph.weight, graph.bias}) {
    const auto values = expect::values(parameter);
    CHECK(*std::max_element(values.begin(), values.end()) < 0.1);
    CHECK(*std::max_element(values.begin(), values.end()) > 0.09);
    CHECK(*std::min_element(values.begin(), values.end()) >= -0.1);
    CHECK(*std::min_element(values.begin(), values.end()) < -0.09);
  }
}

TEST_CASE("descriptions that are no acyclic graph are refused, by name") {
  GraphDescription g = exclusive_or;
  const auto with = [&](const auto& spoil) {
    GraphDescription bad = g;
    spoil(bad);
    return refused(bad);
  };
  CHECK(with([](auto& x) {
          x.edges.push_back({"y", "hidden"});
        }) == "ValueError: NetworkGraph: cycle hidden -> y -> hidden; need an acyclic graph");
  CHECK(with([](auto& x) {
          x.edges.push_back({"y", "y"});
        }) == "ValueError: NetworkGraph: cycle y -> y; need an acyclic graph");
  CHECK(with([](auto& x) {
          x.nodes.insert(x.nodes.end(), {{"p"}, {"q"}, {"r"}, {"end"}});
          x.edges.insert(x.edges.end(), {{"a", "p"}, {"p", "q"}, {"q", "r"}, {"r", "p"}, {"r", "end"}});
        }) == "ValueError: NetworkGraph: cycle p -> q -> r -> p; need an acyclic graph");
  CHECK(with([](auto& x) {
          x.edges.push_back({"a", "nowhere"});
        }) == "ValueError: NetworkGraph: edge a -> nowhere: there is no node nowhere");
  CHECK(with([](auto& x) {
          x.edges.push_back({"nothing", "y"});
        }) == "ValueError: NetworkGraph: edge nothing -> y: there is no node nothing");
  CHECK(with([](auto& x) {
          x.edges.push_back({"hidden", "a"});
        }) == "ValueError: NetworkGraph: edge hidden -> a leads into an input; need inputs without edges into them");
  CHECK(with([](auto& x) {
          x.edges.push_back({"a", "y"});
        }) == "ValueError: NetworkGraph: edge a -> y is listed twice");
  CHECK(with([](auto& x) { x.nodes.push_back({"y"}); }) == "ValueError: NetworkGraph: node y is listed twice");
  CHECK(with([](auto& x) { x.nodes.push_back({"a"}); }) == "ValueError: NetworkGraph: node a is listed twice");
  CHECK(with([](auto& x) { x.inputs.push_back("b"); }) == "ValueError: NetworkGraph: node b is listed twice");
  CHECK(with([](auto& x) { x.nodes.push_back({""}); }) ==
        "ValueError: NetworkGraph: node 4, inputs counted, has no name");
  CHECK(with([](auto& x) { x.outputs.push_back("z"); }) == "ValueError: NetworkGraph: output z: there is no node z");
  CHECK(with([](auto& x) { x.outputs.push_back("y"); }) == "ValueError: NetworkGraph: output y is listed twice");
  CHECK(with([](auto& x) { x.outputs.clear(); }) == "ValueError: NetworkGraph: no outputs; need at least one");
  CHECK(refused({}) == "ValueError: NetworkGraph: no inputs; need at least one");
}

TEST_CASE("the cycle in the message is abridged when it is long") {
  GraphDescription ring{.inputs = {"x"}, .outputs = {"n0"}};
  for (std::size_t i = 0; i < 1000; ++i) {
    ring.nodes.push_back({numbered('n', i)});
    ring.edges.push_back({numbered('n', i), numbered('n', (i + 1) % 1000)});
  }
  const std::string message = refused(ring);
  CHECK(expect::contains(message, "cycle n0 -> n1 -> n2 -> "));
  CHECK(expect::contains(message, "n20 -> … (1000 nodes); need an acyclic graph"));
}

TEST_CASE("an input that does not fit is refused") {
  const NetworkGraph graph(exclusive_or);
  CHECK(error_of([&] { graph(ones({2, 3})); }) == "ShapeError: network_graph expects (batch, 2), got (2, 3)");
  CHECK(error_of([&] { graph(ones({2})); }) == "ShapeError: network_graph expects (batch, 2), got (2,)");
  CHECK(error_of([&] {
          graph(ones({2, 2}, float64));
        }).starts_with("TypeError: network_graph: input 0 is float64, input 1 is float32"));
}

TEST_CASE("a graph that was moved from says so") {
  NetworkGraph graph(exclusive_or);
  const NetworkGraph other = std::move(graph);
  CHECK(other.depth() == 2);
  CHECK(error_of([&] { graph.depth(); }).starts_with("ValueError: network_graph: it was moved from"));
  CHECK(error_of([&] { graph(ones({2, 2})); }).starts_with("ValueError: network_graph: it was moved from"));
}
