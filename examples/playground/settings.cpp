#include "settings.hpp"

#include <examples/pieces.hpp>
#include <examples/playground_data.hpp>
#include "choices.hpp"

#include <autograd/tensor/error.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/numbers.hpp>
#include <autograd/text/words.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace playground {

using namespace xgrad;
using examples::pieces;

namespace {

constexpr std::int64_t most_layers = 12, most_units = 32;
constexpr std::size_t most_points = 5000, most_events = 1000;

// Texts of values: numbers in the shortest form that reads back the same; lists with commas.

template <class T>
std::optional<T> parsed(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if constexpr (std::is_floating_point_v<T>)
    if (!std::isfinite(value)) return std::nullopt;
  return value;
}

/// A word of a request in a message: shortened, without what is not printable.
std::string quoted(std::string_view text) {
  constexpr std::size_t longest = 40;
  std::string shown;
  for (const char c : text.substr(0, longest)) shown += c >= ' ' && c <= '~' ? c : '?';
  return "'" + shown + (text.size() > longest ? "...'" : "'");
}

template <class T>
T number(std::string_view name, std::string_view text, double low, double high) {
  const std::optional<T> value = parsed<T>(text);
  if (!value || static_cast<double>(*value) < low || static_cast<double>(*value) > high)
    throw_as<ValueError>("{}: {}; need a {}number, {} to {}", name, quoted(text), std::is_integral_v<T> ? "whole " : "",
                         exact_number(low), exact_number(high));
  return *value;
}

std::string one_of(std::string_view name, std::string_view text, const std::vector<std::string>& choices) {
  const std::string word(text);
  if (std::find(choices.begin(), choices.end(), word) == choices.end())
    throw_as<ValueError>("{}: {}{}; there are {}", name, quoted(text), did_you_mean(word.substr(0, 40), choices),
                         joined(choices));
  return word;
}

void check_count(std::string_view name, std::size_t count, std::size_t most) {
  if (count > most) throw_as<ValueError>("{}: {} entries; need at most {}", name, count, most);
}

std::vector<std::string> parse_features(std::string_view text) {
  std::vector<std::string> chosen;
  for (const std::string_view piece : pieces(text, ',')) {
    chosen.push_back(one_of("features", piece, names_of(features())));
    if (std::count(chosen.begin(), chosen.end(), chosen.back()) > 1)
      throw_as<ValueError>("features: {} twice", chosen.back());
  }
  if (chosen.empty()) throw ValueError("features: none; the network needs one at least");
  // In the order of the table, so that the same choice is the same network.
  std::vector<std::string> in_order;
  for (const std::string& name : names_of(features()))
    if (std::find(chosen.begin(), chosen.end(), name) != chosen.end()) in_order.push_back(name);
  return in_order;
}

std::vector<HiddenLayer> parse_layers(std::string_view text) {
  std::vector<HiddenLayer> layers;
  for (const std::string_view piece : pieces(text, ',')) {
    const std::vector<std::string_view> parts = pieces(piece, ':');
    if (parts.empty() || parts.size() > 3)
      throw_as<ValueError>("layers: {}; need units:activation or units:activation:dropout", quoted(piece));
    HiddenLayer layer;
    layer.units = number<std::int64_t>("layers", parts[0], 1, most_units);
    if (parts.size() > 1) layer.activation = one_of("layers", parts[1], names_of(activations()));
    if (parts.size() > 2) layer.dropout = number<double>("layers: dropout", parts[2], 0, 0.9);
    layers.push_back(layer);
  }
  check_count("layers", layers.size(), most_layers);
  return layers;
}

std::string layers_text(const std::vector<HiddenLayer>& layers) {
  return joined(layers, [](const HiddenLayer& layer) {
    const std::string text = fmt::format("{}:{}", layer.units, layer.activation);
    return layer.dropout > 0 ? text + ":" + exact_number(layer.dropout) : text;
  });
}

std::vector<Point> parse_points(std::string_view text) {
  std::vector<Point> points;
  for (const std::string_view piece : pieces(text, ',')) {
    const std::vector<std::string_view> parts = pieces(piece, ':');
    if (parts.size() != 3) throw_as<ValueError>("own: {}; need x1:x2:label", quoted(piece));
    points.push_back({number<double>("own: x1", parts[0], -plane_edge, plane_edge),
                      number<double>("own: x2", parts[1], -plane_edge, plane_edge),
                      number<double>("own: label", parts[2], -1, 1)});
    check_count("own", points.size(), most_points);
  }
  return points;
}

std::vector<Event> parse_events(std::string_view text) {
  std::vector<Event> events;
  for (const std::string_view piece : pieces(text, ',')) {
    const std::vector<std::string_view> parts = pieces(piece, ':');
    if (parts.size() != 3)
      throw_as<ValueError>("events: {}; need step:learning_rate:value or step:parameter/index:value", quoted(piece));
    Event event;
    event.step = number<std::int64_t>("events: step", parts[0], 0, 1e15);
    const std::size_t slash = std::min(parts[1].find('/'), parts[1].size());
    event.what = parts[1].substr(0, slash);
    if (event.is_rate()) {
      event.value = number<double>("events: learning_rate", parts[2], 0, 100);
    } else {
      if (slash == parts[1].size()) throw_as<ValueError>("events: {}; need parameter/index", quoted(parts[1]));
      event.index = number<std::int64_t>("events: index", parts[1].substr(slash + 1), 0, 1e9);
      event.value = number<double>("events: value", parts[2], -1e6, 1e6);
    }
    if (!events.empty() && event.step < events.back().step) throw ValueError("events: steps must not fall");
    events.push_back(std::move(event));
    check_count("events", events.size(), most_events);
  }
  return events;
}

std::string event_text(const Event& event) {
  const std::string place = event.is_rate() ? event.what : fmt::format("{}/{}", event.what, event.index);
  return fmt::format("{}:{}:{}", event.step, place, exact_number(event.value));
}

// Rows of the table.

struct Words {
  const char* name;
  const char* label;
  const char* about;
};

Control choice(const Words& words, std::string Settings::*member, std::vector<std::string> choices,
               Effect effect = Effect::restart) {
  Control row{words.name, words.label, words.about, ControlKind::choice, effect, 0, 0, std::move(choices)};
  row.get = [member](const Settings& s) { return s.*member; };
  row.set = [member, name = row.name, known = row.choices](Settings& s, std::string_view text) {
    s.*member = one_of(name, text, known);
  };
  return row;
}

template <class T>
Control numeric(const Words& words, T Settings::*member, double low, double high, Effect effect = Effect::restart) {
  const ControlKind kind = std::is_integral_v<T> ? ControlKind::whole : ControlKind::number;
  Control row{words.name, words.label, words.about, kind, effect, low, high};
  row.get = [member](const Settings& s) {
    if constexpr (std::is_integral_v<T>)
      return std::to_string(s.*member);
    else
      return exact_number(s.*member);
  };
  row.set = [member, name = row.name, low, high](Settings& s, std::string_view text) {
    s.*member = number<T>(name, text, low, high);
  };
  return row;
}

Control toggle(const Words& words, bool Settings::*member) {
  Control row{words.name, words.label, words.about, ControlKind::toggle, Effect::view, 0, 0, {"false", "true"}};
  row.get = [member](const Settings& s) -> std::string { return s.*member ? "true" : "false"; };
  row.set = [member, name = row.name, known = row.choices](Settings& s, std::string_view text) {
    s.*member = one_of(name, text, known) == "true";
  };
  return row;
}

/// parse and text: of the list.
template <class List, class Parse, class Text>
Control list(const Words& words, List Settings::*member, Parse parse, Text text,
             std::vector<std::string> choices = {}) {
  Control row{words.name, words.label, words.about, ControlKind::list, Effect::restart, 0, 0, std::move(choices)};
  row.get = [member, text](const Settings& s) {
    // Lists in addresses do without the space.
    std::string result = text(s.*member);
    std::erase(result, ' ');
    return result;
  };
  row.set = [member, parse](Settings& s, std::string_view value) { s.*member = parse(value); };
  return row;
}

std::vector<Control> make_controls() {
  using S = Settings;
  std::vector<std::string> data = examples::playground_data_names();
  data.emplace_back("own");
  constexpr double largest_seed = 9007199254740991;  // what a page can hold exactly
  return {
      choice({"data", "Data", "Which points the network learns from; own are those that you draw or upload."}, &S::data,
             data),
      numeric({"noise", "Noise",
               "How far points, or the places that labels are made for, are moved at random, in percent."},
              &S::noise, 0, 50),
      numeric({"train_share", "Training share",
               "How many of the points train the network, in percent; the others test it."},
              &S::train_share, 10, 90),
      numeric({"batch", "Batch size", "How many points make one step of the optimizer."}, &S::batch, 1, 1000),
      numeric({"data_seed", "Data seed", "Another number draws other points."}, &S::data_seed, 0, largest_seed),
      list(
          {"features", "Features", "What the network sees of a point."}, &S::features, parse_features,
          [](const auto& l) { return joined(l); }, names_of(features())),
      list({"layers", "Hidden layers", "Units, activation and dropout of each layer between features and output."},
           &S::layers, parse_layers, layers_text, names_of(activations())),
      choice({"skip", "Skip connections",
              "Links past layers: from the features to every layer, or from every layer to all later ones."},
             &S::skip, {"none", "features", "all"}),
      choice({"loss", "Loss",
              "What training makes small: the distance between output and label, or the surprise at the label."},
             &S::loss, names_of(losses())),
      choice({"optimizer", "Optimizer", "How a step follows from the gradient."}, &S::optimizer,
             names_of(optimizers())),
      numeric({"learning_rate", "Learning rate", "How long a step is; it may be changed while the network trains."},
              &S::learning_rate, 0, 100, Effect::live),
      numeric({"momentum", "Momentum", "How much of the last step goes into the next, with momentum and nesterov."},
              &S::momentum, 0, 0.999),
      choice({"schedule", "Schedule", "How the learning rate changes with the steps."}, &S::schedule,
             names_of(schedules())),
      numeric({"schedule_steps", "Schedule length",
               "Steps until the rate has halved, has fallen to 0 (cosine) or is reached (warm_up)."},
              &S::schedule_steps, 1, 1e9),
      choice({"penalty", "Regularization",
              "What large weights cost besides: l1 the sum of their sizes, l2 half the sum of their squares."},
             &S::penalty, names_of(penalties())),
      numeric({"penalty_rate", "Regularization rate", "How much of the penalty is added to the loss."},
              &S::penalty_rate, 0, 100),
      choice({"init", "Initialization", "How weights begin."}, &S::init, names_of(inits())),
      numeric(
          {"seed", "Seed",
           "Another number gives other first weights and another order of the points; the same number the same ones."},
          &S::seed, 0, largest_seed),
      list({"own", "Own points", "The points that you drew or uploaded."}, &S::own, parse_points,
           [](const auto& l) {
             return joined(l, [](const Point& p) {
               return exact_number(p.x1) + ":" + exact_number(p.x2) + ":" + exact_number(p.label);
             });
           }),
      list({"events", "Changes", "What was changed while the network trained, and at which step."}, &S::events,
           parse_events, [](const auto& l) { return joined(l, event_text); }),
      toggle({"show_test", "Show test data", "Shows the points that the network is not trained with, too."},
             &S::show_test),
      toggle({"discretise", "Discretize output",
              "Shows which side of the boundary a place is on, instead of the output's size."},
             &S::discretise),
      choice({"colour", "Colour of links", "Links show their weights, or the gradient of the training loss."},
             &S::colour, {"weights", "gradients"}, Effect::view),
  };
}

int hexadecimal(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// RFC 3986, 2.1.
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hexadecimal(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hexadecimal(text[i + 2]) : -1;
    if (high < 0 || low < 0) throw_as<ValueError>("address: {} is no percent-encoding", quoted(text.substr(i, 3)));
    decoded += static_cast<char>(16 * high + low);
    i += 2;
  }
  return decoded;
}

}  // namespace

const std::vector<Control>& controls() {
  static const std::vector<Control> table = make_controls();
  return table;
}

const Control& control(std::string_view name) {
  std::vector<std::string> known;
  for (const Control& row : controls()) {
    if (row.name == name) return row;
    known.push_back(row.name);
  }
  throw_as<ValueError>("no control {}{}", quoted(name), did_you_mean(name.substr(0, 40), known));
}

bool is_regression(const Settings& settings) {
  if (settings.data == "own")
    return !std::all_of(settings.own.begin(), settings.own.end(),
                        [](const Point& point) { return std::abs(point.label) == 1; });
  const auto& sets = examples::playground_data_sets();
  return std::find_if(sets.begin(), sets.end(), [&](const auto& set) { return set.name == settings.data; })->regression;
}

void check(const Settings& settings) {
  if (settings.data == "own" && settings.own.size() < 4)
    throw_as<ValueError>("own: {}; draw or upload four at least", counted(settings.own.size(), "point"));
  if (is_regression(settings) && row_of(losses(), settings.loss).encoding != Encoding::signs)
    throw_as<ValueError>("loss: {} needs two classes, and the labels of {} are numbers; take mse, mae or huber",
                         settings.loss, settings.data);
  if (settings.skip == "none") return;
  for (const HiddenLayer& layer : settings.layers)
    if (layer.activation == prelu || layer.dropout > 0)
      throw_as<ValueError>(
          "skip: {} makes a graph of single units, which has no {}; take another activation or skip none",
          settings.skip, layer.dropout > 0 ? "dropout" : "prelu");
}

std::string to_address(const Settings& settings) {
  static const Settings defaults;
  std::string address;
  for (const Control& row : controls()) {
    const std::string value = row.get(settings);
    if (value != row.get(defaults)) address += (address.empty() ? "" : "&") + row.name + "=" + value;
  }
  return address;
}

Settings from_address(std::string_view address) {
  if (address.starts_with('#')) address.remove_prefix(1);
  const std::string decoded = percent_decoded(address);
  Settings settings;
  for (const std::string_view assignment : pieces(decoded, '&')) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string_view::npos)
      throw_as<ValueError>("address: {}; need name=value, joined by &", quoted(assignment));
    control(assignment.substr(0, equals)).set(settings, assignment.substr(equals + 1));
  }
  check(settings);
  return settings;
}

}  // namespace playground
