#include <autograd/ops/random.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/json.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/training/checkpoint_file.hpp>
#include <nn/training/checkpoint_json.hpp>
#include <nn/training/save_checkpoint.hpp>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

namespace xgrad::nn {

namespace {

using Json = nlohmann::json;

constexpr const char* loop_key = "loop";

/// What both functions do with text that is not what they wrote.
template <class F>
void parse_state(const std::string& text, const F& use) {
  try {
    use(Json::parse(text));
  } catch (const Json::exception& error) {
    throw_as<FileError>("a checkpoint's numbers are none: {}", error.what());
  }
}

}  // namespace

SavedState saved_state(double& value) {
  return {[&value] { return json_of_number(value).dump(); },
          [&value](const std::string& text) {
            parse_state(text, [&](const Json& json) { value = number_of_json(json); });
          }};
}

SavedState saved_state(std::vector<double>& values) {
  const auto save = [&values] {
    Json json = Json::array();
    for (const double value : values) json.push_back(json_of_number(value));
    return json.dump();
  };
  const auto load = [&values](const std::string& text) {
    parse_state(text, [&](const Json& json) {
      std::vector<double> saved;
      for (const Json& value : json) saved.push_back(number_of_json(value));
      values = std::move(saved);
    });
  };
  return {save, load};
}

CheckpointPart::CheckpointPart(const std::string& name, const Module& model) : name_(name) {
  for (const auto& [path, tensor] : model.named_parameters()) tensors_.push_back({name + '.' + path, tensor});
  for (const auto& [path, tensor] : model.named_buffers()) tensors_.push_back({name + '.' + path, tensor});
  for (const auto& [path, stream] : model.named_streams()) streams_.push_back({name + '.' + path, stream});
}

CheckpointPart::CheckpointPart(const std::string& name, Optimizer& optimizer) : name_(name), optimizer_(&optimizer) {
  for (std::size_t i = 0; i < optimizer.parameters().size(); ++i)
    tensors_.push_back({fmt::format("{}.parameter.{}", name, i), optimizer.parameters()[i]});
}

CheckpointPart::CheckpointPart(const std::string& name, const Tensor& tensor)
    : name_(name), tensors_({{name, tensor}}) {}
CheckpointPart::CheckpointPart(const std::string& name, double& value) : CheckpointPart(name, saved_state(value)) {}
CheckpointPart::CheckpointPart(const std::string& name, std::vector<double>& values)
    : CheckpointPart(name, saved_state(values)) {}
CheckpointPart::CheckpointPart(const std::string& name, SavedState state) : name_(name), state_(std::move(state)) {}

/// All parts together, each tensor once.
class CheckpointParts {
 public:
  CheckpointParts(const char* operation, const std::vector<CheckpointPart>& parts) : operation_(operation) {
    std::unordered_set<std::string> names;
    std::unordered_set<const TensorBody*> seen;
    for (const CheckpointPart& part : parts) {
      if (!names.insert(part.name_).second)
        throw_as<ValueError>("{}: two parts have the name '{}'; need a name for each", operation, part.name_);
      if (!is_utf8(part.name_)) throw_as<ValueError>("{}: the name of a part is not UTF-8", operation);
      for (const NamedTensor& named : part.tensors_) {
        if (!named.tensor.defined())
          throw_as<ValueError>("{}: '{}' has no value; need a tensor that has one", operation, named.path);
        if (seen.insert(named.tensor.body_or_null()).second) tensors_.push_back(named);
      }
      streams_.insert(streams_.end(), part.streams_.begin(), part.streams_.end());
      if (part.optimizer_ != nullptr) optimizers_.emplace_back(part.name_, part.optimizer_);
      if (part.state_.save) states_.emplace_back(part.name_, part.state_);
    }
  }

  TensorFile content(std::int64_t step) const {
    Json optimizers = Json::object(), states = Json::object();
    std::vector<NamedTensor> tensors = tensors_;
    for (const auto& [name, optimizer] : optimizers_) {
      const OptimizerState state = optimizer->state();
      optimizers[name] = to_json(state);
      add_moments(tensors, name + ".moment", state);
    }
    for (const auto& [name, state] : states_) states[name] = state.save();
    TensorFile file;
    for (const auto& [name, tensor] : tensors)
      if (!file.tensors.emplace(name, tensor).second)
        throw_as<ValueError>("{}: two tensors have the name '{}'; need other names of the parts", operation_, name);
    try {
      file.metadata[loop_key] = Json({{"step", step},
                                      {"generator", to_json(default_generator().state())},
                                      {"optimizers", optimizers},
                                      {"streams", to_json(streams_)},
                                      {"states", states}})
                                    .dump();
    } catch (const Json::exception&) {
      throw_as<ValueError>("{}: what a part saves is not UTF-8", operation_);
    }
    return file;
  }

  std::int64_t take(const TensorFile& file, const std::string& from) const {
    const auto refuse = [&](const std::string& what) { throw_as<FileError>("{}: {}: {}", operation_, from, what); };
    const auto text = file.metadata.find(loop_key);
    if (text == file.metadata.end()) refuse("is not of save_checkpoint; what fit saved goes to its option resume");

    std::int64_t step = 0;
    Generator::State generator;
    std::map<std::string, LayerStream::State> streams;
    std::map<std::string, OptimizerState> optimizers, before;
    for (const auto& [name, optimizer] : optimizers_) before[name] = optimizer->state();
    std::map<std::string, std::string> states;
    try {
      const Json json = Json::parse(text->second);
      step = json.at("step");
      generator = generator_of(json.at("generator"));
      streams = streams_of(json.at("streams"));
      states = json.at("states");
      for (const auto& [name, optimizer] : optimizers_)
        if (const auto found = json.at("optimizers").find(name); found != json.at("optimizers").end())
          optimizers[name] = optimizer_of(*found, file, name + ".moment", before.at(name));
      if (json.at("optimizers").size() != optimizers_.size() || optimizers.size() != optimizers_.size() ||
          streams.size() != streams_.size() || states.size() != states_.size())
        refuse("has other optimizers, random streams or numbers than the parts; need the parts that were saved");
    } catch (const Json::exception& error) {
      refuse(fmt::format("the state of the loop is not what save_checkpoint writes: {}", error.what()));
    }
    if (step < 0) refuse(fmt::format("was written after {} steps", step));
    require_tensors(file, tensors_, refuse);
    for (const auto& [name, optimizer] : optimizers_)
      if (optimizers.at(name).moments.size() != before.at(name).moments.size())
        refuse(name + " was an optimizer of another kind; need the one that was saved");
    std::size_t moments = 0;
    for (const auto& [name, state] : optimizers)
      for (const std::vector<Tensor>& kind : state.moments)
        for (const Tensor& moment : kind) moments += moment.defined();
    if (file.tensors.size() != tensors_.size() + moments)
      refuse("has more tensors than the parts; need the parts that were saved");
    for (const auto& [path, stream] : streams_)
      if (!streams.contains(path)) refuse("has no random stream " + path);
    for (const auto& [name, state] : states_)
      if (!states.contains(name)) refuse("has no " + name);

    // What checks for itself comes first, and is undone where it fails.
    std::vector<std::function<void()>> undo;
    try {
      for (const auto& [name, state] : states_) {
        undo.push_back([load = state.load, before = state.save()] { load(before); });
        state.load(states.at(name));
      }
      for (const auto& [name, optimizer] : optimizers_) {
        undo.push_back([optimizer = optimizer, &state = before.at(name)] { optimizer->state(state); });
        optimizer->state(optimizers.at(name));
      }
    } catch (const Error& error) {
      for (const std::function<void()>& one : undo) one();
      refuse(fmt::format("does not fit the parts: {}", error.what()));
    }
    for (auto [name, tensor] : tensors_) tensor.assign(file.tensors.at(name));
    for (auto [path, stream] : streams_) stream.state(streams.at(path));
    default_generator() = Generator(generator);
    return step;
  }

 private:
  const char* operation_;
  std::vector<NamedTensor> tensors_;
  std::vector<NamedStream> streams_;
  std::vector<std::pair<std::string, Optimizer*>> optimizers_;
  std::vector<std::pair<std::string, SavedState>> states_;
};

void save_checkpoint(const std::string& path, const std::vector<CheckpointPart>& parts, std::int64_t step,
                     std::int64_t keep) {
  if (step < 0 || keep < 1)
    throw_as<ValueError>("save_checkpoint: step {} and keep {}; need a step of 0 or more and keep of 1 or more", step,
                         keep);
  write_checkpoint(path, CheckpointParts("save_checkpoint", parts).content(step), keep);
}

std::int64_t load_checkpoint(const std::string& path, const std::vector<CheckpointPart>& parts) {
  return CheckpointParts("load_checkpoint", parts).take(read_checkpoint(path), path);
}

}  // namespace xgrad::nn
