#include <autograd/tensor/format.hpp>
#include <autograd/text/json.hpp>
#include <nn/saving/model_graph.hpp>

#include <nlohmann/json.hpp>

namespace xgrad::nn {

namespace {

using Json = nlohmann::json;

DType dtype_of_name(const std::string& name) {
  for (const DType dtype : {float32, float64, DType::int64})
    if (name == name_of(dtype)) return dtype;
  throw_as<ValueError>("unknown dtype {}", name);
}

}  // namespace

std::string json_of(const ModelGraph& graph) {
  Json values = Json::array(), nodes = Json::array();
  for (const ModelGraph::Value& value : graph.values)
    values.push_back({{"name", value.name},
                      {"dtype", name_of(value.dtype)},
                      {"shape", std::vector<std::int64_t>(value.shape.begin(), value.shape.end())},
                      {"constant", value.constant.defined()},
                      {"learned", value.learned}});
  for (const ModelGraph::Node& node : graph.nodes) {
    Json steps = Json::array();
    for (const Formula::Step& step : node.formula.steps)
      steps.push_back({step.name, step.operands, json_of_number(step.value)});
    nodes.push_back({{"operation", node.operation},
                     {"path", node.path},
                     {"inputs", node.inputs},
                     {"output", node.output},
                     {"attributes", node.attributes},
                     {"steps", steps},
                     {"result", node.formula.result}});
  }
  return Json{{"version", 1}, {"values", values}, {"nodes", nodes}, {"input", graph.input}, {"output", graph.output}}
      .dump();
}

ModelGraph graph_of(const std::string& text, const std::map<std::string, Tensor>& tensors, const std::string& file) {
  ModelGraph graph;
  try {
    const Json json = Json::parse(text);
    if (json.at("version") != 1) throw ValueError("its version is not 1");
    for (const Json& entry : json.at("values")) {
      ModelGraph::Value value{entry.at("name"), dtype_of_name(entry.at("dtype")), {}, {}, entry.at("learned")};
      value.shape = Shape(std::span<const std::int64_t>(entry.at("shape").get<std::vector<std::int64_t>>()));
      if (entry.at("constant")) {
        const auto found = tensors.find(value.name);
        if (found == tensors.end()) throw_as<ValueError>("the file has no tensor {}", value.name);
        value.constant = found->second;
        if (value.constant.shape() != value.shape || value.constant.dtype() != value.dtype)
          throw_as<ValueError>("{} is {} {}, its tensor is {} {}", value.name, value.dtype, value.shape,
                               value.constant.dtype(), value.constant.shape());
      }
      graph.values.push_back(std::move(value));
    }
    for (const Json& entry : json.at("nodes")) {
      ModelGraph::Node node{entry.at("operation"), entry.at("path"),       entry.at("inputs"),
                            entry.at("output"),    entry.at("attributes"), {}};
      for (const Json& step : entry.at("steps"))
        node.formula.steps.push_back({step.at(0), step.at(1), number_of_json(step.at(2))});
      node.formula.result = entry.at("result");
      graph.nodes.push_back(std::move(node));
    }
    graph.input = json.at("input");
    graph.output = json.at("output");
  } catch (const Json::exception& error) {
    throw_as<FileError>("load: {}: its graph is not what xgrad writes: {}", file, error.what());
  } catch (const Error& error) {
    throw_as<FileError>("load: {}: its graph is not what xgrad writes: {}", file, error.what());
  }
  return graph;
}

}  // namespace xgrad::nn
