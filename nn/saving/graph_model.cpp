#include <autograd/ops/activations.hpp>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/compare.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/indexing.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/linear_algebra.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/ops/softmax.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/saving/graph_model.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

namespace xgrad::nn {

namespace {

using Function = Tensor (*)(const Tensor&);

/// Functions whose formulas are recognised: they are called as they are, with their derivatives at kinks.
constexpr std::pair<const char*, Function> named[] = {{"relu", relu},
                                                      {"leaky_relu", leaky_relu},
                                                      {"elu", elu},
                                                      {"sigmoid", sigmoid},
                                                      {"tanh", tanh},
                                                      {"softplus", softplus},
                                                      {"log_sigmoid", log_sigmoid},
                                                      {"swish", swish},
                                                      {"mish", mish},
                                                      {"exp", exp},
                                                      {"hard_tanh", hard_tanh},
                                                      {"log", log},
                                                      {"expm1", expm1},
                                                      {"log1p", log1p},
                                                      {"sqrt", sqrt},
                                                      {"square", square},
                                                      {"abs", abs},
                                                      {"sin", sin},
                                                      {"cos", cos},
                                                      {"sign", sign},
                                                      {"floor", floor},
                                                      {"neg", neg}};

Function function_of(const Formula& formula) {
  static const std::vector<Formula> formulas = [] {
    std::vector<Formula> list;
    for (const auto& [name, function] : named) list.push_back(formula_of(function));
    return list;
  }();
  const auto found = std::find(formulas.begin(), formulas.end(), formula);
  return found == formulas.end() ? nullptr : named[found - formulas.begin()].second;
}

Tensor one_minus(const Tensor& x) { return 1.0 - x; }

struct Step {
  const char* name;
  std::size_t operands;
  Tensor (*compute)(const Tensor& a, const Tensor& b, const Tensor& c);
};

template <Function f>
Tensor of_first(const Tensor& a, const Tensor&, const Tensor&) {
  return f(a);
}
template <Tensor (*f)(const Tensor&, const Tensor&)>
Tensor of_two(const Tensor& a, const Tensor& b, const Tensor&) {
  return f(a, b);
}

constexpr Step steps[] = {
    {"neg", 1, of_first<neg>},
    {"exp", 1, of_first<exp>},
    {"expm1", 1, of_first<expm1>},
    {"log", 1, of_first<log>},
    {"log1p", 1, of_first<log1p>},
    {"sqrt", 1, of_first<sqrt>},
    {"sin", 1, of_first<sin>},
    {"cos", 1, of_first<cos>},
    {"tanh", 1, of_first<tanh>},
    {"abs", 1, of_first<abs>},
    {"sign", 1, of_first<sign>},
    {"floor", 1, of_first<floor>},
    {"sigmoid", 1, of_first<sigmoid>},
    {"softplus", 1, of_first<softplus>},
    {"swish", 1, of_first<swish>},
    {"mish", 1, of_first<mish>},
    {"not", 1, of_first<one_minus>},
    {"add", 2, of_two<add>},
    {"sub", 2, of_two<sub>},
    {"mul", 2, of_two<mul>},
    {"div", 2, of_two<div>},
    {"pow", 2, of_two<pow>},
    {"lt", 2, of_two<lt>},
    {"le", 2, of_two<le>},
    {"eq", 2, of_two<eq>},
    {"and", 2, of_two<mul>},
    {"or", 2, of_two<maximum>},
    {"tie", 2, [](const Tensor& a, const Tensor& b, const Tensor&) { return a * 0.5 + b * 0.5; }},
    {"where", 3, [](const Tensor& a, const Tensor& b, const Tensor& c) { return where(a, b, c); }},
    {"known_derivative", 1, [](const Tensor& a, const Tensor&, const Tensor&) { return a; }},
};

Tensor evaluate(const Formula& formula, const std::vector<Tensor>& inputs) {
  if (inputs.size() == 1)
    if (const Function f = function_of(formula)) return f(inputs[0]);
  std::vector<Tensor> values;
  for (const Formula::Step& step : formula.steps) {
    const auto& [a, b, c] = step.operands;
    if (step.name == "input") {
      values.push_back(inputs[a]);
    } else if (step.name == "constant") {
      values.push_back(full({}, step.value, inputs[0].dtype()));
    } else {
      const auto* const known = std::find_if(std::begin(steps), std::end(steps),
                                             [&](const Step& candidate) { return candidate.name == step.name; });
      const auto operand = [&](std::size_t number, std::uint32_t place) {
        return number < known->operands ? values[place] : Tensor();
      };
      values.push_back(known->compute(operand(0, a), operand(1, b), operand(2, c)));
    }
  }
  return values[formula.result];
}

class Arguments {
 public:
  Arguments(const ModelGraph::Node& node, std::int64_t rows) : node_(node), rows_(rows) {}
  const std::vector<std::int64_t>& list(const char* name) const {
    const auto found = node_.attributes.find(name);
    if (found == node_.attributes.end()) throw_as<ValueError>("graph: {} has no {}", node_.operation, name);
    return found->second;
  }
  std::int64_t one(const char* name) const {
    const auto& values = list(name);
    if (values.size() != 1)
      throw_as<ValueError>("graph: {} has {} values of {}; need one", node_.operation, values.size(), name);
    return values[0];
  }
  Axes axes(const char* name = "axes") const { return Axes(std::span(list(name))); }
  bool keepdims() const { return one("keepdims") != 0; }
  /// Of x, reshaped.
  Shape shape(const Tensor& x) const {
    Shape shape{std::span(list("shape"))};
    for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
      std::int64_t& extent = shape[axis];
      if (extent == open_extent)
        extent = -1;
      else if (extent == copied_extent)
        extent = x.shape(static_cast<std::int64_t>(axis));
      else if (extent < 0 && __builtin_mul_overflow(-extent, rows_, &extent))
        throw_as<ValueError>("graph: {} has a shape that no memory holds", node_.operation);
    }
    return shape;
  }

 private:
  const ModelGraph::Node& node_;
  std::int64_t rows_;
};

using Inputs = std::vector<Tensor>;

/// No axes means all of them to our reductions, and none in a graph.
template <class Reduce>
Tensor reduced(const Arguments& node, const Tensor& x, const Reduce& reduce) {
  return node.axes().empty() ? reshape(x, x.shape()) : reduce(x, node.axes(), node.keepdims());
}

struct Operator {
  const char* name;
  std::size_t least, most;  // inputs
  Tensor (*compute)(const Arguments& node, const Inputs& in);
};

constexpr Operator operators[] = {
    {"linear", 2, 3,
     [](const Arguments&, const Inputs& in) {
       return in.size() == 3 ? linear(in[0], in[1], in[2]) : linear(in[0], in[1]);
     }},
    {"matmul", 2, 2,
     [](const Arguments& node, const Inputs& in) {
       const auto& flags = node.list("transpose");
       if (flags.size() != 2) throw ValueError("graph: matmul needs two flags to transpose");
       if (flags[0] == 0 && flags[1] == 0) return matmul(in[0], in[1]);
       return matmul(in[0], in[1], flags[0] != 0, flags[1] != 0);
     }},
    {"reshape", 1, 1, [](const Arguments& node, const Inputs& in) { return reshape(in[0], node.shape(in[0])); }},
    {"flatten", 1, 1,
     [](const Arguments& node, const Inputs& in) {
       Shape matrix = {1, 1};
       const auto axis = static_cast<std::size_t>(node.one("axis"));
       for (std::size_t i = 0; i < in[0].rank(); ++i) matrix[i < axis ? 0 : 1] *= in[0].shape()[i];
       return reshape(in[0], matrix);
     }},
    {"cut", 1, 1,
     [](const Arguments& node, const Inputs& in) {
       return slice(in[0], node.one("axis"), node.one("start"), node.one("stop"), node.one("step"));
     }},
    {"permute", 1, 1, [](const Arguments& node, const Inputs& in) { return permute(in[0], node.axes()); }},
    {"slice", 1, 1,
     [](const Arguments& node, const Inputs& in) {
       const std::int64_t axis = node.one("axis"), start = node.one("start"), step = node.one("step");
       const std::int64_t count = node.one("count"), stop = start + step * count;
       constexpr std::int64_t before_all = std::numeric_limits<std::int64_t>::min() / 2;
       return slice(in[0], axis, start, count == 0 ? start : stop < 0 ? before_all : stop, step);
     }},
    {"concatenate", 1, 1'000'000,
     [](const Arguments& node, const Inputs& in) { return concatenate(in, node.one("axis")); }},
    {"sum", 1, 1, [](const Arguments& node, const Inputs& in) { return reduced(node, in[0], sum); }},
    {"mean", 1, 1, [](const Arguments& node, const Inputs& in) { return reduced(node, in[0], mean); }},
    {"max", 1, 1, [](const Arguments& node, const Inputs& in) { return reduced(node, in[0], max); }},
    {"min", 1, 1, [](const Arguments& node, const Inputs& in) { return reduced(node, in[0], min); }},
    {"prod", 1, 1, [](const Arguments& node, const Inputs& in) { return reduced(node, in[0], prod); }},
    {"logsumexp", 1, 1,
     [](const Arguments& node, const Inputs& in) { return logsumexp(in[0], node.axes(), node.keepdims()); }},
    {"norm", 1, 1, [](const Arguments& node, const Inputs& in) { return norm(in[0], node.axes(), node.keepdims()); }},
    {"centred", 1, 1, [](const Arguments& node, const Inputs& in) { return centred(in[0], node.axes()); }},
    {"softmax", 1, 1, [](const Arguments&, const Inputs& in) { return softmax(in[0]); }},
    {"log_softmax", 1, 1, [](const Arguments&, const Inputs& in) { return log_softmax(in[0]); }},
    {"take", 2, 2, [](const Arguments& node, const Inputs& in) { return take(in[0], in[1], node.one("axis")); }},
};

const Operator* find_operator(const std::string& name) {
  const auto* const found = std::find_if(std::begin(operators), std::end(operators),
                                         [&](const Operator& candidate) { return candidate.name == name; });
  return found == std::end(operators) ? nullptr : found;
}

void check_formula(const ModelGraph::Node& node) {
  const Formula& formula = node.formula;
  const auto refuse = [&](const std::string& what) { throw_as<ValueError>("graph: {}: {}", node.operation, what); };
  if (node.inputs.empty()) refuse("a formula without inputs");
  for (std::size_t i = 0; i < formula.steps.size(); ++i) {
    const Formula::Step& step = formula.steps[i];
    if (step.name == "constant") continue;
    if (step.name == "input") {
      if (step.operands[0] >= node.inputs.size()) refuse("a formula of more inputs than it has");
      continue;
    }
    const auto* const known = std::find_if(std::begin(steps), std::end(steps),
                                           [&](const Step& candidate) { return candidate.name == step.name; });
    if (known == std::end(steps)) refuse("its formula has the step '" + step.name + "', which is not known");
    for (std::size_t o = 0; o < known->operands; ++o)
      if (step.operands[o] >= i) refuse("a step of its formula uses a later one");
  }
  if (formula.result >= formula.steps.size()) refuse("its formula has no result");
}

void check(const ModelGraph& graph) {
  std::vector<bool> known(graph.values.size());
  const auto refuse = [](const std::string& what) { throw ValueError("graph: " + what); };
  if (graph.input >= graph.values.size() || graph.output >= graph.values.size()) refuse("no input or no output");
  for (std::size_t i = 0; i < graph.values.size(); ++i) known[i] = graph.values[i].constant.defined();
  if (known[graph.input]) refuse("the input is a constant");
  known[graph.input] = true;
  for (const ModelGraph::Node& node : graph.nodes) {
    for (const std::size_t input : node.inputs)
      if (input >= known.size() || !known[input]) refuse(node.operation + " uses what is not computed before it");
    if (node.output >= known.size() || known[node.output]) refuse(node.operation + " has no place for its result");
    known[node.output] = true;
    if (!node.formula.steps.empty()) {
      check_formula(node);
      continue;
    }
    const Operator* const found = find_operator(node.operation);
    if (found == nullptr) refuse("the operation '" + node.operation + "' is not known");
    if (node.inputs.size() < found->least || node.inputs.size() > found->most)
      refuse(fmt::format("{} has {} inputs", node.operation, node.inputs.size()));
  }
  if (!known[graph.output]) refuse("the output is not computed");
}

/// `a.b.weight` as the names of modules and of the tensor; as one name where that cannot be.
std::vector<std::string> parts_of(const std::string& name, const std::set<std::string>& names) {
  std::vector<std::string> parts = {""};
  bool possible = true;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '.')
      parts.back() += name[i];
    else {
      possible = possible && !parts.back().empty() && !names.contains(name.substr(0, i));
      parts.emplace_back();
    }
  }
  if (possible && !parts.back().empty()) return parts;
  std::string flat = name.empty() ? "_" : name;
  std::replace(flat.begin(), flat.end(), '.', '_');
  return {flat};
}

}  // namespace

GraphModel::GraphModel(ModelGraph graph) : graph_(std::move(graph)) {
  check(graph_);
  std::set<std::string> names;
  for (const ModelGraph::Value& value : graph_.values)
    if (value.constant.defined()) names.insert(value.name);
  std::map<std::string, Module> modules = {{"", *this}};
  for (ModelGraph::Value& value : graph_.values) {
    if (!value.constant.defined()) continue;
    const std::vector<std::string> parts = parts_of(value.name, names);
    std::string path;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      Module& parent = modules.at(path);
      path += (path.empty() ? "" : ".") + parts[i];
      if (!modules.contains(path)) modules.emplace(path, parent.add(parts[i], Module()));
    }
    const Tensor copy = detach(value.constant).clone();
    Module& owner = modules.at(path);
    value.constant = value.learned ? owner.parameter(parts.back(), copy) : owner.buffer(parts.back(), copy);
  }
}

Tensor GraphModel::operator()(const Tensor& x) const {
  check_defined("graph", "the input", x);
  const ModelGraph::Value& input = graph_.values[graph_.input];
  bool fits = x.rank() == input.shape.rank() && is_floating(x.dtype()) == is_floating(input.dtype);
  for (std::size_t axis = 0; fits && axis < x.rank(); ++axis)
    fits = input.shape[axis] < 0 || x.shape()[axis] == input.shape[axis];
  if (!fits) {
    Shape example = input.shape;
    example.erase(0);
    throw_as<ShapeError>("graph expects {} rows of {}, got {} {}", input.dtype, example, x.dtype(), x.shape());
  }
  std::vector<Tensor> values(graph_.values.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = graph_.values[i].constant;
  values[graph_.input] = x;
  for (const ModelGraph::Node& node : graph_.nodes) {
    Inputs inputs;
    for (const std::size_t place : node.inputs) inputs.push_back(values[place]);
    if (!node.formula.steps.empty())
      values[node.output] = evaluate(node.formula, inputs);
    else
      values[node.output] = find_operator(node.operation)->compute(Arguments(node, x.shape(0)), inputs);
  }
  return values[graph_.output];
}

}  // namespace xgrad::nn
