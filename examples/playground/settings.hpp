#pragma once

/// What the controls of the playground say: all that a training depends on. The page, its address, the command line and
/// the tests write and read them by name through one table, `controls`.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace playground {

/// The page shows each axis from -plane_edge to plane_edge.
inline constexpr double plane_edge = 6;

struct HiddenLayer {
  std::int64_t units = 4;
  std::string activation = "tanh";
  double dropout = 0;
};

/// A point of the user's own data. Labels are all -1 or 1, or else numbers to be predicted.
struct Point {
  double x1 = 0;
  double x2 = 0;
  double label = 0;
};

/// What was changed while the network trained: before step `step`, counted from 0, the learning rate, or one number of
/// a parameter.
struct Event {
  std::int64_t step = 0;
  std::string what;  ///< `learning_rate`, or a parameter: `hidden1.weight`
  std::int64_t index = 0;
  double value = 0;

  bool is_rate() const { return what == "learning_rate"; }
};

struct Settings {
  std::string data = "circle";
  double noise = 0;               ///< percent
  std::int64_t train_share = 50;  ///< percent
  std::int64_t batch = 10;
  std::uint64_t data_seed = 1;
  std::vector<std::string> features = {"x1", "x2"};
  std::vector<HiddenLayer> layers = {{.units = 4}, {.units = 2}};
  std::string skip = "none";
  std::string loss = "mse";
  std::string optimizer = "sgd";
  double learning_rate = 0.03;
  double momentum = 0.9;
  std::string schedule = "constant";
  std::int64_t schedule_steps = 1000;
  std::string penalty = "none";
  double penalty_rate = 0;
  std::string init = "linear_default";
  std::uint64_t seed = 1;
  std::vector<Point> own = {};
  std::vector<Event> events = {};
  // How it is shown.
  bool show_test = false;
  bool discretise = false;
  std::string colour = "weights";
};

/// What a change of a control does to the training.
enum class Effect : std::uint8_t {
  restart,  ///< it begins anew
  live,     ///< it goes on, from the next step with the new value
  view,     ///< it is only shown in another way
};

enum class ControlKind : std::uint8_t { number, whole, choice, toggle, list };

struct Control {
  std::string name;
  std::string label;
  std::string about;  ///< one sentence
  ControlKind kind;
  Effect effect = Effect::restart;
  double minimum = 0;
  double maximum = 0;
  std::vector<std::string> choices = {};
  std::function<std::string(const Settings&)> get = {};
  /// ValueError, with the name, the value and what is allowed.
  std::function<void(Settings&, std::string_view)> set = {};
};

/// One for each member of Settings, in its order.
const std::vector<Control>& controls();

/// ValueError for an unknown name, with the nearest one.
const Control& control(std::string_view name);

/// Values that do not go together: ValueError that says which and what to change.
void check(const Settings& settings);

/// Every control whose value is not the default: `data=spiral&layers=8:tanh,8:tanh`. What the address of the page has
/// behind the #, without characters that an address must escape.
std::string to_address(const Settings& settings);
/// The other way round; a leading # and percent-encoding are taken. ValueError for what is malformed or unknown.
Settings from_address(std::string_view address);

/// Whether the targets are numbers rather than two classes.
bool is_regression(const Settings& settings);

}  // namespace playground
