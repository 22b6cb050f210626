#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <autograd/pointwise.hpp>
#include <nn/nn.hpp>

#ifdef XGRAD_THREADS_BACKEND_STD

TEST_CASE("user code running TBB inside a recorded region") {
  MESSAGE("skipped: XGRAD_THREADS_BACKEND_STD is for ThreadSanitizer, which cannot see into TBB");
}

#else

#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>
#include <tbb/task_arena.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

using namespace xgrad;
using expect::difference;
using expect::Matrix;
using expect::values;

namespace {

constexpr std::size_t threads = 4;

/// Runs f with several threads, whatever the machine has.
template <class F>
void in_parallel(const F& f) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute(f);
}

/// Σ_k (k + 1)·(x·W)² over a block of rows k, with its gradient by hand: 2 Xᵀ·(k + 1)·(X·W).
struct Problem {
  static constexpr std::size_t items = 40, rows = 30, in = 20, out = 10;
  Tensor weight = expect::leaf(tensor(expect::numbers(in * out, 1), {in, out}, float64));
  std::vector<Matrix> x;
  Problem() {
    for (std::size_t k = 0; k < items; ++k) x.emplace_back(rows, in, expect::numbers(rows * in, 100 + k));
  }
  Tensor loss(std::size_t k) const { return sum(square(matmul(x[k].tensor(), weight))) * static_cast<double>(k + 1); }
  Matrix gradient(std::size_t k) const {
    return (2.0 * static_cast<double>(k + 1)) * (transposed(x[k]) * (x[k] * Matrix(weight)));
  }
};

}  // namespace

TEST_CASE("TBB inside a recorded region: each of the user's tasks has a tape of its own, and the outer one goes on") {
  in_parallel([] {
    const Problem problem;
    const Tensor a = expect::leaf(tensor(2.0, float64));
    std::vector<Gradients> gradients(Problem::items);
    Tape outer;
    const Tensor before = a * 3.0;
    const std::size_t recorded = outer.size();
    tbb::parallel_for(std::size_t{0}, Problem::items, [&](std::size_t k) {
      Tape tape;
      gradients[k] = tape.backward(problem.loss(k));
    });
    CHECK(outer.size() == recorded);
    for (std::size_t k = 0; k < Problem::items; ++k) {
      CHECK(gradients[k].size() == 1);
      CHECK(difference(gradients[k][problem.weight], problem.gradient(k)) < 1e-11 * static_cast<double>(k + 1));
    }
    CHECK(outer.backward(before * a)[a].item() == 12);  // 3a²
  });
}

TEST_CASE("tasks under a Pause compute with values of the open tape, and none of them records") {
  in_parallel([] {
    const Tensor a = expect::leaf(full({1000}, 0.5, float64));
    Tape tape;
    const Tensor h = a * 2.0;
    const Tensor constant = detach(h);
    std::atomic<int> wrong{0};
    tbb::parallel_for(0, 200, [&](int) {
      const Pause pause;  // plain computation in every task
      const Tensor y = sin(constant) + h;
      wrong += y.body().tape == 0 && std::abs(y.item({999}) - (std::sin(1.0) + 1)) < 1e-14 ? 0 : 1;
    });
    CHECK(wrong == 0);
    CHECK(tape.size() == 2);
    CHECK(values(tape.backward(sum(h))[a])[0] == 2);
  });
}

TEST_CASE("a value recorded here is refused on another thread's task, by name") {
  const Tensor a = expect::leaf(tensor(1.0));
  Tape tape;
  const Tensor h = a * 2.0;
  std::atomic<int> refused{0};
  tbb::task_arena elsewhere(1, 0);  // no place in it is kept for the thread that makes it
  std::atomic<bool> done{false};
  elsewhere.enqueue([&] {
    try {
      h * 3.0;
    } catch (const TapeError& error) {
      refused += expect::contains(error.what(), "detach") ? 1 : 0;
    }
    done = true;
  });
  while (!done) std::this_thread::yield();
  CHECK(refused == 1);
}

namespace {

/// sin, slow on all threads but the calling one, which therefore has to wait for the others.
Tensor slow_elsewhere(const Tensor& x) {
  static std::atomic<int> calls{0};
  return pointwise(
      "slow_elsewhere",
      [owner = std::this_thread::get_id(), this_call = ++calls](auto a) {
        static thread_local int slept_for = 0;
        if (std::this_thread::get_id() != owner && std::exchange(slept_for, this_call) != this_call)
          std::this_thread::sleep_for(std::chrono::milliseconds(3));
        return sin(a);
      },
      x);
}

}  // namespace

TEST_CASE("a thread that waits inside of an operation picks up no other task of the user's") {
  in_parallel([] {
    const Tensor a = expect::leaf(full({200'000}, 0.5));  // 25 blocks
    static thread_local int depth = 0;
    std::atomic<int> nested{0};
    std::atomic<int> wrong{0};
    const auto task = [&](int) {
      if (++depth > 1) ++nested;
      {
        Tape tape;
        const Gradients g = tape.backward(sum(slow_elsewhere(a) * a));  // a cos a + sin a
        wrong += std::abs(g[a].item({199'999}) - (0.5 * std::cos(0.5) + std::sin(0.5))) < 1e-6 ? 0 : 1;
      }
      --depth;
    };
    tbb::parallel_for(
        tbb::blocked_range<int>(0, 32),
        [&](const tbb::blocked_range<int>& range) {
          for (int i = range.begin(); i < range.end(); ++i) task(i);
        },
        tbb::simple_partitioner());
    CHECK(nested == 0);
    CHECK(wrong == 0);
  });
}

namespace {

/// Σ x² by the user's own TBB, with a hand-written adjoint that runs in TBB too: 2 g x.
struct ParallelSquares : Operation {
  std::string_view name() const override { return "parallel_squares"; }
  OperationTraits traits() const override { return {.saved_outputs = Which::none()}; }
  Tensors forward(const Inputs& inputs) override {
    const auto x = inputs[0].values<double>();
    using Range = tbb::blocked_range<std::size_t>;
    const double total = tbb::parallel_deterministic_reduce(
        Range(0, x.size(), 1000), 0.0,
        [&](const Range& range, double sum) {
          for (std::size_t i = range.begin(); i < range.end(); ++i) sum += x[i] * x[i];
          return sum;
        },
        std::plus<>());
    return tensor(total, float64);
  }
  Tensors vjp(const Call& call) const override {
    const Tensor x = call.input(0);
    const double g = call.cotangent().item();
    Tensor dx = Tensor::uninitialized(x.shape(), float64);
    const auto source = x.values<double>();
    dx.modify([&](auto target) {
      tbb::parallel_for(std::size_t{0}, source.size(), [&](std::size_t i) {
        using T = std::remove_reference_t<decltype(target[0])>;
        target[i] = static_cast<T>(2 * g * source[i]);
      });
    });
    return dx;
  }
};

}  // namespace

TEST_CASE("a user's operation may run TBB in forward and vjp") {
  in_parallel([] {
    const std::vector<double> numbers = expect::numbers(50'000, 3);
    const Tensor x = expect::leaf(tensor(numbers, {50'000}, float64));
    double expected = 0;
    for (const double one : numbers) expected += one * one;
    Tape tape;
    const Tensor y = apply_operation(ParallelSquares(), x * 1.0);
    CHECK(y.item() == doctest::Approx(expected).epsilon(1e-12));
    const Gradients g = tape.backward(y * 3.0);
    double worst = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i)
      worst = std::max(worst, std::abs(g[x].values<double>()[i] - 6 * numbers[i]));
    CHECK(worst < 1e-15);
  });
}

#endif
