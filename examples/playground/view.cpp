#include "view.hpp"

#include <autograd/autograd.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/words.hpp>
#include <nn/doctor/doctor.hpp>
#include <nn/inspection/gradient_check.hpp>
#include <nn/inspection/layer_trace.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

namespace playground {

using namespace xgrad;

namespace {

constexpr std::int64_t large_map = 100;  // places on a side

/// The middles of the places of a map, (side², 2), from the upper left.
Tensor places(std::int64_t side) {
  std::vector<double> values;
  const auto middle = [side](std::int64_t i) {
    return plane_edge * (2 * (static_cast<double>(i) + 0.5) / static_cast<double>(side) - 1);
  };
  for (std::int64_t row = 0; row < side; ++row)
    for (std::int64_t column = 0; column < side; ++column) values.insert(values.end(), {middle(column), -middle(row)});
  return tensor(values, {side * side, 2});
}

/// One column of values (rows, units) as letters.
std::string letters(const Tensor& values, std::int64_t unit) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const std::span<const float> all = values.values<float>();
  const std::size_t units = values.extent(1);
  std::string text(values.extent(0), ' ');
  for (std::size_t row = 0; row < text.size(); ++row) {
    const float value = all[row * units + static_cast<std::size_t>(unit)];
    const float place = std::isnan(value) ? 31.5f : std::clamp((value + 1) * 32, 0.0f, 63.0f);
    text[row] = alphabet[static_cast<std::size_t>(place)];
  }
  return text;
}

Json numbers(const std::vector<Tensor>& tensors) {
  Json list = Json::array();
  for (const Tensor& x : tensors)
    for (const float value : x.values<float>()) list.push_back(value);
  return list;
}

Json score_json(Score score) {
  Json json = {{"loss", score.loss}};
  if (score.accuracy) json["accuracy"] = *score.accuracy;
  if (score.r2) json["r2"] = *score.r2;
  if (score.confusion)
    json["confusion"] = {{score.confusion->count(0, 0), score.confusion->count(0, 1)},
                         {score.confusion->count(1, 0), score.confusion->count(1, 1)}};
  return json;
}

/// A letter for each hidden unit: d for dead, s for saturated, - for neither, judged by the training data.
std::string marks(const Trainer& trainer, const std::vector<Tensor>& outputs) {
  constexpr double nearly_everywhere = 0.95;
  std::string text;
  for (std::size_t layer = 0; layer + 1 < outputs.size(); ++layer)
    for (std::int64_t unit = 0; unit < outputs[layer].shape(1); ++unit) {
      const nn::ActivationStatistics of_unit =
          nn::activation_statistics(slice(outputs[layer], 1, unit, unit + 1), trainer.network().bounds()[layer]);
      const bool dead = of_unit.dead.value_or(0) > 0;
      text += dead ? 'd' : of_unit.saturated.value_or(0) >= nearly_everywhere ? 's' : '-';
    }
  return text;
}

Json slopes_json(const Network& network) {
  Json list = Json::array();
  const std::vector<Tensor> slopes = network.slopes();
  for (std::size_t layer = 0; layer < slopes.size(); ++layer)
    for (std::int64_t unit = 0; unit < network.structure().widths[layer + 1]; ++unit)
      list.push_back(slopes[layer].defined() ? Json(slopes[layer].item({unit})) : Json());
  return list;
}

Json curve_json(const std::vector<CurvePoint>& curve) {
  Json list = Json::array();
  for (const CurvePoint& point : curve) list.push_back({point.epoch, point.step, point.train, point.test});
  return list;
}

using Clock = std::chrono::steady_clock;

double nanoseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

/// Times the operations of a tape, and notes what they are.
class Stopwatch : public nn::LayerTrace {
 public:
  struct Row {
    std::string operation;
    std::string inputs;
    std::string output;
    std::size_t bytes;
    Tensor result;
  };
  std::vector<Row> rows;
  std::vector<double> nanoseconds;

  explicit Stopwatch(bool notes) : notes_(notes) {}
  void recorded(const RecordedOperation& operation) override {
    nanoseconds.push_back(nanoseconds_since(begin_));
    if (notes_) {
      nn::LayerTrace::recorded(operation);
      std::string shapes;
      for (std::size_t i = 0; i < operation.inputs.size(); ++i)
        shapes += (i > 0 ? ", " : "") + to_string(operation.inputs[i].shape());
      const Tensor& output = operation.outputs[0];
      rows.push_back({std::string(operation.operation), shapes, to_string(output.shape()), output.bytes(), output});
    }
    begin_ = Clock::now();
  }
  void begin() { begin_ = Clock::now(); }

 private:
  bool notes_;
  Clock::time_point begin_ = Clock::now();
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string_view name_of(ControlKind kind) {
  constexpr std::string_view names[] = {"number", "whole", "choice", "toggle", "list"};
  return names[static_cast<std::size_t>(kind)];
}
std::string_view name_of(Effect effect) {
  constexpr std::string_view names[] = {"restart", "live", "view"};
  return names[static_cast<std::size_t>(effect)];
}

}  // namespace

Json controls_json() {
  Json list = Json::array();
  for (const Control& row : controls())
    list.push_back({{"name", row.name},
                    {"label", row.label},
                    {"about", row.about},
                    {"kind", name_of(row.kind)},
                    {"effect", name_of(row.effect)},
                    {"minimum", row.minimum},
                    {"maximum", row.maximum},
                    {"choices", row.choices},
                    {"value", row.get(Settings())}});
  return list;
}

Json state_json(Trainer& trainer) {
  const Settings& settings = trainer.settings();
  const Structure& structure = trainer.network().structure();
  Json json;
  for (const Control& row : controls()) json["settings"][row.name] = row.get(settings);
  json["settings"]["learning_rate"] = control("learning_rate").get(trainer.restarted());
  json["address"] = to_address(settings);
  json["regression"] = trainer.data().regression;
  json["units"] = Json::array();
  for (std::size_t layer = 0; layer < structure.widths.size(); ++layer)
    for (std::int64_t unit = 0; unit < structure.widths[layer]; ++unit) {
      const bool feature = layer == 0;
      json["units"].push_back({{"layer", layer},
                               {"name", feature ? settings.features[static_cast<std::size_t>(unit)]
                                                : fmt::format("{}.{}", layer_name(structure, layer - 1), unit + 1)}});
    }
  json["links"] = structure.links();
  const Data& data = trainer.data();
  json["points"] = Json::array();
  for (std::int64_t row = 0; row < data.points.shape(0); ++row)
    json["points"].push_back({static_cast<float>(data.points.item({row, 0})),
                              static_cast<float>(data.points.item({row, 1})),
                              static_cast<float>(data.labels.item({row, 0}))});
  json["train_rows"] = data.train_rows;
  const Tensor grid = places(20);
  for (const Feature& feature : features())
    json["features"].push_back({{"name", feature.name},
                                {"label", feature.label},
                                {"map", letters(feature.function(slice(grid, 1, 0, 1), slice(grid, 1, 1, 2)), 0)}});
  json["steps_of_epoch"] = trainer.steps_of_epoch();
  json["digest"] = trainer.digest();
  return json;
}

Json frame_json(Trainer& trainer, std::optional<std::int64_t> watched) {
  const Pause pause;
  const nn::AnyModel model = trainer.model();
  const nn::ModeScope mode(model, false);
  const Network& network = trainer.network();
  const Structure& structure = network.structure();
  Json json = {{"step", trainer.steps()}, {"epoch", trainer.epochs()}, {"learning_rate", trainer.learning_rate()}};
  json["train"] = score_json(trainer.score(trainer.data().train));
  json["test"] = score_json(trainer.score(trainer.data().test));
  json["weights"] = numbers(network.weights());
  json["biases"] = numbers(network.biases());
  json["slopes"] = slopes_json(network);
  json["marks"] = marks(trainer, network.layer_outputs(trainer.data().train.inputs().all()));
  json["curve"] = curve_json(trainer.curve());

  const auto outputs_at = [&](std::int64_t side) {
    const Tensor grid = features_of(trainer.settings(), places(side));
    std::vector<Tensor> outputs = network.layer_outputs(grid);
    outputs.back() = trainer.shown(outputs.back());
    outputs.insert(outputs.begin(), grid);
    return outputs;
  };
  const bool large = watched && *watched < structure.begin[structure.widths.size() - 1];
  const std::vector<Tensor> at_large = outputs_at(large_map);
  json["map"] = letters(at_large.back(), 0);
  if (large) {
    std::size_t layer = 0;
    while (structure.begin[layer + 1] <= *watched) ++layer;
    json["watched"] = *watched;
    json["watched_map"] = letters(at_large[layer], *watched - structure.begin[layer]);
  }
  const std::int64_t small_map = structure.units() > 64 ? 10 : 20;
  const std::vector<Tensor> at_small = outputs_at(small_map);
  json["maps"] = Json::array();
  for (std::size_t layer = 1; layer + 1 < at_small.size(); ++layer)
    for (std::int64_t unit = 0; unit < structure.widths[layer]; ++unit)
      json["maps"].push_back(letters(at_small[layer], unit));
  return json;
}

Json gradient_check_json(Trainer& trainer) {
  constexpr std::int64_t most_rows = 20;
  const nn::Dataset& train = trainer.data().train;
  const nn::Batch batch = train.subset(0, std::min(most_rows, train.size())).all();
  const GradientReport report =
      nn::check_gradients_of(trainer.model(), batch.inputs, batch.targets, {.allow_zero = true});
  return Json::parse(report.json());
}

Json tape_json(Trainer& trainer) {
  constexpr int runs = 31;
  const Network copy = nn::clone(trainer.network());
  const nn::Batch batch =
      trainer.last_batch().inputs.defined()
          ? trainer.last_batch()
          : trainer.data()
                .train.subset(0, std::min<std::int64_t>(trainer.settings().batch, trainer.data().train.size()))
                .all();
  const std::unique_ptr<nn::Optimizer> optimizer =
      row_of(optimizers(), trainer.settings().optimizer).make(copy.parameters(), 1e-30, trainer.settings().momentum);
  std::vector<std::vector<double>> times;
  std::vector<double> forward, backward, update;
  Json json;
  for (int run = 0; run < runs; ++run) {
    Stopwatch watch(run == 0);
    Tape tape({.observer = &watch});
    watch.begin();
    Clock::time_point begin = Clock::now();
    const Tensor loss = trainer.loss_of(copy, batch);
    const double forward_time = nanoseconds_since(begin);
    const std::size_t saved = tape.saved_bytes();
    begin = Clock::now();
    const Gradients gradients = tape.backward(loss);
    backward.push_back(nanoseconds_since(begin));
    begin = Clock::now();
    optimizer->step(gradients);
    update.push_back(nanoseconds_since(begin));
    if (run == 0) {
      json["saved_bytes"] = saved;
      for (const Stopwatch::Row& row : watch.rows) {
        const std::optional<std::size_t> at = watch.find(row.result);
        json["rows"].push_back({{"operation", row.operation},
                                {"layer", at ? watch.values()[*at].layer : ""},
                                {"inputs", row.inputs},
                                {"output", row.output},
                                {"bytes", row.bytes}});
      }
      times.resize(watch.rows.size());
      continue;  // the notes take time, too
    }
    forward.push_back(forward_time);
    for (std::size_t i = 0; i < times.size(); ++i) times[i].push_back(watch.nanoseconds[i]);
  }
  for (std::size_t i = 0; i < times.size(); ++i) json["rows"][i]["nanoseconds"] = median(times[i]);
  json["forward_ns"] = median(forward);
  json["backward_ns"] = median(backward);
  json["update_ns"] = median(update);
  return json;
}

Json doctor_json(const Settings& settings) {
  Trainer trainer(settings);
  return Json::parse(nn::doctor_of(trainer.model(), &trainer.optimizer(), trainer.learning_rate(), trainer.data().train,
                                   {.reduction = row_of(losses(), settings.loss).reduction})
                         .json());
}

}  // namespace playground
