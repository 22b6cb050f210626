#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <autograd/pointwise.hpp>
#include <nn/nn.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>

using namespace xgrad;

namespace {

/// Where threads meet that run blocks: each waits, the first time, until as many as wanted have come (or half a
/// minute is over), so that no thread is left without work because another was faster.
class Meeting {
 public:
  explicit Meeting(std::size_t wanted) : wanted_(wanted) {}
  void come() {
    std::unique_lock lock(mutex_);
    if (!came_.insert(std::this_thread::get_id()).second) return;
    all_came_.notify_all();
    all_came_.wait_for(lock, longest, [this] { return came_.size() >= wanted_; });
  }
  std::size_t threads() {
    const std::lock_guard lock(mutex_);
    return came_.size();
  }

 private:
#ifdef XGRAD_THREADS_BACKEND_STD
  static constexpr std::chrono::seconds longest{1};  // they are new for each call, and mostly fewer than wanted
#else
  static constexpr std::chrono::seconds longest{30};
#endif
  std::size_t wanted_;
  std::mutex mutex_;
  std::condition_variable all_came_;
  std::set<std::thread::id> came_;
};

/// tanh, computed by threads that come to the meeting with their blocks.
Tensor meet_and_tanh(const Tensor& x, Meeting& meeting) {
  return pointwise(
      "meet_and_tanh",
      [where_they_meet = &meeting](auto a) {
        where_they_meet->come();
        return tanh(a);
      },
      x);
}

struct Net : nn::Module {
  nn::Linear first = add("first", nn::Linear(784, 256));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.2));
  nn::Linear second = add("second", nn::Linear(256, 128));
  nn::Linear third = add("third", nn::Linear(128, 10));
  Tensor operator()(const Tensor& x, Meeting& meeting) const {
    return third(relu(second(dropout(meet_and_tanh(first(x), meeting)))));
  }
};

struct Outcome {
  std::string digest;
  double loss;
  std::size_t threads;
};

constexpr std::int64_t rows = 512;
constexpr int steps = 4;

Outcome train(int threads, bool in_parts) {
  return with_threads(threads, [&] {
    Meeting meeting(static_cast<std::size_t>(threads));
    seed(1);
    const Net net;
    nn::SGD optimizer(net.parameters(), {.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 1e-4});
    const auto loss_of = [&](const Tensor& x, const Tensor& y) { return nn::cross_entropy(net(x, meeting), y); };
    double loss = 0;
    for (int step = 0; step < steps; ++step) {
      const Tensor x = uniform({rows, 784});
      const Tensor y = integers({rows}, 0, 10);
      if (in_parts) {
        const nn::BatchGradients result = nn::batch_gradients(loss_of, x, y, {.parts = 8});
        loss = result.loss;
        optimizer.step(result.gradients);
      } else {
        Tape tape;
        const Tensor value = loss_of(x, y);
        loss = value.item();
        optimizer.step(tape.backward(value));
      }
    }
    return Outcome{nn::digest(net.parameters()), loss, meeting.threads()};
  });
}

}  // namespace

TEST_CASE("trained parameters have the same bits with 1, 2, 3 and 8 threads, which really ran blocks") {
  for (const bool in_parts : {false, true}) {
    CAPTURE(in_parts);
    const Outcome alone = train(1, in_parts);
    CHECK(alone.threads == 1);
    CHECK(std::isfinite(alone.loss));
    for (const int threads : {2, 3, 8}) {
      CAPTURE(threads);
      const Outcome together = train(threads, in_parts);
      CHECK(together.digest == alone.digest);
      CHECK(together.loss == alone.loss);
#ifdef XGRAD_THREADS_BACKEND_STD
      CHECK(together.threads > 1);  // new ones for each call
#else
      CHECK(together.threads == static_cast<std::size_t>(threads));
#endif
    }
  }
}

TEST_CASE("the digest tells bits apart, so that equal ones mean something") {
  seed(1);
  const nn::Linear layer(3, 2);
  const std::string before = nn::digest(layer.parameters());
  CHECK(nn::digest(nn::clone(layer).parameters()) == before);
  Tensor weight = layer.weight;
  weight.modify([](std::span<float> values) { values[5] = std::nextafter(values[5], 1e9f); });
  CHECK(nn::digest(layer.parameters()) != before);
}

TEST_CASE("one step of training is what the same step in float64 gives, to float32's rounding") {
  // So that equal digests are not equal nonsense.
  seed(1);
  nn::Sequential net(nn::Linear(20, 16), nn::Tanh(), nn::Linear(16, 4));
  nn::Sequential wide = nn::clone(net);
  wide.to(float64);
  const Tensor x = uniform({64, 20});
  const Tensor y = integers({64}, 0, 4);
  const auto step = [&](nn::Sequential& model, const Tensor& input) {
    nn::SGD optimizer(model.parameters(), {.learning_rate = 0.1});
    Tape tape;
    optimizer.step(tape.backward(nn::cross_entropy(model(input), y)));
  };
  step(net, x);
  step(wide, x.to(float64));
  for (std::size_t i = 0; i < 4; ++i) CHECK(expect::difference(net.parameters()[i], wide.parameters()[i]) < 1e-7);
}
