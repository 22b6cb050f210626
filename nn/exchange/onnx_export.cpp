#include <autograd/ops/activations.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/exchange/onnx.hpp>
#include <nn/exchange/onnx_proto.hpp>
#include <nn/files/elements.hpp>
#include <nn/files/whole_file.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <set>
#include <utility>

namespace xgrad::nn {

namespace {

constexpr int operator_set = 13;
constexpr int ir_version = 7;  // of ONNX 1.8, the first with that set

[[noreturn]] void refuse(const std::string& what) { throw ValueError("write_onnx: " + what); }

int type_of(DType dtype) {
  using onnx::TensorProto;
  return dtype == float32 ? TensorProto::FLOAT : dtype == float64 ? TensorProto::DOUBLE : TensorProto::INT64;
}

class Exporter {
 public:
  Exporter(const ModelGraph& graph, const OnnxOptions& options) : graph_(graph) {
    model_.set_ir_version(ir_version);
    model_.set_producer_name("xgrad");
    model_.add_opset_import()->set_version(operator_set);
    for (const auto& [key, text] : options.metadata) {
      auto* const entry = model_.add_metadata_props();
      entry->set_key(key);
      entry->set_value(text);
    }
    out_ = model_.mutable_graph();
    out_->set_name(options.name);
  }

  std::string bytes() {
    require_shapes(graph_, "write_onnx");
    for (const ModelGraph::Value& value : graph_.values) names_.insert(value.name);
    std::string buffers;
    for (const ModelGraph::Value& value : graph_.values) {
      if (!value.constant.defined()) continue;
      add_tensor(value.name, value.constant);
      if (!value.learned) buffers += value.name + '\n';
    }
    if (!buffers.empty()) {
      auto* const entry = model_.add_metadata_props();
      entry->set_key(onnx_buffers_key);
      entry->set_value(buffers);
    }
    describe(*out_->add_input(), graph_.input);
    describe(*out_->add_output(), graph_.output);
    for (const ModelGraph::Node& node : graph_.nodes) write(node);
    if (graph_.output == graph_.input || value(graph_.output).constant.defined())
      refuse("the output is the input or a constant; need a model that computes");
    return model_.SerializeAsString();
  }

 private:
  using Ints = std::vector<std::int64_t>;

  const ModelGraph::Value& value(std::size_t i) const { return graph_.values[i]; }
  const std::string& name(std::size_t i) const { return value(i).name; }

  void describe(onnx::ValueInfoProto& info, std::size_t i) {
    info.set_name(name(i));
    auto* const type = info.mutable_type()->mutable_tensor_type();
    type->set_elem_type(type_of(value(i).dtype));
    for (const std::int64_t extent : value(i).shape) {
      auto* const dimension = type->mutable_shape()->add_dim();
      if (extent == -1)
        dimension->set_dim_param("batch");
      else if (extent >= 0)
        dimension->set_dim_value(extent);
    }
  }

  std::string fresh(const std::string& base) {
    for (int number = 0;; ++number)
      if (std::string text = fmt::format("{}/{}", base, number); names_.insert(text).second) return text;
  }
  std::string add_tensor(const std::string& tensor_name, const Tensor& x) {
    auto* const tensor = out_->add_initializer();
    tensor->set_name(tensor_name);
    fill(*tensor, x);
    return tensor_name;
  }
  static void fill(onnx::TensorProto& tensor, const Tensor& x) {
    tensor.set_data_type(type_of(x.dtype()));
    for (const std::int64_t extent : x.shape()) tensor.add_dims(extent);
    const std::string_view bytes = bytes_of(x);
    tensor.set_raw_data(bytes.data(), bytes.size());
  }
  std::string add_list(const Ints& values) {
    Tensor x = Tensor::uninitialized({static_cast<std::int64_t>(values.size())}, DType::int64);
    std::copy(values.begin(), values.end(), x.fresh_data<std::int64_t>());
    return add_tensor(fresh(now_->path.empty() ? now_->operation : now_->path), x);
  }
  /// A Constant, which is no weight.
  std::string add_number(double number) {
    const std::string output = fresh("number");
    auto* const entry = add("Constant", {}, output).add_attribute();
    entry->set_name("value");
    entry->set_type(onnx::AttributeProto::TENSOR);
    fill(*entry->mutable_t(), full({}, number, dtype_));
    return output;
  }

  onnx::NodeProto& add(const char* type, const std::vector<std::string>& inputs, const std::string& output) {
    auto* const node = out_->add_node();
    node->set_op_type(type);
    node->set_name(fresh(now_->path.empty() ? now_->operation : now_->path + "." + now_->operation));
    for (const std::string& input : inputs) node->add_input(input);
    node->add_output(output);
    return *node;
  }
  std::string step(const char* type, const std::vector<std::string>& inputs) {
    const std::string output = fresh(name(now_->output));
    add(type, inputs, output);
    return output;
  }
  static void set(onnx::NodeProto& node, const char* attribute, std::int64_t number) {
    auto* const entry = node.add_attribute();
    entry->set_name(attribute);
    entry->set_type(onnx::AttributeProto::INT);
    entry->set_i(number);
  }
  static void set(onnx::NodeProto& node, const char* attribute, const Ints& numbers) {
    auto* const entry = node.add_attribute();
    entry->set_name(attribute);
    entry->set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t number : numbers) entry->add_ints(number);
  }
  const Ints& attribute(const char* key) const {
    const auto found = now_->attributes.find(key);
    if (found == now_->attributes.end()) refuse(now_->operation + " has no " + key);
    return found->second;
  }

  void write(const ModelGraph::Node& node) {
    now_ = &node;
    dtype_ = value(node.output).dtype;
    if (!node.formula.steps.empty()) return write_formula();
    const std::string& operation = node.operation;
    const std::string &out = name(node.output), &x = name(node.inputs.at(0));
    static const std::map<std::string, std::pair<const char*, const char*>> reductions = {
        {"sum", {"ReduceSum", "Identity"}},   {"mean", {"ReduceMean", "Identity"}},
        {"max", {"ReduceMax", "Identity"}},   {"min", {"ReduceMin", "Identity"}},
        {"prod", {"ReduceProd", "Identity"}}, {"logsumexp", {"ReduceLogSumExp", "Identity"}},
        {"norm", {"ReduceL2", "Abs"}}};
    if (const auto found = reductions.find(operation); found != reductions.end())
      return write_reduction(found->second.first, found->second.second, x, out, attribute("keepdims").at(0));
    if (operation == "linear") return write_linear();
    if (operation == "matmul") return write_matmul();
    if (operation == "reshape") return write_reshape();
    if (operation == "permute") return set(add("Transpose", {x}, out), "perm", attribute("axes"));
    if (operation == "slice") return write_slice();
    if (operation == "concatenate") {
      std::vector<std::string> inputs;
      for (const std::size_t input : node.inputs) inputs.push_back(name(input));
      return set(add("Concat", inputs, out), "axis", attribute("axis").at(0));
    }
    if (operation == "centred") {
      const std::string mean = fresh(out);
      write_reduction("ReduceMean", "Identity", x, mean, 1);
      add("Sub", {x, mean}, out);
      return;
    }
    if (operation == "softmax") return set(add("Softmax", {x}, out), "axis", std::int64_t{-1});
    if (operation == "log_softmax") return set(add("LogSoftmax", {x}, out), "axis", std::int64_t{-1});
    if (operation == "take")
      return set(add("Gather", {x, name(node.inputs.at(1))}, out), "axis", attribute("axis").at(0));
    refuse("the operation " + operation + " is none of ONNX's");
  }

  void write_linear() {
    const std::string &x = name(now_->inputs[0]), &weight = name(now_->inputs[1]), &out = name(now_->output);
    std::vector<std::string> inputs = {x, weight};
    const bool biased = now_->inputs.size() == 3;
    if (value(now_->inputs[0]).shape.rank() == 2) {
      if (biased) inputs.push_back(name(now_->inputs[2]));
      add("Gemm", inputs, out);
    } else if (biased) {
      add("Add", {step("MatMul", inputs), name(now_->inputs[2])}, out);
    } else {
      add("MatMul", inputs, out);
    }
  }

  void write_matmul() {
    std::vector<std::string> inputs;
    for (std::size_t i = 0; i < 2; ++i) {
      inputs.push_back(name(now_->inputs.at(i)));
      if (attribute("transpose").at(i) == 0) continue;
      Ints axes;
      for (std::size_t axis = 0; axis < value(now_->inputs[i]).shape.rank(); ++axis)
        axes.push_back(static_cast<std::int64_t>(axis));
      std::swap(axes.at(axes.size() - 1), axes.at(axes.size() - 2));
      const std::string turned = fresh(name(now_->output));
      set(add("Transpose", {inputs[i]}, turned), "perm", axes);
      inputs[i] = turned;
    }
    add("MatMul", inputs, name(now_->output));
  }

  void write_reshape() {
    Ints shape = attribute("shape");
    const Shape& from = value(now_->inputs[0]).shape;
    std::size_t open = 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] >= 0) continue;
      // 0 stands for the input's own extent.
      if (axis < from.rank() && from[axis] == shape[axis] && axis > 0) {
        shape[axis] = 0;
        continue;
      }
      shape[axis] = -1;
      ++open;
    }
    if (open > 1 && from.rank() > 0 && from[0] < 0 && attribute("shape")[0] == from[0]) {
      shape[0] = 0;
      --open;
    }
    if (open > 1) refuse("a reshape has several extents that depend on the number of rows; need one");
    add("Reshape", {name(now_->inputs[0]), add_list(shape)}, name(now_->output));
  }

  void write_slice() {
    const std::int64_t start = attribute("start").at(0), step_size = attribute("step").at(0),
                       count = attribute("count").at(0);
    std::int64_t stop = start + step_size * count;
    if (stop < 0) stop = std::numeric_limits<std::int32_t>::min();  // before the first
    add("Slice",
        {name(now_->inputs[0]), add_list({start}), add_list({count == 0 ? start : stop}), add_list(attribute("axis")),
         add_list({step_size})},
        name(now_->output));
  }

  void write_reduction(const std::string& type, const char* of_nothing, const std::string& x, const std::string& out,
                       std::int64_t keepdims) {
    const Ints& axes = attribute("axes");
    if (axes.empty()) {
      add(of_nothing, {x}, out);
      return;
    }
    // Only ReduceSum has its axes as an input in this set.
    onnx::NodeProto& node =
        type == "ReduceSum" ? add("ReduceSum", {x, add_list(axes)}, out) : add(type.c_str(), {x}, out);
    if (type != "ReduceSum") set(node, "axes", axes);
    set(node, "keepdims", keepdims);
  }

  // Elementwise functions. A step's value is a number or, as ONNX has it, a truth.

  struct Term {
    std::string name;
    bool truth = false;
  };
  std::string number(const Term& term) {
    if (!term.truth) return term.name;
    const std::string output = fresh(name(now_->output));
    set(add("Cast", {term.name}, output), "to", type_of(dtype_));
    return output;
  }
  std::string truth(const Term& term) {
    if (term.truth) return term.name;
    return step("Not", {step("Equal", {term.name, add_number(0)})});
  }

  void write_formula() {
    using Function = Tensor (*)(const Tensor&);
    static constexpr std::pair<const char*, Function> whole[] = {{"Relu", relu}};
    static const std::vector<Formula> formulas = [] {
      std::vector<Formula> list;
      for (const auto& [type, function] : whole) list.push_back(formula_of(function));
      return list;
    }();
    const Formula& formula = now_->formula;
    if (const auto found = std::find(formulas.begin(), formulas.end(), formula); found != formulas.end()) {
      add(whole[found - formulas.begin()].first, {name(now_->inputs[0])}, name(now_->output));
      return;
    }
    std::vector<Term> terms;
    const std::vector<bool> live = formula.live_steps();
    for (std::size_t i = 0; i < formula.steps.size(); ++i) {
      const Formula::Step& entry = formula.steps[i];
      if (!live[i])
        terms.emplace_back();
      else if (entry.name == "input")
        terms.push_back({name(now_->inputs.at(entry.operands[0]))});
      else if (entry.name == "constant")
        terms.push_back({add_number(entry.value)});
      else if (entry.name == "known_derivative")
        terms.push_back(terms.at(entry.operands[0]));
      else
        terms.push_back(term(entry.name, [&](std::size_t o) -> const Term& { return terms.at(entry.operands[o]); }));
    }
    // A scalar that is broadcast keeps its shape in ONNX as well.
    add("Identity", {number(terms.at(formula.result))}, name(now_->output));
  }

  Term term(const std::string& what, const std::function<const Term&(std::size_t)>& x) {
    static const std::map<std::string, const char*> same = {
        {"neg", "Neg"},   {"add", "Add"},  {"sub", "Sub"},     {"mul", "Mul"},         {"div", "Div"},
        {"exp", "Exp"},   {"log", "Log"},  {"sqrt", "Sqrt"},   {"sin", "Sin"},         {"cos", "Cos"},
        {"tanh", "Tanh"}, {"abs", "Abs"},  {"floor", "Floor"}, {"sigmoid", "Sigmoid"}, {"softplus", "Softplus"},
        {"pow", "Pow"},   {"sign", "Sign"}};
    if (const auto found = same.find(what); found != same.end()) {
      std::vector<std::string> inputs;
      for (std::size_t o = 0; o < operands_of(what); ++o) inputs.push_back(number(x(o)));
      return {step(found->second, inputs)};
    }
    if (what == "lt") return {step("Less", {number(x(0)), number(x(1))}), true};
    if (what == "le") return {step("LessOrEqual", {number(x(0)), number(x(1))}), true};
    if (what == "eq") return {step("Equal", {number(x(0)), number(x(1))}), true};
    if (what == "and") return {step("And", {truth(x(0)), truth(x(1))}), true};
    if (what == "or") return {step("Or", {truth(x(0)), truth(x(1))}), true};
    if (what == "not") return {step("Not", {truth(x(0))}), true};
    if (what == "where") return {step("Where", {truth(x(0)), number(x(1)), number(x(2))})};
    if (what == "expm1") return {step("Sub", {step("Exp", {number(x(0))}), add_number(1)})};
    if (what == "log1p") return {step("Log", {step("Add", {number(x(0)), add_number(1)})})};
    if (what == "swish") return {step("Mul", {number(x(0)), step("Sigmoid", {number(x(0))})})};
    if (what == "mish") return {step("Mul", {number(x(0)), step("Tanh", {step("Softplus", {number(x(0))})})})};
    if (what == "tie") {
      const std::string half = add_number(0.5);
      return {step("Add", {step("Mul", {number(x(0)), half}), step("Mul", {number(x(1)), half})})};
    }
    refuse("the elementary step " + what + " is none of ONNX's");
  }

  const ModelGraph& graph_;
  onnx::ModelProto model_;
  onnx::GraphProto* out_ = nullptr;
  const ModelGraph::Node* now_ = nullptr;
  DType dtype_ = DType::float32;
  std::set<std::string> names_;
};

}  // namespace

std::string onnx_bytes(const ModelGraph& graph, const OnnxOptions& options) { return Exporter(graph, options).bytes(); }

void write_onnx(const ModelGraph& graph, const std::string& path, const OnnxOptions& options) {
  const std::string bytes = onnx_bytes(graph, options);
  WholeFile(path).write(bytes);
}

}  // namespace xgrad::nn
