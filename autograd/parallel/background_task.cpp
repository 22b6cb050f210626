#include <autograd/parallel/background_task.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/dtype.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/scopes.hpp>

#include <unistd.h>

#include <atomic>
#include <exception>
#include <string>
#include <utility>

namespace xgrad {

struct BackgroundTask::State {
  enum Phase : int { offered, begun, done };

  explicit State(std::function<void()> f) : work(std::move(f)) {}

  /// Whether this thread is the one to do it.
  bool claim() {
    int expected = offered;
    return phase.compare_exchange_strong(expected, begun, std::memory_order_acq_rel);
  }

  void run() noexcept {
    try {
      const DefaultDType dtype_of_owner(dtype);
      const PathScope path_of_owner(path);
      const Pause pause;
      const kernels::SerialScope serial;
      work();
    } catch (...) {
      exception = std::current_exception();
    }
    work = nullptr;
    phase.store(done, std::memory_order_release);
    phase.notify_all();
  }

  /// Until the thread that claimed it is through.
  void wait_until_done() {
    // In a child process of fork() that thread does not exist.
    if (process != getpid() && work) run();
    for (int now = phase.load(std::memory_order_acquire); now != done; now = phase.load(std::memory_order_acquire))
      phase.wait(now, std::memory_order_acquire);
  }

  std::function<void()> work;
  std::exception_ptr exception;
  DType dtype = default_dtype();
  std::string path{PathScope::current()};
  std::atomic<int> phase{offered};
  const pid_t process = getpid();
};

BackgroundTask::BackgroundTask(std::function<void()> work) {
  if (!work) throw ValueError("BackgroundTask: the function is empty; need work, or BackgroundTask() for none");
  state_ = std::make_shared<State>(std::move(work));
  kernels::offer_work([state = state_] {
    if (state->claim()) state->run();
  });
}

BackgroundTask& BackgroundTask::operator=(BackgroundTask&& other) noexcept {
  if (this == &other) return *this;
  drop();
  state_ = std::move(other.state_);
  return *this;
}

void BackgroundTask::wait() {
  if (state_ == nullptr) return;
  const std::shared_ptr<State> state = std::exchange(state_, nullptr);
  if (state->claim())
    state->run();
  else
    state->wait_until_done();
  // Taken out, so that the other thread, which may hold the state a moment longer, is not the one to free it.
  if (const std::exception_ptr exception = std::exchange(state->exception, nullptr)) std::rethrow_exception(exception);
}

void BackgroundTask::drop() noexcept {
  if (state_ == nullptr) return;
  if (!state_->claim()) state_->wait_until_done();
  state_ = nullptr;
}

}  // namespace xgrad
