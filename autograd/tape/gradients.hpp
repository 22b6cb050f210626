#pragma once

#include <autograd/tensor/memory.hpp>
#include <autograd/tensor/tensor.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace xgrad {

/// Numbers tensors by identity: a small hash table from body to position.
class TensorIndex {
 public:
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  TensorIndex() = default;
  TensorIndex(const TensorIndex&) = default;
  TensorIndex& operator=(const TensorIndex&) = default;
  // What was moved from is empty.
  TensorIndex(TensorIndex&& other) noexcept
      : few_(std::exchange(other.few_, {})),
        many_(std::exchange(other.many_, {})),
        used_(std::exchange(other.used_, 0)) {}
  TensorIndex& operator=(TensorIndex&& other) noexcept {
    few_ = std::exchange(other.few_, {});
    many_ = std::exchange(other.many_, {});
    used_ = std::exchange(other.used_, 0);
    return *this;
  }
  ~TensorIndex() = default;

  std::uint32_t find(const TensorBody* body) const;
  void insert(const TensorBody* body, std::uint32_t position);

 private:
  struct Slot {
    const TensorBody* body = nullptr;
    std::uint32_t position = none;
  };
  static std::size_t hash(const TensorBody* body) {
    return reinterpret_cast<std::uintptr_t>(body) * 0x9E3779B97F4A7C15u >> 32;
  }
  static void place(std::span<Slot> slots, const Slot& slot);
  std::span<const Slot> slots() const {
    return many_.empty() ? std::span<const Slot>(few_) : std::span<const Slot>(many_);
  }

  static constexpr std::size_t in_place = 16;  // half of them are used
  std::array<Slot, in_place> few_{};
  std::vector<Slot, CachedAllocator<Slot>> many_;  // in place of those, a power of two
  std::size_t used_ = 0;
};

enum class NonFinite : bool { reject, skip };

/// The gradients of one backward sweep: a value. Keys are tensors by identity and stay alive; every gradient has its
/// key's shape and dtype and a buffer of its own.
class Gradients {
 public:
  using Entry = std::pair<Tensor, Tensor>;  ///< tensor, its gradient

  Gradients() = default;

  /// The gradient of x. TapeError that names x if the output did not depend on it.
  const Tensor& operator[](const Tensor& x) const&;
  Tensor operator[](const Tensor& x) const&& { return (*this)[x]; }
  bool contains(const Tensor& x) const { return find(x) != nullptr; }
  /// nullptr if the output did not depend on x.
  const Tensor* find(const Tensor& x) const&;
  const Tensor* find(const Tensor& x) const&& = delete;

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  /// In the order in which the tape met the tensors.
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

  /// Sets or replaces the gradient of x. ShapeError or TypeError if it does not fit x.
  void set(const Tensor& x, Tensor gradient);

  /// Adds those of other, tensor by tensor; tensors that are only there come along as copies.
  Gradients& operator+=(const Gradients& other) { return add(other, 1.0); }
  /// Adds factor times those of other.
  Gradients& add(const Gradients& other, double factor);
  Gradients& operator*=(double factor);

  /// √(Σ g²) over all entries, summed in float64, without overflow or underflow of squares; infinite if an entry is,
  /// NaN if one is.
  double norm() const;
  /// Scales all gradients by limit / norm when the norm exceeds the limit (Pascanu et al. 2013); returns the norm
  /// before. ValueError for a limit that is not positive or for non-finite gradients, unless told to skip: then nothing
  /// changes.
  double clip_norm(double limit, NonFinite policy = NonFinite::reject);
  /// Limits every element to [-limit, limit].
  void clip_value(double limit, NonFinite policy = NonFinite::reject);

 private:
  friend class Sweep;
  void append(const Tensor& x, Tensor gradient);
  bool finite(const char* operation, double limit, NonFinite policy) const;

  std::vector<Entry, CachedAllocator<Entry>> entries_;
  TensorIndex index_;
};

}  // namespace xgrad
