#include <autograd/ops/activations.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/exchange/onnx.hpp>
#include <nn/exchange/onnx_proto.hpp>
#include <nn/exchange/onnx_tensor_proto.hpp>
#include <nn/files/input_file.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

namespace xgrad::nn {

namespace {

constexpr const char* reader = "read_onnx";
constexpr std::int64_t first_set = 13, last_set = 22;  // in which the operators that are read mean the same
constexpr std::uint64_t max_bytes = std::numeric_limits<std::int32_t>::max();  // protobuf's own limit

using Ints = std::vector<std::int64_t>;

/// One elementary step of so many inputs.
Formula formula(const std::string& step) {
  Formula result;
  const auto count = static_cast<std::uint32_t>(operands_of(step));
  for (std::uint32_t i = 0; i < count; ++i) result.steps.push_back({"input", {i, 0, 0}, 0});
  result.steps.push_back({step, {0, count > 1 ? 1u : 0u, count > 2 ? 2u : 0u}, 0});
  result.result = count;
  return result;
}

class Importer {
 public:
  Importer(const InputFile& file, const onnx::ModelProto& model) : file_(file), model_(model) {}

  ModelGraph graph() {
    bool known_set = false;
    for (const auto& set : model_.opset_import()) {
      if (!set.domain().empty() && set.domain() != "ai.onnx") continue;
      if (set.version() < first_set || set.version() > last_set)
        refuse(fmt::format("is of operator set {}; known are {} to {}", set.version(), first_set, last_set));
      known_set = true;
    }
    if (!known_set) refuse("names no operator set");
    const onnx::GraphProto& in = model_.graph();
    std::set<std::string> buffers;
    for (const auto& entry : model_.metadata_props()) {
      if (entry.key() != onnx_buffers_key) continue;
      std::istringstream lines(entry.value());
      for (std::string line; std::getline(lines, line);) buffers.insert(line);
    }
    for (const onnx::TensorProto& tensor : in.initializer()) {
      const Tensor values = onnx_tensor(file_, tensor);
      define(tensor.name(), {tensor.name(), values.dtype(), values.shape(), values,
                             is_floating(values.dtype()) && !buffers.contains(tensor.name())});
    }
    bool has_input = false;
    for (const onnx::ValueInfoProto& input : in.input()) {
      if (places_.contains(input.name())) continue;  // an initializer's default
      if (std::exchange(has_input, true)) refuse("has several inputs; need one");
      graph_.input = define(input.name(), onnx_input(file_, input));
    }
    if (!has_input) refuse("has no input");
    if (in.output_size() != 1) refuse(fmt::format("has {} outputs; need one", in.output_size()));
    for (const onnx::NodeProto& node : in.node()) read(node);
    graph_.output = place(in.output(0).name());
    return std::move(graph_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const { file_.fail(what); }
  std::string described() const {
    return "node '" + printable(now_->name()) + "' (" + printable(now_->op_type()) + ")";
  }
  [[noreturn]] void refuse_node(const std::string& what) const { refuse(described() + " " + what); }

  std::size_t define(const std::string& name, ModelGraph::Value value) {
    if (!places_.emplace(name, graph_.values.size()).second) refuse("defines '" + printable(name) + "' twice");
    return add(std::move(value));
  }
  /// Of a constant or the input, whose shape is known.
  std::size_t add(ModelGraph::Value value) {
    ranks_.push_back(value.shape.rank());
    graph_.values.push_back(std::move(value));
    return graph_.values.size() - 1;
  }
  std::size_t place(const std::string& name) const {
    const auto found = places_.find(name);
    if (found == places_.end()) refuse("uses '" + printable(name) + "', which is not computed before");
    return found->second;
  }
  std::size_t constant(const Tensor& x) {
    return add({fmt::format("xgrad.constant{}", graph_.values.size()), x.dtype(), x.shape(), x, false});
  }
  std::size_t number(double value) { return constant(full({}, value, dtype_)); }

  // The node that is read.

  const onnx::AttributeProto* find(const char* name) const {
    for (const onnx::AttributeProto& attribute : now_->attribute())
      if (attribute.name() == name) return &attribute;
    return nullptr;
  }
  double real(const char* name, double otherwise) const {
    const auto* const found = find(name);
    return found == nullptr ? otherwise : static_cast<double>(found->f());
  }
  std::int64_t integer(const char* name, std::int64_t otherwise) const {
    const auto* const found = find(name);
    return found == nullptr ? otherwise : found->i();
  }
  std::optional<Ints> integers(const char* name) const {
    const auto* const found = find(name);
    return found == nullptr ? std::nullopt : std::optional(Ints(found->ints().begin(), found->ints().end()));
  }
  bool has_input(int i) const { return i < now_->input_size() && !now_->input(i).empty(); }
  std::size_t input(int i) const {
    if (!has_input(i)) refuse_node(fmt::format("has no input {}", i));
    return place(now_->input(i));
  }
  const Tensor& known(int i) const {
    const Tensor& x = graph_.values[input(i)].constant;
    if (!x.defined()) refuse_node(fmt::format("has an input {} that is computed; need a constant", i));
    return x;
  }
  Ints list(int i) const {
    const Tensor& x = known(i);
    if (x.dtype() != DType::int64) refuse_node(fmt::format("has an input {} of {}; need int64", i, x.dtype()));
    const auto values = x.values<std::int64_t>();
    return {values.begin(), values.end()};
  }

  using Attributes = std::map<std::string, Ints>;
  std::size_t step(const std::string& operation, const std::vector<std::size_t>& inputs, const Attributes& attributes,
                   const Formula& of = {}) {
    const std::size_t output = graph_.values.size();
    ranks_.push_back(rank_after(operation, inputs, attributes));
    if (ranks_.back() > Extents::capacity)
      refuse_node(fmt::format("has a result of {} axes; need at most {}", ranks_.back(), Extents::capacity));
    graph_.values.push_back({fmt::format("value_{}", output), dtype_, {}, {}, false});
    graph_.nodes.push_back({operation, now_->name(), inputs, output, attributes, of});
    return output;
  }
  /// How many axes a result has: extents are known when the model runs, their number is known here.
  std::size_t rank_after(const std::string& operation, const std::vector<std::size_t>& inputs,
                         const Attributes& attributes) const {
    const auto axes_of = [&](const char* name) { return attributes.at(name).size(); };
    const std::size_t first = ranks_[inputs[0]];
    if (operation == "reshape") return axes_of("shape");
    if (operation == "flatten") return 2;
    if (operation == "permute") return axes_of("axes");
    if (operation == "take") return std::max<std::size_t>(first, 1) - 1 + ranks_[inputs[1]];
    if (attributes.contains("keepdims"))
      return attributes.at("keepdims")[0] != 0 ? first : first - std::min(first, axes_of("axes"));
    std::size_t most = 0, vectors = 0;
    for (const std::size_t input : inputs) {
      most = std::max(most, ranks_[input]);
      vectors += ranks_[input] == 1 ? 1 : 0;
    }
    return operation == "matmul" ? most - std::min(most, vectors) : most;
  }
  std::size_t elementwise(const std::string& name, const std::vector<std::size_t>& inputs) {
    return step(name, inputs, {}, formula(name));
  }
  template <class F>
  std::size_t function_of(const std::string& name, const F& f, std::size_t x) {
    return step(name, {x}, {}, formula_of(f));
  }

  /// An axis of the first input, which may be counted from the end.
  std::size_t axis_of(std::int64_t axis, std::size_t most) const {
    const auto rank = static_cast<std::int64_t>(most);
    if (axis < -rank || axis >= rank) refuse_node(fmt::format("has the axis {}; need one of {} axes", axis, rank));
    return static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  }
  std::size_t rank_of(int i) const { return ranks_[input(i)]; }

  void read(const onnx::NodeProto& node) {
    now_ = &node;
    if (!node.domain().empty() && node.domain() != "ai.onnx")
      refuse_node("is of the domain " + printable(node.domain()));
    if (node.output_size() < 1 || (node.output_size() > 1 && node.op_type() != "Dropout"))
      refuse_node(fmt::format("has {} outputs; need one", node.output_size()));
    static const std::map<std::string, std::size_t (Importer::*)()> readers = {
        {"Constant", &Importer::read_constant},  {"Gemm", &Importer::read_gemm},
        {"MatMul", &Importer::read_matmul},      {"Reshape", &Importer::read_reshape},
        {"Flatten", &Importer::read_flatten},    {"Transpose", &Importer::read_transpose},
        {"Slice", &Importer::read_slice},        {"Concat", &Importer::read_concat},
        {"Gather", &Importer::read_gather},      {"Softmax", &Importer::read_softmax},
        {"LogSoftmax", &Importer::read_softmax}, {"Cast", &Importer::read_cast},
        {"Identity", &Importer::pass},           {"Dropout", &Importer::pass},
        {"LeakyRelu", &Importer::read_leaky},    {"Elu", &Importer::read_elu},
        {"PRelu", &Importer::read_prelu},        {"BatchNormalization", &Importer::read_batch_normalization},
        {"Clip", &Importer::read_clip},          {"Max", &Importer::read_extreme},
        {"Min", &Importer::read_extreme}};
    static const std::map<std::string, const char*> steps = {
        {"Neg", "neg"},   {"Add", "add"},   {"Sub", "sub"},     {"Mul", "mul"},         {"Div", "div"},
        {"Exp", "exp"},   {"Log", "log"},   {"Sqrt", "sqrt"},   {"Sin", "sin"},         {"Cos", "cos"},
        {"Tanh", "tanh"}, {"Abs", "abs"},   {"Floor", "floor"}, {"Sigmoid", "sigmoid"}, {"Softplus", "softplus"},
        {"Pow", "pow"},   {"Sign", "sign"}, {"Less", "lt"},     {"LessOrEqual", "le"},  {"Equal", "eq"},
        {"And", "and"},   {"Or", "or"},     {"Not", "not"},     {"Where", "where"}};
    static const std::map<std::string, const char*> reductions = {{"ReduceSum", "sum"},
                                                                  {"ReduceMean", "mean"},
                                                                  {"ReduceMax", "max"},
                                                                  {"ReduceMin", "min"},
                                                                  {"ReduceProd", "prod"},
                                                                  {"ReduceL2", "norm"},
                                                                  {"ReduceLogSumExp", "logsumexp"}};
    const std::string& type = node.op_type();
    dtype_ = has_input(0) ? graph_.values[input(type == "Where" ? 1 : 0)].dtype : float32;
    std::size_t result = 0;
    if (const auto found = readers.find(type); found != readers.end()) {
      result = (this->*found->second)();
    } else if (const auto simple = steps.find(type); simple != steps.end()) {
      result = read_elementwise(simple->second);
    } else if (const auto reduction = reductions.find(type); reduction != reductions.end()) {
      result = read_reduction(reduction->second);
    } else if (type == "Relu") {
      result = function_of("relu", relu, input(0));
    } else if (type == "Greater" || type == "GreaterOrEqual") {
      result = elementwise(type == "Greater" ? "lt" : "le", {input(1), input(0)});
    } else {
      refuse_node("is an operator that is not known");
    }
    if (!places_.emplace(node.output(0), result).second) refuse("defines '" + printable(node.output(0)) + "' twice");
  }

  std::size_t pass() { return input(0); }

  std::size_t read_elementwise(const std::string& name) {
    std::vector<std::size_t> inputs;
    for (std::size_t o = 0; o < operands_of(name); ++o) inputs.push_back(input(static_cast<int>(o)));
    if (!is_floating(dtype_)) refuse_node("computes with integers; need float or double");
    return elementwise(name, inputs);
  }

  std::size_t read_constant() {
    const auto* const value = find("value");
    if (value == nullptr || !value->has_t()) refuse_node("has no tensor as its value");
    return constant(onnx_tensor(file_, value->t()));
  }

  std::size_t scaled(std::size_t x, double factor) { return factor == 1 ? x : elementwise("mul", {x, number(factor)}); }

  // alpha · A · B + beta · C
  std::size_t read_gemm() {
    const std::int64_t transpose_a = integer("transA", 0), transpose_b = integer("transB", 0);
    const double alpha = real("alpha", 1), beta = real("beta", 1);
    if (transpose_a == 0 && transpose_b == 0 && alpha == 1 && beta == 1) {
      const bool biased = has_input(2);
      const bool vector = biased && graph_.values[input(2)].constant.defined() &&
                          graph_.values[input(2)].shape.rank() == 1 && graph_.values[input(1)].constant.defined() &&
                          graph_.values[input(2)].shape[0] == graph_.values[input(1)].shape.back();
      if (vector) return step("linear", {input(0), input(1), input(2)}, {});
      if (!biased) return step("linear", {input(0), input(1)}, {});
    }
    const std::size_t product =
        scaled(step("matmul", {input(0), input(1)}, {{"transpose", {transpose_a != 0, transpose_b != 0}}}), alpha);
    return has_input(2) ? elementwise("add", {product, scaled(input(2), beta)}) : product;
  }

  std::size_t read_matmul() {
    // A matrix on the right takes rows of any shape.
    if (rank_of(1) == 2) return step("linear", {input(0), input(1)}, {});
    return step("matmul", {input(0), input(1)}, {{"transpose", {0, 0}}});
  }

  std::size_t read_reshape() {
    Ints shape = list(1);
    if (shape.size() > Extents::capacity) refuse_node("has a shape of more than 8 extents");
    const bool zeros = integer("allowzero", 0) != 0;  // that are extents, and no copies of the input's
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] < -1) refuse_node("has a negative extent");
      if (shape[axis] != 0 || zeros) continue;
      if (axis >= rank_of(0)) refuse_node(fmt::format("copies the extent {} of an input of {} axes", axis, rank_of(0)));
      shape[axis] = copied_extent;
    }
    if (std::count(shape.begin(), shape.end(), -1) > 1) refuse_node("has several open extents");
    std::replace(shape.begin(), shape.end(), std::int64_t{-1}, open_extent);
    return step("reshape", {input(0)}, {{"shape", shape}});
  }

  std::size_t read_flatten() {
    const std::int64_t axis = integer("axis", 1);
    const auto rank = static_cast<std::int64_t>(rank_of(0));
    return step("flatten", {input(0)}, {{"axis", {axis == rank ? axis : std::int64_t(axis_of(axis, rank_of(0)))}}});
  }

  std::size_t read_transpose() {
    Ints axes;
    for (std::size_t axis = rank_of(0); axis-- > 0;) axes.push_back(static_cast<std::int64_t>(axis));
    return step("permute", {input(0)}, {{"axes", integers("perm").value_or(axes)}});
  }

  std::size_t read_slice() {
    const Ints starts = list(1), stops = list(2);
    Ints axes, sizes(starts.size(), 1);
    for (std::size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
    if (has_input(3)) axes = list(3);
    if (has_input(4)) sizes = list(4);
    if (stops.size() != starts.size() || axes.size() != starts.size() || sizes.size() != starts.size())
      refuse_node(fmt::format("has {} starts, {} ends, {} axes and {} steps; need as many of each", starts.size(),
                              stops.size(), axes.size(), sizes.size()));
    std::size_t result = input(0);
    for (std::size_t i = 0; i < axes.size(); ++i)
      result = step("cut", {result},
                    {{"axis", {axes[i]}}, {"start", {starts[i]}}, {"stop", {stops[i]}}, {"step", {sizes[i]}}});
    return result;
  }

  std::size_t read_concat() {
    std::vector<std::size_t> inputs;
    for (int i = 0; i < now_->input_size(); ++i) inputs.push_back(input(i));
    return step("concatenate", inputs, {{"axis", {integer("axis", 0)}}});
  }

  std::size_t read_gather() { return step("take", {input(0), input(1)}, {{"axis", {integer("axis", 0)}}}); }

  /// Ours are along the last axis.
  std::size_t read_softmax() {
    const std::size_t axis = axis_of(integer("axis", -1), rank_of(0)), last = rank_of(0) - 1;
    const auto turned = [&](std::size_t x) {
      Ints axes;
      for (std::size_t i = 0; i <= last; ++i) axes.push_back(static_cast<std::int64_t>(i));
      std::swap(axes[axis], axes[last]);
      return axis == last ? x : step("permute", {x}, {{"axes", axes}});
    };
    return turned(step(now_->op_type() == "Softmax" ? "softmax" : "log_softmax", {turned(input(0))}, {}));
  }

  /// A truth is 0 or 1 here.
  std::size_t read_cast() {
    const std::int64_t to = integer("to", 0);
    if (to == onnx::TensorProto::BOOL) return elementwise("not", {elementwise("eq", {input(0), number(0)})});
    if (to != onnx::TensorProto::FLOAT && to != onnx::TensorProto::DOUBLE)
      refuse_node(fmt::format("casts to the type {}; need float, double or bool", to));
    if (dtype_ != (to == onnx::TensorProto::FLOAT ? float32 : float64)) refuse_node("casts numbers to another dtype");
    return input(0);
  }

  std::size_t read_leaky() {
    const double slope = real("alpha", 0.01f);
    return function_of(
        "leaky_relu", [slope](const Tensor& x) { return leaky_relu(x, slope); }, input(0));
  }
  std::size_t read_elu() {
    const double alpha = real("alpha", 1);
    return function_of(
        "elu", [alpha](const Tensor& x) { return elu(x, alpha); }, input(0));
  }
  // x for x > 0, slope · x elsewhere
  std::size_t read_prelu() {
    return elementwise("where",
                       {elementwise("lt", {number(0), input(0)}), input(0), elementwise("mul", {input(1), input(0)})});
  }
  // (x - mean) / sqrt(variance + epsilon) · scale + shift, for x (n, features, ...)
  std::size_t read_batch_normalization() {
    if (integer("training_mode", 0) != 0) refuse_node("is in training mode");
    if (rank_of(0) < 2) refuse_node(fmt::format("normalises x with {} axes; need (n, features, ...)", rank_of(0)));
    for (const int statistic : {3, 4}) graph_.values[input(statistic)].learned = false;
    Ints beside(rank_of(0) - 1, 1);  // a column of features stands beside x's axes
    beside[0] = open_extent;
    const auto of_features = [&](int i) {
      return rank_of(0) == 2 ? input(i) : step("reshape", {input(i)}, {{"shape", beside}});
    };
    const std::size_t deviation =
        elementwise("sqrt", {elementwise("add", {of_features(4), number(real("epsilon", 1e-5f))})});
    const std::size_t quotient = elementwise("div", {elementwise("sub", {input(0), of_features(3)}), deviation});
    return elementwise("add", {elementwise("mul", {quotient, of_features(1)}), of_features(2)});
  }

  std::size_t where_less(std::size_t a, std::size_t b, std::size_t then, std::size_t otherwise) {
    return elementwise("where", {elementwise("lt", {a, b}), then, otherwise});
  }
  // At a bound the slope is 1, as clamp has it.
  std::size_t read_clip() {
    std::size_t x = input(0);
    if (has_input(1)) x = where_less(x, input(1), input(1), x);
    if (has_input(2)) x = where_less(input(2), x, input(2), x);
    return x;
  }
  // Of all inputs; those that tie share the slope.
  std::size_t read_extreme() {
    std::size_t x = input(0);
    for (int i = 1; i < now_->input_size(); ++i) {
      const std::size_t y = input(i), tie = elementwise("tie", {x, y});
      x = now_->op_type() == "Max" ? where_less(x, y, y, where_less(y, x, x, tie))
                                   : where_less(x, y, x, where_less(y, x, y, tie));
    }
    return x;
  }

  std::size_t read_reduction(const std::string& name) {
    std::optional<Ints> axes = integers("axes");
    if (!axes && has_input(1)) axes = list(1);
    if ((!axes || axes->empty()) && integer("noop_with_empty_axes", 0) != 0) return input(0);
    if (!axes || axes->empty()) refuse_node("reduces all axes, the rows' too; need its axes");
    return step(name, {input(0)}, {{"axes", *axes}, {"keepdims", {integer("keepdims", 1)}}});
  }

  const InputFile& file_;
  const onnx::ModelProto& model_;
  ModelGraph graph_;
  const onnx::NodeProto* now_ = nullptr;
  DType dtype_ = float32;
  std::map<std::string, std::size_t> places_;
  std::vector<std::size_t> ranks_;  // of graph_.values
};

OnnxModel read(InputFile& file) {
  if (file.size() > max_bytes) file.fail(fmt::format("has {} bytes; need at most {}", file.size(), max_bytes));
  onnx::ModelProto model;
  {
    const std::string bytes = file.read_text(static_cast<std::size_t>(file.size()));
    if (!model.ParseFromString(bytes) || !model.has_graph()) file.fail("is no ONNX model");
  }
  std::map<std::string, std::string> metadata;
  for (const auto& entry : model.metadata_props()) metadata[entry.key()] = entry.value();
  try {
    return {GraphModel(Importer(file, model).graph()), std::move(metadata)};
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {
    file.fail(error.what());
  }
}

}  // namespace

OnnxModel read_onnx(const std::string& path) {
  InputFile file(reader, path);
  return read(file);
}

OnnxModel parse_onnx(std::string_view bytes, const std::string& name) {
  InputFile file(reader, bytes, name);
  return read(file);
}

}  // namespace xgrad::nn
