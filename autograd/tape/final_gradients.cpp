#include <autograd/tape/contributions.hpp>
#include <autograd/tape/final_gradients.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>

namespace xgrad {

bool FinalGradients::is_first_use(const Recorder& recorder, const Node& from, std::uint32_t from_number,
                                  std::size_t input) const {
  const std::uint32_t leaf = from.inputs[input], first_output = from_number + 1 - from.output_count;
  if (!options_.on_final_rows || !recorder.node(leaf).leaf.defined()) return false;
  if (from.contribution != Contribution::exact) return false;
  if (std::count(from.inputs, from.inputs + from.input_count, leaf) > 1) return false;
  for (std::uint32_t number = leaf + 1; number < first_output; ++number)
    if (!recorder.node(number).leaf.defined()) return false;
  return true;
}

void FinalGradients::tell_rows(const Node& from, std::size_t input, const Node& to, const Tensor& gradient,
                               std::size_t rows) {
  const std::uint32_t leaf = from.inputs[input];
  if (gradient.dtype() != to.dtype || gradient.shape() != to.shape) check_contribution(from, input, to, gradient);
  if (to.shape.rank() == 0 || rows > to.shape.extent(0))
    throw_as<ValueError>("backward: the vjp of {} tells of {} rows of the gradient of input {}, whose shape is {}",
                         from.operation->name(), rows, input, to.shape);
  if (told_.empty() || told_.back().first != leaf) told_.emplace_back(leaf, gradient);
  if (rows > 0) options_.on_final_rows(to.leaf, gradient, static_cast<std::int64_t>(rows));
}

bool FinalGradients::is_told(std::uint32_t leaf, const Tensor& gradient) const {
  const auto told = std::find_if(told_.begin(), told_.end(), [leaf](const auto& known) { return known.first == leaf; });
  if (told == told_.end()) return false;
  if (!told->second.is(gradient))
    throw_as<TapeError>("backward: a vjp told of rows of another gradient of a leaf of shape {} than it gave",
                        gradient.shape());
  return true;
}

}  // namespace xgrad
