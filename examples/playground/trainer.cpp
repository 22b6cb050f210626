#include "trainer.hpp"

#include <examples/playground_data.hpp>

#include <autograd/autograd.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/words.hpp>
#include <nn/inspection/layer_trace.hpp>
#include <nn/saving/model_file.hpp>
#include <nn/training/digest.hpp>
#include <nn/training/nonfinite.hpp>
#include <nn/training/training.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

namespace playground {

using namespace xgrad;

namespace {

constexpr std::size_t longest_curve = 400;
constexpr std::int64_t steps_between_kept = 2000;

std::int64_t rows_of(const Settings& settings) { return is_regression(settings) ? 1200 : 500; }

nn::Dataset points_of(const Settings& settings) {
  if (settings.data != "own")
    return examples::playground_data(
        settings.data, {.rows = rows_of(settings), .noise = settings.noise / 100, .seed = settings.data_seed});
  const auto rows = static_cast<std::int64_t>(settings.own.size());
  std::vector<double> points, labels;
  for (const Point& point : settings.own) {
    points.insert(points.end(), {point.x1, point.x2});
    labels.push_back(point.label);
  }
  Generator generator(settings.data_seed);
  const Tensor order = permutation(rows, generator);
  const nn::Dataset as_given = {tensor(points, {rows, 2}), tensor(labels, {rows, 1})};
  return as_given.select(order.values<std::int64_t>());
}

Tensor encoded(const Tensor& labels, Encoding encoding) {
  switch (encoding) {
    case Encoding::signs:
      return labels;
    case Encoding::probability:
    case Encoding::logit:
      return (labels + 1.0) / 2.0;
    case Encoding::class_indices:
      return reshape(gt(labels, 0), {labels.shape(0)}).to(int64);
  }
  return labels;
}

Encoding encoding_of(const Settings& settings) { return row_of(losses(), settings.loss).encoding; }

nn::NodeActivation output_of(const Settings& settings) {
  if (encoding_of(settings) == Encoding::probability) return sigmoid;
  return encoding_of(settings) == Encoding::signs && !is_regression(settings) ? static_cast<nn::NodeActivation>(tanh)
                                                                              : nullptr;
}

std::int64_t outputs_of(const Settings& settings) { return encoding_of(settings) == Encoding::class_indices ? 2 : 1; }

/// Notes the layer of every entry of a tape.
class LayersOfEntries : public nn::LayerTrace {
 public:
  void recorded(const RecordedOperation& operation) override {
    nn::LayerTrace::recorded(operation);
    const std::optional<std::size_t> at = find(operation.outputs[0]);
    if (at) layers_[operation.index] = values()[*at].layer;
  }
  std::string layer(std::uint32_t entry) const {
    const auto found = layers_.find(entry);
    return found == layers_.end() ? "" : found->second;
  }

 private:
  std::map<std::uint32_t, std::string> layers_;
};

}  // namespace

Tensor features_of(const Settings& settings, const Tensor& points) {
  const Tensor x1 = slice(points, 1, 0, 1), x2 = slice(points, 1, 1, 2);
  std::vector<Tensor> columns;
  for (const std::string& name : settings.features) columns.push_back(row_of(features(), name).function(x1, x2));
  return concatenate(columns, 1);
}

Data data_of(const Settings& settings) {
  check(settings);
  const nn::Dataset points = points_of(settings);
  const Tensor places = points.inputs().all(), labels = points.targets().all();
  const std::int64_t rows = points.size();
  const std::int64_t train_rows = std::clamp<std::int64_t>(rows * settings.train_share / 100, 1, rows - 1);
  const nn::Dataset all(features_of(settings, places), encoded(labels, encoding_of(settings)));
  auto [train, test] = all.split(train_rows);
  return {places, labels, train_rows, is_regression(settings), std::move(train), std::move(test)};
}

Trainer::Trainer(const Settings& settings)
    : settings_(settings),
      data_(data_of(settings)),
      loss_{&row_of(losses(), settings.loss)},
      generator_(settings.seed),
      network_(settings, outputs_of(settings), output_of(settings), generator_),
      weights_(network_.weights()),
      rate_(settings.learning_rate),
      optimizer_(row_of(optimizers(), settings.optimizer).make(network_.parameters(), rate_, settings.momentum)),
      schedule_(row_of(schedules(), settings.schedule).make(rate_, settings.schedule_steps)),
      batches_(data_.train, {.size = settings.batch, .shuffle = true, .seed = settings.seed}),
      next_(batches_.end()) {
  extend_curve();
}

Tensor Trainer::loss_of(const Network& network, const nn::Batch& batch) const {
  const Tensor loss = loss_(network(batch.inputs), batch.targets);
  const PenaltyChoice& penalty = row_of(penalties(), settings_.penalty);
  if (penalty.function == nullptr) return loss;
  return loss + settings_.penalty_rate * penalty.function(&network == &network_ ? weights_ : network.weights());
}

bool Trainer::step() {
  apply_events();
  if (steps_ >= next_kept_) keep();
  if (next_ == batches_.end()) next_ = batches_.begin();
  last_batch_ = *next_;
  Tape tape;
  const Tensor loss = loss_of(network_, last_batch_);
  if (!std::isfinite(loss.item())) return false;
  optimizer_->learning_rate(learning_rate());
  optimizer_->step(tape.backward(loss));
  ++next_;
  ++steps_;
  if (next_ == batches_.end()) extend_curve();
  return true;
}

double Trainer::learning_rate() const { return schedule_(steps_); }

void Trainer::keep() {
  if (kept_.size() > 1) kept_.erase(kept_.begin());
  kept_.push_back({steps_, nn::clone(network_), optimizer_->state()});
  next_kept_ = steps_ + steps_between_kept;
}

void Trainer::return_to(const Kept& kept) {
  go_on_after(kept.steps);
  apply_events();  // those before the step are in the parameters
  const std::vector<Tensor> values = kept.network.parameters();
  std::vector<Tensor> parameters = network_.parameters();
  for (std::size_t i = 0; i < values.size(); ++i) parameters[i].assign(values[i]);
  std::vector<nn::NamedStream> streams = network_.named_streams();
  for (std::size_t i = 0; i < streams.size(); ++i)
    streams[i].stream.state(kept.network.named_streams()[i].stream.state());
  optimizer_->state(kept.optimizer);
}

void Trainer::apply_events() {
  for (; next_event_ < settings_.events.size() && settings_.events[next_event_].step <= steps_; ++next_event_)
    apply(settings_.events[next_event_]);
}

void Trainer::apply(const Event& event) {
  if (event.is_rate()) return start_from(event.value);
  std::vector<std::string> known;
  for (nn::NamedTensor& named : network_.named_parameters()) {
    known.push_back(named.path);
    if (named.path != event.what) continue;
    if (event.index >= static_cast<std::int64_t>(named.tensor.size()))
      throw_as<ValueError>("events: {} has {} numbers, so none at {}", event.what, named.tensor.size(), event.index);
    named.tensor.modify([&](std::span<float> values) {
      values[static_cast<std::size_t>(event.index)] = static_cast<float>(event.value);
    });
    return;
  }
  throw_as<ValueError>("events: no parameter '{}'{}", event.what.substr(0, 40),
                       did_you_mean(event.what.substr(0, 40), known));
}

void Trainer::start_from(double rate) {
  rate_ = rate;
  schedule_ = row_of(schedules(), settings_.schedule).make(rate_, settings_.schedule_steps);
}

void Trainer::change(const Event& event) {
  apply_events();
  apply(event);
  settings_.events.resize(next_event_);
  settings_.events.push_back(event);
  settings_.events.back().step = steps_;
  next_event_ = settings_.events.size();
}

Settings Trainer::restarted() const {
  Settings settings = settings_;
  settings.learning_rate = rate_;
  settings.events.clear();
  return settings;
}

void Trainer::load(const nn::TensorFile& file, const std::string& name) {
  nn::load(network_, file, name);
  loaded_at_ = steps_;
  kept_.clear();
  next_kept_ = steps_;
}

void Trainer::show(const Settings& settings) {
  settings_.show_test = settings.show_test;
  settings_.discretise = settings.discretise;
  settings_.colour = settings.colour;
}

void Trainer::extend_curve() {
  if (epochs() % curve_stride_ != 0) return;
  curve_.push_back({epochs(), steps_, score(data_.train).loss, score(data_.test).loss});
  if (curve_.size() < longest_curve) return;
  curve_stride_ *= 2;
  std::erase_if(curve_, [this](const CurvePoint& point) { return point.epoch % curve_stride_ != 0; });
}

Score Trainer::score(const nn::Dataset& data) {
  const Pause pause;
  const nn::AnyModel model = this->model();
  const nn::ModeScope mode(model, false);
  const nn::Batch all = data.all();
  const Tensor outputs = network_(all.inputs), targets = all.targets;
  Score score;
  score.loss = loss_(outputs, targets).item();
  if (loss_.row->reduction == nn::Reduction::sum) score.loss /= static_cast<double>(data.size());
  if (!std::isfinite(score.loss)) return score;
  if (data_.regression) {
    score.r2 = nn::r2_score(outputs, targets);
    return score;
  }
  const auto classes = [](const Tensor& side) { return reshape(gt(side, 0), {side.shape(0)}).to(int64); };
  const bool indices = loss_.row->encoding == Encoding::class_indices;
  const bool signs = loss_.row->encoding == Encoding::signs;
  const Tensor labels = indices ? targets : classes(signs ? targets : targets - 0.5);
  score.confusion.emplace(2);
  score.confusion->add(classes(shown(outputs)), labels);
  score.accuracy = score.confusion->accuracy();
  return score;
}

Tensor Trainer::shown(const Tensor& outputs) const {
  switch (loss_.row->encoding) {
    case Encoding::signs:
      return outputs;
    case Encoding::probability:
      return outputs * 2.0 - 1.0;
    case Encoding::logit:
      return tanh(outputs * 0.5);
    case Encoding::class_indices:
      return tanh((slice(outputs, 1, 1, 2) - slice(outputs, 1, 0, 1)) * 0.5);
  }
  return outputs;
}

std::vector<Tensor> Trainer::link_gradients() {
  const nn::AnyModel model = this->model();
  const nn::ModeScope mode(model, false);
  Tape tape;
  const Gradients gradients = tape.backward(loss_of(network_, data_.train.all()));
  std::vector<Tensor> found;
  for (const Tensor& weight : weights_) found.push_back(gradients[weight]);
  return found;
}

std::string Trainer::digest() const { return nn::digest(network_.parameters()); }

std::vector<nn::CheckpointPart> Trainer::checkpoint_parts() {
  const auto same = [this](const std::string& address) {
    if (address != to_address(settings_)) throw_as<FileError>("it is of the training of the address '{}'", address);
  };
  const auto go_on = [this](const std::string& text) {
    std::int64_t steps = -1;
    std::from_chars(text.data(), text.data() + text.size(), steps);
    if (steps < 0) throw_as<FileError>("'{}' is no number of steps", text);
    go_on_after(steps);
  };
  return {{"network", network_},
          {"optimizer", *optimizer_},
          {"address", nn::SavedState{[this] { return to_address(settings_); }, same}},
          {"steps", nn::SavedState{[this] { return std::to_string(steps_); }, go_on}}};
}

/// Numbers of parameters that were changed before are in the parameters.
void Trainer::go_on_after(std::int64_t steps) {
  steps_ = steps;
  start_from(settings_.learning_rate);
  for (next_event_ = 0; next_event_ < settings_.events.size(); ++next_event_) {
    const Event& event = settings_.events[next_event_];
    if (event.step >= steps) break;
    if (event.is_rate()) apply(event);
  }
  batches_.set_epoch(static_cast<std::uint64_t>(epochs()));
  next_ = batches_.end();
  kept_.clear();
  next_kept_ = steps;
  const std::int64_t in_pass = steps % steps_of_epoch();
  if (in_pass == 0) return;
  next_ = batches_.begin();
  for (std::int64_t i = 0; i < in_pass; ++i) ++next_;
}

std::optional<std::string> Trainer::traced_step() {
  apply_events();
  if (next_ == batches_.end()) next_ = batches_.begin();
  LayersOfEntries layers;
  Tape tape({.trace_nonfinite = true, .observer = &layers});
  const Tensor loss = loss_of(network_, *next_);
  Gradients gradients;
  if (tape.nonfinite() == nullptr) gradients = tape.backward(loss);
  if (const NonFiniteOrigin* const origin = tape.nonfinite()) {
    const std::string layer = layers.layer(origin->index);
    NonFiniteOrigin shown = *origin;
    if (shown.path == layer) shown.path.clear();
    return fmt::format("step {}, {}: {}", steps_, layer.empty() ? "the loss" : "layer " + layer, shown.text());
  }
  optimizer_->learning_rate(learning_rate());
  optimizer_->step(gradients);
  ++next_;
  ++steps_;
  for (const nn::NamedTensor& named : network_.named_parameters())
    if (!std::isfinite(sum(abs(named.tensor)).item()))
      return fmt::format("step {}, layer {}: the optimizer's step made {} infinite; the learning rate {} is too large",
                         steps_ - 1, nn::layer_of_parameter(named.path), named.path, learning_rate());
  return std::nullopt;
}

std::string Trainer::explanation() {
  constexpr std::int64_t traced = 5;  // an infinite gradient shows in the loss one step later
  const bool is_far = steps_ - kept_.back().steps > traced;
  Trainer again(settings_);
  again.return_to(is_far ? kept_.back() : kept_.front());
  while (again.steps() + traced < steps_ && again.step()) {
  }
  while (again.steps() <= steps_)
    if (const auto found = again.traced_step()) return *found;
  return fmt::format("step {}: {}", steps_,
                     nn::nonfinite_origin(model(), last_batch_.inputs, last_batch_.targets, network_.parameters())
                         .value_or("all is finite when the step is run again"));
}

}  // namespace playground
