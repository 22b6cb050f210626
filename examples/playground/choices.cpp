#include "choices.hpp"

#include <autograd/autograd.hpp>
#include <nn/layers/init.hpp>
#include <nn/losses/penalties.hpp>
#include <nn/optimizers/adam.hpp>
#include <nn/optimizers/sgd.hpp>

#include <cmath>

namespace playground {

using namespace xgrad;

namespace {

template <const auto& loss>
Tensor loss_of(const Tensor& outputs, const Tensor& targets) {
  return loss(outputs, targets);
}

template <class O, class Options>
std::unique_ptr<nn::Optimizer> made(std::vector<Tensor> parameters, const Options& options) {
  return std::make_unique<O>(std::move(parameters), options);
}

}  // namespace

const std::vector<Feature>& features() {
  static const std::vector<Feature> rows = {
      {"x1", "x₁", "x1", [](const Tensor& x1, const Tensor&) { return x1; }},
      {"x2", "x₂", "x2", [](const Tensor&, const Tensor& x2) { return x2; }},
      {"x1^2", "x₁²", "square(x1)", [](const Tensor& x1, const Tensor&) { return square(x1); }},
      {"x2^2", "x₂²", "square(x2)", [](const Tensor&, const Tensor& x2) { return square(x2); }},
      {"x1x2", "x₁x₂", "x1 * x2", [](const Tensor& x1, const Tensor& x2) { return x1 * x2; }},
      {"sin(x1)", "sin x₁", "sin(x1)", [](const Tensor& x1, const Tensor&) { return sin(x1); }},
      {"sin(x2)", "sin x₂", "sin(x2)", [](const Tensor&, const Tensor& x2) { return sin(x2); }},
  };
  return rows;
}

const std::vector<ActivationChoice>& activations() {
  static const std::vector<ActivationChoice> rows = {
      {"tanh", "tanh({})", tanh},
      {"relu", "relu({})", relu},
      {"sigmoid", "sigmoid({})", sigmoid},
      {"linear", "{}", nullptr},
      {"leaky_relu", "leaky_relu({})", leaky_relu},
      {std::string(prelu), "", nullptr},
      {"elu", "elu({})", elu},
      {"swish", "swish({})", swish},
      {"mish", "mish({})", mish},
      {"softplus", "softplus({})", softplus},
      {"hard_tanh", "hard_tanh({})", hard_tanh},
  };
  return rows;
}

const std::vector<LossChoice>& losses() {
  using nn::Reduction;
  static const std::vector<LossChoice> rows = {
      {"mse", "nn::mse", Encoding::signs, Reduction::mean, loss_of<nn::mse>},
      {"mae", "nn::mae", Encoding::signs, Reduction::mean, loss_of<nn::mae>},
      {"huber", "nn::huber", Encoding::signs, Reduction::mean, loss_of<nn::huber>},
      {"sse", "nn::sse", Encoding::signs, Reduction::sum, loss_of<nn::sse>},
      {"sae", "nn::sae", Encoding::signs, Reduction::sum, loss_of<nn::sae>},
      {"binary_cross_entropy", "nn::binary_cross_entropy", Encoding::probability, Reduction::mean,
       loss_of<nn::binary_cross_entropy>},
      {"binary_cross_entropy_with_logits", "nn::binary_cross_entropy_with_logits", Encoding::logit, Reduction::mean,
       loss_of<nn::binary_cross_entropy_with_logits>},
      {"cross_entropy", "nn::cross_entropy", Encoding::class_indices, Reduction::mean, loss_of<nn::cross_entropy>},
  };
  return rows;
}

const std::vector<OptimizerChoice>& optimizers() {
  using Parameters = std::vector<Tensor>;
  static const std::vector<OptimizerChoice> rows = {
      {"sgd", "nn::SGD optimizer(net.parameters(), {{.learning_rate = {rate}}});",
       [](Parameters p, double rate, double) {
         return made<nn::SGD>(std::move(p), nn::SGDOptions{.learning_rate = rate});
       }},
      {"momentum", "nn::SGD optimizer(net.parameters(), {{.learning_rate = {rate}, .momentum = {momentum}}});",
       [](Parameters p, double rate, double momentum) {
         return made<nn::SGD>(std::move(p), nn::SGDOptions{.learning_rate = rate, .momentum = momentum});
       }},
      {"nesterov",
       "nn::SGD optimizer(net.parameters(), {{.learning_rate = {rate}, .momentum = {momentum}, .nesterov = true}});",
       [](Parameters p, double rate, double momentum) {
         return made<nn::SGD>(std::move(p),
                              nn::SGDOptions{.learning_rate = rate, .momentum = momentum, .nesterov = true});
       }},
      {"adam", "nn::Adam optimizer(net.parameters(), {{.learning_rate = {rate}}});",
       [](Parameters p, double rate, double) {
         return made<nn::Adam>(std::move(p), nn::AdamOptions{.learning_rate = rate});
       }},
      {"adamw", "nn::AdamW optimizer(net.parameters(), {{.learning_rate = {rate}}});",
       [](Parameters p, double rate, double) {
         return made<nn::AdamW>(std::move(p), nn::AdamWOptions{.learning_rate = rate});
       }},
  };
  return rows;
}

const std::vector<ScheduleChoice>& schedules() {
  static const std::vector<ScheduleChoice> rows = {
      {"constant", "", [](double rate, std::int64_t) { return nn::constant_rate(rate); }},
      {"step", "nn::step_decay({rate}, {steps}, 0.5)",
       [](double rate, std::int64_t steps) { return nn::step_decay(rate, steps, 0.5); }},
      {"exponential", "nn::exponential_decay({rate}, std::pow(0.5, 1.0 / {steps}))",
       [](double rate, std::int64_t steps) {
         return nn::exponential_decay(rate, std::pow(0.5, 1.0 / static_cast<double>(steps)));
       }},
      {"inverse_time", "nn::inverse_time_decay({rate}, 1.0 / {steps})",
       [](double rate, std::int64_t steps) { return nn::inverse_time_decay(rate, 1.0 / static_cast<double>(steps)); }},
      {"cosine", "nn::cosine_decay({rate}, {steps})",
       [](double rate, std::int64_t steps) { return nn::cosine_decay(rate, steps); }},
      {"warm_up", "nn::warm_up({steps}, nn::constant_rate({rate}))",
       [](double rate, std::int64_t steps) { return nn::warm_up(steps, nn::constant_rate(rate)); }},
  };
  return rows;
}

const std::vector<InitChoice>& inits() {
  using G = Generator;
  static const std::vector<InitChoice> rows = {
      {"linear_default", "", [](Tensor&, G&) {}},
      {"uniform", "nn::init::uniform({}, -0.5, 0.5);", [](Tensor& w, G& g) { nn::init::uniform(w, -0.5, 0.5, g); },
       0.1},
      {"normal", "nn::init::normal({}, 0, 1);", [](Tensor& w, G& g) { nn::init::normal(w, 0, 1, g); }},
      {"xavier_uniform", "nn::init::xavier_uniform({});", [](Tensor& w, G& g) { nn::init::xavier_uniform(w, {}, g); }},
      {"xavier_normal", "nn::init::xavier_normal({});", [](Tensor& w, G& g) { nn::init::xavier_normal(w, {}, g); }},
      {"he_uniform", "nn::init::he_uniform({});", [](Tensor& w, G& g) { nn::init::he_uniform(w, 0, g); }},
      {"he_normal", "nn::init::he_normal({});", [](Tensor& w, G& g) { nn::init::he_normal(w, 0, g); }},
      {"orthogonal", "nn::init::orthogonal({});", [](Tensor& w, G& g) { nn::init::orthogonal(w, 1, g); }},
      {"zero", "nn::init::zero({});", [](Tensor& w, G&) { nn::init::zero(w); }},
  };
  return rows;
}

const std::vector<PenaltyChoice>& penalties() {
  static const std::vector<PenaltyChoice> rows = {
      {"none", "", nullptr},
      {"l1", "nn::l1_penalty", nn::l1_penalty},
      {"l2", "nn::l2_penalty", nn::l2_penalty},
  };
  return rows;
}

}  // namespace playground
