#pragma once

#include <autograd/kernels/rows.hpp>
#include <autograd/tensor/memory.hpp>
#include <autograd/tensor/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <tuple>
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
    std::uint32_t position = 0;
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

/// What backward gives for a table of which only rows were looked up (take along axis 0, Embedding): those rows of the
/// gradient, which is zero elsewhere.
using kernels::RowGradient;

/// The gradients of one backward sweep: a value. Keys are tensors by identity and stay alive; every gradient has its
/// key's shape and dtype and a buffer of its own.
///
/// The gradient of a table of which only rows were looked up is kept as these rows, also by sums, scaling, norms and
/// clipping, so that its cost follows the rows used and not the table. Whoever asks for it by [], find or iteration
/// gets it dense, made when first asked for.
class Gradients {
 public:
  /// `for (const auto& [x, gradient] : gradients)`; whoever wants the tensor alone asks for tensor().
  class Entry {
   public:
    Entry(const Entry& other);
    Entry(Entry&&) noexcept = default;
    Entry& operator=(const Entry& other) { return *this = Entry(other); }
    Entry& operator=(Entry&&) noexcept = default;
    ~Entry() = default;

    const Tensor& tensor() const& { return tensor_; }
    Tensor tensor() const&& { return tensor_; }
    /// Dense. Good until the gradients change.
    const Tensor& gradient() const& {
      if (rows_ != nullptr) make_dense();
      return dense_;
    }
    Tensor gradient() const&& { return gradient(); }
    /// The same as rows; nullptr if it is dense, or was asked for and then written.
    const RowGradient* rows() const& { return rows_ == nullptr ? nullptr : unwritten_rows(); }
    const RowGradient* rows() const&& = delete;
    /// Adds factor times the gradient of another entry. ValueError unless it is of the same tensor.
    void add(const Entry& other, double factor = 1.0);
    template <std::size_t i>
    const Tensor& get() const& {
      if constexpr (i == 0)
        return tensor_;
      else
        return gradient();
    }
    template <std::size_t i>
    Tensor get() const&& {
      return get<i>();
    }

   private:
    friend class Gradients;
    friend class Sweep;
    struct Rows;
    Entry(Tensor x, Tensor gradient) : tensor_(std::move(x)), dense_(std::move(gradient)) {}
    Entry(Tensor x, RowGradient rows);
    void make_dense() const;
    const RowGradient* unwritten_rows() const;
    /// All that can differ from zero.
    Tensor numbers() const;
    /// Calls change(numbers), which are shared with nobody.
    template <class Change>
    void modify(const Change& change);
    /// The dense form from now on, shared with nobody.
    Tensor& own_dense();
    void set(RowGradient rows);

    Tensor tensor_;
    mutable Tensor dense_;  // with rows: when asked for, under their lock
    std::shared_ptr<Rows> rows_;
  };

  /// The gradient of x. TapeError that names x if the output did not depend on it.
  const Tensor& operator[](const Tensor& x) const&;
  Tensor operator[](const Tensor& x) const&& { return (*this)[x]; }
  bool contains(const Tensor& x) const { return entry(x) != nullptr; }
  /// nullptr if the output did not depend on x.
  const Tensor* find(const Tensor& x) const&;
  const Tensor* find(const Tensor& x) const&& = delete;
  /// The gradient of x as rows; nullptr if it is dense or there is none.
  const RowGradient* rows(const Tensor& x) const&;
  const RowGradient* rows(const Tensor& x) const&& = delete;
  /// What there is of x; nullptr if the output did not depend on it.
  const Entry* entry(const Tensor& x) const&;
  const Entry* entry(const Tensor& x) const&& = delete;

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  /// In the order in which the tape met the tensors.
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

  /// Sets or replaces the gradient of x. ShapeError or TypeError if it does not fit x.
  void set(const Tensor& x, Tensor gradient);
  /// The same with a gradient that is zero but for rows. ValueError besides for rows that do not rise or that there are
  /// not.
  void set(const Tensor& x, RowGradient gradient);
  /// The same with an entry of other gradients.
  void set(Entry entry);

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
  void append(Entry&& entry);
  bool finite(const char* operation, double limit, NonFinite policy) const;

  std::vector<Entry, CachedAllocator<Entry>> entries_;
  TensorIndex index_;
};

}  // namespace xgrad

template <>
struct std::tuple_size<xgrad::Gradients::Entry> : std::integral_constant<std::size_t, 2> {};
template <std::size_t i>
struct std::tuple_element<i, xgrad::Gradients::Entry> {
  using type = const xgrad::Tensor;
};
