#include <autograd/error.hpp>
#include <autograd/tape.hpp>
#include <autograd/update.hpp>
#include <nn/optimizers.hpp>

#include <cmath>
#include <string>
#include <unordered_set>

namespace xgrad::nn {

namespace {

std::string describe(const Tensor& parameter, std::size_t position) {
  return parameter.label().empty() ? "parameter " + std::to_string(position) : parameter.label();
}

void check_not_negative(const char* name, double value) {
  if (!(value >= 0) || !std::isfinite(value))
    throw ValueError(std::string("SGD: ") + name + " " + std::to_string(value) + "; need a finite number >= 0");
}

void check_like(const Tensor& parameter, std::size_t position, const char* what, const Tensor& x) {
  if (x.shape() != parameter.shape())
    throw ShapeError("SGD: " + describe(parameter, position) + " is " + to_string(parameter.shape()) + ", its " + what +
                     " is " + to_string(x.shape()) + "; need equal shapes");
  if (x.dtype() != parameter.dtype())
    throw TypeError("SGD: " + describe(parameter, position) + " is " + std::string(name_of(parameter.dtype())) +
                    ", its " + what + " is " + std::string(name_of(x.dtype())) + "; need equal dtypes");
}

}  // namespace

SGD::SGD(std::vector<Tensor> parameters, const SGDOptions& options)
    : parameters_(std::move(parameters)), velocities_(parameters_.size()), options_(options) {
  if (parameters_.empty()) throw ValueError("SGD: no parameters; need at least one");
  check_not_negative("learning_rate", options.learning_rate);
  check_not_negative("momentum", options.momentum);
  check_not_negative("weight_decay", options.weight_decay);
  if (!std::isfinite(options.dampening))
    throw ValueError("SGD: dampening " + std::to_string(options.dampening) + "; need a finite number");
  if (options.nesterov && (options.momentum == 0 || options.dampening != 0))
    throw ValueError("SGD: nesterov with momentum " + std::to_string(options.momentum) + " and dampening " +
                     std::to_string(options.dampening) + "; need momentum > 0 and no dampening");
  std::unordered_set<const TensorBody*> seen;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& parameter = parameters_[i];
    if (!is_floating(parameter.dtype()))
      throw TypeError("SGD: " + describe(parameter, i) + " is int64; need float32 or float64");
    if (!seen.insert(&parameter.body()).second)
      throw ValueError("SGD: " + describe(parameter, i) + " is listed twice; it would move twice");
    dtypes_.push_back(parameter.dtype());
  }
}

void SGD::step(const Gradients& gradients) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].dtype() != dtypes_[i])
      throw TypeError("SGD: " + describe(parameters_[i], i) + " was " + std::string(name_of(dtypes_[i])) +
                      " when the optimizer was made and is " + std::string(name_of(parameters_[i].dtype())) +
                      " now; make the optimizer after to(...)");
    if (const Tensor* gradient = gradients.find(parameters_[i])) check_like(parameters_[i], i, "gradient", *gradient);
  }
  const SgdRule rule{options_.learning_rate, options_.momentum, options_.dampening, options_.weight_decay,
                     options_.nesterov};
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (const Tensor* gradient = gradients.find(parameters_[i]))
      sgd_update(parameters_[i], *gradient, velocities_[i], rule);
}

void SGD::learning_rate(double rate) {
  check_not_negative("learning_rate", rate);
  options_.learning_rate = rate;
}

void SGD::velocities(const std::vector<Tensor>& values) {
  if (values.size() != parameters_.size())
    throw ValueError("SGD: " + std::to_string(values.size()) + " velocities for " + std::to_string(parameters_.size()) +
                     " parameters; need one for each");
  const Pause pause;
  std::vector<Tensor> copies(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i].defined()) continue;
    check_like(parameters_[i], i, "velocity", values[i]);
    copies[i] = values[i].clone();
  }
  velocities_ = std::move(copies);
}

}  // namespace xgrad::nn
