#include <autograd/tensor/error.hpp>
#include <nn/table/module_table.hpp>

#include <array>
#include <utility>

namespace xgrad::nn {

namespace {

MakeCase expecting(const ModuleCase& at, Tensor value, OpInputs gradients, const std::string& source) {
  return [=](std::uint64_t) {
    ModuleCase fresh = at.copy();
    fresh.value = value;
    fresh.gradients = gradients;
    fresh.source = source;
    return fresh;
  };
}

}  // namespace

ModuleRow& ModuleRow::sample(MakeCase make) {
  samples.push_back(std::move(make));
  return *this;
}

ModuleRow& ModuleRow::big_sample(MakeCase make) {
  big.push_back(std::move(make));
  return *this;
}

ModuleRow& ModuleRow::point(const ModuleCase& at, Tensor value, OpInputs gradients, const std::string& source) {
  known.push_back(expecting(at, std::move(value), std::move(gradients), source));
  return *this;
}

ModuleRow& ModuleRow::kink(const ModuleCase& at, Tensor value, OpInputs gradients) {
  kinks.push_back(expecting(at, std::move(value), std::move(gradients), "declared gradient"));
  return *this;
}

ModuleRow& ModuleRow::refuses_to_make(const std::function<void()>& make, const std::string& text) {
  return refuses<ValueError>([make](const OpInputs&) { return make(), Tensor(); }, {}, text);
}

ModuleCase loss_case(const OpCall& loss, const OpInputs& inputs) {
  constexpr std::array names = {"prediction", "target", "weights"};
  ModuleCase result;
  result.f = [loss, inputs] { return loss(inputs); };
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (is_floating(inputs[i].dtype())) result.tensors.emplace_back(names.at(i), inputs[i]);
  result.copy = [loss, inputs] {
    OpInputs copies;
    for (const Tensor& x : inputs) copies.push_back(x.clone());
    return loss_case(loss, copies);
  };
  return result;
}

const std::vector<ModuleRow>& module_table() {
  static const std::vector<ModuleRow> table = [] {
    const DefaultDType constants(float64);
    std::vector<ModuleRow> rows;
    for (const auto& kind : {layer_rows, activation_layer_rows, normalization_rows, loss_rows})
      for (ModuleRow& row : kind()) rows.push_back(std::move(row));
    return rows;
  }();
  return table;
}

const ModuleRow& module_row(const std::string& name) {
  for (const ModuleRow& row : module_table())
    if (row.name == name) return row;
  throw ValueError("module_table: no layer or loss " + name);
}

}  // namespace xgrad::nn
