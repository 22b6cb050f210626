#pragma once

#include <autograd/tensor/copy_scope.hpp>

#include <memory>
#include <utility>

namespace xgrad::nn {

/// An object that the copies of a module share, and that a clone gets a copy of: once, however many refer to it.
template <class T>
class Shared {
 public:
  explicit Shared(std::shared_ptr<T> object) : object_(std::move(object)) {}
  Shared(const Shared& other) : object_(shared_or_copied(other.object_)) {}
  Shared(Shared&& other) noexcept : object_(other.object_) {}  // what was moved from stays usable
  Shared& operator=(const Shared& other) {
    object_ = Shared(other).object_;
    return *this;
  }
  ~Shared() = default;

  T& operator*() const { return *object_; }
  T* operator->() const { return object_.get(); }
  const std::shared_ptr<T>& pointer() const& { return object_; }
  std::shared_ptr<T> pointer() const&& { return object_; }

 private:
  // The originals are kept too, so that no other object can take their address while the scope lives.
  struct Copied {
    std::shared_ptr<T> original;
    std::shared_ptr<T> copy;
  };
  static std::shared_ptr<T> shared_or_copied(const std::shared_ptr<T>& original) {
    CopyScope* const scope = CopyScope::current();
    if (scope == nullptr || scope->substitutes()) return original;
    if (const auto& known = scope->copy_of(original.get())) return static_cast<const Copied*>(known.get())->copy;
    auto copy = std::make_shared<T>(*original);
    scope->copy_of(original.get()) = std::make_shared<Copied>(Copied{original, copy});
    scope->copy_of(copy.get()) = std::make_shared<Copied>(Copied{copy, copy});  // a copy of the copy is the copy
    return copy;
  }

  std::shared_ptr<T> object_;
};

}  // namespace xgrad::nn
