#include <autograd/tape/wanted.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>

namespace xgrad {

namespace {

std::uint32_t number_asked_for(const Recorder& recorder, const Tensor& x, const char* list) {
  if (!x.defined()) throw_as<ValueError>("backward: a tensor of `{}` is an empty handle", list);
  const std::uint32_t number = recorder.number_of(x);
  if (number == Node::none)
    throw_as<TapeError>("backward: a tensor of `{}`, of shape {}, is not on this tape", list, x.shape());
  return number;
}

}  // namespace

bool Wanted::contains_input_of(const Node& entry) const {
  return all() || std::any_of(entry.inputs, entry.inputs + entry.input_count,
                              [this](std::uint32_t input) { return contains(input); });
}

void Wanted::choose(const Recorder& recorder, const BackwardOptions& options) {
  std::vector<std::uint32_t> asked;
  for (const Tensor& x : options.also) asked.push_back(number_asked_for(recorder, x, "also"));
  for (const Tensor& x : options.only) asked.push_back(number_asked_for(recorder, x, "only"));
  if (options.only.empty()) return;
  marks_.assign(recorder.size(), 0);
  lowest_ = *std::min_element(asked.begin(), asked.end());
  for (const std::uint32_t number : asked) marks_[number] = 1;
  for (std::uint32_t number = lowest_; number < recorder.size(); ++number) {
    const Node& entry = recorder.node(number);
    if (entry.operation == nullptr || !contains_input_of(entry)) continue;
    for (std::uint32_t output = number + 1 - entry.output_count; output <= number; ++output) marks_[output] = 1;
  }
}

}  // namespace xgrad
