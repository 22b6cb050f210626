#include <autograd/tensor/format.hpp>
#include <autograd/tensor/memory.hpp>
#include <nn/optimizers/adam.hpp>

namespace xgrad::nn {

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& options)
    : Adam("Adam", one_group(std::move(parameters)), options) {}

Adam::Adam(const char* name, std::vector<Group> groups, const AdamOptions& options)
    : Optimizer(name, std::move(groups), options.learning_rate, options.weight_decay,
                {"first moment", "second moment"}),
      rules_(group_count(), options) {
  check_not_negative("epsilon", options.epsilon);
  for (const auto& [option, beta] : {std::pair("beta1", options.beta1), std::pair("beta2", options.beta2)})
    if (!(beta >= 0 && beta < 1)) throw_as<ValueError>("{}: {} {}; need 0 <= {} < 1", name, option, beta, option);
}

void Adam::update(std::span<const Change> changes) {
  set_rates(rules_);
  std::vector<AdamTerm, CachedAllocator<AdamTerm>> terms;
  terms.reserve(changes.size());
  for (const auto& [i, gradient, rows] : changes)
    terms.push_back({parameter(i), *gradient, moment(0, i), moment(1, i), update_number(i), rules_[group_of(i)], rows});
  adam_update(terms);
}

}  // namespace xgrad::nn
