#pragma once

#include <autograd/kernels/philox.hpp>
#include <autograd/tensor/tensor.hpp>

#include <cstdint>
#include <mutex>
#include <span>

namespace xgrad {

/// A source of random numbers, counter-based (Philox4x32-10): what is drawn depends on seed, stream, position in the
/// stream and element only, never on threads or on how work is cut. Different streams of a seed are independent.
///
/// A value: a copy draws the same numbers again. Threads may draw from one generator; since their order then decides
/// who gets which numbers, give each its own stream (`split`) when results must repeat.
class Generator {
 public:
  /// seed, stream and position, three numbers that can be saved; `Generator(state)` goes on from there.
  using State = kernels::StreamPosition;

  explicit Generator(std::uint64_t seed = 0, std::uint64_t stream = 0) : Generator(State{seed, stream, 0}) {}
  explicit Generator(const State& state) : state_(state) {}
  Generator(const Generator& other) : state_(other.state()) {}
  Generator& operator=(const Generator& other);

  State state() const;

  /// A generator of the same seed at the start of another stream, which depends on this one's stream and the index
  /// only: `Generator(seed).split(step).split(part)`.
  Generator split(std::uint64_t index) const;

  /// Steps over the next positions and returns the state before: for code that draws with kernels of its own.
  State take(std::uint64_t positions);

 private:
  mutable std::mutex mutex_;
  State state_;
};

/// The generator which functions and layers of this thread draw from when they get none: that of the innermost
/// DefaultGenerator, or else the program's, which begins as Generator(0). Save its state by
/// `default_generator().state()`, restore by `default_generator() = Generator(state)`; both are safe beside drawing
/// threads.
Generator& default_generator();

/// Starts the default generator afresh: `default_generator() = Generator(n)`.
void seed(std::uint64_t n);

/// Scope in which this thread draws from a generator of its own, so that models which threads make side by side are the
/// same in every run:
///
///     const DefaultGenerator numbers(Generator(seed).split(i));
///     Net net;
class DefaultGenerator {
 public:
  explicit DefaultGenerator(const Generator& start);
  ~DefaultGenerator();
  DefaultGenerator(const DefaultGenerator&) = delete;
  DefaultGenerator& operator=(const DefaultGenerator&) = delete;
  Generator& generator() { return generator_; }

 private:
  Generator generator_;
  Generator* const outer_;
};

// Drawing functions. Floating tensors are float32 or float64 (TypeError for int64); none is recorded.

/// Uniform on [low, high). ValueError unless low <= high with a finite difference.
Tensor uniform(const Shape& shape, double low = 0.0, double high = 1.0, DType dtype = default_dtype(),
               Generator& generator = default_generator());

/// Normal with this mean and standard deviation; always finite. ValueError for a negative std or one whose multiples
/// overflow the dtype.
Tensor normal(const Shape& shape, double mean = 0.0, double std = 1.0, DType dtype = default_dtype(),
              Generator& generator = default_generator());

/// 1 with the given probability, else 0, in any dtype: the same mask for each. ValueError unless 0 <= probability <= 1.
Tensor bernoulli(const Shape& shape, double probability, DType dtype = default_dtype(),
                 Generator& generator = default_generator());

/// int64, uniform on low, ..., high - 1, without bias. ValueError unless low < high.
Tensor integers(const Shape& shape, std::int64_t low, std::int64_t high, Generator& generator = default_generator());

/// 0, ..., count - 1 in a random order (count,), int64; every order is equally likely. ShapeError for a negative count.
Tensor permutation(std::int64_t count, Generator& generator = default_generator());

/// Puts values into a random order in place.
void shuffle(std::span<std::int64_t> values, Generator& generator = default_generator());

}  // namespace xgrad
