#pragma once

#include <autograd/tensor/dtype.hpp>
#include <autograd/tensor/shape.hpp>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace xgrad {

// A tensor is a counted handle to a body (shape, dtype, place on a tape) that refers to a storage (the values and their
// version). Copies of a handle are one tensor. `detach` makes a new body that shares the storage for good. `reshape`
// makes one that borrows it: whoever writes first gets a copy of it before, so that a reshape behaves as a new tensor.

struct Storage {
  std::atomic<std::uint32_t> references{1};
  std::atomic<std::uint32_t> version{0};
  std::atomic<std::uint32_t> borrowers{0};  // of the references
  void* data = nullptr;
  std::size_t bytes = 0;                // of the block that begins with this header, if it is ours
  void (*destroy)(Storage*) = nullptr;  // for memory that was taken over
};

struct TensorBody {
  std::atomic<std::uint32_t> references{1};
  DType dtype = DType::float32;
  bool requires_gradient = false;
  bool copied_in_scope = false;   // a CopyScope copies the tensor, not the handle
  bool borrows : 1 = false;       // its storage: copy before writing
  bool at_home : 1 = false;       // in the block of the storage that stands behind it, of which it has a reference
  bool exchangeable : 1 = false;  // a model that held it was assigned another as a whole
  std::uint8_t unused : 5 = 0;    // with which the flags' byte is written, not read before
  std::uint32_t node = 0;         // index on the tape
  std::uint32_t recorded = 0;     // version of its values there
  std::uint64_t tape = 0;         // id of the tape that recorded it, 0 for none
  Storage* storage = nullptr;
  std::string* label = nullptr;
  Shape shape;  // the first two extents are in the body's first cache line
};

class Tensor {
 public:
  /// An empty handle; every use but assignment and `defined` throws.
  Tensor() = default;
  Tensor(const Tensor& other) : body_(other.body_) {
    if (body_ == nullptr) return;
    if (body_->copied_in_scope) [[unlikely]]
      body_ = shared_or_copied(body_);
    else
      body_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Tensor(Tensor&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
  Tensor& operator=(const Tensor& other) { return *this = Tensor(other); }
  Tensor& operator=(Tensor&& other) noexcept {
    std::swap(body_, other.body_);
    return *this;
  }
  ~Tensor() {
    if (body_ != nullptr) release(body_);
  }

  /// A tensor with values that nobody has set yet, for code that fills it at once by `fresh_data`.
  /// ShapeError for a negative extent, MemoryError when there is not enough memory, in the name of who asks.
  static Tensor uninitialized(const Shape& shape, DType dtype, std::string_view operation = "tensor");
  /// Takes over memory with room for the shape; `destroy` frees it with the storage.
  static Tensor adopt(const Shape& shape, DType dtype, Storage* storage);

  bool defined() const { return body_ != nullptr; }
  explicit operator bool() const { return defined(); }
  const Shape& shape() const& { return body("shape").shape; }
  Shape shape() const&& { return body("shape").shape; }
  /// Extent of one axis; negative axes count from the end.
  std::int64_t shape(std::int64_t axis) const { return shape()[normalize_axis("shape", axis, rank())]; }
  /// The same as a count.
  std::size_t extent(std::int64_t axis) const { return static_cast<std::size_t>(shape(axis)); }
  std::size_t rank() const { return shape().rank(); }
  std::size_t size() const { return shape().product(); }
  std::size_t bytes() const { return size() * size_of(dtype()); }
  DType dtype() const { return body("dtype").dtype; }

  /// The values, row-major. TypeError when T is not the dtype.
  /// They live as long as a handle does, hence not of a temporary.
  template <Element T>
  const T* data() const& {
    if (dtype() != dtype_of<T>) throw_dtype(dtype_of<T>);
    return static_cast<const T*>(body_->storage->data);
  }
  template <Element T>
  std::span<const T> values() const& {
    return {data<T>(), size()};
  }
  template <Element T>
  const T* data() const&& = delete;
  template <Element T>
  std::span<const T> values() const&& = delete;
  /// The one value of a tensor of one element; ShapeError for others.
  double item() const;
  /// The value at an index, one number per axis.
  double item(std::initializer_list<std::int64_t> index) const;

  /// Calls f(std::span<T>) with the values to write, and raises the storage's version. A tape does not see the write:
  /// it throws at backward if it saved the old values, and where the result of an operation is used on after it was
  /// written. A lambda with `auto` works for every dtype; one with a fixed span type only for its own.
  template <class F>
  void modify(F&& f) {
    switch (body("modify").dtype) {
      case DType::float32:
        return modify_as<float>(f);
      case DType::float64:
        return modify_as<double>(f);
      case DType::int64:
        return modify_as<std::int64_t>(f);
    }
  }

  /// Marks this tensor as a leaf whose gradient is wanted, or unmarks it. TypeError unless floating, TapeError for the
  /// result of a recorded operation. Returns the tensor.
  Tensor& requires_gradient(bool required = true) &;
  Tensor requires_gradient(bool required = true) && { return std::move(requires_gradient(required)); }
  /// Whether it is a leaf marked so.
  bool is_leaf() const { return body("is_leaf").requires_gradient; }

  /// A name for messages: `hidden.weight` for parameters.
  Tensor& label(std::string text) &;
  Tensor label(std::string text) && { return std::move(label(std::move(text))); }
  const std::string& label() const&;
  std::string label() const&& { return label(); }

  /// A copy with values of its own; recorded, as the identity.
  Tensor clone() const;
  /// A copy in another dtype; recorded between floating types. Fractions are cut off on the way to int64; ValueError
  /// for NaN and for numbers that int64 does not have.
  Tensor to(DType dtype) const;
  /// Takes the values and dtype of another tensor of the same shape, in place: every handle to this tensor sees them.
  /// A write like `modify`.
  void assign(const Tensor& values);

  /// Whether two handles are the same tensor.
  bool is(const Tensor& other) const { return body_ == other.body_; }

  // For the engine and kernels.
  TensorBody* body_or_null() const { return body_; }
  /// ValueError, in the name of who asks, for an empty handle.
  TensorBody& body(const char* operation = "tensor") const {
    if (body_ == nullptr) [[unlikely]]
      throw_empty(operation);
    return *body_;
  }
  /// The values, for code that knows the dtype otherwise.
  const void* untyped_data() const { return body_->storage->data; }
  /// The values to write of a tensor that was just made and that no tape knows yet: no version is raised. All other
  /// writing goes through `modify`.
  void* untyped_fresh_data() { return body_->storage->data; }
  template <Element T>
  T* fresh_data() {
    if (dtype() != dtype_of<T>) throw_dtype(dtype_of<T>);
    return static_cast<T*>(body_->storage->data);
  }
  std::uint32_t version() const { return body("version").storage->version.load(std::memory_order_relaxed); }
  /// Whether nobody else holds the body or its values.
  bool unique() const {
    return body_->references.load(std::memory_order_acquire) == 1 &&
           body_->storage->references.load(std::memory_order_acquire) == 1;
  }
  /// A new body over the same storage, with a shape of as many elements. One that borrows is a tensor of its own: its
  /// values stay when the storage is written through another body, and the other way round.
  enum class Storing : bool { shares, borrows };
  Tensor alias(const Shape& shape, Storing storing = Storing::shares) const;
  /// A handle to a body that somebody else keeps alive too.
  static Tensor from_body(TensorBody* body) {
    body->references.fetch_add(1, std::memory_order_relaxed);
    Tensor tensor;
    tensor.body_ = body;
    return tensor;
  }
  /// Gives the reference that this handle holds to the caller; `from_reference` takes it back.
  TensorBody* release_reference() { return std::exchange(body_, nullptr); }
  static Tensor from_reference(TensorBody* body) {
    Tensor tensor;
    tensor.body_ = body;
    return tensor;
  }
  /// Raises the version and gives the data to write: after a private copy, if the storage is borrowed.
  void* begin_write();

 private:
  template <Element T, class F>
  void modify_as(F& f) {
    if constexpr (std::invocable<F&, std::span<T>>)
      f(std::span<T>(static_cast<T*>(begin_write()), size()));
    else
      throw_modify();
  }
  static void release(TensorBody* body) noexcept {
    if (body->references.load(std::memory_order_acquire) == 1 ||
        body->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
      destroy(body);
  }
  static void destroy(TensorBody* body) noexcept;
  static TensorBody* shared_or_copied(TensorBody* body);
  static void leave_storage(TensorBody* body) noexcept;
  [[noreturn]] static void throw_empty(const char* operation);
  [[noreturn]] void throw_dtype(DType wanted) const;
  [[noreturn]] void throw_modify() const;

  TensorBody* body_ = nullptr;
};

/// ValueError for an empty handle: `take: indices is an empty handle; assign a tensor first`.
[[noreturn]] void throw_undefined(std::string_view operation, std::string_view argument);
inline void check_defined(const char* operation, const char* argument, const Tensor& x) {
  if (!x.defined()) [[unlikely]]
    throw_undefined(operation, argument);
}

/// The same values without a past: a constant that shares x's storage and version.
Tensor detach(const Tensor& x);

/// xtensor's notation, long tensors abridged, then dtype and shape: `{ 1.,  2.} float32 (2,)`.
std::ostream& operator<<(std::ostream& stream, const Tensor& x);
/// `(2, 3)`, as to_string.
std::ostream& operator<<(std::ostream& stream, const Extents& extents);
/// `float32`
std::ostream& operator<<(std::ostream& stream, DType dtype);

}  // namespace xgrad
