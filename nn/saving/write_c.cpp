#include <autograd/tensor/format.hpp>
#include <nn/files/whole_file.hpp>
#include <nn/saving/c_code.hpp>
#include <nn/saving/write_c.hpp>

#include <algorithm>
#include <set>

namespace xgrad::nn {

namespace {

/// A text of C.
std::string quoted(const std::string& text) {
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

class Writer {
 public:
  Writer(const ModelGraph& graph, const WriteCOptions& options) : graph_(graph), options_(options), c_(graph) {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    const std::string& name = options.name;
    if (name.empty() || !is_letter(name[0]) ||
        !std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); }))
      refuse_c("the name '" + name + "' is no identifier of C");
  }

  std::string text() {
    require_shapes(graph_, "write_c");
    place_values();
    for (const ModelGraph::Node& node : graph_.nodes) write(node);
    const std::string& name = options_.name;
    const Shape in = c_.shape(graph_.input), out = c_.shape(graph_.output);
    const bool indices = graph_.values[graph_.input].dtype == DType::int64;
    std::string all = fmt::format(
        "/* {0}: a model as one file of C99, made by xgrad.\n\n   int {0}_predict(const {1}* input, {2}* output);\n\n  "
        " computes the {3} numbers of output from the {4} of input. It returns 0{5}. */\n\n#include <math.h>\n",
        name, indices ? "int64_t" : c_.number(), c_.number(), out.elements(), in.elements(),
        c_.checks ? ", or 1 for an index outside of its table" : "");
    if (indices || c_.has_integers) all += "#include <stdint.h>\n";
    all += fmt::format("\nenum {{ {0}_inputs = {1}, {0}_outputs = {2} }};\n", name, in.elements(), out.elements());
    all += fmt::format("int {}_predict(const {}* input, {}* output);\n", name, indices ? "int64_t" : c_.number(),
                       c_.number());
    if (!options_.preparation.classes.empty()) {
      all += fmt::format("extern const char* const {0}_classes[];\nconst char* const {0}_classes[] = {{", name);
      for (const std::string& label : options_.preparation.classes) all += quoted(label) + ", ";
      all += "0};\n";
    }
    all += '\n' + constants_;
    if (memory_ > 0) all += fmt::format("static {} memory[{}];\n", c_.number(), memory_);
    if (!c_.helpers.empty()) all += '\n';
    for (const std::string& helper : c_.helpers) all += helper;
    all += fmt::format("\nint {}_predict(const {}* input, {}* output) {{\n", name, indices ? "int64_t" : c_.number(),
                       c_.number());
    all += prologue_ + c_.body + epilogue() + "  return 0;\n}\n";
    return all;
  }

 private:
  // Where values stand.

  void place_values() {
    c_.names.resize(graph_.values.size());
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
      if (graph_.values[i].constant.defined()) add_constant(i);
    c_.names[graph_.input] = "input";
    if (const auto targets = options_.preparation.scalers.find("targets");
        targets != options_.preparation.scalers.end()) {
      if (targets->second.centers().size() != c_.size(graph_.output))
        refuse_c(fmt::format("the scaler of the targets has {} columns for {} outputs",
                             targets->second.centers().size(), c_.size(graph_.output)));
      add_numbers("output_centers", targets->second.centers());
      add_numbers("output_spreads", targets->second.spreads());
    }
    const auto scaler = options_.preparation.scalers.find("inputs");
    if (scaler == options_.preparation.scalers.end()) return;
    if (graph_.values[graph_.input].dtype == DType::int64) refuse_c("indices cannot be scaled");
    const std::size_t count = c_.size(graph_.input);
    if (scaler->second.centers().size() != count)
      refuse_c(
          fmt::format("the scaler of the inputs has {} columns for {} inputs", scaler->second.centers().size(), count));
    add_numbers("input_centers", scaler->second.centers());
    add_numbers("input_spreads", scaler->second.spreads());
    c_.names[graph_.input] = take_memory(graph_.input, 0);
    prologue_ =
        fmt::format("  for (int i = 0; i < {0}; ++i) ({1})[i] = (input[i] - input_centers[i]) / input_spreads[i];\n",
                    count, c_.names[graph_.input]);
  }

  std::string epilogue() {
    const std::string result = c_.names[graph_.output];
    const std::size_t count = c_.size(graph_.output);
    const auto scaler = options_.preparation.scalers.find("targets");
    if (scaler == options_.preparation.scalers.end())
      return fmt::format("  for (int i = 0; i < {}; ++i) output[i] = ({})[i];\n", count, result);
    return fmt::format("  for (int i = 0; i < {}; ++i) output[i] = ({})[i] * output_spreads[i] + output_centers[i];\n",
                       count, result);
  }

  void add_numbers(const std::string& name, const std::vector<double>& numbers) {
    std::string text = fmt::format("static const {} {}[{}] = {{", c_.number(), name, numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) text += (i % 8 == 0 ? "\n  " : " ") + c_.literal(numbers[i]) + ",";
    constants_ += text + "\n};\n";
  }
  void add_constant(std::size_t i) {
    const Tensor& x = graph_.values[i].constant;
    if (x.size() == 0) refuse_c("the constant " + graph_.values[i].name + " has no numbers");
    std::string name = "c_" + graph_.values[i].name;
    for (char& c : name)
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) c = '_';
    while (!constant_names_.insert(name).second) name += '_';
    c_.names[i] = name;
    if (x.dtype() == DType::int64) {
      c_.has_integers = true;
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
    const std::size_t wanted = c_.size(i);
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

  void write(const ModelGraph::Node& node) {
    const std::size_t index = static_cast<std::size_t>(&node - graph_.nodes.data());
    if (node.operation == "reshape" && node.formula.steps.empty()) {
      c_.names[node.output] = c_.names[node.inputs[0]];
      return;
    }
    if (c_.size(node.output) == 0) refuse_c(node.operation + " gives no numbers");
    c_.names[node.output] = take_memory(node.output, index);
    c_.line(fmt::format("/* {}{} */", node.path.empty() ? "" : node.path + ": ", node.operation));
    write_operation(c_, node);
  }

  struct Piece {
    std::size_t begin, size, end;  // the last node that reads it
  };

  const ModelGraph& graph_;
  const WriteCOptions& options_;
  CCode c_;
  std::vector<std::size_t> ends_;  // the last node that reads each value
  std::set<std::string> constant_names_;
  std::string constants_, prologue_;
  std::vector<Piece> used_;
  std::size_t memory_ = 0;
};

}  // namespace

std::string c_text(const ModelGraph& graph, const WriteCOptions& options) { return Writer(graph, options).text(); }

void write_c(const ModelGraph& graph, const std::string& path, const WriteCOptions& options) {
  const std::string text = c_text(graph, options);
  WholeFile(path).write(text);
}

}  // namespace xgrad::nn
