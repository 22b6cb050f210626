#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/saving/model_graph.hpp>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

namespace xgrad::nn {

namespace {

/// A call that was heard of; numbers are places in the tracer's values.
struct Heard {
  std::string operation;
  std::string path;
  OperationDescription description;
  std::vector<std::size_t> inputs;
  std::vector<std::size_t> outputs;
};

/// Hears what is called, and knows tensors again: a result by its handle, or, where it was detached, by its values.
class Tracer final : public TapeObserver {
 public:
  std::size_t add(const Tensor& x) {
    const std::size_t place = values.size();
    values.push_back(x);  // kept, so that no other tensor can take its address
    by_body_[x.body_or_null()] = place;
    if (x.size() > 0) by_values_[{x.untyped_data(), to_string(x.shape())}] = place;
    return place;
  }
  std::size_t place_of(const Tensor& x) {
    if (const auto found = by_body_.find(x.body_or_null()); found != by_body_.end()) return found->second;
    if (const auto found = by_values_.find({x.untyped_data(), to_string(x.shape())});
        x.size() > 0 && found != by_values_.end())
      return found->second;
    return add(x);
  }
  void recorded(const RecordedOperation& operation) override {
    Heard call{std::string(operation.operation), std::string(operation.path), operation.definition.describe(), {}, {}};
    for (std::size_t i = 0; i < operation.inputs.size(); ++i) call.inputs.push_back(place_of(operation.inputs[i]));
    for (const Tensor& output : operation.outputs) call.outputs.push_back(add(output));
    calls.push_back(std::move(call));
  }

  std::vector<Tensor> values;
  std::vector<Heard> calls;

 private:
  std::map<const TensorBody*, std::size_t> by_body_;
  std::map<std::pair<const void*, std::string>, std::size_t> by_values_;
};

/// A trace of f on so many rows: the parameters and buffers, then the input, come first among its values.
struct Trace {
  Tracer tracer;
  std::size_t input = 0;
  std::size_t output = 0;

  Trace(const std::vector<NamedTensor>& constants, const std::function<Tensor(const Tensor&)>& f, Shape shape,
        DType dtype, std::int64_t rows) {
    for (const NamedTensor& constant : constants) tracer.add(constant.tensor);
    shape.insert(0, rows);
    const Tensor x = zeros(shape, dtype);
    input = tracer.add(x);
    Tape tape({.observer = &tracer, .everything = true});
    output = tracer.place_of(f(x));
  }
};

constexpr std::int64_t few_rows = 2, more_rows = 3;

[[noreturn]] void cannot_trace(const std::string& what) { throw ValueError("trace: " + what); }

std::string described(const Heard& call) {
  return call.path.empty() ? call.operation : call.path + ": " + call.operation;
}

/// An extent for any number of rows, from those for two and three.
std::int64_t general(std::int64_t few, std::int64_t more, const std::string& what) {
  if (few == more) return few;
  if (few % few_rows != 0 || few / few_rows * more_rows != more)
    cannot_trace(fmt::format("{} has the extent {} for {} rows and {} for {}; need a multiple of the rows", what, few,
                             few_rows, more, more_rows));
  return -(few / few_rows);
}

Shape general(const Shape& few, const Shape& more, const std::string& what) {
  if (few.rank() != more.rank()) cannot_trace(what + " has another rank for another number of rows");
  Shape shape;
  for (std::size_t axis = 0; axis < few.rank(); ++axis) shape.push_back(general(few[axis], more[axis], what));
  return shape;
}

ModelGraph::Node general(const Heard& few, const Heard& more) {
  ModelGraph::Node node{few.operation, few.path, few.inputs, few.outputs.front(), {}, few.description.formula};
  const std::string what = described(few);
  if (few.operation != more.operation || few.inputs != more.inputs || few.outputs != more.outputs ||
      few.description.formula != more.description.formula ||
      few.description.attributes.size() != more.description.attributes.size())
    cannot_trace(what + " is another operation for another number of rows");
  for (std::size_t i = 0; i < few.description.attributes.size(); ++i) {
    const auto& [name, values] = few.description.attributes[i];
    std::vector<std::int64_t> others = more.description.attributes[i].values;
    if (std::string_view(name) == "shape" && others.size() == values.size())
      for (std::size_t k = 0; k < values.size(); ++k) others[k] = general(values[k], others[k], what);
    else if (values != others)
      cannot_trace(fmt::format("{} depends by its {} on the number of rows", what, name));
    node.attributes[name] = std::move(others);
  }
  return node;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.untyped_data(), b.untyped_data(), a.bytes()) == 0;
}

/// The calls that the output needs, and their values, numbered anew.
class Pruned {
 public:
  Pruned(const Trace& few, const Trace& more, const std::vector<NamedTensor>& constants, std::size_t parameters)
      : few_(few), more_(more), constants_(constants), parameters_(parameters) {
    const std::vector<Heard>& calls = few.tracer.calls;
    if (calls.size() != more.tracer.calls.size())
      cannot_trace("the model calls other operations for another number of rows");
    std::vector<bool> live(calls.size()), needed(few.tracer.values.size());
    needed[few.output] = true;
    for (std::size_t i = calls.size(); i-- > 0;) {
      live[i] = std::any_of(calls[i].outputs.begin(), calls[i].outputs.end(), [&](std::size_t o) { return needed[o]; });
      if (!live[i]) continue;
      if (!calls[i].description.known || calls[i].outputs.size() != 1)
        cannot_trace(described(calls[i]) + " is an operation that no other program knows; need those of xgrad");
      for (const std::size_t input : calls[i].inputs) needed[input] = true;
    }
    if (!needed[few.input]) cannot_trace("the result does not depend on the input");
    graph.input = place(few.input);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (!live[i]) continue;
      ModelGraph::Node node = general(calls[i], more.tracer.calls[i]);
      for (std::size_t& input : node.inputs) input = place(input);
      const std::size_t before = node.output;
      node.output = result(before, described(calls[i]));
      graph.nodes.push_back(std::move(node));
    }
    graph.output = place(few.output);
    if (graph.output != graph.input) graph.values[graph.output].name = unique("output");
    if (graph.values[graph.output].shape.rank() == 0 || graph.values[graph.output].shape[0] != -1)
      cannot_trace(
          fmt::format("the result is {}; need a row for each row of the input", few.tracer.values[few.output].shape()));
  }

  ModelGraph graph;

 private:
  std::string unique(std::string name) {
    while (!names_.insert(name).second) name += '_';
    return name;
  }
  std::size_t add(std::size_t before, ModelGraph::Value value) {
    places_[before] = graph.values.size();
    graph.values.push_back(std::move(value));
    return graph.values.size() - 1;
  }
  /// Of the input, or of a constant that is met for the first time.
  std::size_t place(std::size_t before) {
    if (const auto found = places_.find(before); found != places_.end()) return found->second;
    const Tensor &a = few_.tracer.values[before], &b = more_.tracer.values[before];
    if (before == few_.input)
      return add(before, {unique("input"), a.dtype(), general(a.shape(), b.shape(), "the input"), {}, false});
    if (before < constants_.size())
      return add(before, {unique(constants_[before].path), a.dtype(), a.shape(), constants_[before].tensor,
                          before < parameters_});
    if (!same_bits(a, b)) cannot_trace(fmt::format("a constant {} depends on the number of rows", a.shape()));
    return add(before, {unique("xgrad.constant"), a.dtype(), a.shape(), a, false});
  }
  std::size_t result(std::size_t before, const std::string& what) {
    const Tensor &a = few_.tracer.values[before], &b = more_.tracer.values[before];
    return add(before, {unique(fmt::format("value_{}", graph.values.size())),
                        a.dtype(),
                        general(a.shape(), b.shape(), what),
                        {},
                        false});
  }

  const Trace& few_;
  const Trace& more_;
  const std::vector<NamedTensor>& constants_;
  std::size_t parameters_;
  std::map<std::size_t, std::size_t> places_;
  std::set<std::string> names_;
};

}  // namespace

ModelGraph trace_of(const Module& model, const std::function<Tensor(const Tensor&)>& f, const Shape& shape,
                    DType dtype) {
  if (shape.rank() == Shape::capacity)
    throw_as<ShapeError>("trace: examples of shape {}; need at most {} axes, beside the batch's", shape,
                         Shape::capacity - 1);
  std::vector<NamedTensor> constants = model.named_parameters();
  const std::size_t parameters = constants.size();
  for (NamedTensor& buffer : model.named_buffers()) constants.push_back(std::move(buffer));
  const Trace few(constants, f, shape, dtype, few_rows), more(constants, f, shape, dtype, more_rows);
  return Pruned(few, more, constants, parameters).graph;
}

void require_shapes(const ModelGraph& graph, const char* writer) {
  if (graph.values.at(graph.output).shape.rank() == 0)
    throw_as<ValueError>(
        "{}: the graph was read from ONNX and has no shapes; need nn::trace(model, shape) of its model", writer);
}

Formula formula_of(const std::function<Tensor(const Tensor&)>& f) {
  if (!f) throw ValueError("formula_of: the function is empty");
  Tracer tracer;
  const Tensor x = zeros({1}, float32);
  Tape tape({.observer = &tracer, .everything = true});
  f(x);
  return tracer.calls.size() == 1 ? tracer.calls.front().description.formula : Formula();
}

}  // namespace xgrad::nn
