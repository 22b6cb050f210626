#pragma once

#include <autograd/tape/contributions.hpp>
#include <autograd/tape/final_gradients.hpp>
#include <autograd/tape/wanted.hpp>
#include <autograd/tensor/memory.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace xgrad {

/// One walk over a tape, in reverse. While it lives its tape records (`differentiable`) or nobody does; afterwards the
/// tape is closed unless the options keep it.
class Sweep {
 public:
  /// Where cotangents gather: in the tape's nodes, or in slots of the sweep's own, so that several that keep the tape
  /// and record nothing may walk at the same time, each on any thread.
  enum class Slots : bool { of_tape, own };

  Sweep(Recorder& recorder, const BackwardOptions& options, Slots slots = Slots::of_tape);
  ~Sweep();
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;

  /// The gradients of Σ <output, cotangent>. An empty cotangent stands for 1, for an output of one element.
  Gradients run(std::span<const Tensor> outputs, std::span<const Tensor> cotangents);

  // For the Call that a vjp sees.
  Node& node(std::uint32_t number) const { return recorder_.node(number); }
  Tensor& cotangent(std::uint32_t number) { return own_.empty() ? node(number).cotangent : own_[number].cotangent; }
  bool tracing() const { return recorder_.tracing(); }
  void report_masked(std::size_t count) { recorder_.nonfinite.masked_derivatives += count; }
  /// Adds a contribution to the gradient of an input that is zero but for rows.
  void add_rows(const Node& from, std::uint32_t from_number, std::size_t input, const Tensor& rows,
                const Tensor& values);
  bool tells_rows(const Node& from, std::uint32_t from_number, std::size_t input);
  void tell_rows(const Node& from, std::size_t input, const Tensor& gradient, std::size_t rows) {
    final_->tell_rows(from, input, node(from.inputs[input]), gradient, rows);
  }
  /// Zeros that stand for the cotangent of output i of an operation of several.
  Tensor& absent_cotangent(std::size_t i, std::size_t outputs, const Node& output);

 private:
  bool& vanishing(std::uint32_t number) { return own_.empty() ? node(number).vanishing : own_[number].vanishing; }
  std::uint32_t begin(std::span<const Tensor> outputs, std::span<const Tensor> cotangents);
  void pass(std::uint32_t number);
  /// The same for cotangents that are zero everywhere, if there are no others.
  void pass_zeros(const Node& entry, std::uint32_t first, std::uint32_t last, bool nothing_else);
  void run_vjp(Node& entry, std::uint32_t number, Tensor& cotangent);
  void contribute(const Node& from, std::size_t input, Tensor&& gradient);
  void add(Tensor& sum, Tensor&& gradient);
  void let_go(std::uint32_t number, Tensor& cotangent) {
    Tensor passed_on = std::move(cotangent);
    if (keeps_intermediates_ && passed_on.defined()) keep_intermediate(number, std::move(passed_on));
  }
  void keep_intermediate(std::uint32_t number, Tensor cotangent);
  Gradients collect();
  /// Appends what gathered as a leaf's gradient, with a buffer of its own; false if nothing did.
  bool take(std::uint32_t leaf, Gradients& into);

  /// The recorder is there to the end of the sweep, whatever a vjp does with the tape.
  struct Hold {
    Hold(Recorder& held, bool alone) : recorder(held), exclusive(alone) {
      if (exclusive)
        recorder.sweeping = true;
      else
        recorder.scope.holders.fetch_add(1, std::memory_order_relaxed);
    }
    ~Hold() {
      if (exclusive)
        recorder.end_sweep();
      else
        release_scope(recorder.scope);
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    Recorder& recorder;
    const bool exclusive;
  };

  Hold hold_;
  Recorder& recorder_ = hold_.recorder;
  const BackwardOptions& options_;
  const bool keep_;
  const bool keeps_intermediates_;
  bool complete_ = false;  // every cotangent has been passed on
  LocalScope scope_;
  struct Slot {
    Tensor cotangent;
    bool vanishing = false;
  };
  std::vector<Slot, CachedAllocator<Slot>> own_;
  Wanted wanted_;
  RowContributions rows_;  // to leaves
  std::optional<FinalGradients> final_;
  std::vector<std::pair<Tensor, Tensor>> intermediate_;
  std::vector<Tensor> absent_cotangents_;  // of the operation whose vjp runs, as it asks for them
};

}  // namespace xgrad
