#include <autograd/error.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/recorder.hpp>

#include <atomic>
#include <string>

namespace xgrad {

// Who records: the scopes of each thread, the table of living tapes, and the way of a call onto a tape.

namespace {

constinit thread_local RecordingScope* innermost = nullptr;
constinit thread_local std::string_view current_path{};
constinit thread_local char thread_mark = 0;

void unlink(RecordingScope* scope) noexcept {
  for (RecordingScope** link = &innermost; *link != nullptr; link = &(*link)->outer)
    if (*link == scope) {
      *link = scope->outer;
      return;
    }
}

// Tapes of this thread that ended on others leave their recorder to us.
struct Orphanage {
  ~Orphanage() { collect(); }
  [[gnu::noinline]] static void collect() noexcept {
    for (RecordingScope* scope = innermost; scope != nullptr;) {
      RecordingScope* const outer = scope->outer;
      Recorder* const recorder = scope->recorder;
      if (recorder != nullptr && recorder->orphaned.load(std::memory_order_acquire)) {
        unlink(scope);
        Recorder::destroy(recorder);
      }
      scope = outer;
    }
  }
};

Recorder* current_recorder() {
  if (innermost == nullptr) return nullptr;
  Recorder* recorder = innermost->recorder;
  if (recorder != nullptr && recorder->orphaned.load(std::memory_order_relaxed)) [[unlikely]] {
    Orphanage::collect();
    recorder = innermost == nullptr ? nullptr : innermost->recorder;
  }
  return recorder;
}

[[gnu::noinline]] void refuse_foreign(const Operation& operation, const Inputs& inputs, std::uint64_t id) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    if (x.body().tape != id && tape_is_alive(x.body().tape))
      throw TapeError(std::string(operation.name()) + ": an input of shape " + to_string(x.shape()) +
                      " was recorded by another tape that is still open; pass detach(x), or open a Pause");
  }
}

}  // namespace

const void* this_thread_mark() { return &thread_mark; }

bool is_recorded(const Tensor& x) { return tape_is_alive(x.body().tape); }

void open_scope(RecordingScope& scope) {
  static thread_local const Orphanage orphanage;
  static_cast<void>(orphanage);
  scope.outer = innermost;
  innermost = &scope;
}

void close_scope(RecordingScope& scope) noexcept { unlink(&scope); }

Pause::Pause() {
  scope_.outer = innermost;
  innermost = &scope_;
}

Pause::~Pause() { unlink(&scope_); }

PathScope::PathScope(std::string_view path) : outer_(std::exchange(current_path, path)) {}
PathScope::~PathScope() { current_path = outer_; }
std::string_view PathScope::current() noexcept { return current_path; }

Recorder* recorder_for(const Operation& operation, const Inputs& inputs) {
  Recorder* const recorder = current_recorder();
  if (recorder == nullptr && innermost != nullptr) return nullptr;  // paused
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
  recorder.record(operation, inputs, outputs, current_path);
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
