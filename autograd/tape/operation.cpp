#include <autograd/kernels/vector.hpp>
#include <autograd/tape/recorder.hpp>
#include <autograd/tensor/error.hpp>

#include <string>

namespace xgrad {

// The way of a call onto a tape.

namespace {

[[gnu::noinline]] void refuse_foreign(const Operation& operation, const Inputs& inputs, std::uint64_t id) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    if (x.body().tape != id && tape_is_alive(x.body().tape))
      throw TapeError(std::string(operation.name()) + ": an input of shape " + to_string(x.shape()) +
                      " was recorded by another tape that is still open; pass detach(x), or open a Pause");
  }
}

}  // namespace

Recorder* recorder_for(const Operation& operation, const Inputs& inputs) {
  Recorder* const recorder = Recorder::current();
  if (recorder == nullptr && this_thread.innermost != nullptr) return nullptr;  // paused
  const std::uint64_t id = recorder == nullptr ? 0 : recorder->id();
  bool needed = false, others = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const TensorBody& body = inputs[i].body();
    const bool made_here = body.tape == id;
    needed |= made_here | body.requires_gradient;
    others |= !made_here & (body.tape != 0);
  }
  if (others) [[unlikely]]
    refuse_foreign(operation, inputs, id);
  return needed ? recorder : nullptr;
}

Tensors run_forward(Operation& operation, const Inputs& inputs) {
  const Pause pause;
  Tensors outputs = operation.forward(inputs);
  if (outputs.size() == 0)
    throw TapeError(std::string(operation.name()) + ": forward gives no outputs; need at least one");
  for (Tensor& output : outputs) {
    const TensorBody& body = output.body();
    // A result is a new tensor; forward has handed out an input, or another one that somebody holds.
    if (body.references.load(std::memory_order_relaxed) > 1 || body.tape != 0 || body.requires_gradient)
      output = kernels::separate(output, output.shape());
  }
  return outputs;
}

void* place_operation(Recorder& recorder, std::size_t bytes) { return recorder.arena().take(bytes); }

void record(Recorder& recorder, Operation* operation, const Inputs& inputs, std::span<Tensor> outputs) {
  recorder.record(operation, inputs, outputs, PathScope::current());
}

DType common_floating_dtype(std::string_view operation, const Inputs& inputs) {
  const DType dtype = inputs[0].dtype();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const DType other = inputs[i].dtype();
    if (!is_floating(other))
      throw TypeError(std::string(operation) + ": input " + std::to_string(i) +
                      " is int64; need float32 or float64, convert with to(...)");
    if (other != dtype)
      throw TypeError(std::string(operation) + ": input 0 is " + std::string(name_of(dtype)) + ", input " +
                      std::to_string(i) + " is " + std::string(name_of(other)) +
                      "; dtypes do not mix, convert one with to(...) (a tensor captured by a function under a float64 "
                      "check: pass it as an argument)");
  }
  return dtype;
}

Tensors::Tensors(std::initializer_list<Tensor> list) : Tensors(list.size()) {
  for (std::size_t i = 0; i < size_; ++i) begin()[i] = list.begin()[i];
}

Tensors::Tensors(Tensors&& other) noexcept
    : few_(std::move(other.few_)), many_(std::exchange(other.many_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Tensors::Tensors(const Tensors& other) : Tensors(other.size_) {
  for (std::size_t i = 0; i < size_; ++i) begin()[i] = other[i];
}

Tensors& Tensors::operator=(Tensors&& other) noexcept {
  std::swap(few_, other.few_);
  std::swap(many_, other.many_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace xgrad
