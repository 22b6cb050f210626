#pragma once

#include <autograd/tensor/tensor.hpp>

#include <memory>

namespace xgrad {

/// While one lives, copying a handle on this thread gives a handle to a copy of the tensor, if the tensor is marked so
/// (`copied_in_scope`: a model's parameters and buffers); every such tensor is copied exactly once per scope. This is
/// how models are cloned by their copy constructors, whatever they are made of.
class CopyScope {
 public:
  CopyScope();
  ~CopyScope();
  CopyScope(const CopyScope&) = delete;
  CopyScope& operator=(const CopyScope&) = delete;

  /// The innermost scope of this thread, nullptr outside of any.
  static CopyScope* current() noexcept;
  /// Marks a tensor; false if it was marked already.
  static bool mark(const Tensor& x) { return !std::exchange(x.body().copied_in_scope, true); }
  /// Slot for the copy of the object at this address, empty at first; the scope keeps what is put there.
  std::shared_ptr<void>& copy_of(const void* original);

 private:
  struct Copies;
  std::unique_ptr<Copies> copies_;
  CopyScope* outer_;
};

}  // namespace xgrad
