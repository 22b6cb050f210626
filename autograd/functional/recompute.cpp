#include <autograd/functional/recompute.hpp>
#include <autograd/tape/identities.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tape/recorder.hpp>
#include <autograd/tape/replay.hpp>
#include <autograd/tape/sweep.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace xgrad {

namespace {

using List = std::vector<Tensor>;
using ListFunction = std::function<List(const List&)>;

/// A function that runs several times, in the same way.
struct Rerun {
  ListFunction f;
  DrawLog draws = {};
  DType default_dtype = xgrad::default_dtype();
  std::vector<std::pair<Shape, DType>> results = {};

  List call(Replay::Run run, const List& arguments) {
    const Replay replay(draws, run);
    const DefaultDType as_before(default_dtype);
    List outputs = f(arguments);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Tensor& y = outputs[i];
      if (!y.defined()) throw ValueError("recompute: the function returned an empty handle; need a tensor");
      if (is_recorded(y) && y.body().tape != Recorder::current()->id())
        throw_as<TapeError>(
            "recompute: the function returned a tensor of shape {} that was recorded outside of it; make it an input",
            y.shape());
      if (run == Replay::Run::first)
        results.emplace_back(y.shape(), y.dtype());
      else if (i >= results.size() || results[i] != std::pair(y.shape(), y.dtype()))
        throw_as<TapeError>("recompute: result {} is {} {} when the function runs again; it must do the same", i,
                            y.shape(), y.dtype());
    }
    if (outputs.size() != results.size())
      throw_as<TapeError>("recompute: the function gives {} results when it runs again, {} before", outputs.size(),
                          results.size());
    return outputs;
  }
};

/// The gradients of Σ <output, cotangent> by `variables` on the tape that records.
Gradients sweep_by(const List& variables, const List& outputs, const List& cotangents, bool differentiable) {
  Recorder& recorder = *Recorder::current();
  List reached, seeds;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (recorder.number_of(outputs[i]) != Node::none) {
      reached.push_back(outputs[i]);
      seeds.push_back(cotangents[i]);
    }
  for (const Tensor& x : variables)
    if (recorder.number_of(x) == Node::none)
      throw_as<TapeError>("recompute: the function does not use {} of shape {} when it runs again; it must do the same",
                          x.label().empty() ? "a tensor" : x.label(), x.shape());
  if (reached.empty() || variables.empty()) return {};
  return Sweep(recorder, {.differentiable = differentiable, .only = variables}).run(reached, seeds);
}

/// Where it has x, or an empty handle.
Tensor found_in(const Gradients& gradients, const Tensor& x) {
  const Tensor* const gradient = gradients.find(x);
  return gradient != nullptr ? *gradient : Tensor();
}

/// Inputs: the function's, then the leaves that it uses.
class Recomputed final : public Operation {
 public:
  Recomputed(std::shared_ptr<Rerun> rerun, std::size_t arguments, List outputs)
      : rerun_(std::move(rerun)), arguments_(arguments), outputs_(std::move(outputs)) {}
  std::string_view name() const override { return "recompute"; }
  OperationTraits traits() const override { return {Which::all(), Which::none(), Contribution::exact, true}; }

  Tensors forward(const Inputs&) override {
    Tensors outputs(outputs_.size());
    std::move(outputs_.begin(), outputs_.end(), outputs.begin());
    outputs_.clear();
    return outputs;
  }

  Tensors vjp(const Call& call) const override {
    List inputs, cotangents;
    for (std::size_t i = 0; i < call.input_count(); ++i) inputs.push_back(call.input(i));
    for (std::size_t i = 0; i < rerun_->results.size(); ++i) cotangents.push_back(call.cotangent(i));
    std::vector<std::size_t> needed;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (call.needs(i)) needed.push_back(i);
    Tensors list(inputs.size());
    if (call.recording()) {
      const List found = recompute_all(derivative(inputs, needed), joined(inputs, cotangents));
      for (std::size_t k = 0; k < needed.size(); ++k) list[needed[k]] = found[k];
      return list;
    }
    const auto [found, variables] = [&] {
      const Tape tape;
      return gradients(inputs, needed, cotangents, false);
    }();
    for (std::size_t k = 0; k < needed.size(); ++k)
      if (const RowGradient* const few = found.rows(variables[k]))
        call.add_rows(needed[k], few->rows, few->values);
      else
        list[needed[k]] = found_in(found, variables[k]);
    return list;
  }

 private:
  /// The gradients, on the tape that records, and the tensors whose gradients are those of the inputs that are needed.
  std::pair<Gradients, List> gradients(const List& inputs, const std::vector<std::size_t>& needed,
                                       const List& cotangents, bool differentiable) const {
    Recorder& recorder = *Recorder::current();
    List arguments, variables;
    for (std::size_t i = 0; i < arguments_; ++i) arguments.push_back(differentiable ? inputs[i] : detach(inputs[i]));
    for (const std::size_t i : needed) {
      if (i < arguments_) arguments[i] = argument(recorder, arguments[i]);
      variables.push_back(i < arguments_ ? arguments[i] : inputs[i]);
    }
    const List outputs = rerun_->call(Replay::Run::again, arguments);
    return {sweep_by(variables, outputs, cotangents, differentiable), std::move(variables)};
  }

  List joined(List inputs, const List& cotangents) const {
    inputs.resize(arguments_);  // the leaves are found again
    inputs.insert(inputs.end(), cotangents.begin(), cotangents.end());
    return inputs;
  }

  /// The vjp as a function of arguments and cotangents, to be recomputed in its turn.
  ListFunction derivative(const List& inputs, const std::vector<std::size_t>& needed) const {
    return [self = Recomputed(rerun_, arguments_, {}), inputs, needed](const List& list) {
      List values = inputs;
      const auto cotangents = list.begin() + static_cast<std::ptrdiff_t>(self.arguments_);
      std::copy(list.begin(), cotangents, values.begin());
      const auto [gradients, variables] = self.gradients(values, needed, List(cotangents, list.end()), true);
      List found;
      for (std::size_t k = 0; k < variables.size(); ++k) {
        found.push_back(found_in(gradients, variables[k]));
        if (!found[k].defined()) found[k] = zeros(values[needed[k]].shape(), values[needed[k]].dtype());
      }
      return found;
    };
  }

  std::shared_ptr<Rerun> rerun_;
  std::size_t arguments_;
  List outputs_;
};

/// x's values, shared with nobody.
Tensor without_past(Tensor&& x) {
  Tensor y = detach(x);
  x = Tensor();
  return y.unique() ? y : y.clone();
}

}  // namespace

List recompute_all(ListFunction f, const List& inputs) {
  if (!f) throw ValueError("recompute: the function is empty");
  Recorder* const recorder = Recorder::current();
  if (recorder == nullptr) return f(inputs);
  const auto rerun = std::make_shared<Rerun>(Rerun{std::move(f)});
  List outputs, all = inputs;
  {
    // Runs on a tape of its own that shows which leaves it uses, and is thrown away.
    const Tape tape;
    Recorder& own = *Recorder::current();
    List arguments;
    for (const Tensor& x : inputs) {
      if (!x.defined()) throw_undefined("recompute", "an input");
      if (is_recorded(x) && x.body().tape != recorder->id())
        throw_as<TapeError>("recompute: an input of shape {} was recorded by another tape that is still open",
                            x.shape());
      const bool varies = is_recorded(x) || x.is_leaf();
      arguments.push_back(varies ? argument(own, detach(x)) : detach(x));
    }
    outputs = rerun->call(Replay::Run::first, arguments);
    for (const std::uint32_t number : own.leaves())
      if (const Tensor& leaf = own.node(number).leaf; leaf.body().references.load() > 1) all.push_back(leaf);
  }
  for (Tensor& y : outputs) y = without_past(std::move(y));
  std::vector<const Tensor*> list;
  for (const Tensor& x : all) list.push_back(&x);
  const Tensors results =
      apply_all(Recomputed(rerun, inputs.size(), std::move(outputs)), Inputs(list.data(), list.size()));
  return {results.begin(), results.end()};
}

}  // namespace xgrad
