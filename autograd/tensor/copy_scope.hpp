#pragma once

#include <autograd/tensor/tensor.hpp>

#include <memory>
#include <span>

namespace xgrad {

/// While one lives, copying a handle on this thread gives a handle to a copy of the tensor, if the tensor is marked so
/// (`copied_in_scope`: a model's parameters and buffers); every such tensor is copied exactly once per scope. This is
/// how models are cloned by their copy constructors, whatever they are made of.
class CopyScope {
 public:
  CopyScope();
  /// Instead of copying: handles to originals[i] become handles to substitutes[i], and all else is shared. Both lists
  /// are equally long; the originals are marked.
  CopyScope(std::span<const Tensor> originals, std::span<const Tensor> substitutes);
  ~CopyScope();
  CopyScope(const CopyScope&) = delete;
  CopyScope& operator=(const CopyScope&) = delete;

  /// The innermost scope of this thread, nullptr outside of any.
  static CopyScope* current() noexcept;
  /// Marks a tensor; false if it was marked already.
  static bool mark(const Tensor& x) { return !std::exchange(x.body().copied_in_scope, true); }
  bool substitutes() const;
  /// Whether a handle to an original was copied so far.
  bool met(const Tensor& original) const;
  /// Slot for the copy of the object at this address, empty at first; the scope keeps what is put there.
  std::shared_ptr<void>& copy_of(const void* original);

 private:
  friend class Tensor;
  struct Copies;
  std::unique_ptr<Copies> copies_;
  CopyScope* outer_;
};

}  // namespace xgrad
