#pragma once

#include <autograd/table/op_table.hpp>
#include <nn/inspection/gradient_check.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

// The list of layers and losses, as op_table is of operations: tests, the gradient-check program, benchmarks and the
// README's list are loops over the rows. Tensors in a row are float64 (or int64 for labels); whoever loops converts
// those of a case in place, by `assign`. A new layer or loss needs one row, in the file of its kind.

/// Something whose gradients can be checked: a function of tensors that it reaches by itself. All of a case is its own.
/// f is a layer of its input, or a loss; it gives one number or several, the same at each call (dropout keeps its
/// mask). The tensors are, for a layer, every parameter by path, then `input`; for a loss `prediction`, then, if
/// floating, `target`, and `weights` of classes.
struct ModuleCase : GradientSubject {
  /// The same with other tensors of equal values: of a clone of the layer.
  std::function<ModuleCase()> copy;

  // What mathematics, a definition or a named source gives; only in the lists `known` and `kinks` of a row.

  Tensor value = {};
  OpInputs gradients = {};  ///< of the tensors, for a cotangent of ones; an empty handle: not stated
  std::string source = {};
};

/// Makes a case, the same for the same seed; nothing is drawn from default_generator. `known` and `kinks` have fixed
/// values and do not look at the seed.
using MakeCase = std::function<ModuleCase(std::uint64_t seed)>;

class ModuleRow {
 public:
  enum class Kind : std::uint8_t { layer, loss };

  ModuleRow(std::string row_name, Kind row_kind, std::string row_formula)
      : name(std::move(row_name)), kind(row_kind), formula(std::move(row_formula)) {}

  std::string name;  ///< of the layer's class or of the loss's function object
  Kind kind;
  std::string formula;

  std::vector<MakeCase> samples = {};  ///< smooth where they are drawn, with gradients that do not vanish
  std::vector<MakeCase> big = {};      ///< of a size at which blocks run in parallel
  std::vector<MakeCase> known = {};    ///< values and gradients with their source
  std::vector<MakeCase> kinks = {};    ///< the declared gradient where there is no derivative
  std::vector<BadCall> bad = {};       ///< the text is the message's beginning, with the path of the layer

  int order = 3;  ///< to which gradients are tested and promised; 0: none flows

  // Building: each returns the row.

  ModuleRow& sample(MakeCase make);
  ModuleRow& big_sample(MakeCase make);
  ModuleRow& point(const ModuleCase& at, Tensor value, OpInputs gradients, const std::string& source);
  ModuleRow& kink(const ModuleCase& at, Tensor value, OpInputs gradients);
  template <class E>
  ModuleRow& refuses(OpCall call, OpInputs inputs, const std::string& text) {
    bad.push_back({std::move(call), std::move(inputs), is_error<E>, text});
    return *this;
  }
  /// What its constructor refuses, by a ValueError.
  ModuleRow& refuses_to_make(const std::function<void()>& make, const std::string& text);
};

/// All layers and losses, made at the first call.
const std::vector<ModuleRow>& module_table();
/// One of them; ValueError for an unknown name.
const ModuleRow& module_row(const std::string& name);

/// A layer, or any model, on an input.
template <std::derived_from<Module> M>
ModuleCase layer_case(const M& model, const Tensor& input) {
  return {model_subject(
              model, [model, input] { return model(input); }, input),
          [model, input] { return layer_case(clone(model), input.clone()); }};
}

/// A loss of prediction, target and, if it has them, weights of classes.
ModuleCase loss_case(const OpCall& loss, const OpInputs& inputs);

// The rows by kind, one source file each.
std::vector<ModuleRow> layer_rows();
std::vector<ModuleRow> activation_layer_rows();
std::vector<ModuleRow> normalization_rows();
std::vector<ModuleRow> loss_rows();

}  // namespace xgrad::nn
