#pragma once

#include <autograd/tensor/tensors.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace xgrad {

class Recorder;

/// The first operation whose value or gradient was not finite although its inputs were.
struct NonFiniteOrigin {
  std::uint32_t index;  ///< on the tape
  std::string operation;
  std::string path;          ///< of the module, empty outside of library layers
  bool in_gradient;          ///< found by backward, in what the operation passes on
  std::string inputs;        ///< shapes, as text
  std::string text() const;  ///< one line for messages
};

/// What a tape with TapeOptions::trace_nonfinite finds.
class NonFiniteTrace {
 public:
  /// The first result that is not finite; nullptr while there is none.
  const NonFiniteOrigin* first() const { return first_.get(); }
  /// Looks at the outputs of the operation whose last one has this number.
  void look_at(const Recorder& recorder, std::uint32_t number, const Inputs& inputs, std::span<const Tensor> outputs);
  /// Looks at a gradient that it passes on.
  void look_at(const Recorder& recorder, std::uint32_t number, const Tensor& gradient);
  std::size_t masked_derivatives = 0;

 private:
  std::unique_ptr<NonFiniteOrigin> first_;
};

}  // namespace xgrad
