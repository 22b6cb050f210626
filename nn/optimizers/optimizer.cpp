#include <autograd/ops/update.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/memory.hpp>
#include <nn/optimizers/optimizer.hpp>

#include <cmath>
#include <string>
#include <unordered_set>

namespace xgrad::nn {

namespace {

template <class T>
using List = std::vector<T, CachedAllocator<T>>;

}  // namespace

std::vector<Group> Optimizer::one_group(std::vector<Tensor> parameters) {
  std::vector<Group> groups(1);
  groups.front().parameters = std::move(parameters);
  return groups;
}

Optimizer::Optimizer(const char* name, std::vector<Group> groups, double learning_rate, double weight_decay,
                     std::initializer_list<Kind> kinds)
    : name_(name), learning_rate_(learning_rate), kinds_(kinds) {
  check_not_negative("learning_rate", learning_rate);
  check_not_negative("weight_decay", weight_decay);
  std::unordered_set<const TensorBody*> seen;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    const double decay = groups[group].weight_decay.value_or(weight_decay);
    check_not_negative("rate_factor", groups[group].rate_factor);
    check_not_negative("weight_decay", decay);
    groups_.push_back({groups[group].rate_factor, decay});
    for (Tensor& parameter : groups[group].parameters) {
      const std::size_t i = parameters_.size();
      parameters_.push_back(std::move(parameter));
      group_of_.push_back(group);
      if (!is_floating(parameters_[i].dtype()))
        throw TypeError(std::string(name_) + ": " + describe(i) + " is int64; need float32 or float64");
      if (!seen.insert(&parameters_[i].body()).second)
        throw ValueError(std::string(name_) + ": " + describe(i) + " is listed twice; it would move twice");
      dtypes_.push_back(parameters_[i].dtype());
    }
  }
  if (parameters_.empty()) throw ValueError(std::string(name_) + ": no parameters; need at least one");
  updates_.resize(parameters_.size());
  moments_.assign(kinds_.size(), std::vector<Tensor>(parameters_.size()));
}

void Optimizer::step(const Gradients& gradients) {
  changes_.clear();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].dtype() != dtypes_[i])
      throw TypeError(std::string(name_) + ": " + describe(i) + " was " + std::string(name_of(dtypes_[i])) +
                      " when the optimizer was made and is " + std::string(name_of(parameters_[i].dtype())) +
                      " now; make the optimizer after to(...)");
    const Tensor* const gradient = gradients.find(parameters_[i]);
    if (gradient == nullptr) continue;
    check_like(i, "gradient", *gradient);
    changes_.push_back({i, gradient});
  }
  update(changes_);
  for (const Change& change : changes_) ++updates_[change.parameter];
  ++steps_;
}

void Optimizer::learning_rate(double rate) {
  check_not_negative("learning_rate", rate);
  learning_rate_ = rate;
}

Optimizer::Rate Optimizer::rate(std::size_t group) const {
  return {groups_[group].rate_factor * learning_rate_, groups_[group].weight_decay};
}

OptimizerState Optimizer::state() const {
  const Pause pause;
  OptimizerState state{steps_, learning_rate_, updates_, moments_};
  for (std::vector<Tensor>& kind : state.moments)
    for (Tensor& moment : kind)
      if (moment.defined()) moment = moment.clone();
  return state;
}

void Optimizer::state(const OptimizerState& values) {
  const std::string all = std::string(name_) + ": the state ";
  check_not_negative("learning_rate", values.learning_rate);
  if (values.updates.size() != parameters_.size())
    throw ValueError(all + "has updates of " + std::to_string(values.updates.size()) + " parameters, there are " +
                     std::to_string(parameters_.size()) + "; need one number for each");
  for (const std::int64_t count : values.updates)
    if (count < 0 || count > values.steps)
      throw ValueError(all + "has " + std::to_string(count) + " updates of a parameter in " +
                       std::to_string(values.steps) + " steps; need 0 <= updates <= steps");
  if (values.moments.size() != moments_.size())
    throw ValueError(all + "has " + std::to_string(values.moments.size()) + " kinds of moments; need " +
                     std::to_string(moments_.size()));
  std::vector<std::vector<Tensor>> copies;
  for (std::size_t kind = 0; kind < moments_.size(); ++kind)
    copies.push_back(copies_that_fit(kind, values.moments[kind]));
  moments_ = std::move(copies);
  updates_ = values.updates;
  learning_rate_ = values.learning_rate;
  steps_ = values.steps;
}

void Optimizer::moments(std::size_t kind, const std::vector<Tensor>& values) {
  moments_[kind] = copies_that_fit(kind, values);
}

std::vector<Tensor> Optimizer::copies_that_fit(std::size_t kind, const std::vector<Tensor>& values) const {
  if (values.size() != parameters_.size())
    throw ValueError(std::string(name_) + ": " + std::to_string(values.size()) + " " + kinds_[kind].several + " for " +
                     std::to_string(parameters_.size()) + " parameters; need one for each");
  const Pause pause;
  std::vector<Tensor> copies(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i].defined()) continue;
    check_like(i, kinds_[kind].one, values[i]);
    copies[i] = values[i].clone();
  }
  return copies;
}

std::string Optimizer::describe(std::size_t i) const {
  return parameters_[i].label().empty() ? "parameter " + std::to_string(i) : parameters_[i].label();
}

void Optimizer::check_not_negative(const char* option, double value) const {
  if (!(value >= 0) || !std::isfinite(value))
    throw ValueError(std::string(name_) + ": " + option + " " + std::to_string(value) + "; need a finite number >= 0");
}

void Optimizer::check_like(std::size_t i, const char* what, const Tensor& x) const {
  const Tensor& parameter = parameters_[i];
  if (x.shape() == parameter.shape() && x.dtype() == parameter.dtype()) [[likely]]
    return;
  throw_unlike(i, what, x);
}

void Optimizer::throw_unlike(std::size_t i, const char* what, const Tensor& x) const {
  const Tensor& parameter = parameters_[i];
  if (x.shape() != parameter.shape())
    throw ShapeError(std::string(name_) + ": " + describe(i) + " is " + to_string(parameter.shape()) + ", its " + what +
                     " is " + to_string(x.shape()) + "; need equal shapes");
  throw TypeError(std::string(name_) + ": " + describe(i) + " is " + std::string(name_of(parameter.dtype())) +
                  ", its " + what + " is " + std::string(name_of(x.dtype())) + "; need equal dtypes");
}

SGD::SGD(std::vector<Tensor> parameters, const SGDOptions& options)
    : SGD("SGD", one_group(std::move(parameters)), options) {}

SGD::SGD(const char* name, std::vector<Group> groups, const SGDOptions& options)
    : Optimizer(name, std::move(groups), options.learning_rate, options.weight_decay, {{"velocity", "velocities"}}),
      options_(options) {
  check_not_negative("momentum", options.momentum);
  if (!std::isfinite(options.dampening))
    throw ValueError("SGD: dampening " + std::to_string(options.dampening) + "; need a finite number");
  if (options.nesterov && (options.momentum == 0 || options.dampening != 0))
    throw ValueError("SGD: nesterov with momentum " + std::to_string(options.momentum) + " and dampening " +
                     std::to_string(options.dampening) + "; need momentum > 0 and no dampening");
}

SGDOptions SGD::options() const {
  SGDOptions options = options_;
  options.learning_rate = learning_rate();
  return options;
}

void SGD::velocities(const std::vector<Tensor>& values) { moments(0, values); }

void SGD::update(std::span<const Change> changes) {
  List<SgdRule> rules;
  rules.reserve(group_count());
  for (std::size_t group = 0; group < group_count(); ++group)
    rules.push_back({rate(group).learning_rate, options_.momentum, options_.dampening, rate(group).weight_decay,
                     options_.nesterov});
  List<SgdTerm> terms;
  terms.reserve(changes.size());
  for (const auto& [i, gradient] : changes)
    terms.push_back({parameter(i), *gradient, moment(0, i), rules[group_of(i)]});
  sgd_update(terms);
}

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& options)
    : Adam("Adam", one_group(std::move(parameters)), options, false) {}

Adam::Adam(const char* name, std::vector<Group> groups, const AdamOptions& options, bool decoupled_decay)
    : Optimizer(name, std::move(groups), options.learning_rate, options.weight_decay,
                {{"first moment", "first moments"}, {"second moment", "second moments"}}),
      options_(options),
      decoupled_decay_(decoupled_decay) {
  check_not_negative("epsilon", options.epsilon);
  for (const auto& [option, beta] : {std::pair("beta1", options.beta1), std::pair("beta2", options.beta2)})
    if (!(beta >= 0 && beta < 1))
      throw ValueError(std::string(name) + ": " + option + " " + std::to_string(beta) + "; need 0 <= " + option +
                       " < 1");
}

AdamOptions Adam::options() const {
  AdamOptions options = options_;
  options.learning_rate = learning_rate();
  return options;
}

void Adam::update(std::span<const Change> changes) {
  List<AdamRule> rules;
  rules.reserve(group_count());
  for (std::size_t group = 0; group < group_count(); ++group)
    rules.push_back({rate(group).learning_rate, options_.beta1, options_.beta2, options_.epsilon,
                     rate(group).weight_decay, decoupled_decay_});
  List<AdamTerm> terms;
  terms.reserve(changes.size());
  for (const auto& [i, gradient] : changes)
    terms.push_back({parameter(i), *gradient, moment(0, i), moment(1, i), update_number(i), rules[group_of(i)]});
  adam_update(terms);
}

AdamW::AdamW(std::vector<Tensor> parameters, const AdamWOptions& options)
    : AdamW("AdamW", one_group(std::move(parameters)), options) {}

AdamW::AdamW(const char* name, std::vector<Group> groups, const AdamWOptions& options)
    : Adam(name, std::move(groups),
           {options.learning_rate, options.beta1, options.beta2, options.epsilon, options.weight_decay}, true) {}

}  // namespace xgrad::nn
