#pragma once

#include <autograd/ops/random.hpp>
#include <nn/table/module_table.hpp>

#include <concepts>
#include <vector>

namespace xgrad::nn {

// How the rows of module_table make models: for its source files.

/// The model with these values in its parameters, in order.
template <class M>
M with_values(const M& model, const OpInputs& values) {
  std::vector<Tensor> parameters = model.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].assign(values.at(i));
  return model;
}

/// What make(generator) gives, or a clone of a model, on an input, all values drawn.
template <class Make>
MakeCase drawn(const Make& make, const Argument& input, const Domain& parameters = {-1, 1}) {
  return [=](std::uint64_t seed) {
    const DefaultDType constants(float64);
    Generator generator(seed);
    const auto model = [&] {
      if constexpr (std::derived_from<Make, Module>)
        return clone(make);
      else
        return make(generator);
    }();
    std::vector<Argument> arguments;
    for (const Tensor& parameter : model.parameters()) arguments.push_back({parameter.shape(), parameters});
    arguments.push_back(input);
    const OpInputs values = make_inputs({nullptr, arguments}, float64, seed);
    return layer_case(with_values(model, values), values.back());
  };
}

/// The call of a layer whose path is `encoder`.
template <class M>
OpCall in_encoder(const M& model) {
  Module parent;
  parent.add("encoder", model);
  return [model](const OpInputs& x) { return model(x[0]); };
}

}  // namespace xgrad::nn
