#include <autograd/tape/recorder.hpp>
#include <autograd/tensor/error.hpp>

#include <iomanip>
#include <ostream>
#include <sstream>

namespace xgrad {

namespace {

// Tapes of this thread that ended on others leave their recorder to us.
struct Orphanage {
  ~Orphanage() { collect(); }
  static void collect() noexcept {
    for (RecordingScope* scope = this_thread.innermost; scope != nullptr;) {
      RecordingScope* const outer = scope->outer;
      Recorder* const recorder = scope->recorder;
      if (recorder != nullptr && recorder->orphaned.load(std::memory_order_acquire)) {
        close_scope(*scope);
        Recorder::destroy(recorder);
      }
      scope = outer;
    }
  }
};

}  // namespace

Recorder* Recorder::current_without_orphans() {
  Orphanage::collect();
  return this_thread.innermost == nullptr ? nullptr : this_thread.innermost->recorder;
}

bool is_recorded(const Tensor& x) { return tape_is_alive(x.body().tape); }

Tape::Tape(const TapeOptions& options) : recorder_(new (allocate(sizeof(Recorder))) Recorder(options)) {
  static thread_local const Orphanage orphanage;
  static_cast<void>(orphanage);
  open_scope(recorder_->scope);
}

void Recorder::destroy(Recorder* recorder) noexcept {
  recorder->~Recorder();
  deallocate(recorder, sizeof(Recorder));
}

Tape::~Tape() {
  recorder_->close();
  if (recorder_->thread == &this_thread) {
    close_scope(recorder_->scope);
    Recorder::destroy(recorder_);
  } else {
    recorder_->orphaned.store(true, std::memory_order_release);
  }
}

Gradients Tape::backward(const Tensor& loss, const BackwardOptions& options) {
  return backward(loss, Tensor(), options);
}

Gradients Tape::backward(const Tensor& output, const Tensor& cotangent, const BackwardOptions& options) {
  return sweep({&output, 1}, {&cotangent, 1}, options);
}

Gradients Tape::sweep(std::span<const Tensor> outputs, std::span<const Tensor> cotangents,
                      const BackwardOptions& options) {
  if (!open())
    throw TapeError("backward: the tape is closed already; pass {.keep = true} to the first backward to run another");
  if (recorder_->thread != &this_thread)
    throw TapeError("backward: the tape belongs to another thread; run backward where it was recorded");
  // While the sweep runs, this tape records it (differentiable) or nobody does; afterwards the tape closes unless kept.
  struct Sweeping {
    Recorder& recorder;
    bool keep;
    RecordingScope scope;
    bool complete = false;  // every cotangent has been passed on
    Sweeping(Recorder& r, const BackwardOptions& o)
        : recorder(r), keep(o.keep || o.differentiable), scope{o.differentiable ? &r : nullptr, nullptr} {
      open_scope(scope);
    }
    ~Sweeping() {
      close_scope(scope);
      if (!complete) recorder.drop_cotangents();
      if (keep) return;
      recorder.close();
      close_scope(recorder.scope);
    }
  };
  Sweeping sweeping(*recorder_, options);
  Gradients gradients = recorder_->backward(outputs, cotangents, options);
  sweeping.complete = true;
  return gradients;
}

bool Tape::open() const { return tape_is_alive(recorder_->id()); }
std::size_t Tape::size() const { return recorder_->size(); }
std::size_t Tape::saved_bytes() const {
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; i < recorder_->size(); ++i) bytes += recorder_->node(i).saved_bytes();
  return bytes;
}
const NonFiniteOrigin* Tape::nonfinite() const { return recorder_->nonfinite_.get(); }
std::size_t Tape::masked_slopes() const { return recorder_->masked_slopes_; }

std::string NonFiniteOrigin::text() const {
  return (path.empty() ? std::string() : path + ": ") + operation + " (entry " + std::to_string(index) + ") of " +
         inputs + (in_gradient ? " passed on a gradient that is not finite" : " gave a value that is not finite");
}

std::ostream& operator<<(std::ostream& stream, const Tape& tape) {
  tape.recorder_->print(stream);
  return stream;
}

void Recorder::print(std::ostream& stream) const {
  const auto number = [](std::uint32_t i) {
    return i == Node::none ? std::string("const") : std::string("%").append(std::to_string(i));
  };
  for (std::uint32_t i = 0; i < size_; ++i) {
    const Node& entry = node(i);
    std::string call;
    std::size_t bytes = 0;
    if (entry.leaf.defined()) {
      call = "leaf " + entry.leaf.label();
    } else if (entry.operation == nullptr) {
      std::uint32_t owner = i;
      while (node(owner).operation == nullptr) ++owner;
      call = "output of " + number(owner);
    } else {
      call = std::string(entry.operation->name()) + "(";
      for (std::size_t k = 0; k < entry.input_count; ++k) {
        if (k > 0) call += ", ";
        call += number(entry.inputs[k]);
      }
      call += ")";
      bytes = entry.saved_bytes();
    }
    std::ostringstream line;
    line << std::left << std::setw(6) << number(i) << ' ' << std::setw(32) << call << ' ' << std::setw(18)
         << to_string(entry.shape) << ' ' << std::setw(8) << name_of(entry.dtype);
    if (bytes > 0) line << " saves " << bytes << " B";
    if (entry.path[0] != '\0') line << "  in " << entry.path;
    std::string text = line.str();
    text.erase(text.find_last_not_of(' ') + 1);
    stream << text << '\n';
  }
}

}  // namespace xgrad
