#include <autograd/tensor/format.hpp>
#include <autograd/tensor/memory.hpp>
#include <nn/optimizers/sgd.hpp>

#include <cmath>

namespace xgrad::nn {

SGD::SGD(std::vector<Tensor> parameters, const SGDOptions& options)
    : SGD("SGD", one_group(std::move(parameters)), options) {}

SGD::SGD(const char* name, std::vector<Group> groups, const SGDOptions& options)
    : Optimizer(name, std::move(groups), options.learning_rate, options.weight_decay, {"velocity"}),
      rules_(group_count(), options) {
  check_not_negative("momentum", options.momentum);
  if (!std::isfinite(options.dampening))
    throw_as<ValueError>("SGD: dampening {}; need a finite number", options.dampening);
  if (options.nesterov && (options.momentum == 0 || options.dampening != 0))
    throw_as<ValueError>("SGD: nesterov with momentum {} and dampening {}; need momentum > 0 and no dampening",
                         options.momentum, options.dampening);
}

void SGD::update(std::span<const Change> changes) {
  set_rates(rules_);
  std::vector<SgdTerm, CachedAllocator<SgdTerm>> terms;
  terms.reserve(changes.size());
  for (const auto& [i, gradient, rows] : changes)
    terms.push_back({parameter(i), *gradient, moment(0, i), rules_[group_of(i)], rows});
  sgd_update(terms);
}

}  // namespace xgrad::nn
