// LibTorch's side of the benchmark: the workloads as its users write them, each in the fastest way that we found.

#include <torch/torch.h>

#include <cmath>

#include "libtorch_operations.hpp"
#include "measure.hpp"

namespace {

using benchmark::Options;
using benchmark::Work;
using benchmark::Workload;

torch::Tensor draw(const std::vector<std::int64_t>& shape, double low, double high, std::uint32_t seed) {
  std::vector<float> values = benchmark::numbers(benchmark::Argument{shape}.elements(), low, high, seed);
  return torch::from_blob(values.data(), shape).clone();
}

torch::Tensor draw_indices(const std::vector<std::int64_t>& shape, std::int64_t end, std::uint32_t seed) {
  std::vector<std::int64_t> values = benchmark::indices(benchmark::Argument{shape}.elements(), end, seed);
  return torch::from_blob(values.data(), shape, torch::kLong).clone();
}

double absolute_sum(const torch::Tensor& x) { return x.to(torch::kDouble).abs().sum().item<double>(); }

struct Training {
  std::vector<torch::nn::Linear> layers;  // plain calls: torch::nn::Sequential costs a little more
  std::vector<torch::Tensor> parameters;
  std::unique_ptr<torch::optim::SGD> optimizer;

  Training(const std::vector<int>& widths, double rate) {
    const torch::NoGradGuard no_gradients;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      layers.emplace_back(widths[i], widths[i + 1]);
      const double bound = benchmark::weight_bound(widths[i]);
      layers[i]->weight.copy_(draw({widths[i], widths[i + 1]}, -bound, bound, static_cast<std::uint32_t>(i)).t());
      layers[i]->bias.zero_();
      for (auto& parameter : layers.back()->parameters()) parameters.push_back(parameter);
    }
    optimizer =
        std::make_unique<torch::optim::SGD>(parameters, torch::optim::SGDOptions(rate).momentum(benchmark::momentum));
  }

  torch::Tensor predict(const torch::Tensor& x) {
    torch::Tensor y = layers[0](x);
    for (std::size_t i = 1; i < layers.size(); ++i) y = layers[i](torch::relu(y));
    return y;
  }

  torch::Tensor step(const torch::Tensor& x, const torch::Tensor& labels) {
    for (auto& parameter : parameters) parameter.mutable_grad() = torch::Tensor();  // 3 % faster than zero_grad()
    torch::Tensor loss = torch::nn::functional::cross_entropy(predict(x), labels);
    loss.backward();
    optimizer->step();
    return loss;
  }
};

Work training_step(const Workload& workload) {
  const auto training = std::make_shared<Training>(workload.widths, benchmark::learning_rate);
  const auto x = draw({workload.size, workload.widths.front()}, -1, 1, 1);
  const auto labels = draw_indices({workload.size}, workload.widths.back(), 2);
  return {[training, x, labels] { training->step(x, labels); },
          [training, x, labels] {
            double total = training->step(x, labels).item<double>();
            for (const auto& parameter : training->parameters) total += absolute_sum(parameter.grad());
            return total;
          }};
}

/// Forward and backward from what `forward` makes of the inputs to the gradients of those that need one.
template <class Forward>
Work forward_backward(const std::vector<torch::Tensor>& inputs, Forward forward) {
  std::vector<torch::Tensor> variables;
  for (const auto& x : inputs)
    if (x.requires_grad()) variables.push_back(x);
  // A gradient may come as a view of one number, of a sum for instance: written out, as ours and Tensor::grad are.
  return {[=] {
            for (const torch::Tensor& gradient : torch::autograd::grad({forward(inputs)}, variables))
              static_cast<void>(gradient.contiguous());
          },
          [=] {
            const torch::Tensor y = forward(inputs);
            double total = absolute_sum(y.detach());
            for (const auto& gradient : torch::autograd::grad({y}, variables)) total += absolute_sum(gradient);
            return total;
          }};
}

Work sin_chain(const Workload& workload) {
  return forward_backward({torch::full({}, 0.5).requires_grad_()},
                          [length = workload.repeats](const std::vector<torch::Tensor>& inputs) {
                            torch::Tensor y = inputs[0];
                            for (int i = 0; i < length; ++i) y = torch::sin(y);
                            return y;
                          });
}

Work multiply_add_chain(const Workload& workload) {
  return forward_backward({draw({workload.size}, 0, 0.5, 1).requires_grad_()},
                          [length = workload.repeats](const std::vector<torch::Tensor>& inputs) {
                            const torch::Tensor& x = inputs[0];
                            torch::Tensor y = x;
                            for (int i = 0; i < length; ++i) y = y * x + x;
                            return y.sum();
                          });
}

torch::Tensor make(const benchmark::Argument& argument, std::uint32_t seed) {
  using Type = benchmark::Argument::Type;
  if (argument.type == Type::index) return draw_indices(argument.shape, static_cast<std::int64_t>(argument.high), seed);
  if (argument.type == Type::condition) return draw_indices(argument.shape, 2, seed).to(torch::kBool);
  return draw(argument.shape, argument.low, argument.high, seed).requires_grad_(argument.type == Type::real);
}

Work operation(const Workload& workload) {
  const auto found = benchmark::functions().find(workload.operation);
  if (found == benchmark::functions().end()) return {};
  std::vector<torch::Tensor> inputs;
  for (const auto& argument : workload.arguments)
    inputs.push_back(make(argument, static_cast<std::uint32_t>(inputs.size())));
  const benchmark::Axes axes(workload.axes.begin(), workload.axes.end());
  return forward_backward(inputs, [function = found->second, axes](const std::vector<torch::Tensor>& x) {
    const torch::Tensor y = function(x, axes);
    return y.dim() == 0 ? y : y.sum();
  });
}

Work optimizer_step(const Workload& workload) {
  std::vector<torch::Tensor> parameters;
  for (std::uint32_t i = 0; i < 4; ++i) {
    const std::vector<std::int64_t> shape = {workload.size / 4 / 100, 100};
    parameters.push_back(draw(shape, -1, 1, i).requires_grad_());
    parameters.back().mutable_grad() = draw(shape, -1, 1, i + 4);
  }
  const auto optimizer = std::make_shared<torch::optim::SGD>(
      parameters, torch::optim::SGDOptions(benchmark::learning_rate).momentum(benchmark::momentum));
  return {[optimizer] { optimizer->step(); },
          [parameters] {
            double total = 0;
            for (const auto& parameter : parameters) total += absolute_sum(parameter.detach());
            return total;
          }};
}

/// LibTorch's optimizers take the gradient of rows in SGD alone.
Work rows_of_table(const Workload& workload) {
  if (workload.operation != "SGD") return {};
  const auto table = draw({workload.widths[0], workload.widths[1]}, -1, 1, 1).requires_grad_();
  const auto ids = draw_indices({workload.size}, workload.widths[0], 2);
  const auto optimizer = std::make_shared<torch::optim::SGD>(std::vector<torch::Tensor>{table},
                                                             torch::optim::SGDOptions(benchmark::learning_rate));
  const auto loss = [table, ids] { return 0.5 * torch::embedding(table, ids, -1, false, true).square().sum(); };
  return {[table, optimizer, loss] {
            table.mutable_grad() = torch::Tensor();
            loss().backward();
            optimizer->step();
          },
          [table, loss] {
            table.mutable_grad() = torch::Tensor();
            const torch::Tensor value = loss();
            value.backward();
            return value.item<double>() + absolute_sum(table.grad().coalesce().values());
          }};
}

Work generator_step(const Workload& workload) {
  const auto generator = std::make_shared<Training>(workload.widths, benchmark::learning_rate);
  const auto critic = std::make_shared<Training>(benchmark::critic_widths, benchmark::learning_rate);
  const auto noise = draw({workload.size, workload.widths.front()}, -1, 1, 3);
  std::vector<torch::Tensor> variables = generator->parameters;
  if (workload.operation == "all")
    variables.insert(variables.end(), critic->parameters.begin(), critic->parameters.end());
  const torch::Tensor loss = -critic->predict(generator->predict(noise)).mean();
  const auto sweep = [loss, variables] { return torch::autograd::grad({loss}, variables, {}, true); };
  return {[sweep] { sweep(); },
          [loss, sweep] {
            double total = std::abs(loss.item<double>());
            for (const auto& gradient : sweep()) total += absolute_sum(gradient);
            return total;
          }};
}

/// Gradients of each example, for which LibTorch has no vmap, or of the batch.
Work gradients_without_step(const Workload& workload, bool each) {
  const auto training = std::make_shared<Training>(workload.widths, benchmark::learning_rate);
  const auto x = draw({workload.size, workload.widths.front()}, -1, 1, 1);
  const auto labels = draw_indices({workload.size}, workload.widths.back(), 2);
  const std::int64_t rows = each ? 1 : workload.size;
  const auto pass = [=](std::int64_t first) {
    const torch::Tensor y = training->predict(x.slice(0, first, first + rows));
    return torch::autograd::grad({torch::nn::functional::cross_entropy(y, labels.slice(0, first, first + rows))},
                                 training->parameters);
  };
  const auto norm = [](const std::vector<torch::Tensor>& gradients) {
    torch::Tensor total = torch::zeros({});
    for (const auto& gradient : gradients) total = total + gradient.square().sum();
    return total.sqrt();
  };
  const bool norms = workload.operation == "norms";
  return {[=] {
            for (std::int64_t first = 0; first < workload.size; first += rows)
              if (const auto gradients = pass(first); norms) norm(gradients);
          },
          [=] {
            double total = 0;
            for (std::int64_t first = 0; first < workload.size; first += rows) {
              const auto gradients = pass(first);
              if (norms) total += norm(gradients).item<double>();
              for (std::size_t i = 0; i < gradients.size() && !norms; ++i) total += absolute_sum(gradients[i]);
            }
            return total;
          }};
}

Work hessian_product(const Workload& workload) {
  const auto training = std::make_shared<Training>(workload.widths, benchmark::learning_rate);
  const auto x = draw({workload.size, workload.widths.front()}, -1, 1, 1);
  const auto labels = draw_indices({workload.size}, workload.widths.back(), 2);
  std::vector<torch::Tensor> v;
  for (const auto& parameter : training->parameters) {
    // Ours are (in, out), in the same order.
    const auto shape = parameter.sizes().vec();
    const auto seed = static_cast<std::uint32_t>(10 + v.size());
    v.push_back(shape.size() == 2 ? draw({shape[1], shape[0]}, -1, 1, seed).t() : draw(shape, -1, 1, seed));
  }
  const auto product = [=] {
    const torch::Tensor loss = torch::nn::functional::cross_entropy(training->predict(x), labels);
    return torch::autograd::grad(torch::autograd::grad({loss}, training->parameters, {}, true, true),
                                 training->parameters, v);
  };
  return {[=] { product(); },
          [=] {
            double total = 0;
            for (const auto& y : product()) total += absolute_sum(y);
            return total;
          }};
}

Work gradient_penalty(const Workload& workload) {
  const auto critic = std::make_shared<Training>(workload.widths, benchmark::learning_rate);
  const auto x = draw({workload.size, workload.widths.front()}, -1, 1, 3).requires_grad_();
  const auto penalty = [=] {
    const torch::Tensor slope = torch::autograd::grad({critic->predict(x).sum()}, {x}, {}, true, true)[0];
    return (slope.norm(2, 1) - 1).square().mean();
  };
  const auto gradients = [=](const torch::Tensor& value) {
    return torch::autograd::grad({value}, critic->parameters, {}, false, false, true);
  };
  return {[=] { gradients(penalty()); },
          [=] {
            const torch::Tensor value = penalty();
            double total = value.item<double>();
            for (const auto& gradient : gradients(value))
              if (gradient.defined()) total += absolute_sum(gradient);
            return total;
          }};
}

Work poisson(const Workload& workload) {
  const std::int64_t units = workload.widths[1];
  const auto doubles = [](const torch::Tensor& x) { return x.to(torch::kDouble); };
  std::vector<torch::Tensor> w = {doubles(draw({1, units}, -4, 4, 0)), doubles(draw({units}, -4, 4, 1)),
                                  doubles(draw({units, 1}, -1, 1, 2)), torch::zeros({1}, torch::kDouble)};
  for (auto& x : w) x.requires_grad_();
  const auto optimizer = std::make_shared<torch::optim::Adam>(w, torch::optim::AdamOptions(benchmark::learning_rate));
  const double pi = std::acos(-1.0);
  const auto x = torch::linspace(0, 1, workload.size, torch::kDouble).unsqueeze(1).requires_grad_();
  const auto source = (pi * pi * (torch::sin(pi * x) + 2.25 * torch::sin(3 * pi * x))).detach();
  const auto curvature = [=](bool again) {
    const torch::Tensor net = torch::addmm(w[3], torch::tanh(torch::addmm(w[1], x, w[0])), w[2]);
    const torch::Tensor slope = torch::autograd::grad({(x * (1 - x) * net).sum()}, {x}, {}, true, true)[0];
    return torch::autograd::grad({slope.sum()}, {x}, {}, true, again)[0];
  };
  if (workload.kind == benchmark::Kind::curvature)
    return {[=] { curvature(false); }, [=] { return absolute_sum(curvature(false)); }};
  const auto loss = [=] { return (curvature(true) + source).square().mean(); };
  return {[=] {
            const auto gradients = torch::autograd::grad({loss()}, w, {}, false, false, true);
            for (std::size_t i = 0; i < w.size(); ++i) w[i].mutable_grad() = gradients[i];
            optimizer->step();
          },
          [=] {
            const torch::Tensor value = loss();
            double total = value.item<double>();
            for (const auto& gradient : torch::autograd::grad({value}, w)) total += absolute_sum(gradient);
            return total;
          }};
}

struct Images {
  torch::Tensor inputs, targets;
};

Images read_images(const std::string& directory, torch::data::datasets::MNIST::Mode mode) {
  const torch::data::datasets::MNIST images(directory, mode);
  return {(images.images().flatten(1) - benchmark::pixel_mean) / benchmark::pixel_deviation, images.targets()};
}

Work fashion_mnist(const Workload& workload, const std::string& directory) {
  using Mode = torch::data::datasets::MNIST::Mode;
  const auto training = std::make_shared<Training>(workload.widths, benchmark::fashion_rate(0));
  const Images train = read_images(directory, Mode::kTrain), test = read_images(directory, Mode::kTest);
  const auto epoch = [training, train, batch = std::int64_t{workload.size}, number = 0]() mutable {
    static_cast<torch::optim::SGDOptions&>(training->optimizer->param_groups()[0].options())
        .lr(benchmark::fashion_rate(number));
    const std::int64_t count = train.inputs.size(0);
    auto order = benchmark::epoch_order(static_cast<std::size_t>(count), static_cast<std::uint32_t>(number++));
    const torch::Tensor rows = torch::from_blob(order.data(), {count}, torch::kLong);
    for (std::int64_t first = 0; first < count; first += batch) {
      const torch::Tensor chosen = rows.slice(0, first, std::min(first + batch, count));
      training->step(train.inputs.index_select(0, chosen), train.targets.index_select(0, chosen));
    }
  };
  return {epoch, [training, test] {
            const torch::NoGradGuard no_gradients;
            const torch::Tensor right = training->predict(test.inputs).argmax(1).eq(test.targets);
            return right.to(torch::kDouble).mean().item<double>();
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
      return rows_of_table(workload);
    case benchmark::Kind::generator_step:
      return generator_step(workload);
    case benchmark::Kind::example_gradients:
      return gradients_without_step(workload, true);
    case benchmark::Kind::batch_gradients:
      return gradients_without_step(workload, false);
    case benchmark::Kind::hessian_product:
      return hessian_product(workload);
    case benchmark::Kind::gradient_penalty:
      return gradient_penalty(workload);
    case benchmark::Kind::curvature:
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
    torch::set_num_threads(options.threads);
    return make(workload, options);
  });
}
