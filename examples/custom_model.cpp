/// A custom model: an own module, pointwise operation and Operation with a hand-written adjoint, all checked.

#include <autograd/autograd.hpp>
#include <autograd/check/gradient_check.hpp>
#include <autograd/pointwise.hpp>
#include <autograd/xtensor.hpp>
#include <nn/inspection/gradient_check.hpp>
#include <nn/nn.hpp>

#include "command_line.hpp"
#include "training.hpp"

#include <iostream>
#include <iterator>
#include <numeric>
#include <vector>
#include <xtensor/xmath.hpp>

using namespace xgrad;

namespace {

/// An own elementwise function: one lambda. Its first and second derivatives come for free.
Tensor quick_gelu(const Tensor& x) {
  return pointwise(
      "quick_gelu", [](auto a) { return a * sigmoid(1.702 * a); }, x);
}

/// An own operation: y_i = Σ_j≤i x_j along the last axis, with its adjoint written by hand: dx_j = Σ_i≥j g_i.
/// In float64 for both dtypes; the forward is an xtensor expression over a view of the tensor, without a copy.
struct CumulativeSum : Operation {
  std::string_view name() const override { return "cumulative_sum"; }
  OperationTraits traits() const override { return {.saved_inputs = Which::none(), .saved_outputs = Which::none()}; }

  Tensors forward(const Inputs& inputs) override {
    const DType dtype = common_floating_dtype(name(), inputs);
    const Tensor x = inputs[0].to(float64);
    return from_xtensor(xt::cumsum(as_xtensor<double>(x), static_cast<std::ptrdiff_t>(x.rank()) - 1)).to(dtype);
  }
  Tensors vjp(const Call& call) const override {
    const Tensor g = call.cotangent().to(float64);
    xt::xarray<double> dx = as_xtensor<double>(g);
    const auto n = static_cast<std::ptrdiff_t>(dx.shape().back());
    for (double* row = dx.data(); row != dx.data() + dx.size(); row += n) {
      const std::reverse_iterator last(row + n), first(row);
      std::partial_sum(last, first, last);
    }
    return from_xtensor(std::move(dx)).to(call.cotangent().dtype());
  }
};

Tensor cumulative_sum(const Tensor& x) { return apply_operation(CumulativeSum(), x); }

/// An own module: members and a function.
struct Net : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(6, 16));
  nn::Linear output = add("output", nn::Linear(16, 3));
  nn::Registered scale = parameter("scale", ones({16}));

  Tensor operator()(const Tensor& x) const { return output(quick_gelu(hidden(cumulative_sum(x))) * scale); }
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t random_seed = 1;
  std::int64_t epochs = 300;
  double learning_rate = 0.1;
  examples::CommandLine line("custom_model", "builds, checks and trains a model with operations of its own");
  line.seed(random_seed);
  line.epochs(epochs);
  line.learning_rate(learning_rate);
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    const Tensor x = normal({64, 6});
    const Tensor y = argmax(slice(x, 1, 0, 3) + slice(x, 1, 3, 6), 1);  // a rule to learn

    // 1. The operations' gradients, against central differences in float64.
    const GradientReport of_quick_gelu =
        check_gradients([](const auto& in) { return sum(quick_gelu(in[0])); }, {normal({5})});
    const GradientReport of_sum =
        check_gradients([](const auto& in) { return sum(square(cumulative_sum(in[0]))); }, {normal({2, 5})});

    // 2. The whole model's, parameter by parameter.
    Net net;
    const GradientReport of_net = check_gradients(net, nn::cross_entropy, x, y);
    line.out() << "quick_gelu\n" << of_quick_gelu << "\ncumulative_sum\n" << of_sum << "\nmodel\n" << of_net << '\n';
    of_quick_gelu.require();
    of_sum.require();
    of_net.require();

    // 3. Training.
    nn::SGD optimizer(net.parameters(), {.learning_rate = learning_rate, .momentum = 0.9});
    double loss_value = 0;
    const std::vector<nn::CheckpointPart> parts = {{"net", net}, {"optimizer", optimizer}, {"loss", loss_value}};
    checkpoints.repeat(epochs, parts, [&](std::int64_t epoch) {
      Tape tape;
      const Tensor loss = nn::cross_entropy(net(x), y);
      if (epoch == 0) line.out() << "what the tape recorded\n" << tape << '\n';
      loss_value = loss.item();
      optimizer.step(tape.backward(loss));
    });
    const double accuracy = nn::accuracy(net(x), y);
    line.out() << "loss " << loss_value << ", accuracy " << accuracy << '\n';
    line.result("loss", loss_value);
    line.result("accuracy", accuracy);
  });
}
