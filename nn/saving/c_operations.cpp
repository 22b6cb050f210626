#include <autograd/tensor/format.hpp>
#include <nn/saving/c_code.hpp>

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

namespace xgrad::nn {

namespace {

const std::vector<std::int64_t>& attribute(const ModelGraph::Node& node, const char* name) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) refuse_c(node.operation + " has no " + name);
  return found->second;
}

std::string expression(CCode& c, const std::string& name, const std::function<std::string(std::size_t)>& x) {
  const std::string zero = c.literal(0), one = c.literal(1);
  const auto infix = [&](const char* sign) { return x(0) + ' ' + sign + ' ' + x(1); };
  const auto truth = [&](const char* sign) { return fmt::format("{} ? {} : {}", infix(sign), one, zero); };
  if (name == "neg") return "-" + x(0);
  if (name == "add") return infix("+");
  if (name == "sub") return infix("-");
  if (name == "mul") return infix("*");
  if (name == "div") return infix("/");
  if (name == "lt") return truth("<");
  if (name == "le") return truth("<=");
  if (name == "eq") return truth("==");
  if (name == "and") return infix("*");
  if (name == "or") return fmt::format("{0} != {2} || {1} != {2} ? {3} : {2}", x(0), x(1), zero, one);
  if (name == "not") return one + " - " + x(0);
  if (name == "tie") return fmt::format("{0} * {2} + {1} * {2}", x(0), x(1), c.literal(0.5));
  if (name == "where") return fmt::format("{} != {} ? {} : {}", x(0), zero, x(1), x(2));
  for (const char* const known : {"exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "floor"})
    if (name == known) return fmt::format("{}({})", c.function(known), x(0));
  if (name == "abs") return fmt::format("{}({})", c.function("fabs"), x(0));
  if (name == "pow") return fmt::format("{}({}, {})", c.function("pow"), x(0), x(1));
  if (name == "sign") return fmt::format("{0} > {1} ? {2} : {0} < {1} ? -{2} : {0}", x(0), zero, one);
  if (name == "sigmoid" || name == "softplus" || name == "swish" || name == "mish") return c.call(name, x(0));
  refuse_c("the elementary step " + name + " has no C");
}

void write_formula(CCode& c, const ModelGraph::Node& node) {
  const Shape out = c.shape(node.output);
  bool alike = true;
  for (const std::size_t input : node.inputs) alike = alike && (c.shape(input) == out || c.size(input) == 1);
  const Shape loops = alike ? Shape{static_cast<std::int64_t>(out.elements())} : out;
  c.nest(loops, [&] {
    const std::vector<bool> live = node.formula.live_steps();
    std::vector<std::string> names;
    for (std::size_t i = 0; i < node.formula.steps.size(); ++i) {
      const Formula::Step& step = node.formula.steps[i];
      if (!live[i]) {
        names.emplace_back();
      } else if (step.name == "input") {
        const std::size_t input = node.inputs.at(step.operands[0]);
        const Strides strides = c.size(input) == 1 ? Strides(loops.rank(), 0)
                                : alike            ? Strides{1}
                                                   : broadcast_strides(c.shape(input), out);
        names.push_back(c.at(input, strides));
      } else if (step.name == "constant") {
        names.push_back(c.literal(step.value));
      } else if (step.name == "known_derivative") {
        names.push_back(names.at(step.operands[0]));
      } else {
        const auto operand = [&](std::size_t o) { return names.at(step.operands[o]); };
        c.line(fmt::format("const {} t{} = {};", c.number(), i, expression(c, step.name, operand)));
        names.push_back(fmt::format("t{}", i));
      }
    }
    c.line(fmt::format("{} = {};", c.at(node.output, alike ? Strides{1} : strides_of(out)),
                       names.at(node.formula.result)));
  });
}

// y (..., n) = x (..., k) · W (k, n) + b (n)
void write_linear(CCode& c, const ModelGraph::Node& node) {
  const std::size_t x = node.inputs[0], weight = node.inputs[1];
  const std::int64_t k = c.shape(weight)[0], n = c.shape(weight)[1];
  const auto rows = static_cast<std::int64_t>(c.size(node.output)) / n;
  c.nest({rows, n}, [&] {
    c.line(
        fmt::format("{} s = {};", c.number(), node.inputs.size() == 3 ? c.at(node.inputs[2], {0, 1}) : c.literal(0)));
    c.nest(
        {k},
        [&] {
          c.line(fmt::format("s += {} * {};", c.at(x, {k, 0, 1}), c.at(weight, {0, 1, n})));
        },
        2);
    c.line(c.at(node.output, {n, 1}) + " = s;");
  });
}

void write_matmul(CCode& c, const ModelGraph::Node& node) {
  const auto& flags = attribute(node, "transpose");
  const Shape out = c.shape(node.output);
  const auto operand = [&](std::size_t input, bool transposed, bool left) {
    const Shape whole = c.shape(input);
    const Shape batch(std::span(whole.begin(), whole.rank() - 2)), to(std::span(out.begin(), out.rank() - 2));
    const std::int64_t rows = whole[whole.rank() - 2], columns = whole.back();
    Strides strides = broadcast_strides(batch, to);
    for (std::int64_t& stride : strides) stride *= rows * columns;
    const std::int64_t row = transposed ? 1 : columns, column = transposed ? columns : 1;
    for (const std::int64_t stride : left ? Strides{row, 0, column} : Strides{0, column, row})
      strides.push_back(stride);
    return c.at(input, strides);
  };
  const Shape left = c.shape(node.inputs[0]);
  const std::int64_t k = flags.at(0) != 0 ? left[left.rank() - 2] : left.back();
  c.nest(out, [&] {
    c.line(fmt::format("{} s = {};", c.number(), c.literal(0)));
    c.nest(
        {k},
        [&] {
          c.line(fmt::format("s += {} * {};", operand(node.inputs[0], flags.at(0) != 0, true),
                             operand(node.inputs[1], flags.at(1) != 0, false)));
        },
        out.rank());
    c.line(c.at(node.output, strides_of(out)) + " = s;");
  });
}

void write_copy(CCode& c, const ModelGraph::Node& node, const Strides& from, std::int64_t offset) {
  const Shape out = c.shape(node.output);
  c.nest(out, [&] {
    c.line(fmt::format("{} = {};", c.at(node.output, strides_of(out)), c.at(node.inputs[0], from, offset)));
  });
}
void write_permute(CCode& c, const ModelGraph::Node& node) {
  const Strides own = strides_of(c.shape(node.inputs[0]));
  Strides strides;
  for (const std::int64_t axis : attribute(node, "axes")) strides.push_back(own.at(static_cast<std::size_t>(axis)));
  write_copy(c, node, strides, 0);
}
void write_slice(CCode& c, const ModelGraph::Node& node) {
  Strides strides = strides_of(c.shape(node.inputs[0]));
  const auto axis = static_cast<std::size_t>(attribute(node, "axis").at(0));
  const std::int64_t offset = attribute(node, "start").at(0) * strides.at(axis);
  strides[axis] *= attribute(node, "step").at(0);
  write_copy(c, node, strides, offset);
}
void write_concatenate(CCode& c, const ModelGraph::Node& node) {
  const auto axis = static_cast<std::size_t>(attribute(node, "axis").at(0));
  const Strides strides = strides_of(c.shape(node.output));
  std::int64_t start = 0;
  for (const std::size_t input : node.inputs) {
    const Shape part = c.shape(input);
    c.nest(part, [&] {
      c.line(
          fmt::format("{} = {};", c.at(node.output, strides, start * strides.at(axis)), c.at(input, strides_of(part))));
    });
    start += part[axis];
  }
}

/// Loops over the axes that stay (first) and those that go; place of the input under both.
struct Split {
  Shape kept, gone;
  Strides input, output;  // input: of the kept axes, then of the others
  std::int64_t count = 1;
};
Split split(const CCode& c, const ModelGraph::Node& node) {
  const Shape from = c.shape(node.inputs[0]);
  const Strides own = strides_of(from);
  const auto& axes = attribute(node, "axes");
  Split result;
  Strides gone;
  for (std::size_t axis = 0; axis < from.rank(); ++axis) {
    const bool goes = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(axis)) != axes.end();
    (goes ? result.gone : result.kept).push_back(from[axis]);
    (goes ? gone : result.input).push_back(own[axis]);
    if (goes) result.count *= from[axis];
  }
  result.output = strides_of(result.kept);
  result.input.insert(result.input.end(), gone.begin(), gone.end());
  return result;
}

void write_reduction(CCode& c, const ModelGraph::Node& node) {
  const Split loops = split(c, node);
  const std::string x = c.at(node.inputs[0], loops.input), &name = node.operation;
  const auto each = [&](const std::string& text) {
    c.nest(
        loops.gone, [&] { c.line(text); }, loops.kept.rank());
  };
  const auto extreme = [&](const char* sign) {
    c.line(fmt::format("{} s = {}INFINITY;", c.number(), *sign == '>' ? "-" : ""));
    each(fmt::format("if ({0} {1} s || {0} != {0}) s = {0};", x, sign));
  };
  c.nest(loops.kept, [&] {
    std::string result = "s";
    if (name == "max" || name == "logsumexp") extreme(">");
    if (name == "min") extreme("<");
    if (name == "sum" || name == "mean" || name == "prod") {
      c.line(fmt::format("{} s = {};", c.number(), c.literal(name == "prod" ? 1 : 0)));
      each(fmt::format("s {}= {};", name == "prod" ? '*' : '+', x));
      if (name == "mean") result = fmt::format("s / {}", c.literal(static_cast<double>(loops.count)));
    }
    if (name == "norm") {
      c.line(fmt::format("{} s = {};", c.number(), c.literal(0)));
      each(fmt::format("s = {}(s, {});", c.function("hypot"), x));
    }
    if (name == "logsumexp") {
      c.line(fmt::format("{} e = {};", c.number(), c.literal(0)));
      c.line(fmt::format("const {} m = s - s == {} ? s : {};", c.number(), c.literal(0), c.literal(0)));
      each(fmt::format("e += {}({} - m);", c.function("exp"), x));
      result = fmt::format("m + {}(e)", c.function("log"));
    }
    c.line(fmt::format("{} = {};", c.at(node.output, loops.output), result));
  });
}

void write_centred(CCode& c, const ModelGraph::Node& node) {
  const Split loops = split(c, node);
  const std::string x = c.at(node.inputs[0], loops.input);
  const auto each = [&](const std::string& text) {
    c.nest(
        loops.gone, [&] { c.line(text); }, loops.kept.rank());
  };
  c.nest(loops.kept, [&] {
    c.line(fmt::format("{} s = {};", c.number(), c.literal(0)));
    each("s += " + x + ";");
    c.line(fmt::format("s /= {};", c.literal(static_cast<double>(loops.count))));
    each(fmt::format("{} = {} - s;", c.at(node.output, loops.input), x));
  });
}

void write_softmax(CCode& c, const ModelGraph::Node& node) {
  const std::int64_t length = c.shape(node.output).back();
  const auto rows = static_cast<std::int64_t>(c.size(node.output)) / length;
  const std::string x = c.at(node.inputs[0], {length, 1}), y = c.at(node.output, {length, 1});
  const auto each = [&](const std::string& text) {
    c.nest(
        {length}, [&] { c.line(text); }, 1);
  };
  c.nest({rows}, [&] {
    c.line(fmt::format("{} m = -INFINITY, s = {};", c.number(), c.literal(0)));
    each(fmt::format("if ({0} > m) m = {0};", x));
    each(fmt::format("s += {}({} - m);", c.function("exp"), x));
    if (node.operation == "softmax")
      each(fmt::format("{} = {}({} - m) / s;", y, c.function("exp"), x));
    else
      each(fmt::format("{} = {} - m - {}(s);", y, x, c.function("log")));
  });
}

void write_take(CCode& c, const ModelGraph::Node& node) {
  const std::size_t x = node.inputs[0], index = node.inputs[1];
  const auto axis = static_cast<std::size_t>(attribute(node, "axis").at(0));
  const Shape from = c.shape(x), places = c.shape(index), out = c.shape(node.output);
  const Strides own = strides_of(from), of_places = strides_of(places);
  Strides strides(out.rank(), 0), index_strides(out.rank(), 0);
  for (std::size_t a = 0; a < out.rank(); ++a) {
    if (a < axis) strides[a] = own[a];
    if (a >= axis + places.rank()) strides[a] = own[a - places.rank() + 1];
    if (a >= axis && a < axis + places.rank()) index_strides[a] = of_places[a - axis];
  }
  c.checks = true;
  c.has_integers = true;
  c.nest(out, [&] {
    c.line(fmt::format("const int64_t k = {};", c.at(index, index_strides)));
    c.line(fmt::format("if (k < 0 || k >= {}) return 1;", from[axis]));
    c.line(fmt::format("{} = ({})[{} + k * {}];", c.at(node.output, strides_of(out)), c.names[x], place(strides),
                       own[axis]));
  });
}

}  // namespace

void write_operation(CCode& code, const ModelGraph::Node& node) {
  if (!node.formula.steps.empty()) return write_formula(code, node);
  using Write = void (*)(CCode&, const ModelGraph::Node&);
  static constexpr std::pair<const char*, Write> writers[] = {
      {"linear", write_linear},   {"matmul", write_matmul},           {"permute", write_permute},
      {"slice", write_slice},     {"concatenate", write_concatenate}, {"sum", write_reduction},
      {"mean", write_reduction},  {"max", write_reduction},           {"min", write_reduction},
      {"prod", write_reduction},  {"norm", write_reduction},          {"logsumexp", write_reduction},
      {"centred", write_centred}, {"softmax", write_softmax},         {"log_softmax", write_softmax},
      {"take", write_take}};
  const auto* const found = std::find_if(std::begin(writers), std::end(writers),
                                         [&](const auto& writer) { return node.operation == writer.first; });
  if (found == std::end(writers)) refuse_c("the operation " + node.operation + " has no C");
  found->second(code, node);
}

}  // namespace xgrad::nn
