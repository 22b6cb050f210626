#include <autograd/tape/listing.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tensor/format.hpp>

#include <ostream>

namespace xgrad {

std::string shapes_of_inputs(const Recorder& recorder, const Node& entry) {
  std::string text;
  for (std::size_t i = 0; i < entry.input_count; ++i) {
    if (i > 0) text += ", ";
    if (entry.inputs[i] != Node::none)
      text += to_string(recorder.node(entry.inputs[i]).shape);
    else if (entry.saved != nullptr && entry.saved[i].tensor.defined())
      text += to_string(entry.saved[i].tensor.shape());
    else
      text += "constant";
  }
  return text;
}

void print(const Recorder& recorder, std::ostream& stream) {
  const auto number = [](std::uint32_t i) { return i == Node::none ? std::string("const") : fmt::format("%{}", i); };
  for (std::uint32_t i = 0; i < recorder.size(); ++i) {
    const Node& entry = recorder.node(i);
    std::string call;
    std::size_t bytes = 0;
    if (entry.leaf.defined()) {
      call = "leaf " + entry.leaf.label();
    } else if (entry.operation == nullptr) {
      std::uint32_t owner = i;
      while (recorder.node(owner).operation == nullptr) ++owner;
      call = "output of " + number(owner);
    } else {
      for (std::size_t k = 0; k < entry.input_count; ++k) call += (k > 0 ? ", " : "") + number(entry.inputs[k]);
      call = fmt::format("{}({})", entry.operation->name(), call);
      bytes = entry.saved_bytes();
    }
    std::string line =
        fmt::format("{:<6} {:<32} {:<18} {:<8}", number(i), call, to_string(entry.shape), name_of(entry.dtype));
    if (bytes > 0) line += fmt::format(" saves {} B", bytes);
    if (entry.path[0] != '\0') line += fmt::format("  in {}", entry.path);
    line.erase(line.find_last_not_of(' ') + 1);
    stream << line << '\n';
  }
}

std::string written_since(const Recorder& recorder, const Tensor& x) {
  const std::uint32_t number = x.body().node;
  std::uint32_t last = number;  // of the outputs
  while (recorder.node(last).operation == nullptr) ++last;
  return fmt::format(
      "of shape {}, is entry {} of the tape, a result of {}, and was written since: it is at version {}, was recorded "
      "at {}, and its gradient would not know of the write; compute a new tensor in place of writing",
      x.shape(), number, recorder.node(last).operation->name(), x.version(), x.body().recorded);
}

}  // namespace xgrad
