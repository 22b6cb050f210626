#include <autograd/tape/listing.hpp>
#include <autograd/tape/sweep.hpp>
#include <autograd/tensor/format.hpp>

#include <ostream>

namespace xgrad {

bool is_recorded(const Tensor& x) { return tape_is_alive(x.body("is_recorded").tape); }

Tape::Tape(const TapeOptions& options) : recorder_(Recorder::make(options)) {
  watch_thread_end();
  open_scope(recorder_->scope);
}

Tape::~Tape() {
  recorder_->close();
  end_scope(recorder_->scope);
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
    throw_as<TapeError>(
        "backward: the tape is closed already; pass {{.keep = true}} to the first backward to run another");
  if (recorder_->thread != &this_thread)
    throw_as<TapeError>("backward: the tape belongs to another thread; run backward where it was recorded");
  if (recorder_->sweeping)
    throw_as<TapeError>("backward: the tape is being swept already; a vjp cannot sweep the tape that calls it");
  return Sweep(*recorder_, options).run(outputs, cotangents);
}

bool Tape::open() const { return tape_is_alive(recorder_->id()); }
std::size_t Tape::size() const { return recorder_->size(); }
std::size_t Tape::saved_bytes() const {
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; i < recorder_->size(); ++i) bytes += recorder_->node(i).saved_bytes();
  return bytes;
}
const NonFiniteOrigin* Tape::nonfinite() const { return recorder_->nonfinite.first(); }
std::size_t Tape::masked_derivatives() const { return recorder_->nonfinite.masked_derivatives; }

std::ostream& operator<<(std::ostream& stream, const Tape& tape) {
  print(*tape.recorder_, stream);
  return stream;
}

}  // namespace xgrad
