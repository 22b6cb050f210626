#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/optimizers/optimizer.hpp>

#include <cmath>
#include <unordered_set>

namespace xgrad::nn {

Optimizer::Optimizer(const char* name, std::vector<Group> groups, double learning_rate, double weight_decay,
                     std::initializer_list<const char*> kinds)
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
      if (!parameters_[i].defined()) throw_undefined(name_, fmt::format("parameter {}", i));
      if (!is_floating(parameters_[i].dtype()))
        throw_as<TypeError>("{}: {} is int64; need float32 or float64", name_, describe(i));
      if (!seen.insert(&parameters_[i].body()).second)
        throw_as<ValueError>("{}: {} is listed twice; it would move twice", name_, describe(i));
      dtypes_.push_back(parameters_[i].dtype());
    }
  }
  if (parameters_.empty()) throw_as<ValueError>("{}: no parameters; need at least one", name_);
  updates_.resize(parameters_.size());
  moments_.assign(kinds_.size(), std::vector<Tensor>(parameters_.size()));
}

void Optimizer::step(const Gradients& gradients) {
  changes_.clear();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].dtype() != dtypes_[i])
      throw_as<TypeError>("{}: {} was {} when the optimizer was made and is {} now; make the optimizer after to(...)",
                          name_, describe(i), dtypes_[i], parameters_[i].dtype());
    const Gradients::Entry* const found = gradients.entry(parameters_[i]);
    if (found == nullptr) continue;
    if (const RowGradient* const few = takes_rows() ? found->rows() : nullptr) {
      changes_.push_back({i, &few->values, &few->rows});
      continue;
    }
    check_like(i, "gradient", found->gradient());
    changes_.push_back({i, &found->gradient()});
  }
  if (changes_.empty() && steps_ == 0)
    throw_as<ValueError>(
        "{}: none of the {} gradients belongs to one of its {} parameters, {} the first; was the optimizer made from "
        "the "
        "parameters of the model that ran, after the last change of the model, and are they not frozen?",
        name_, gradients.size(), parameters_.size(), describe(0));
  update(changes_);
  for (const Change& change : changes_) ++updates_[change.parameter];
  ++steps_;
}

void Optimizer::learning_rate(double rate) {
  check_not_negative("learning_rate", rate);
  learning_rate_ = rate;
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
  check_not_negative("learning_rate", values.learning_rate);
  if (values.updates.size() != parameters_.size())
    throw_as<ValueError>("{}: the state has updates of {} parameters, there are {}; need one number for each", name_,
                         values.updates.size(), parameters_.size());
  for (const std::int64_t count : values.updates)
    if (count < 0 || count > values.steps)
      throw_as<ValueError>("{}: the state has {} updates of a parameter in {} steps; need 0 <= updates <= steps", name_,
                           count, values.steps);
  if (values.moments.size() != moments_.size())
    throw_as<ValueError>("{}: the state has {} kinds of moments; need {}", name_, values.moments.size(),
                         moments_.size());
  const Pause pause;
  std::vector<std::vector<Tensor>> copies = values.moments;
  for (std::size_t kind = 0; kind < copies.size(); ++kind) {
    if (copies[kind].size() != parameters_.size())
      throw_as<ValueError>("{}: the state has {} tensors of the kind {} for {} parameters; need one for each", name_,
                           copies[kind].size(), kinds_[kind], parameters_.size());
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      Tensor& moment = copies[kind][i];
      if (!moment.defined()) continue;
      check_like(i, kinds_[kind], moment);
      moment = moment.clone();
    }
  }
  moments_ = std::move(copies);
  updates_ = values.updates;
  learning_rate_ = values.learning_rate;
  steps_ = values.steps;
}

std::string Optimizer::describe(std::size_t i) const {
  return parameters_[i].label().empty() ? fmt::format("parameter {}", i) : parameters_[i].label();
}

void Optimizer::check_not_negative(const char* option, double value) const {
  if (!(value >= 0) || !std::isfinite(value))
    throw_as<ValueError>("{}: {} {}; need a finite number >= 0", name_, option, value);
}

void Optimizer::check_like(std::size_t i, const char* what, const Tensor& x) const {
  const Tensor& parameter = parameters_[i];
  if (x.shape() != parameter.shape())
    throw_as<ShapeError>("{}: {} is {}, its {} is {}; need equal shapes", name_, describe(i), parameter.shape(), what,
                         x.shape());
  if (x.dtype() != parameter.dtype())
    throw_as<TypeError>("{}: {} is {}, its {} is {}; need equal dtypes", name_, describe(i), parameter.dtype(), what,
                        x.dtype());
}

}  // namespace xgrad::nn
