#pragma once

#include "tests/support/expect.hpp"

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>
#include <nn/saving/model_graph.hpp>

#include <functional>
#include <string>
#include <vector>

/// Models of all layers, to be taken to other programs.
struct ExportedModel {
  std::string name;
  xgrad::Shape shape;  ///< of an example
  xgrad::DType dtype;
  std::int64_t indices;  ///< below which inputs of int64 are
  std::function<xgrad::nn::ModelGraph()> trace;
  std::function<xgrad::Tensor(const xgrad::Tensor&)> run;  ///< in eval mode

  /// Inputs that look random, with 0 and large numbers among them.
  xgrad::Tensor inputs(std::int64_t rows) const {
    xgrad::Shape all = shape;
    all.insert(0, rows);
    if (dtype == xgrad::int64) {
      xgrad::Generator generator(3);
      return xgrad::integers(all, 0, indices, generator);
    }
    xgrad::Tensor x = expect::random_tensor(all, 3, dtype, -3, 3);
    x.modify([](auto values) {
      for (std::size_t i = 0; i < values.size(); i += 7) values[i] = 0;
      if (values.size() > 8) values[5] = 30, values[8] = -30;
    });
    return x;
  }
};

template <class M>
ExportedModel exported_model(const std::string& name, const M& original, const xgrad::Shape& shape,
                             xgrad::DType dtype = xgrad::float32, std::int64_t indices = 0) {
  using namespace xgrad;
  auto model = std::make_shared<M>(nn::clone(original));
  std::uint64_t number = 10;
  for (Tensor& parameter : model->parameters())
    parameter.assign(expect::random_tensor(parameter.shape(), ++number, parameter.dtype(), -0.7, 0.7));
  for (nn::NamedTensor& buffer : model->named_buffers())
    buffer.tensor.assign(expect::random_tensor(buffer.tensor.shape(), ++number, buffer.tensor.dtype(), 0.5, 2));
  model->eval();
  return {name,
          shape,
          dtype,
          indices,
          [=] { return nn::trace(*model, shape, dtype); },
          [=](const Tensor& x) {
            const Pause pause;
            return (*model)(x);
          }};
}

inline std::vector<ExportedModel> exported_models() {
  using namespace xgrad;
  struct Residual : nn::Module {  // functions and layers, as users mix them
    nn::Linear a = add("a", nn::Linear(6, 6));
    nn::LayerNorm norm = add("norm", nn::LayerNorm(6));
    nn::Linear b = add("b", nn::Linear(9, 2));
    Tensor operator()(const Tensor& x) const {
      const Tensor h = norm(x + relu(a(x)) * 0.5);
      const Tensor part = slice(h, 1, 4, 1, -1);
      return b(concatenate({h, max(abs(part), 1.0 / 3 + part)}, 1));
    }
    static Tensor max(const Tensor& x, const Tensor& y) { return maximum(x, y); }
  };
  struct Words : nn::Module {
    nn::Embedding table;
    nn::Linear output = add("output", nn::Linear(4, 3));
    explicit Words(nn::Bag bag) : table(add("table", nn::Embedding(11, 4, {.bag = bag}))) {}
    Tensor operator()(const Tensor& x) const { return output(table(x)); }
  };
  struct Attention : nn::Module {  // products of batches of matrices
    nn::Linear q = add("q", nn::Linear(4, 4)), k = add("k", nn::Linear(4, 4));
    Tensor operator()(const Tensor& x) const {
      const Tensor weights = softmax(matmul(q(x), k(x), false, true) / 2.0);
      return sum(matmul(weights, x), {1}) + mean(x, {1}) - prod(x, {1}) * 1e-3;
    }
  };
  struct Statistics : nn::Module {
    nn::Linear a = add("a", nn::Linear(5, 5));
    Tensor operator()(const Tensor& x) const {
      const Tensor y = a(x);
      return stack({xgrad::max(y, {1}), xgrad::min(y, {1}), logsumexp(y, {1}), norm(y, {1}), var(y, {1})}, 1);
    }
  };
  const nn::GraphDescription graph = {
      .inputs = {"a", "b"},
      .nodes = {{"y"}, {"s", softplus}, {"h", tanh}, {"g", sigmoid}},
      .edges = {{"h", "y"}, {"a", "h"}, {"b", "h"}, {"a", "y"}, {"s", "y"}, {"h", "s"}, {"b", "g"}, {"g", "s"}},
      .outputs = {"y", "g"}};
  Generator generator(1);
  const auto after = [](const auto& layer) { return nn::Sequential(nn::Linear(6, 6), layer, nn::Linear(6, 3)); };
  return {
      exported_model("linear", nn::Linear(6, 3), {6}),
      exported_model("linear_without_bias", nn::Linear(6, 3, {.bias = false}), {6}),
      exported_model("linear_of_rows", nn::Linear(6, 3), {4, 6}),
      exported_model("flatten", nn::Sequential(nn::Flatten(), nn::Linear(12, 3)), {3, 4}),
      exported_model("relu", after(nn::ReLU()), {6}),
      exported_model("leaky_relu", after(nn::LeakyReLU(0.1)), {6}),
      exported_model("prelu", after(nn::PReLU()), {6}),
      exported_model("prelu_of_features", after(nn::PReLU(6)), {6}),
      exported_model("elu", after(nn::ELU(0.7)), {6}),
      exported_model("swish", after(nn::Swish()), {6}),
      exported_model("swish_with_factor", after(nn::Swish(1.5)), {6}),
      exported_model("sigmoid", after(nn::Sigmoid(2)), {6}),
      exported_model("tanh", after(nn::Tanh()), {6}),
      exported_model("hard_tanh", after(nn::HardTanh()), {6}),
      exported_model("mish", after(nn::Mish()), {6}),
      exported_model("softplus", after(nn::Softplus()), {6}),
      exported_model("log_sigmoid", after(nn::LogSigmoid()), {6}),
      exported_model("step", after(nn::Step()), {6}),
      exported_model("identity", after(nn::Identity()), {6}),
      exported_model("maxout", nn::Sequential(nn::Linear(6, 8), nn::Maxout(4), nn::Linear(2, 3)), {6}),
      exported_model("dropout", after(nn::Dropout(0.5)), {6}),
      exported_model("softmax", nn::Sequential(nn::Linear(6, 5), nn::Softmax()), {6}),
      exported_model("softmax_of_rows", nn::Sequential(nn::Linear(6, 5), nn::Softmax(1)), {4, 6}),
      exported_model("log_softmax", nn::Sequential(nn::Linear(6, 5), nn::LogSoftmax()), {6}),
      exported_model("batch_norm", after(nn::BatchNorm(6)), {6}),
      exported_model("batch_norm_of_rows", nn::BatchNorm(6), {4, 6}),
      exported_model("layer_norm", after(nn::LayerNorm(6)), {6}),
      exported_model("embedding", Words(nn::Bag::none), {5}, int64, 11),
      exported_model("embedding_sum", Words(nn::Bag::sum), {5}, int64, 11),
      exported_model("embedding_mean", Words(nn::Bag::mean), {5}, int64, 11),
      exported_model("network_graph", nn::NetworkGraph(graph, generator), {2}),
      exported_model("residual", Residual(), {6}),
      exported_model("attention", Attention(), {3, 4}),
      exported_model("statistics", Statistics(), {5}),
  };
}

/// Whether results agree to 1e-5 of the largest number of all.
inline double relative_difference(const xgrad::Tensor& found, const xgrad::Tensor& expected) {
  double largest = 0;
  for (const double value : expect::values(expected)) largest = std::max(largest, std::abs(value));
  return expect::difference(found, expected) / largest;
}
