#pragma once

#include <autograd/tape/operation.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace xgrad {

/// What an observer hears about an operation; valid during the call.
struct RecordedOperation {
  std::uint32_t index;  ///< on the tape, of the last output
  std::string_view operation;
  std::string_view path;  ///< of the module, empty outside of library layers
  const Inputs& inputs;
  std::span<const Tensor> outputs;
  const OperationTraits& traits;
  const Operation& definition;
};

/// Listens to a tape, on the thread that records, in order. Operations that it runs itself are not recorded. What it
/// throws leaves the operation recorded and passes through the call.
class TapeObserver {
 public:
  virtual ~TapeObserver() = default;
  virtual void recorded(const RecordedOperation& operation) = 0;

 protected:
  TapeObserver() = default;
  TapeObserver(const TapeObserver&) = default;
  TapeObserver& operator=(const TapeObserver&) = default;
};

}  // namespace xgrad
