#pragma once

#include <autograd/ops/random.hpp>

#include <string>

#include "examples/playground/choices.hpp"
#include "examples/playground/settings.hpp"

/// Controls drawn at random that go together, as an address.
inline std::string random_address(std::uint64_t seed) {
  xgrad::Generator generator(seed, 7);
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(xgrad::integers({}, 0, static_cast<std::int64_t>(n), generator).item());
  };
  const auto pick = [&](const auto& names) { return names[below(names.size())]; };
  using namespace playground;
  Settings settings;
  for (const char* name : {"data", "loss", "optimizer", "schedule", "penalty", "init", "skip"}) {
    const Control& row = control(name);
    row.set(settings, pick(row.choices));
  }
  if (settings.data == "own") settings.data = "spiral";
  if (is_regression(settings)) settings.loss = pick(std::vector<std::string>{"mse", "mae", "huber"});
  settings.noise = static_cast<double>(5 * below(11));
  settings.batch = static_cast<std::int64_t>(1 + below(30));
  settings.train_share = static_cast<std::int64_t>(10 + below(81));
  settings.seed = below(1000);
  settings.learning_rate = 0.001 * static_cast<double>(1 + below(30));
  settings.penalty_rate = 0.001 * static_cast<double>(below(5));
  settings.schedule_steps = static_cast<std::int64_t>(1 + below(500));
  settings.features.clear();
  for (const Feature& feature : features())
    if (below(2) == 0) settings.features.push_back(feature.name);
  if (settings.features.empty()) settings.features = {"x1"};
  settings.layers.resize(below(4));
  for (HiddenLayer& layer : settings.layers) {
    layer.units = static_cast<std::int64_t>(1 + below(8));
    layer.activation = pick(names_of(activations()));
    if (below(3) == 0) layer.dropout = 0.25;
    if (settings.skip == "none") continue;
    layer.dropout = 0;
    if (layer.activation == prelu) layer.activation = "elu";
  }
  if (below(2) == 0) settings.events.push_back({.step = 30, .what = "learning_rate", .index = 0, .value = 0.01});
  if (below(2) == 0)
    settings.events.push_back({.step = 40,
                               .what = settings.skip != "none"   ? "graph.weight"
                                       : settings.layers.empty() ? "output.weight"
                                                                 : "hidden1.weight",
                               .index = 0,
                               .value = 0.5});
  return to_address(settings);
}
