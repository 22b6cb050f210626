#include <autograd/tensor/format.hpp>
#include <autograd/text/json.hpp>
#include <autograd/text/words.hpp>
#include <nn/training/checkpoint_json.hpp>

#include <nlohmann/json.hpp>

namespace xgrad::nn {

namespace {

std::string moment_name(const std::string& name, std::size_t kind, std::size_t i) {
  return fmt::format("{}.{}.{}", name, kind, i);
}

}  // namespace

nlohmann::json to_json(const Generator::State& state) { return {state.seed, state.stream, state.position}; }
Generator::State generator_of(const nlohmann::json& json) { return {json.at(0), json.at(1), json.at(2)}; }

nlohmann::json to_json(const std::vector<NamedStream>& streams) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [path, stream] : streams) {
    const LayerStream::State at = stream.state();
    json[path] = {{"start", to_json(at.start)}, {"calls", at.calls}};
  }
  return json;
}

std::map<std::string, LayerStream::State> streams_of(const nlohmann::json& json) {
  std::map<std::string, LayerStream::State> streams;
  for (const auto& [path, stream] : json.items())
    streams[path] = {generator_of(stream.at("start")), stream.at("calls")};
  return streams;
}

nlohmann::json to_json(const OptimizerState& state) {
  return {{"steps", state.steps},
          {"learning_rate", json_of_number(state.learning_rate)},
          {"updates", state.updates},
          {"kinds", state.moments.size()}};
}

void add_moments(std::vector<NamedTensor>& list, const std::string& name, const OptimizerState& state) {
  for (std::size_t kind = 0; kind < state.moments.size(); ++kind)
    for (std::size_t i = 0; i < state.moments[kind].size(); ++i)
      if (const Tensor& moment = state.moments[kind][i]; moment.defined())
        list.push_back({moment_name(name, kind, i), moment});
}

OptimizerState optimizer_of(const nlohmann::json& json, const TensorFile& file, const std::string& name,
                            const OptimizerState& like) {
  OptimizerState state{.steps = json.at("steps"),
                       .learning_rate = number_of_json(json.at("learning_rate")),
                       .updates = json.at("updates"),
                       .moments = {}};
  const std::size_t kinds = like.moments.size(), parameters = like.updates.size();
  if (json.at("kinds").get<std::size_t>() == kinds) state.moments.assign(kinds, std::vector<Tensor>(parameters));
  for (std::size_t kind = 0; kind < state.moments.size(); ++kind)
    for (std::size_t i = 0; i < parameters; ++i)
      if (const auto found = file.tensors.find(moment_name(name, kind, i)); found != file.tensors.end())
        state.moments[kind][i] = found->second;
  return state;
}

void require_tensors(const TensorFile& file, const std::vector<NamedTensor>& present,
                     const std::function<void(const std::string&)>& refuse) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : file.tensors) names.push_back(name);
  for (const auto& [name, tensor] : present) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end()) return refuse("has no " + name + did_you_mean(name, names));
    const Tensor& saved = found->second;
    if (saved.shape() != tensor.shape() || saved.dtype() != tensor.dtype())
      return refuse(fmt::format("has {} as {} {}, the model as {} {}; need the model that was saved", name,
                                saved.dtype(), saved.shape(), tensor.dtype(), tensor.shape()));
  }
}

}  // namespace xgrad::nn
