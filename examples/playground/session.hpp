#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <thread>

#include "trainer.hpp"
#include "view.hpp"

namespace playground {

/// What one tab of the page talks to: a training with a thread of its own. All members are safe from several threads.
class Session {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Session(const Settings& settings);
  /// Ends the thread after its step.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Carries out a request, {"command": name, ...}, between two steps, and gives the answer. xgrad::Error for a
  /// malformed or unknown one, or one with values that do not fit; then nothing changes.
  ///
  /// | command | members | answer |
  /// |---|---|---|
  /// | state | | state_json |
  /// | set | values: {control: text} | state_json |
  /// | restore | address | state_json |
  /// | play, pause, reset | | state_json |
  /// | step | steps, 1 if absent: train so many, then pause | state_json |
  /// | epoch | train to the end of the epoch, then pause | state_json |
  /// | edit | link or bias: its number; value | state_json |
  /// | watch | unit: its number, or null | {"step"} |
  /// | csv | text | state_json and {"note"} |
  /// | check_gradients, tape, doctor | | as view.hpp says |
  /// | program | | {"program"} |
  Json command(const Json& request);

  /// The parameters as a safetensors file that also holds the controls, and back: into the network as it is or, where
  /// it does not fit, into that of the file. FileError for a file that is neither; then nothing changes.
  std::string saved_model();
  Json load_model(const std::string& bytes);

  /// Waits for a frame other than `seen`, the number of the last one, as long as told; nullptr if none comes. While
  /// somebody waits, frames are made, at most 30 a second and never more than are taken.
  struct Frame {
    std::uint64_t number;
    std::string json;
  };
  std::shared_ptr<const Frame> next_frame(std::uint64_t seen, std::chrono::milliseconds wait);
  /// Ends all waiting, for good.
  void close();
  bool closed();

  /// When somebody last asked for something.
  Clock::time_point last_use() const { return Clock::time_point(Clock::duration(last_use_.load())); }

 private:
  using Task = std::packaged_task<Json()>;

  void run(const std::stop_token& stop);
  void train();
  void make_frame();
  Json on_thread(std::function<Json()> work);
  Json carry_out(const Json& request);
  void begin(std::unique_ptr<Trainer> trainer);
  Json state();
  void touch() { last_use_.store(Clock::now().time_since_epoch().count()); }

  // Of the thread.
  std::unique_ptr<Trainer> trainer_;
  bool playing_ = false;
  std::optional<std::int64_t> pause_at_;  // step
  std::optional<std::int64_t> watched_;
  std::string message_;
  std::uint64_t version_ = 0;  // of the structure
  bool changed_ = true;        // since the last frame
  Clock::time_point last_frame_{};
  std::int64_t rated_steps_ = 0;
  Clock::time_point rated_since_{};
  double rate_ = 0;

  std::atomic<Clock::rep> last_use_;
  std::atomic<bool> has_task_{false};
  std::mutex mutex_;
  std::condition_variable_any wake_thread_;
  std::condition_variable_any wake_readers_;
  std::deque<Task> tasks_;
  std::shared_ptr<const Frame> frame_;
  bool taken_ = true;
  int readers_ = 0;
  bool closed_ = false;
  std::jthread thread_;
};

}  // namespace playground
