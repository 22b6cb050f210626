#include <autograd/kernels/vector.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tape/recorder.hpp>
#include <autograd/tensor/format.hpp>

namespace xgrad {

namespace {

Tensors forward_of(Operation& operation, const Inputs& inputs) try {
  return operation.forward(inputs);
} catch (const MemoryError& error) {  // of an operation inside, or of none
  throw MemoryError(operation.name(), error.problem());
}

/// The outputs, each a tensor of its own: forward may hand out an input, or another one that somebody holds.
Tensors run_forward(Operation& operation, const Inputs& inputs) {
  const LocalScope paused;
  Tensors outputs = forward_of(operation, inputs);
  if (outputs.size() == 0) throw_as<TapeError>("{}: forward gives no outputs; need at least one", operation.name());
  for (Tensor& output : outputs) {
    if (!output.defined()) throw_as<TapeError>("{}: forward gives an empty handle", operation.name());
    const TensorBody& body = output.body();
    if (body.references.load(std::memory_order_relaxed) > 1 || body.tape != 0 || body.requires_gradient)
      output = kernels::separate(output, output.shape());
  }
  return outputs;
}

}  // namespace

Tensors run_operation(Operation& operation, const Inputs& inputs, const OperationMove& move) {
  Recorder* const recorder = Recorder::of_call(operation, inputs);
  const std::uint64_t tape = recorder == nullptr ? 0 : recorder->id();
  Tensors outputs = run_forward(operation, inputs);
  if (recorder == nullptr) return outputs;
  if (!tape_is_alive(tape)) throw_as<TapeError>("{}: forward ended the tape that records it", operation.name());
  recorder->record(move.into(recorder->place(move.bytes), operation), inputs, {outputs.begin(), outputs.size()});
  return outputs;
}

}  // namespace xgrad
