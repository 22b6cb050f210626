#pragma once

#include <autograd/tape/gradients.hpp>
#include <autograd/tape/nonfinite.hpp>
#include <autograd/tape/observer.hpp>
#include <autograd/tensor/scopes.hpp>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <vector>

namespace xgrad {

struct TapeOptions {
  /// Look at every value and gradient, and keep the first that is not finite (slow; see Tape::nonfinite).
  bool trace_nonfinite = false;
  /// Hears of every operation as it is recorded; must outlive the tape.
  TapeObserver* observer = nullptr;
  /// Record also what needs no gradient: for observers who want to know all that is computed.
  bool everything = false;
};

/// Whether the tape that records on this thread does so with TapeOptions::everything. A fused operation that no other
/// program knows then takes itself apart.
bool records_everything() noexcept;

struct BackwardOptions {
  /// Leave the tape open, with what it saved, for another backward.
  bool keep = false;
  /// Record the sweep itself, so that its gradients can be differentiated; implies keep.
  bool differentiable = false;
  /// Intermediate tensors whose gradients are wanted too.
  std::vector<Tensor> also = {};
  /// If any: the gradients of these tensors alone, leaves or intermediate ones, and no work for the others.
  std::vector<Tensor> only = {};
  /// Hears of each leaf's gradient as soon as it is final: when the sweep has passed the leaf's first use on the tape,
  /// so that the leaves come in the reverse order of their first uses. For those who do something with gradients while
  /// the sweep goes on, such as sending them. Called by the thread that sweeps; what it throws passes through backward.
  std::function<void(const Gradients::Entry& leaf)> on_final = {};
  /// Hears earlier of a leaf's gradient that an operation computes piece by piece (Call::tell_rows; linear does so):
  /// the first `rows` entries of its axis 0 are final, the others must not be read yet. on_final follows with the same
  /// tensor. Called by any thread, one at a time.
  std::function<void(const Tensor& leaf, const Tensor& gradient, std::int64_t rows)> on_final_rows = {};
};

/// Records this thread's operations on tensors that need gradients, until it ends or backward closes it. The innermost
/// tape of a thread records. The list of operations is flat and in order; backward walks it once, in reverse.
class Tape {
 public:
  explicit Tape(const TapeOptions& options = {});
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// ∂loss/∂x for every leaf x that a scalar loss depends on. Closes the tape, also when it throws, unless options keep
  /// it open. TapeError for a closed tape, another thread, a loss that does not depend on any leaf, a value that was
  /// modified after it was saved; ShapeError for a loss of more than one element.
  Gradients backward(const Tensor& loss, const BackwardOptions& options = {});
  /// The vector-Jacobian product with a cotangent of the output's shape and dtype.
  Gradients backward(const Tensor& output, const Tensor& cotangent, const BackwardOptions& options = {});
  /// The sum of the products of several outputs with their cotangents.
  Gradients backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents,
                     const BackwardOptions& options = {}) {
    return sweep(outputs, cotangents, options);
  }

  /// Entries so far: leaves and results of operations.
  std::size_t size() const;
  bool open() const;
  /// Bytes of saved values that the tape keeps alive, parameters not counted.
  std::size_t saved_bytes() const;
  /// With trace_nonfinite: where the first non-finite number came from, nullptr while there is none.
  const NonFiniteOrigin* nonfinite() const;
  /// With trace_nonfinite: how many infinite or NaN derivatives were multiplied by a zero cotangent, and so masked.
  std::size_t masked_derivatives() const;

  /// One line an entry: index, operation, inputs, shape, dtype, bytes saved, module path.
  friend std::ostream& operator<<(std::ostream& stream, const Tape& tape);

 private:
  Gradients sweep(std::span<const Tensor> outputs, std::span<const Tensor> cotangents, const BackwardOptions& options);

  Recorder* recorder_;
};

/// Whether a tensor is the result of an operation on a tape that is still open.
bool is_recorded(const Tensor& x);

}  // namespace xgrad
