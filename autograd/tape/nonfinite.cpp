#include <autograd/kernels/vector.hpp>
#include <autograd/tape/listing.hpp>
#include <autograd/tape/nonfinite.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tensor/format.hpp>

namespace xgrad {

namespace {

bool has_nonfinite(const Tensor& x) { return kernels::count_nonfinite(x) > 0; }

std::unique_ptr<NonFiniteOrigin> origin_at(const Recorder& recorder, std::uint32_t number, bool in_gradient,
                                           const std::string& remark = "") {
  const Node& entry = recorder.node(number);
  return std::make_unique<NonFiniteOrigin>(NonFiniteOrigin{number, std::string(entry.operation->name()), entry.path,
                                                           in_gradient, shapes_of_inputs(recorder, entry) + remark});
}

}  // namespace

void NonFiniteTrace::look_at(const Recorder& recorder, std::uint32_t number, const Inputs& inputs,
                             std::span<const Tensor> outputs) {
  for (const Tensor& output : outputs) {
    if (first_ != nullptr || !has_nonfinite(output)) continue;
    std::string remark;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (has_nonfinite(inputs[i])) remark += fmt::format(" (input {} was not finite already)", i);
    first_ = origin_at(recorder, number, false, remark);
  }
}

void NonFiniteTrace::look_at(const Recorder& recorder, std::uint32_t number, const Tensor& gradient) {
  if (first_ == nullptr && has_nonfinite(gradient)) first_ = origin_at(recorder, number, true);
}

std::string NonFiniteOrigin::text() const {
  return fmt::format("{}{}{} (entry {}) of {} {}", path, path.empty() ? "" : ": ", operation, index, inputs,
                     in_gradient ? "passed on a gradient that is not finite" : "gave a value that is not finite");
}

}  // namespace xgrad
