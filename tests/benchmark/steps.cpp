// xgrad's side of the benchmark: the workloads as its users write them.

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <tbb/global_control.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <span>

#include "measure.hpp"
#include "operations.hpp"

using namespace xgrad;

namespace {

using benchmark::Options;
using benchmark::Work;
using benchmark::Workload;

template <class T>
Tensor from(const std::vector<T>& values, const Shape& shape, DType dtype = DType::float32) {
  return tensor(std::vector<double>(values.begin(), values.end()), shape, dtype);
}

Tensor draw(const Shape& shape, double low, double high, std::uint32_t seed) {
  return from(benchmark::numbers(shape.elements(), low, high, seed), shape);
}

double absolute_sum(const Tensor& x) {
  double total = 0;
  const Tensor exact = x.to(float64);
  for (const double value : exact.values<double>()) total += std::abs(value);
  return total;
}

struct Network : nn::Module {
  std::vector<nn::Linear> layers;

  explicit Network(const std::vector<int>& widths) {
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      layers.push_back(add("layer" + std::to_string(i), nn::Linear(widths[i], widths[i + 1])));
      const double bound = benchmark::weight_bound(widths[i]);
      layers[i].weight.assign(draw(layers[i].weight.shape(), -bound, bound, static_cast<std::uint32_t>(i)));
      layers[i].bias.assign(zeros(layers[i].bias.shape()));
    }
  }
  Tensor operator()(const Tensor& x) const {
    Tensor y = layers[0](x);
    for (std::size_t i = 1; i < layers.size(); ++i) y = layers[i](relu(y));
    return y;
  }
};

struct Training {
  Network network;
  nn::SGD optimizer;

  Training(const std::vector<int>& widths, double rate)
      : network(widths), optimizer(network.parameters(), {.learning_rate = rate, .momentum = benchmark::momentum}) {}

  void step(const Tensor& x, const Tensor& labels) {
    Tape tape;
    optimizer.step(tape.backward(nn::cross_entropy(network(x), labels)));
  }
};

Work training_step(const Workload& workload) {
  const auto training = std::make_shared<Training>(workload.widths, benchmark::learning_rate);
  const Tensor x = draw({workload.size, workload.widths.front()}, -1, 1, 1);
  const Tensor labels = from(benchmark::indices(static_cast<std::size_t>(workload.size), workload.widths.back(), 2),
                             {workload.size}, DType::int64);
  return {[training, x, labels] { training->step(x, labels); },
          [training, x, labels] {
            Tape tape;
            const Tensor loss = nn::cross_entropy(training->network(x), labels);
            const Gradients gradients = tape.backward(loss);
            double total = loss.item();
            for (const Tensor& parameter : training->network.parameters()) total += absolute_sum(gradients[parameter]);
            return total;
          }};
}

/// Forward and backward from what `forward` makes of the inputs to the gradients of those that need one.
template <class Forward>
Work forward_backward(const std::vector<Tensor>& inputs, Forward forward) {
  return {[=] {
            Tape tape;
            static_cast<void>(tape.backward(forward(inputs)));
          },
          [=] {
            Tape tape;
            const Tensor y = forward(inputs);
            const Gradients gradients = tape.backward(y);
            double total = std::abs(y.item());
            for (const Tensor& x : inputs)
              if (gradients.contains(x)) total += absolute_sum(gradients[x]);
            return total;
          }};
}

Work sin_chain(const Workload& workload) {
  Tensor x = tensor(0.5);
  x.requires_gradient();
  return forward_backward({x}, [length = workload.repeats](const std::vector<Tensor>& inputs) {
    Tensor y = inputs[0];
    for (int i = 0; i < length; ++i) y = sin(y);
    return y;
  });
}

Work multiply_add_chain(const Workload& workload) {
  Tensor x = draw({workload.size}, 0, 0.5, 1);
  x.requires_gradient();
  return forward_backward({x}, [length = workload.repeats](const std::vector<Tensor>& inputs) {
    const Tensor& factor = inputs[0];
    Tensor y = factor;
    for (int i = 0; i < length; ++i) y = y * factor + factor;
    return sum(y);
  });
}

Tensor make(const benchmark::Argument& argument, std::uint32_t seed) {
  using Type = benchmark::Argument::Type;
  const Shape shape(argument.shape);
  if (argument.type == Type::index)
    return from(benchmark::indices(argument.elements(), static_cast<std::int64_t>(argument.high), seed), shape,
                DType::int64);
  if (argument.type == Type::condition) return from(benchmark::indices(argument.elements(), 2, seed), shape);
  Tensor x = draw(shape, argument.low, argument.high, seed);
  if (argument.type == Type::real) x.requires_gradient();
  return x;
}

Work operation(const Workload& workload) {
  const auto found = benchmark::functions().find(workload.operation);
  if (found == benchmark::functions().end()) return {};
  std::vector<Tensor> inputs;
  for (const benchmark::Argument& argument : workload.arguments)
    inputs.push_back(make(argument, static_cast<std::uint32_t>(inputs.size())));
  const Axes axes(std::vector<std::int64_t>(workload.axes.begin(), workload.axes.end()));
  return forward_backward(inputs, [function = found->second, axes](const std::vector<Tensor>& x) {
    const Tensor y = function(x, axes);
    return y.rank() == 0 ? y : sum(y);
  });
}

Work optimizer_step(const Workload& workload) {
  std::vector<Tensor> parameters;
  Tape tape;
  Tensor loss = tensor(0.0, DType::float32);
  for (std::uint32_t i = 0; i < 4; ++i) {
    parameters.push_back(draw({workload.size / 4 / 100, 100}, -1, 1, i));
    parameters.back().requires_gradient();
    loss = loss + sum(parameters.back() * draw(parameters.back().shape(), -1, 1, i + 4));
  }
  const auto optimizer = std::make_shared<nn::SGD>(
      parameters, nn::SGDOptions{.learning_rate = benchmark::learning_rate, .momentum = benchmark::momentum});
  const auto gradients = std::make_shared<Gradients>(tape.backward(loss));
  return {[optimizer, gradients] { optimizer->step(*gradients); },
          [parameters] {
            double total = 0;
            for (const Tensor& parameter : parameters) total += absolute_sum(parameter);
            return total;
          }};
}

template <class Optimizer>
Work rows_of_table(const Workload& workload, double rate) {
  Tensor table = draw({workload.widths[0], workload.widths[1]}, -1, 1, 1);
  table.requires_gradient();
  const auto optimizer = std::make_shared<Optimizer>(std::vector<Tensor>{table});
  optimizer->learning_rate(rate);
  const Tensor ids = from(benchmark::indices(static_cast<std::size_t>(workload.size), workload.widths[0], 2),
                          {workload.size}, DType::int64);
  const auto loss = [table, ids] { return 0.5 * sum(square(take(table, ids))); };
  return {[optimizer, loss] {
            Tape tape;
            optimizer->step(tape.backward(loss()));
          },
          [table, loss] {
            Tape tape;
            const Tensor value = loss();
            return value.item() + absolute_sum(tape.backward(value)[table]);
          }};
}

Work generator_step(const Workload& workload) {
  const auto generator = std::make_shared<Network>(workload.widths);
  const auto critic = std::make_shared<Network>(benchmark::critic_widths);
  const Tensor noise = draw({workload.size, workload.widths.front()}, -1, 1, 3);
  const BackwardOptions options = {
      .keep = true, .only = workload.operation == "only" ? generator->parameters() : std::vector<Tensor>{}};
  const auto tape = std::make_shared<Tape>();
  const Tensor loss = -mean((*critic)((*generator)(noise)));
  return {[=] { static_cast<void>(tape->backward(loss, options)); },
          [=] {
            const Gradients gradients = tape->backward(loss, options);
            double total = std::abs(loss.item());
            for (const auto& network : {generator, critic})
              for (const Tensor& x : network->parameters())
                if (gradients.contains(x)) total += absolute_sum(gradients[x]);
            return total;
          }};
}

struct Rows {
  std::shared_ptr<Network> network;
  Tensor x, labels;

  explicit Rows(const Workload& workload)
      : network(std::make_shared<Network>(workload.widths)),
        x(draw({workload.size, workload.widths.front()}, -1, 1, 1)),
        labels(from(benchmark::indices(static_cast<std::size_t>(workload.size), workload.widths.back(), 2),
                    {workload.size}, DType::int64)) {}

  /// Of PerExampleGradients or Gradients.
  double total(const auto& gradients) const {
    double sum = 0;
    for (const Tensor& parameter : network->parameters()) sum += absolute_sum(gradients[parameter]);
    return sum;
  }
};

Work example_gradients(const Workload& workload) {
  const Rows rows(workload);
  const auto each = [rows] { return nn::per_example_gradients(*rows.network, nn::cross_entropy, rows.x, rows.labels); };
  if (workload.operation == "norms")
    return {[=] { static_cast<void>(each().norms()); }, [=] { return absolute_sum(each().norms()); }};
  return {[=] {
            const nn::PerExampleGradients gradients = each();
            for (const Tensor& parameter : rows.network->parameters()) static_cast<void>(gradients[parameter]);
          },
          [=] { return rows.total(each()); }};
}

Work batch_gradients(const Workload& workload) {
  const Rows rows(workload);
  const auto all = [rows] {
    Tape tape;
    return tape.backward(nn::cross_entropy((*rows.network)(rows.x), rows.labels));
  };
  return {[=] { static_cast<void>(all()); }, [=] { return rows.total(all()); }};
}

Work hessian_product(const Workload& workload) {
  const Rows rows(workload);
  std::vector<Tensor> v;
  for (const Tensor& parameter : rows.network->parameters())
    v.push_back(draw(parameter.shape(), -1, 1, static_cast<std::uint32_t>(10 + v.size())));
  const auto product = [rows, v] {
    return nn::hessian_vector_product(*rows.network, nn::cross_entropy, rows.x, rows.labels, v);
  };
  return {[=] { static_cast<void>(product()); },
          [=] {
            double total = 0;
            for (const Tensor& x : product()) total += absolute_sum(x);
            return total;
          }};
}

Work gradient_penalty(const Workload& workload) {
  const auto critic = std::make_shared<Network>(workload.widths);
  const Tensor x = draw({workload.size, workload.widths.front()}, -1, 1, 3);
  const auto penalty = [critic, x] {
    const Tensor slope = gradient([&](const Tensor& v) { return sum((*critic)(v)); }, x);
    return mean(square(norm(slope, 1) - 1.0));
  };
  return {[=] {
            Tape tape;
            static_cast<void>(tape.backward(penalty()));
          },
          [=] {
            Tape tape;
            const Tensor value = penalty();
            const Gradients gradients = tape.backward(value);
            double total = value.item();
            for (const Tensor& parameter : critic->parameters())
              if (gradients.contains(parameter)) total += absolute_sum(gradients[parameter]);
            return total;
          }};
}

/// As examples/pinn.cpp.
struct Poisson {
  struct Net : nn::Module {
    nn::Linear hidden, output;
    explicit Net(std::int64_t units)
        : hidden(add("hidden", nn::Linear(1, units))), output(add("output", nn::Linear(units, 1))) {
      hidden.weight.assign(draw(hidden.weight.shape(), -4, 4, 0).to(float64));
      hidden.bias.assign(draw(hidden.bias.shape(), -4, 4, 1).to(float64));
      output.weight.assign(draw(output.weight.shape(), -1, 1, 2).to(float64));
      output.bias.assign(zeros(output.bias.shape(), float64));
    }
    Tensor operator()(const Tensor& v) const { return output(tanh(hidden(v))); }
  };
  DefaultDType doubles{float64};
  std::shared_ptr<Net> net;
  Tensor x;

  explicit Poisson(const Workload& workload)
      : net(std::make_shared<Net>(workload.widths[1])),
        x(reshape(arange(workload.size, float64) / (workload.size - 1.0), {workload.size, 1})) {}

  auto curvature() const {
    return [model = net, points = x] {
      const auto u = [&](const Tensor& v) { return sum(v * (1.0 - v) * (*model)(v)); };
      const auto slope = [&](const Tensor& v) { return sum(gradient(u, v)); };
      return gradient(slope, points);
    };
  }
};

Work curvature(const Workload& workload) {
  const auto second = Poisson(workload).curvature();
  return {[=] { static_cast<void>(second()); }, [=] { return absolute_sum(second()); }};
}

Work poisson(const Workload& workload) {
  const Poisson problem(workload);
  const std::shared_ptr<Poisson::Net>& net = problem.net;
  const auto optimizer = std::make_shared<nn::Adam>(net->parameters());
  optimizer->learning_rate(benchmark::learning_rate);
  const double pi = std::acos(-1.0);
  const Tensor source = pi * pi * (sin(pi * problem.x) + 2.25 * sin(3 * pi * problem.x));
  const auto loss = [second = problem.curvature(), source] { return mean(square(second() + source)); };
  return {[=] {
            Tape tape;
            optimizer->step(tape.backward(loss()));
          },
          [=] {
            Tape tape;
            const Tensor value = loss();
            const Gradients gradients = tape.backward(value);
            double total = value.item();
            for (const Tensor& parameter : net->parameters()) total += absolute_sum(gradients[parameter]);
            return total;
          }};
}

nn::Dataset standardized(const nn::Dataset& images) {
  return {images.inputs().rescale(1 / (255 * benchmark::pixel_deviation),
                                  -benchmark::pixel_mean / benchmark::pixel_deviation),
          images.targets()};
}

Work fashion_mnist(const Workload& workload, const std::string& directory) {
  const auto training = std::make_shared<Training>(workload.widths, benchmark::fashion_rate(0));
  const nn::Dataset train = standardized(nn::fashion_mnist(nn::Split::train, directory));
  const nn::Dataset test = standardized(nn::fashion_mnist(nn::Split::test, directory));
  const auto epoch = [training, train, batch = static_cast<std::size_t>(workload.size), number = 0]() mutable {
    training->optimizer.learning_rate(benchmark::fashion_rate(number));
    const auto order =
        benchmark::epoch_order(static_cast<std::size_t>(train.size()), static_cast<std::uint32_t>(number++));
    for (std::size_t first = 0; first < order.size(); first += batch) {
      const auto [x, labels] = train.take(std::span(order).subspan(first, std::min(batch, order.size() - first)));
      training->step(x, labels);
    }
  };
  return {epoch, [training, test] {
            return nn::evaluate(training->network, nn::cross_entropy, test, {.metrics = {{"accuracy", nn::accuracy}}})
                .metrics[0];
          }};
}

Work make(const Workload& workload, const Options& options) {
  switch (workload.kind) {
    case benchmark::Kind::training_step:
      return training_step(workload);
    case benchmark::Kind::sin_chain:
      return sin_chain(workload);
    case benchmark::Kind::multiply_add_chain:
      return multiply_add_chain(workload);
    case benchmark::Kind::operation:
      return operation(workload);
    case benchmark::Kind::optimizer_step:
      return optimizer_step(workload);
    case benchmark::Kind::rows_of_table:
      return workload.operation == "Adam" ? rows_of_table<nn::Adam>(workload, benchmark::learning_rate)
                                          : rows_of_table<nn::SGD>(workload, benchmark::learning_rate);
    case benchmark::Kind::generator_step:
      return generator_step(workload);
    case benchmark::Kind::example_gradients:
      return example_gradients(workload);
    case benchmark::Kind::batch_gradients:
      return batch_gradients(workload);
    case benchmark::Kind::hessian_product:
      return hessian_product(workload);
    case benchmark::Kind::gradient_penalty:
      return gradient_penalty(workload);
    case benchmark::Kind::curvature:
      return curvature(workload);
    case benchmark::Kind::poisson:
      return poisson(workload);
    case benchmark::Kind::fashion_mnist:
      return fashion_mnist(workload, options.data);
  }
  throw std::logic_error("no such kind of workload");
}

}  // namespace

int main(int argc, char** argv) {
  return benchmark::run(argc, argv, [](const Workload& workload, const Options& options) {
    // The number of threads stays for the program's life: it is one for all workloads of a call.
    static const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                           static_cast<std::size_t>(options.threads));
    return make(workload, options);
  });
}
