#include <autograd/tensor/copy_scope.hpp>

#include <cstring>
#include <unordered_map>

namespace xgrad {

namespace {

constinit thread_local CopyScope* copy_scope = nullptr;

}  // namespace

struct CopyScope::Copies {
  struct Substitute {
    Tensor tensor;
    bool met = false;
  };
  std::unordered_map<const void*, std::shared_ptr<void>> copy_of;
  bool substitutes = false;
  std::unordered_map<const TensorBody*, Substitute> substitute_of;
};

CopyScope::CopyScope() : copies_(std::make_unique<Copies>()), outer_(std::exchange(copy_scope, this)) {}
CopyScope::CopyScope(std::span<const Tensor> originals, std::span<const Tensor> substitutes) : CopyScope() {
  copies_->substitutes = true;
  for (std::size_t i = 0; i < originals.size(); ++i)
    copies_->substitute_of[&originals[i].body()] = {Tensor::from_body(&substitutes[i].body())};
}
bool CopyScope::substitutes() const { return copies_->substitutes; }
bool CopyScope::met(const Tensor& original) const {
  const auto found = copies_->substitute_of.find(&original.body());
  return found != copies_->substitute_of.end() && found->second.met;
}
CopyScope::~CopyScope() { copy_scope = outer_; }
CopyScope* CopyScope::current() noexcept { return copy_scope; }
std::shared_ptr<void>& CopyScope::copy_of(const void* original) { return copies_->copy_of[original]; }

TensorBody* Tensor::shared_or_copied(TensorBody* body) {
  if (copy_scope == nullptr) {
    body->references.fetch_add(1, std::memory_order_relaxed);
    return body;
  }
  if (copy_scope->substitutes()) {
    const auto found = copy_scope->copies_->substitute_of.find(body);
    if (found != copy_scope->copies_->substitute_of.end()) {
      found->second.met = true;
      body = found->second.tensor.body_;
    }
    body->references.fetch_add(1, std::memory_order_relaxed);
    return body;
  }
  // The original is kept too, so that no other tensor can take its address while the scope lives.
  struct Copied {
    Tensor original;
    Tensor copy;
  };
  std::shared_ptr<void>& slot = copy_scope->copy_of(body);
  if (slot == nullptr) {
    Tensor copy = uninitialized(body->shape, body->dtype);
    std::memcpy(copy.untyped_fresh_data(), body->storage->data, copy.bytes());
    if (body->label != nullptr) copy.label(*body->label);
    copy.body_->requires_gradient = body->requires_gradient;
    copy.body_->copied_in_scope = true;
    const TensorBody* const address = copy.body_;
    slot = std::make_shared<Copied>(Copied{from_body(body), std::move(copy)});
    copy_scope->copy_of(address) = slot;  // a copy of the copy is the copy
  }
  TensorBody* copied = static_cast<const Copied*>(slot.get())->copy.body_;
  copied->references.fetch_add(1, std::memory_order_relaxed);
  return copied;
}

}  // namespace xgrad
