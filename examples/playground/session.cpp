#include "session.hpp"

#include <autograd/tensor/error.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/json.hpp>
#include <autograd/text/words.hpp>
#include <exception>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <nn/files/safetensors.hpp>
#include <nn/saving/model_file.hpp>
#include <utility>

#include "as_cpp.hpp"
#include "own_data.hpp"

namespace playground {

using namespace xgrad;
using namespace std::chrono_literals;

namespace {

constexpr auto time_of_a_frame = std::chrono::microseconds(1'000'000 / 30);
constexpr const char* settings_key = "xgrad playground";  // of a model's file
constexpr std::int64_t most_steps_asked = 100'000'000;

// Members of a request.

const Json& member(const Json& request, const char* name) {
  const auto found = request.find(name);
  if (found == request.end()) throw_as<ValueError>("request: no member {}", name);
  return *found;
}

std::string text_member(const Json& request, const char* name) {
  const Json& value = member(request, name);
  if (!value.is_string()) throw_as<ValueError>("request: {} is no text", name);
  return value.get<std::string>();
}

std::int64_t whole_member(const Json& request, const char* name, std::int64_t low, std::int64_t high) {
  const Json& value = member(request, name);
  const bool whole =
      value.is_number_integer() && !(value.is_number_unsigned() && value.get<std::uint64_t>() > 1ull << 62);
  if (!whole || value.get<std::int64_t>() < low || value.get<std::int64_t>() > high)
    throw_as<ValueError>("request: {}; need a whole number, {} to {}", name, low, high);
  return value.get<std::int64_t>();
}

double number_member(const Json& request, const char* name) {
  constexpr double largest = 1e6;
  const Json& value = member(request, name);
  if (!value.is_number() || !(std::abs(value.get<double>()) <= largest))
    throw_as<ValueError>("request: {}; need a number, -1e6 to 1e6", name);
  return value.get<double>();
}

/// The parameter, and the place in it, of the i-th number of several tensors.
Event edit(const Network& network, const std::vector<Tensor>& tensors, std::int64_t number, double value) {
  std::size_t i = static_cast<std::size_t>(number);
  for (const Tensor& tensor : tensors) {
    if (i >= tensor.size()) {
      i -= tensor.size();
      continue;
    }
    for (const nn::NamedTensor& named : network.named_parameters())
      if (named.tensor.is(tensor)) return {.what = named.path, .index = static_cast<std::int64_t>(i), .value = value};
  }
  throw_as<ValueError>("edit: there is no number {}", number);
}

/// What the doctor finds first.
std::string advice(const Settings& settings) {
  const Json report = doctor_json(settings);
  if (report["findings"].empty()) return "";
  const Json& finding = report["findings"].front();
  return fmt::format(" The doctor says of {}, {}: {}.", finding["layer"].get<std::string>(),
                     finding["check"].get<std::string>(), finding["text"].get<std::string>());
}

}  // namespace

Session::Session(const Settings& settings) : trainer_(std::make_unique<Trainer>(settings)), last_use_(0) {
  touch();
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Session::~Session() {
  close();
  thread_.request_stop();
  wake_thread_.notify_all();
  thread_.join();
}

void Session::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  wake_readers_.notify_all();
}

bool Session::closed() {
  const std::lock_guard lock(mutex_);
  return closed_;
}

std::string Session::saved_model() {
  std::string bytes;
  on_thread([&]() -> Json {
    nn::TensorFile file = nn::tensors_of(trainer_->network());
    file.metadata[settings_key] = to_address(trainer_->restarted());
    nn::write_safetensors(file, [&](std::string_view piece) { bytes += piece; });
    return {};
  });
  return bytes;
}

Json Session::load_model(const std::string& bytes) {
  return on_thread([&] {
    const std::string name = "the model's file";
    const nn::TensorFile file = nn::parse_safetensors(bytes, name);
    try {
      trainer_->load(file, name);
    } catch (const FileError&) {  // it may be of another network that says which
      const auto address = file.metadata.find(settings_key);
      if (address == file.metadata.end()) throw;
      auto trainer = std::make_unique<Trainer>(from_address(address->second));
      trainer->load(file, name);
      begin(std::move(trainer));
    }
    message_.clear();
    changed_ = true;
    return state();
  });
}

void Session::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::optional<Task> task;
    bool wants_frame = false;
    {
      std::unique_lock lock(mutex_);
      const auto frame_wanted = [this] { return readers_ > 0 && changed_ && taken_; };
      const auto due = last_frame_ + time_of_a_frame;
      if (tasks_.empty() && !playing_) {
        if (frame_wanted())
          wake_thread_.wait_until(lock, stop, due, [this] { return !tasks_.empty(); });
        else
          wake_thread_.wait(lock, stop, [&] { return !tasks_.empty() || frame_wanted(); });
      }
      if (!tasks_.empty()) {
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      has_task_ = !tasks_.empty();
      wants_frame = frame_wanted() && Clock::now() >= due;
    }
    if (task) (*task)();
    if (wants_frame) make_frame();
    if (playing_ && !stop.stop_requested()) train();
  }
  // Nobody is to wait for a task that will not be done.
  const std::lock_guard lock(mutex_);
  tasks_.clear();
}

/// Steps until somebody wants something, or a frame is due.
void Session::train() {
  constexpr int steps_between_looks = 16;
  const auto until = std::max(last_frame_ + time_of_a_frame, Clock::now() + 1ms);
  try {
    do {
      for (int i = 0; i < steps_between_looks; ++i) {
        if (pause_at_ && trainer_->steps() >= *pause_at_) {
          playing_ = false;
          pause_at_.reset();
          break;
        }
        if (!trainer_->step()) {
          playing_ = false;
          message_ =
              "The loss is not finite. First at " + trainer_->explanation() + "." + advice(trainer_->restarted());
          break;
        }
      }
    } while (playing_ && !has_task_.load(std::memory_order_relaxed) && Clock::now() < until);
  } catch (const std::exception& error) {
    playing_ = false;
    message_ = error.what();
  }
  changed_ = true;
}

void Session::make_frame() {
  const auto now = Clock::now();
  if (now - rated_since_ > 500ms) {
    const double seconds = std::chrono::duration<double>(now - rated_since_).count();
    rate_ = playing_ ? static_cast<double>(trainer_->steps() - rated_steps_) / seconds : 0;
    rated_steps_ = trainer_->steps();
    rated_since_ = now;
  }
  Json json;
  try {
    json = frame_json(*trainer_, watched_);
  } catch (const std::exception& error) {  // a loss that takes no NaN
    json = {{"step", trainer_->steps()}, {"epoch", trainer_->epochs()}};
    if (message_.empty()) message_ = error.what();
  }
  if (trainer_->settings().colour == "gradients" && std::isfinite(trainer_->score(trainer_->data().train).loss)) {
    json["gradients"] = Json::array();
    for (const Tensor& gradient : trainer_->link_gradients())
      for (const float value : gradient.values<float>()) json["gradients"].push_back(value);
  }
  json["version"] = version_;
  json["playing"] = playing_;
  json["rate"] = rate_;
  json["message"] = message_;
  changed_ = false;
  last_frame_ = now;
  std::string text = json_text(std::move(json), -1);
  const std::lock_guard lock(mutex_);
  const std::uint64_t number = frame_ ? frame_->number + 1 : 1;
  frame_ = std::make_shared<const Frame>(Frame{number, std::move(text)});
  taken_ = false;
  wake_readers_.notify_all();
}

std::shared_ptr<const Session::Frame> Session::next_frame(std::uint64_t seen, std::chrono::milliseconds wait) {
  touch();
  std::unique_lock lock(mutex_);
  ++readers_;
  wake_thread_.notify_all();
  wake_readers_.wait_for(lock, wait, [&] { return closed_ || (frame_ && frame_->number > seen); });
  --readers_;
  if (closed_ || !frame_ || frame_->number <= seen) return nullptr;
  taken_ = true;
  return frame_;
}

Json Session::on_thread(std::function<Json()> work) {
  touch();
  std::exception_ptr failure;  // the caller's, so that nobody else lets go of it
  Task task([&work, &failure] {
    try {
      return work();
    } catch (...) {
      failure = std::current_exception();
      return Json();
    }
  });
  std::future<Json> answer = task.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (closed_) throw ValueError("session: it has ended");
    tasks_.push_back(std::move(task));
    has_task_ = true;
    wake_thread_.notify_all();
  }
  Json result;
  try {
    result = answer.get();
  } catch (const std::future_error&) {
    throw ValueError("session: it has ended");
  }
  if (failure) std::rethrow_exception(failure);
  return result;
}

Json Session::command(const Json& request) {
  return on_thread([this, &request] { return carry_out(request); });
}

void Session::begin(std::unique_ptr<Trainer> trainer) {
  trainer_ = std::move(trainer);
  ++version_;
  playing_ = false;
  pause_at_.reset();
  watched_.reset();
  message_.clear();
  rated_steps_ = 0;
}

Json Session::state() {
  Json json = state_json(*trainer_);
  json["version"] = version_;
  json["playing"] = playing_;
  return json;
}

Json Session::carry_out(const Json& request) {
  static const std::vector<std::string> commands = {"state", "set",  "restore",         "play",   "pause",
                                                    "reset", "step", "epoch",           "edit",   "watch",
                                                    "csv",   "tape", "check_gradients", "doctor", "program"};
  if (!request.is_object()) throw ValueError("request: need an object with a command");
  const std::string command = text_member(request, "command");
  if (std::find(commands.begin(), commands.end(), command) == commands.end())
    throw_as<ValueError>("request: no command '{}'{}", command.substr(0, 40),
                         did_you_mean(command.substr(0, 40), commands));
  changed_ = true;
  const auto go_until = [this](std::int64_t step) {
    pause_at_ = step;
    playing_ = true;
    rated_steps_ = trainer_->steps();
    rated_since_ = Clock::now();
  };
  if (command == "tape") return tape_json(*trainer_);
  if (command == "check_gradients") return gradient_check_json(*trainer_);
  if (command == "doctor") return doctor_json(trainer_->restarted());
  if (command == "program") return {{"program", as_cpp(*trainer_, std::max<std::int64_t>(trainer_->steps(), 1))}};
  if (command == "watch") {
    const Json& unit = member(request, "unit");
    watched_.reset();
    if (!unit.is_null()) watched_ = whole_member(request, "unit", 0, trainer_->network().structure().units() - 1);
    return {{"step", trainer_->steps()}};
  }
  if (command == "set") {
    const Json& values = member(request, "values");
    if (!values.is_object()) throw ValueError("request: values is no object");
    Settings settings = trainer_->restarted();
    Effect effect = Effect::view;
    for (const auto& [name, value] : values.items()) {
      const Control& row = control(name);
      const std::string before = row.get(settings);
      row.set(settings, value.is_string() ? value.get<std::string>() : value.dump());
      if (row.get(settings) != before) effect = std::min(effect, row.effect);
    }
    check(settings);
    const bool playing = playing_ && !pause_at_;
    if (effect == Effect::restart) {
      begin(std::make_unique<Trainer>(settings));
      playing_ = playing;
    }
    if (effect == Effect::live) trainer_->change({.what = "learning_rate", .value = settings.learning_rate});
    trainer_->show(settings);
  } else if (command == "restore") {
    begin(std::make_unique<Trainer>(from_address(text_member(request, "address"))));
  } else if (command == "play") {
    if (message_.empty()) playing_ = true;
    pause_at_.reset();
    rated_steps_ = trainer_->steps();
    rated_since_ = Clock::now();
  } else if (command == "pause") {
    playing_ = false;
    pause_at_.reset();
  } else if (command == "reset") {
    begin(std::make_unique<Trainer>(trainer_->restarted()));
  } else if (command == "step") {
    const std::int64_t steps = request.contains("steps") ? whole_member(request, "steps", 1, most_steps_asked) : 1;
    go_until(trainer_->steps() + steps);
  } else if (command == "epoch") {
    go_until((trainer_->epochs() + 1) * trainer_->steps_of_epoch());
  } else if (command == "edit") {
    const bool link = request.contains("link");
    const Network& network = trainer_->network();
    const std::int64_t number = whole_member(request, link ? "link" : "bias", 0, 1'000'000);
    trainer_->change(
        edit(network, link ? network.weights() : network.biases(), number, number_member(request, "value")));
  } else if (command == "csv") {
    OwnData own = own_data(text_member(request, "text"));
    Settings settings = trainer_->restarted();
    settings.data = "own";
    settings.own = std::move(own.points);
    if (is_regression(settings) && row_of(losses(), settings.loss).encoding != Encoding::signs)
      settings.loss = Settings().loss;
    check(settings);
    begin(std::make_unique<Trainer>(settings));
    Json json = state();
    json["note"] = own.note;
    return json;
  }
  return state();
}

}  // namespace playground
