// xgrad's side of the benchmark: the workloads as its users write them.

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <tbb/global_control.h>

#include <cstdint>
#include <memory>
#include <random>

#include "measure.hpp"

using namespace xgrad;

namespace {

template <class Distribution>
Tensor draw(const Shape& shape, Distribution distribution, DType dtype = DType::float32) {
  std::mt19937 generator(1);
  std::vector<double> values(shape.elements());
  for (double& value : values) value = static_cast<double>(distribution(generator));
  return tensor(values, shape, dtype);
}

struct Network : nn::Module {
  std::vector<nn::Linear> layers;

  explicit Network(const std::vector<int>& widths) {
    for (std::size_t i = 0; i + 1 < widths.size(); ++i)
      layers.push_back(add("layer" + std::to_string(i), nn::Linear(widths[i], widths[i + 1])));
  }
  Tensor operator()(const Tensor& x) const {
    Tensor y = layers[0](x);
    for (std::size_t i = 1; i < layers.size(); ++i) y = layers[i](relu(y));
    return y;
  }
};

std::function<void()> training_step(const benchmark::Workload& workload) {
  const auto network = std::make_shared<Network>(workload.widths);
  const std::shared_ptr<nn::SGD> optimizer(
      new nn::SGD(network->parameters(), {.learning_rate = benchmark::learning_rate, .momentum = benchmark::momentum}));
  const Tensor x = draw({workload.size, workload.widths.front()}, std::normal_distribution<float>());
  const Tensor labels =
      draw({workload.size}, std::uniform_int_distribution<int>(0, workload.widths.back() - 1), DType::int64);

  return [network, optimizer, x, labels] {
    Tape tape;
    const Tensor loss = nn::cross_entropy((*network)(x), labels);
    optimizer->step(tape.backward(loss));
  };
}

std::function<void()> sin_chain(const benchmark::Workload& workload) {
  Tensor x = tensor(0.5);
  x.requires_gradient();
  return [x, length = workload.repeats] {
    Tape tape;
    Tensor y = x;
    for (int i = 0; i < length; ++i) y = sin(y);
    static_cast<void>(tape.backward(y));
  };
}

std::function<void()> multiply_add_chain(const benchmark::Workload& workload) {
  Tensor x = draw({workload.size}, std::uniform_real_distribution<float>(0, 0.5F));
  x.requires_gradient();
  return [x, length = workload.repeats] {
    Tape tape;
    Tensor y = x;
    for (int i = 0; i < length; ++i) y = y * x + x;
    static_cast<void>(tape.backward(sum(y)));
  };
}

std::function<void()> make_step(const benchmark::Workload& workload) {
  switch (workload.kind) {
    case benchmark::Kind::training_step:
      return training_step(workload);
    case benchmark::Kind::sin_chain:
      return sin_chain(workload);
    case benchmark::Kind::multiply_add_chain:
      return multiply_add_chain(workload);
  }
  throw std::logic_error("no such kind of workload");
}

}  // namespace

int main(int argc, char** argv) {
  return benchmark::run(argc, argv, [](const benchmark::Workload& workload, int threads, double seconds) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
    return benchmark::measure(make_step(workload), seconds);
  });
}
