#include <autograd/tensor/format.hpp>
#include <nn/files/whole_file.hpp>
#include <nn/saving/write_c.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

namespace xgrad::nn {

namespace {

[[noreturn]] void refuse(const std::string& what) { throw ValueError("write_c: " + what); }

/// Axes of an operand in a nest of loops: what an index is multiplied by.
using Strides = std::vector<std::int64_t>;

Strides strides_of(const Shape& shape) {
  Strides strides(shape.rank(), 1);
  for (std::size_t axis = shape.rank(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

/// Of an operand that is broadcast to `to`.
Strides broadcast_strides(const Shape& shape, const Shape& to) {
  const Strides own = strides_of(shape);
  Strides strides(to.rank(), 0);
  for (std::size_t axis = 0; axis < shape.rank(); ++axis)
    if (shape[axis] != 1) strides[to.rank() - shape.rank() + axis] = own[axis];
  return strides;
}

/// A place in an array: Σ index · stride + offset.
std::string place(const Strides& strides, std::int64_t offset = 0) {
  std::string text;
  for (std::size_t axis = 0; axis < strides.size(); ++axis)
    if (strides[axis] != 0)
      text += fmt::format("{}i{}{}", text.empty() ? "" : " + ", axis,
                          strides[axis] == 1 ? "" : fmt::format(" * {}", strides[axis]));
  if (offset != 0 || text.empty()) text += fmt::format("{}{}", text.empty() ? "" : " + ", offset);
  return text;
}

class Writer {
 public:
  Writer(const ModelGraph& graph, const WriteCOptions& options) : graph_(graph), options_(options) {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    const std::string& name = options.name;
    if (name.empty() || !is_letter(name[0]) ||
        !std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); }))
      refuse("the name '" + name + "' is no identifier of C");
    wide_ = value(graph.output).dtype == float64;
    number_ = wide_ ? "double" : "float";
  }

  std::string text() {
    require_shapes(graph_, "write_c");
    place_values();
    for (const ModelGraph::Node& node : graph_.nodes) write(node);
    const std::string& name = options_.name;
    const Shape in = shape(graph_.input), out = shape(graph_.output);
    const bool indices = value(graph_.input).dtype == DType::int64;
    std::string all = fmt::format(
        "/* {0}: a model as one file of C99, made by xgrad.\n\n   int {0}_predict(const {1}* input, {2}* output);\n\n  "
        " computes the {3} numbers of output from the {4} of input. It returns 0{5}. */\n\n#include <math.h>\n",
        name, indices ? "int64_t" : number_, number_, out.elements(), in.elements(),
        checks_ ? ", or 1 for an index outside of its table" : "");
    if (indices || has_integers_) all += "#include <stdint.h>\n";
    all += fmt::format("\nenum {{ {0}_inputs = {1}, {0}_outputs = {2} }};\n", name, in.elements(), out.elements());
    all += fmt::format("int {}_predict(const {}* input, {}* output);\n", name, indices ? "int64_t" : number_, number_);
    if (!options_.preparation.classes.empty()) {
      all += fmt::format("extern const char* const {0}_classes[];\nconst char* const {0}_classes[] = {{", name);
      for (const std::string& label : options_.preparation.classes) all += quoted(label) + ", ";
      all += "0};\n";
    }
    all += '\n' + constants_;
    if (memory_ > 0) all += fmt::format("static {} memory[{}];\n", number_, memory_);
    if (!helpers_.empty()) all += '\n';
    for (const std::string& helper : helpers_) all += helper;
    all +=
        fmt::format("\nint {}_predict(const {}* input, {}* output) {{\n", name, indices ? "int64_t" : number_, number_);
    all += prologue_ + body_ + epilogue() + "  return 0;\n}\n";
    return all;
  }

 private:
  const ModelGraph::Value& value(std::size_t i) const { return graph_.values[i]; }
  /// For one row.
  Shape shape(std::size_t i) const {
    Shape one = value(i).shape;
    for (std::int64_t& extent : one)
      if (extent < 0) extent = -extent;
    return one;
  }
  std::size_t size(std::size_t i) const { return shape(i).elements(); }

  std::string literal(double number) const {
    if (std::isnan(number)) return "NAN";
    if (std::isinf(number)) return number > 0 ? "INFINITY" : "-INFINITY";
    char text[40];
    const auto end = wide_ ? std::to_chars(text, text + sizeof text, number).ptr
                           : std::to_chars(text, text + sizeof text, static_cast<float>(number)).ptr;
    std::string digits(text, end);
    if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
    return wide_ ? digits : digits + "f";
  }
  static std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\' || c == '?')
        result.append({'\\', c});
      else if (byte < 0x20 || byte > 0x7E)
        result += fmt::format("\\{:03o}", byte);
      else
        result += c;
    }
    return result + '"';
  }
  /// exp or expf.
  std::string function(const char* name) const { return wide_ ? name : std::string(name) + "f"; }

  // Where values stand.

  void place_values() {
    names_.resize(graph_.values.size());
    ends_.assign(graph_.values.size(), 0);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      for (const std::size_t input : graph_.nodes[i].inputs) ends_[input] = i;
    ends_[graph_.output] = graph_.nodes.size();
    // A reshaped value is the same memory.
    for (std::size_t i = graph_.nodes.size(); i-- > 0;)
      if (graph_.nodes[i].operation == "reshape")
        ends_[graph_.nodes[i].inputs.at(0)] =
            std::max(ends_[graph_.nodes[i].inputs.at(0)], ends_[graph_.nodes[i].output]);
    for (std::size_t i = 0; i < graph_.values.size(); ++i)
      if (value(i).constant.defined()) add_constant(i);
    names_[graph_.input] = "input";
    if (const auto targets = options_.preparation.scalers.find("targets");
        targets != options_.preparation.scalers.end()) {
      if (targets->second.centers().size() != size(graph_.output))
        refuse(fmt::format("the scaler of the targets has {} columns for {} outputs", targets->second.centers().size(),
                           size(graph_.output)));
      add_numbers("output_centers", targets->second.centers());
      add_numbers("output_spreads", targets->second.spreads());
    }
    const auto scaler = options_.preparation.scalers.find("inputs");
    if (scaler == options_.preparation.scalers.end()) return;
    if (value(graph_.input).dtype == DType::int64) refuse("indices cannot be scaled");
    const std::size_t count = size(graph_.input);
    if (scaler->second.centers().size() != count)
      refuse(
          fmt::format("the scaler of the inputs has {} columns for {} inputs", scaler->second.centers().size(), count));
    add_numbers("input_centers", scaler->second.centers());
    add_numbers("input_spreads", scaler->second.spreads());
    names_[graph_.input] = take_memory(graph_.input, 0);
    prologue_ =
        fmt::format("  for (int i = 0; i < {0}; ++i) ({1})[i] = (input[i] - input_centers[i]) / input_spreads[i];\n",
                    count, names_[graph_.input]);
  }

  std::string epilogue() {
    const std::string result = names_[graph_.output];
    const std::size_t count = size(graph_.output);
    const auto scaler = options_.preparation.scalers.find("targets");
    if (scaler == options_.preparation.scalers.end())
      return fmt::format("  for (int i = 0; i < {}; ++i) output[i] = ({})[i];\n", count, result);
    return fmt::format("  for (int i = 0; i < {}; ++i) output[i] = ({})[i] * output_spreads[i] + output_centers[i];\n",
                       count, result);
  }

  void add_numbers(const std::string& name, const std::vector<double>& numbers) {
    std::string text = fmt::format("static const {} {}[{}] = {{", number_, name, numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) text += (i % 8 == 0 ? "\n  " : " ") + literal(numbers[i]) + ",";
    constants_ += text + "\n};\n";
  }
  void add_constant(std::size_t i) {
    const Tensor& x = value(i).constant;
    if (x.size() == 0) refuse("the constant " + value(i).name + " has no numbers");
    std::string name = "c_" + value(i).name;
    for (char& c : name)
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) c = '_';
    while (!constant_names_.insert(name).second) name += '_';
    names_[i] = name;
    if (x.dtype() == DType::int64) {
      has_integers_ = true;
      std::string text = fmt::format("static const int64_t {}[{}] = {{", name, x.size());
      for (const std::int64_t number : x.values<std::int64_t>()) text += fmt::format("{},", number);
      constants_ += text + "};\n";
      return;
    }
    visit_floating(x.dtype(), [&](auto zero) {
      const auto values = x.values<decltype(zero)>();
      add_numbers(name, {values.begin(), values.end()});
    });
  }

  /// A piece of the one static buffer that nobody uses any more by node `at`.
  std::string take_memory(std::size_t i, std::size_t at) {
    const std::size_t wanted = size(i);
    std::erase_if(used_, [&](const Piece& piece) { return piece.end < at; });
    std::sort(used_.begin(), used_.end(), [](const Piece& a, const Piece& b) { return a.begin < b.begin; });
    std::size_t begin = 0;
    for (const Piece& piece : used_) {
      if (piece.begin >= begin + wanted) break;
      begin = std::max(begin, piece.begin + piece.size);
    }
    used_.push_back({begin, wanted, ends_[i]});
    memory_ = std::max(memory_, begin + wanted);
    return fmt::format("memory + {}", begin);
  }

  // Code.

  void line(const std::string& text) { body_ += std::string(2 * (depth_ + 1), ' ') + text + '\n'; }
  /// f() inside of loops over these extents, by i0, i1, ... from the axis first on.
  void nest(const Shape& extents, const std::function<void()>& f, std::size_t first = 0) {
    const std::size_t before = depth_;
    for (std::size_t axis = 0; axis < extents.rank(); ++axis) {
      line(fmt::format("for (int i{0} = 0; i{0} < {1}; ++i{0}) {{", first + axis, extents[axis]));
      ++depth_;
    }
    f();
    while (depth_ > before) {
      --depth_;
      line("}");
    }
  }
  std::string at(std::size_t i, const Strides& strides, std::int64_t offset = 0) const {
    return fmt::format("({})[{}]", names_[i], place(strides, offset));
  }

  void write(const ModelGraph::Node& node) {
    const std::size_t index = static_cast<std::size_t>(&node - graph_.nodes.data());
    if (node.operation == "reshape" && node.formula.steps.empty()) {
      names_[node.output] = names_[node.inputs[0]];
      return;
    }
    if (size(node.output) == 0) refuse(node.operation + " gives no numbers");
    names_[node.output] = take_memory(node.output, index);
    line(fmt::format("/* {}{} */", node.path.empty() ? "" : node.path + ": ", node.operation));
    if (!node.formula.steps.empty()) return write_formula(node);
    using Write = void (Writer::*)(const ModelGraph::Node&);
    static constexpr std::pair<const char*, Write> writers[] = {
        {"linear", &Writer::write_linear},           {"matmul", &Writer::write_matmul},
        {"permute", &Writer::write_permute},         {"slice", &Writer::write_slice},
        {"concatenate", &Writer::write_concatenate}, {"sum", &Writer::write_reduction},
        {"mean", &Writer::write_reduction},          {"max", &Writer::write_reduction},
        {"min", &Writer::write_reduction},           {"prod", &Writer::write_reduction},
        {"norm", &Writer::write_reduction},          {"logsumexp", &Writer::write_reduction},
        {"centred", &Writer::write_centred},         {"softmax", &Writer::write_softmax},
        {"log_softmax", &Writer::write_softmax},     {"take", &Writer::write_take}};
    const auto* const found = std::find_if(std::begin(writers), std::end(writers),
                                           [&](const auto& writer) { return node.operation == writer.first; });
    if (found == std::end(writers)) refuse("the operation " + node.operation + " has no C");
    (this->*found->second)(node);
  }

  const std::vector<std::int64_t>& attribute(const ModelGraph::Node& node, const char* name) const {
    const auto found = node.attributes.find(name);
    if (found == node.attributes.end()) refuse(node.operation + " has no " + name);
    return found->second;
  }

  void write_formula(const ModelGraph::Node& node) {
    const Shape out = shape(node.output);
    bool alike = true;
    for (const std::size_t input : node.inputs) alike = alike && (shape(input) == out || size(input) == 1);
    const Shape loops = alike ? Shape{static_cast<std::int64_t>(out.elements())} : out;
    nest(loops, [&] {
      const std::vector<bool> live = node.formula.live_steps();
      std::vector<std::string> names;
      for (std::size_t i = 0; i < node.formula.steps.size(); ++i) {
        const Formula::Step& step = node.formula.steps[i];
        if (!live[i]) {
          names.emplace_back();
        } else if (step.name == "input") {
          const std::size_t input = node.inputs.at(step.operands[0]);
          const Strides strides = size(input) == 1 ? Strides(loops.rank(), 0)
                                  : alike          ? Strides{1}
                                                   : broadcast_strides(shape(input), out);
          names.push_back(at(input, strides));
        } else if (step.name == "constant") {
          names.push_back(literal(step.value));
        } else if (step.name == "known_derivative") {
          names.push_back(names.at(step.operands[0]));
        } else {
          const auto operand = [&](std::size_t o) { return names.at(step.operands[o]); };
          line(fmt::format("const {} t{} = {};", number_, i, expression(step.name, operand)));
          names.push_back(fmt::format("t{}", i));
        }
      }
      line(fmt::format("{} = {};", at(node.output, alike ? Strides{1} : strides_of(out)),
                       names.at(node.formula.result)));
    });
  }

  std::string expression(const std::string& name, const std::function<std::string(std::size_t)>& x) {
    const std::string zero = literal(0), one = literal(1);
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
    if (name == "tie") return fmt::format("{0} * {2} + {1} * {2}", x(0), x(1), literal(0.5));
    if (name == "where") return fmt::format("{} != {} ? {} : {}", x(0), zero, x(1), x(2));
    for (const char* const known : {"exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "floor"})
      if (name == known) return fmt::format("{}({})", function(known), x(0));
    if (name == "abs") return fmt::format("{}({})", function("fabs"), x(0));
    if (name == "pow") return fmt::format("{}({}, {})", function("pow"), x(0), x(1));
    if (name == "sign") return fmt::format("{0} > {1} ? {2} : {0} < {1} ? -{2} : {0}", x(0), zero, one);
    if (name == "sigmoid" || name == "softplus" || name == "swish" || name == "mish") return call(name, x(0));
    refuse("the elementary step " + name + " has no C");
  }

  std::string call(const std::string& name, const std::string& x) {
    const auto add = [&](const std::string& function_name, const std::string& text) {
      const std::string helper = fmt::format("static {0} x_{1}({0} x) {{\n  {2}\n}}\n", number_, function_name, text);
      if (std::find(helpers_.begin(), helpers_.end(), helper) == helpers_.end()) helpers_.push_back(helper);
    };
    const std::string one = literal(1), zero = literal(0), exp = function("exp"), log1p = function("log1p");
    // e to the power of -|x| does not overflow.
    const std::string sigmoid = fmt::format("const {0} e = {1}({2}(x) * -{3});", number_, exp, function("fabs"), one);
    if (name == "sigmoid" || name == "swish")
      add("sigmoid", fmt::format("{} return x < {} ? e / ({} + e) : {} / ({} + e);", sigmoid, zero, one, one, one));
    if (name == "softplus" || name == "mish")
      add("softplus", fmt::format("return x < {0} ? {1}({2}(x)) : x + {1}({2}(-x));", zero, log1p, exp));
    if (name == "swish") add("swish", "return x * x_sigmoid(x);");
    if (name == "mish") add("mish", fmt::format("return x * {}(x_softplus(x));", function("tanh")));
    return fmt::format("x_{}({})", name, x);
  }

  // y (..., n) = x (..., k) · W (k, n) + b (n)
  void write_linear(const ModelGraph::Node& node) {
    const std::size_t x = node.inputs[0], weight = node.inputs[1];
    const std::int64_t k = shape(weight)[0], n = shape(weight)[1];
    const auto rows = static_cast<std::int64_t>(size(node.output)) / n;
    nest({rows, n}, [&] {
      line(fmt::format("{} s = {};", number_, node.inputs.size() == 3 ? at(node.inputs[2], {0, 1}) : literal(0)));
      nest(
          {k},
          [&] {
            line(fmt::format("s += {} * {};", at(x, {k, 0, 1}), at(weight, {0, 1, n})));
          },
          2);
      line(at(node.output, {n, 1}) + " = s;");
    });
  }

  void write_matmul(const ModelGraph::Node& node) {
    const auto& flags = attribute(node, "transpose");
    const Shape out = shape(node.output);
    const auto operand = [&](std::size_t input, bool transposed, bool left) {
      const Shape whole = shape(input);
      const Shape batch(std::span(whole.begin(), whole.rank() - 2)), to(std::span(out.begin(), out.rank() - 2));
      const std::int64_t rows = whole[whole.rank() - 2], columns = whole.back();
      Strides strides = broadcast_strides(batch, to);
      for (std::int64_t& stride : strides) stride *= rows * columns;
      const std::int64_t row = transposed ? 1 : columns, column = transposed ? columns : 1;
      for (const std::int64_t stride : left ? Strides{row, 0, column} : Strides{0, column, row})
        strides.push_back(stride);
      return at(input, strides);
    };
    const Shape left = shape(node.inputs[0]);
    const std::int64_t k = flags.at(0) != 0 ? left[left.rank() - 2] : left.back();
    nest(out, [&] {
      line(fmt::format("{} s = {};", number_, literal(0)));
      nest(
          {k},
          [&] {
            line(fmt::format("s += {} * {};", operand(node.inputs[0], flags.at(0) != 0, true),
                             operand(node.inputs[1], flags.at(1) != 0, false)));
          },
          out.rank());
      line(at(node.output, strides_of(out)) + " = s;");
    });
  }

  void write_copy(const ModelGraph::Node& node, const Strides& from, std::int64_t offset) {
    const Shape out = shape(node.output);
    nest(out,
         [&] { line(fmt::format("{} = {};", at(node.output, strides_of(out)), at(node.inputs[0], from, offset))); });
  }
  void write_permute(const ModelGraph::Node& node) {
    const Strides own = strides_of(shape(node.inputs[0]));
    Strides strides;
    for (const std::int64_t axis : attribute(node, "axes")) strides.push_back(own.at(static_cast<std::size_t>(axis)));
    write_copy(node, strides, 0);
  }
  void write_slice(const ModelGraph::Node& node) {
    Strides strides = strides_of(shape(node.inputs[0]));
    const auto axis = static_cast<std::size_t>(attribute(node, "axis").at(0));
    const std::int64_t offset = attribute(node, "start").at(0) * strides.at(axis);
    strides[axis] *= attribute(node, "step").at(0);
    write_copy(node, strides, offset);
  }
  void write_concatenate(const ModelGraph::Node& node) {
    const auto axis = static_cast<std::size_t>(attribute(node, "axis").at(0));
    const Strides strides = strides_of(shape(node.output));
    std::int64_t start = 0;
    for (const std::size_t input : node.inputs) {
      const Shape part = shape(input);
      nest(part, [&] {
        line(fmt::format("{} = {};", at(node.output, strides, start * strides.at(axis)), at(input, strides_of(part))));
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
  Split split(const ModelGraph::Node& node) const {
    const Shape from = shape(node.inputs[0]);
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

  void write_reduction(const ModelGraph::Node& node) {
    const Split loops = split(node);
    const std::string x = at(node.inputs[0], loops.input), &name = node.operation;
    const auto each = [&](const std::string& text) {
      nest(
          loops.gone, [&] { line(text); }, loops.kept.rank());
    };
    const auto extreme = [&](const char* sign) {
      line(fmt::format("{} s = {}INFINITY;", number_, *sign == '>' ? "-" : ""));
      each(fmt::format("if ({0} {1} s || {0} != {0}) s = {0};", x, sign));
    };
    nest(loops.kept, [&] {
      std::string result = "s";
      if (name == "max" || name == "logsumexp") extreme(">");
      if (name == "min") extreme("<");
      if (name == "sum" || name == "mean" || name == "prod") {
        line(fmt::format("{} s = {};", number_, literal(name == "prod" ? 1 : 0)));
        each(fmt::format("s {}= {};", name == "prod" ? '*' : '+', x));
        if (name == "mean") result = fmt::format("s / {}", literal(static_cast<double>(loops.count)));
      }
      if (name == "norm") {
        line(fmt::format("{} s = {};", number_, literal(0)));
        each(fmt::format("s = {}(s, {});", function("hypot"), x));
      }
      if (name == "logsumexp") {
        line(fmt::format("{} e = {};", number_, literal(0)));
        line(fmt::format("const {} m = s - s == {} ? s : {};", number_, literal(0), literal(0)));
        each(fmt::format("e += {}({} - m);", function("exp"), x));
        result = fmt::format("m + {}(e)", function("log"));
      }
      line(fmt::format("{} = {};", at(node.output, loops.output), result));
    });
  }

  void write_centred(const ModelGraph::Node& node) {
    const Split loops = split(node);
    const std::string x = at(node.inputs[0], loops.input);
    const auto each = [&](const std::string& text) {
      nest(
          loops.gone, [&] { line(text); }, loops.kept.rank());
    };
    nest(loops.kept, [&] {
      line(fmt::format("{} s = {};", number_, literal(0)));
      each("s += " + x + ";");
      line(fmt::format("s /= {};", literal(static_cast<double>(loops.count))));
      each(fmt::format("{} = {} - s;", at(node.output, loops.input), x));
    });
  }

  void write_softmax(const ModelGraph::Node& node) {
    const std::int64_t length = shape(node.output).back();
    const auto rows = static_cast<std::int64_t>(size(node.output)) / length;
    const std::string x = at(node.inputs[0], {length, 1}), y = at(node.output, {length, 1});
    const auto each = [&](const std::string& text) {
      nest(
          {length}, [&] { line(text); }, 1);
    };
    nest({rows}, [&] {
      line(fmt::format("{} m = -INFINITY, s = {};", number_, literal(0)));
      each(fmt::format("if ({0} > m) m = {0};", x));
      each(fmt::format("s += {}({} - m);", function("exp"), x));
      if (node.operation == "softmax")
        each(fmt::format("{} = {}({} - m) / s;", y, function("exp"), x));
      else
        each(fmt::format("{} = {} - m - {}(s);", y, x, function("log")));
    });
  }

  void write_take(const ModelGraph::Node& node) {
    const std::size_t x = node.inputs[0], index = node.inputs[1];
    const auto axis = static_cast<std::size_t>(attribute(node, "axis").at(0));
    const Shape from = shape(x), places = shape(index), out = shape(node.output);
    const Strides own = strides_of(from), of_places = strides_of(places);
    Strides strides(out.rank(), 0), index_strides(out.rank(), 0);
    for (std::size_t a = 0; a < out.rank(); ++a) {
      if (a < axis) strides[a] = own[a];
      if (a >= axis + places.rank()) strides[a] = own[a - places.rank() + 1];
      if (a >= axis && a < axis + places.rank()) index_strides[a] = of_places[a - axis];
    }
    checks_ = true;
    has_integers_ = true;
    nest(out, [&] {
      line(fmt::format("const int64_t k = {};", at(index, index_strides)));
      line(fmt::format("if (k < 0 || k >= {}) return 1;", from[axis]));
      line(fmt::format("{} = ({})[{} + k * {}];", at(node.output, strides_of(out)), names_[x], place(strides),
                       own[axis]));
    });
  }

  struct Piece {
    std::size_t begin, size, end;  // the last node that reads it
  };

  const ModelGraph& graph_;
  const WriteCOptions& options_;
  bool wide_ = false;
  std::string number_;
  std::vector<std::string> names_;  // of arrays
  std::vector<std::size_t> ends_;
  std::set<std::string> constant_names_;
  std::string constants_, prologue_, body_;
  std::vector<std::string> helpers_;
  std::vector<Piece> used_;
  std::size_t memory_ = 0;
  std::size_t depth_ = 0;
  bool checks_ = false, has_integers_ = false;
};

}  // namespace

std::string c_text(const ModelGraph& graph, const WriteCOptions& options) { return Writer(graph, options).text(); }

void write_c(const ModelGraph& graph, const std::string& path, const WriteCOptions& options) {
  const std::string text = c_text(graph, options);
  WholeFile(path).write(text);
}

}  // namespace xgrad::nn
