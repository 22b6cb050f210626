#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "trainer.hpp"

// What the page is told, as JSON. Numbers that are not finite are null or "inf", as json_text writes them.

namespace playground {

using Json = nlohmann::ordered_json;

/// The table of controls: [{"name", "label", "about", "kind", "effect", "minimum", "maximum", "choices", "value"}], the
/// value of each being its default.
Json controls_json();

/// What changes with the settings only: {"settings": {name: text}, "address", "regression", "units": [{"layer",
/// "name"}], "links": [[from, to]], "points": [[x1, x2, label]], "train_rows", "features": [[name, map]],
/// "steps_of_epoch"}. A map is a square of places, from the upper left, row by row, each one of 64 letters: A for -1 or
/// less, _ for 1 or more.
Json state_json(Trainer& trainer);

/// What changes with every step: {"step", "epoch", "learning_rate", "train": {...}, "test": {...}, "weights", "biases",
/// "slopes", "marks", "map", "maps", "curve", ...}; watched: the unit whose map is wanted large instead of the
/// output's.
Json frame_json(Trainer& trainer, std::optional<std::int64_t> watched);

/// The verdict on the gradient of every parameter, on some of the training data, as GradientReport::json has it.
Json gradient_check_json(Trainer& trainer);

/// The operations of the last step, made again on a copy: {"rows": [{"operation", "layer", "inputs", "output", "bytes",
/// "nanoseconds"}], "forward_ns", "backward_ns", "update_ns", "saved_bytes"}. Times are the medians of 31 runs.
Json tape_json(Trainer& trainer);

/// What nn::doctor has to say of the settings, before the first step: DoctorReport::json.
Json doctor_json(const Settings& settings);

}  // namespace playground
