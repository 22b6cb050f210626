// refused: the model's operator() is not const: write `Tensor operator()(const Tensor& x) const`
// lines: 20
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

using namespace xgrad;

struct Net : nn::Module {
  nn::Linear layer = add("layer", nn::Linear(2, 1));
  Tensor operator()(const Tensor& x) { return layer(x); }
};

void train(Net& net, nn::Optimizer& optimizer, const nn::Dataset& data) { nn::fit(net, nn::mse, optimizer, data); }
