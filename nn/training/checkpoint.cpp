#include <autograd/ops/random.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/json.hpp>
#include <nn/training/checkpoint.hpp>
#include <nn/training/checkpoint_file.hpp>
#include <nn/training/checkpoint_json.hpp>

#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace xgrad::nn {

namespace {

using Json = nlohmann::json;

constexpr const char* state_key = "state";
constexpr const char* optimizer_name = "optimizer";  // of its moments

template <class T>
Json maybe(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json to_json(const EpochRecord& record) {
  Json metrics = Json::array();
  for (const double metric : record.metrics) metrics.push_back(json_of_number(metric));
  return {{"epoch", record.epoch},
          {"steps", record.steps},
          {"complete", record.complete},
          {"loss", json_of_number(record.loss)},
          {"validation_loss", record.validation_loss ? json_of_number(*record.validation_loss) : Json()},
          {"metrics", metrics},
          {"learning_rate", json_of_number(record.learning_rate)},
          {"seconds", json_of_number(record.seconds)}};
}

EpochRecord record_of(const Json& json) {
  EpochRecord record{.epoch = json.at("epoch"),
                     .steps = json.at("steps"),
                     .complete = json.at("complete"),
                     .loss = number_of_json(json.at("loss")),
                     .learning_rate = number_of_json(json.at("learning_rate")),
                     .seconds = number_of_json(json.at("seconds"))};
  if (const Json& loss = json.at("validation_loss"); !loss.is_null()) record.validation_loss = number_of_json(loss);
  for (const Json& metric : json.at("metrics")) record.metrics.push_back(number_of_json(metric));
  return record;
}

Json to_json(const History& history) {
  Json epochs = Json::array();
  for (const EpochRecord& record : history.epochs) epochs.push_back(to_json(record));
  return {{"metrics", history.metrics},
          {"epochs", epochs},
          {"steps", history.steps},
          {"seconds", json_of_number(history.seconds)},
          {"best_epoch", maybe(history.best_epoch)}};
}

History history_of(const Json& json) {
  History history{
      .metrics = json.at("metrics"), .steps = json.at("steps"), .seconds = number_of_json(json.at("seconds"))};
  for (const Json& record : json.at("epochs")) history.epochs.push_back(record_of(record));
  if (const Json& best = json.at("best_epoch"); !best.is_null()) history.best_epoch = best.get<std::size_t>();
  return history;
}

/// What the place in an epoch depends on.
Json sampler_of(const FitOptions& options, const Batches& batches) {
  const BatchesOptions& sampler = options.batches;
  return {{"examples", batches.dataset().size()}, {"size", sampler.size},
          {"shuffle", sampler.shuffle},           {"seed", sampler.seed},
          {"drop_last", sampler.drop_last},       {"accumulate", options.accumulate}};
}

std::string numbered(const char* name, std::size_t i) { return fmt::format("{}.{}", name, i); }

void add_all(TensorFile& file, const char* name, const std::vector<Tensor>& tensors) {
  for (std::size_t i = 0; i < tensors.size(); ++i) file.tensors[numbered(name, i)] = tensors[i];
}

/// The tensors that add_all wrote, as many as there are.
std::vector<Tensor> take_all(const TensorFile& file, const char* name) {
  std::vector<Tensor> tensors;
  for (auto found = file.tensors.find(numbered(name, 0)); found != file.tensors.end();
       found = file.tensors.find(numbered(name, tensors.size())))
    tensors.push_back(found->second);
  return tensors;
}

/// A checkpoint's text taken apart, before anything is set.
struct Parsed {
  TrainingState training;
  OptimizerState optimizer;
  Json sampler;
  Generator::State generator;
  std::map<std::string, LayerStream::State> streams;
  std::map<std::string, std::string> also;
};

}  // namespace

SavedState saved_state(ReduceOnPlateau& rule) {
  const auto save = [&rule] {
    const ReduceOnPlateau::State state = rule.state();
    return Json({json_of_number(state.rate), json_of_number(state.best), state.bad, state.cooldown}).dump();
  };
  const auto load = [&rule](const std::string& text) {
    try {
      const Json json = Json::parse(text);
      rule.state({number_of_json(json.at(0)), number_of_json(json.at(1)), json.at(2), json.at(3)});
    } catch (const Json::exception& error) {
      throw_as<FileError>("ReduceOnPlateau: a state that is none: {}", error.what());
    }
  };
  return {save, load};
}

std::vector<NamedTensor> CheckpointWriter::tensors() const {
  std::vector<NamedTensor> list;
  std::unordered_set<const TensorBody*> seen;
  const auto add = [&](std::string name, const Tensor& tensor) {
    if (seen.insert(tensor.body_or_null()).second) list.push_back({std::move(name), tensor});
  };
  for (const auto& [path, tensor] : model_.parameters()) add("model." + path, tensor);
  for (const auto& [path, tensor] : model_.buffers()) add("model." + path, tensor);
  for (std::size_t i = 0; i < optimizer_.parameters().size(); ++i)
    add(numbered("parameter", i), optimizer_.parameters()[i]);
  return list;
}

std::vector<NamedTensor> CheckpointWriter::tensors_with_moments(const OptimizerState& optimizer) const {
  std::vector<NamedTensor> list = tensors();
  add_moments(list, optimizer_name, optimizer);
  return list;
}

void CheckpointWriter::write(const TrainingState& state) const {
  write_checkpoint(options_.checkpoint.path, content(state), options_.checkpoint.keep);
}

TensorFile CheckpointWriter::content(const TrainingState& state) const {
  TensorFile file;
  const OptimizerState optimizer = optimizer_.state();
  for (const auto& [name, tensor] : tensors_with_moments(optimizer)) file.tensors[name] = tensor;
  add_all(file, "best", state.stopping.best);
  add_all(file, "epoch_begin", state.stopping.epoch_begin);

  Json also = Json::object();
  for (const auto& [name, saved] : options_.checkpoint.also) also[name] = saved.save();
  const Json json = {{"history", to_json(state.history)},
                     {"epochs_done", state.epochs_done},
                     {"batches_done", state.batches_done},
                     {"loss", {{"sum", json_of_number(state.loss.sum)}, {"rows", state.loss.rows}}},
                     {"stopping",
                      {{"least_loss", json_of_number(state.stopping.least_loss)},
                       {"reference_loss", json_of_number(state.stopping.reference_loss)},
                       {"epochs_without_improvement", state.stopping.epochs_without_improvement}}},
                     {"optimizer", to_json(optimizer)},
                     {"sampler", sampler_of(options_, batches_)},
                     {"generator", to_json(batches_.generator_of_next())},
                     {"streams", to_json(model_.streams())},
                     {"also", also}};
  try {
    file.metadata[state_key] = json.dump();
  } catch (const Json::exception&) {
    throw ValueError("fit: the name of a metric, or what checkpoint.also saves, is not UTF-8");
  }
  return file;
}

std::vector<Particular> CheckpointWriter::digests() const {
  const OptimizerState optimizer = optimizer_.state();
  const std::vector<NamedTensor> list = tensors_with_moments(optimizer);
  std::vector<Particular> digests(list.size());
  parallel_parts(list.size(), [&](std::size_t i) {
    const Tensor& x = list[i].tensor;
    const std::string_view bytes(static_cast<const char*>(x.untyped_data()), x.size() * size_of(x.dtype()));
    digests[i] = {list[i].path, fmt::format("{:016x}", std::hash<std::string_view>()(bytes))};
  });
  digests.push_back({"the learning rate", fmt::format("{}", optimizer.learning_rate)});
  for (const auto& [path, stream] : model_.streams()) digests.push_back({path, fmt::format("{}", stream.calls())});
  digests.push_back({"default_generator", to_json(batches_.generator_of_next()).dump()});
  return digests;
}

TrainingState CheckpointWriter::read(const std::string& path) const { return take(read_checkpoint(path), path); }

TrainingState CheckpointWriter::take(const TensorFile& file, const std::string& from) const {
  const auto refuse = [&from](const std::string& what) { throw_as<FileError>("fit: {}: {}", from, what); };

  Parsed parsed;
  try {
    const auto text = file.metadata.find(state_key);
    const Json json = Json::parse(text == file.metadata.end() ? "" : text->second);
    const Json& stopping = json.at("stopping");
    parsed.training = {.history = history_of(json.at("history")),
                       .epochs_done = json.at("epochs_done"),
                       .batches_done = json.at("batches_done"),
                       .loss = {number_of_json(json.at("loss").at("sum")), json.at("loss").at("rows")},
                       .stopping = {.least_loss = number_of_json(stopping.at("least_loss")),
                                    .reference_loss = number_of_json(stopping.at("reference_loss")),
                                    .epochs_without_improvement = stopping.at("epochs_without_improvement"),
                                    .best = take_all(file, "best"),
                                    .epoch_begin = take_all(file, "epoch_begin")}};
    parsed.optimizer = optimizer_of(json.at("optimizer"), file, optimizer_name, optimizer_.state());
    parsed.sampler = json.at("sampler");
    parsed.generator = generator_of(json.at("generator"));
    parsed.streams = streams_of(json.at("streams"));
    parsed.also = json.at("also");
  } catch (const Json::exception& error) {
    refuse(fmt::format("the state of the training is not what fit writes: {}", error.what()));
  }
  const TrainingState& training = parsed.training;
  if (training.epochs_done < 0 || training.batches_done < 0 ||
      training.history.epochs.size() !=
          static_cast<std::size_t>(training.epochs_done) + (training.batches_done > 0 ? 1 : 0))
    refuse(fmt::format("has {} records for {} epochs and {} batches", training.history.epochs.size(),
                       training.epochs_done, training.batches_done));
  if (const Json now = sampler_of(options_, batches_);
      training.batches_done > 0 && (parsed.sampler != now || training.batches_done > batches_.size()))
    refuse(
        fmt::format("was made within an epoch of other batches, {}, than these, {}; need the same until the epoch ends",
                    parsed.sampler.dump(), now.dump()));

  // All is checked before anything is set.
  const std::vector<NamedTensor> present = tensors();
  require_tensors(file, present, refuse);
  const auto is_of_model = [](const std::string& name) {
    return name.starts_with("model.") || name.starts_with("parameter.");
  };
  std::unordered_set<std::string> known;
  for (const NamedTensor& named : present) known.insert(named.path);
  for (const auto& [name, tensor] : file.tensors)
    if (is_of_model(name) && !known.contains(name)) refuse("has " + name + ", which the model has not");
  const auto check_like = [&](const char* what, const std::vector<Tensor>& saved, const std::vector<Tensor>& as) {
    bool fits = saved.empty() || saved.size() == as.size();
    for (std::size_t i = 0; fits && i < saved.size(); ++i)
      fits = saved[i].shape() == as[i].shape() && saved[i].dtype() == as[i].dtype();
    if (!fits) refuse(fmt::format("has {} of other tensors than the model's", what));
  };
  check_like("the best parameters", training.stopping.best, model_.with_buffers(optimizer_.parameters()));
  check_like("parameters at the epoch's begin", training.stopping.epoch_begin, optimizer_.parameters());
  const std::vector<NamedStream> streams = model_.streams();
  for (const NamedStream& stream : streams)
    if (!parsed.streams.contains(stream.path)) refuse("has no random stream " + stream.path);
  for (const auto& [name, saved] : options_.checkpoint.also)
    if (!parsed.also.contains(name)) refuse("has no state of " + name + ", which checkpoint.also asks for");

  for (const auto& [name, saved] : options_.checkpoint.also) saved.load(parsed.also.at(name));
  try {
    optimizer_.state(parsed.optimizer);
  } catch (const Error& error) {
    refuse(fmt::format("does not fit the optimizer: {}", error.what()));
  }
  for (auto [name, tensor] : present) tensor.assign(file.tensors.at(name));
  for (NamedStream stream : streams) stream.stream.state(parsed.streams.at(stream.path));
  default_generator() = Generator(parsed.generator);
  return std::move(parsed.training);
}

}  // namespace xgrad::nn
