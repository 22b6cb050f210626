#include <autograd/tape/listing.hpp>
#include <autograd/tape/outputs.hpp>
#include <autograd/tensor/format.hpp>

namespace xgrad {

namespace {

void check_recorded(const Recorder& recorder, const Tensor& output) {
  if (output.body().tape == recorder.id() && output.version() != output.body().recorded)
    throw TapeError("backward: the output, " + written_since(recorder, output));
  if (recorder.number_of(output) != Node::none) return;
  if (is_recorded(output))
    throw_as<TapeError>("backward: the output of shape {} was recorded by another tape", output.shape());
  throw_as<TapeError>(
      "backward: the output of shape {} does not depend on any tensor that requires a gradient and was used on this "
      "tape",
      output.shape());
}

void check_output(const Recorder& recorder, const Tensor& output, const Tensor& cotangent, std::size_t k) {
  if (!output.defined()) throw_undefined("backward", fmt::format("output {}", k));
  if (!cotangent.defined()) {
    if (output.size() != 1)
      throw_as<ShapeError>(
          "backward: the output is {}, not one number; give a cotangent of that shape, or reduce it with sum or mean",
          output.shape());
  } else if (cotangent.shape() != output.shape()) {
    throw_as<ShapeError>("backward: output {} is {}, its cotangent is {}; need equal shapes", k, output.shape(),
                         cotangent.shape());
  } else if (cotangent.dtype() != output.dtype()) {
    throw_as<TypeError>("backward: output {} is {}, its cotangent is {}; need equal dtypes", k, output.dtype(),
                        cotangent.dtype());
  }
  check_recorded(recorder, output);
}

}  // namespace

void check_outputs(const Recorder& recorder, std::span<const Tensor> outputs, std::span<const Tensor> cotangents) {
  if (outputs.empty() || outputs.size() != cotangents.size())
    throw_as<TapeError>("backward: {} outputs and {} cotangents; need one cotangent for each output, and one at least",
                        outputs.size(), cotangents.size());
  for (std::size_t k = 0; k < outputs.size(); ++k) check_output(recorder, outputs[k], cotangents[k], k);
}

Tensor one_like(const Tensor& output) {
  Tensor one = Tensor::uninitialized(output.shape(), output.dtype());
  visit_floating(output.dtype(), [&](auto zero) { *one.fresh_data<decltype(zero)>() = 1; });
  return one;
}

}  // namespace xgrad
