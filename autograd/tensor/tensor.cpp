#include <autograd/tensor/format.hpp>
#include <autograd/tensor/memory.hpp>
#include <autograd/tensor/tape_id.hpp>
#include <autograd/tensor/tensor.hpp>

#include <cstring>
#include <limits>
#include <new>

namespace xgrad {

namespace {

constexpr std::size_t header_bytes = 64;
static_assert(sizeof(Storage) <= header_bytes);
constexpr std::size_t body_bytes = 128;
static_assert(sizeof(TensorBody) <= body_bytes && offsetof(TensorBody, shape) == 40);
constexpr std::size_t max_bytes_with_body = 512;  // more would be kept by a body whose values moved away

void free_block(Storage* storage) {
  const std::size_t bytes = storage->bytes;
  storage->~Storage();
  deallocate(storage, bytes);
}

/// The storage in whose block a body stands.
Storage* home_of(TensorBody* body) {
  return body->at_home ? reinterpret_cast<Storage*>(reinterpret_cast<char*>(body) + body_bytes) : nullptr;
}

/// One that has its body before it.
void free_block_with_body(Storage* storage) {
  const std::size_t bytes = storage->bytes;
  storage->~Storage();
  deallocate(reinterpret_cast<char*>(storage) - body_bytes, bytes);
}

[[noreturn]] void throw_memory(const Shape& shape, DType dtype, std::string_view operation) {
  throw MemoryError(operation, fmt::format("no memory for shape {} of {}", shape, dtype));
}

inline std::size_t bytes_of(const Shape& shape, DType dtype, std::string_view operation) {
  bool fits = shape.rank() <= 2;  // and both extents below 2^29: so does their product
  for (const std::int64_t extent : shape) fits &= static_cast<std::uint64_t>(extent) >> 29 == 0;
  if (fits) [[likely]]
    return shape.product() * size_of(dtype);
  const std::size_t elements = shape.elements(operation);
  if (elements > std::numeric_limits<std::size_t>::max() / 32) [[unlikely]]
    throw_memory(shape, dtype, operation);
  return elements * size_of(dtype);
}

Storage* new_storage(const Shape& shape, DType dtype, std::string_view operation) {
  const std::size_t bytes = bytes_of(shape, dtype, operation);
  try {
    auto* storage = new (allocate(header_bytes + bytes)) Storage;
    storage->data = reinterpret_cast<char*>(storage) + header_bytes;
    storage->bytes = header_bytes + bytes;
    storage->destroy = free_block;
    return storage;
  } catch (const std::bad_alloc&) {
    throw_memory(shape, dtype, operation);
  }
}

void release_storage(Storage* storage) noexcept {
  if (storage->references.load(std::memory_order_acquire) == 1 ||
      storage->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    storage->destroy(storage);
}

}  // namespace

Tensor Tensor::adopt(const Shape& shape, DType dtype, Storage* storage) {
  Tensor tensor;
  tensor.body_ = new (allocate(sizeof(TensorBody))) TensorBody{.dtype = dtype, .storage = storage, .shape = shape};
  return tensor;
}

Tensor Tensor::uninitialized(const Shape& shape, DType dtype, std::string_view operation) {
  const std::size_t bytes = bytes_of(shape, dtype, operation);
  if (bytes > max_bytes_with_body) return adopt(shape, dtype, new_storage(shape, dtype, operation));
  // Small: body, storage and values in one block.
  const std::size_t all = body_bytes + header_bytes + bytes;
  char* const block = static_cast<char*>(allocate(all));
  auto* const storage = new (block + body_bytes) Storage;
  storage->data = block + body_bytes + header_bytes;
  storage->bytes = all;
  storage->destroy = free_block_with_body;
  return from_reference(new (block) TensorBody{.dtype = dtype, .at_home = true, .storage = storage, .shape = shape});
}

void Tensor::leave_storage(TensorBody* body) noexcept {
  if (body->borrows) {
    body->borrows = false;
    body->storage->borrowers.fetch_sub(1, std::memory_order_release);
  }
  if (body->storage != home_of(body)) release_storage(body->storage);
}

void Tensor::destroy(TensorBody* body) noexcept {
  Storage* const home = home_of(body);
  if (body->storage == home && body->label == nullptr && !body->borrows &&
      home->references.load(std::memory_order_acquire) == 1) [[likely]]
    return free_block_with_body(home);
  leave_storage(body);
  delete body->label;
  body->~TensorBody();
  if (home != nullptr)
    release_storage(home);
  else
    deallocate(body, sizeof(TensorBody));
}

Tensor Tensor::alias(const Shape& shape, Storing storing) const {
  TensorBody& source = body();
  source.storage->references.fetch_add(1, std::memory_order_relaxed);
  Tensor tensor = adopt(shape, source.dtype, source.storage);
  tensor.body_->borrows = storing == Storing::borrows || source.borrows;
  if (tensor.body_->borrows) source.storage->borrowers.fetch_add(1, std::memory_order_relaxed);
  return tensor;
}

void* Tensor::begin_write() {
  Storage* storage = body().storage;
  const bool others = storage->references.load(std::memory_order_acquire) > 1;
  if (others && (body_->borrows || storage->borrowers.load(std::memory_order_acquire) > 0)) {
    Storage* own = new_storage(body_->shape, body_->dtype, "modify");
    std::memcpy(own->data, storage->data, bytes());
    own->version.store(storage->version.load(std::memory_order_relaxed), std::memory_order_relaxed);
    leave_storage(body_);
    storage = body_->storage = own;
  }
  storage->version.fetch_add(1, std::memory_order_relaxed);
  return storage->data;
}

void Tensor::assign(const Tensor& values) {
  check_defined("assign", "the tensor", *this);
  check_defined("assign", "values", values);
  if (values.shape() != shape())
    throw_as<ShapeError>("assign: {} is {}, the values are {}; need equal shapes",
                         label().empty() ? "the tensor" : label(), shape(), values.shape());
  if (body_->requires_gradient && !is_floating(values.dtype()))
    throw TypeError("assign: int64 values for a tensor that requires a gradient; need float32 or float64");
  if (values.dtype() == dtype()) {
    std::memmove(begin_write(), values.untyped_data(), bytes());
    return;
  }
  Storage* own = new_storage(shape(), values.dtype(), "assign");
  std::memcpy(own->data, values.untyped_data(), values.bytes());
  own->version.store(version() + 1, std::memory_order_relaxed);
  leave_storage(body_);
  body_->storage = own;
  body_->dtype = values.dtype();
}

double Tensor::item() const {
  check_defined("item", "the tensor", *this);
  if (size() != 1) throw_as<ShapeError>("item: shape {} has {} elements; need one", shape(), size());
  return visit(dtype(), [&](auto zero) { return static_cast<double>(*data<decltype(zero)>()); });
}

double Tensor::item(std::initializer_list<std::int64_t> index) const {
  check_defined("item", "the tensor", *this);
  bool inside = index.size() == rank();
  std::size_t offset = 0;
  for (std::size_t axis = 0; inside && axis < rank(); ++axis) {
    const std::int64_t position = index.begin()[axis];
    inside = position >= 0 && position < shape()[axis];
    offset = offset * shape().extent(axis) + static_cast<std::size_t>(position);
  }
  if (index.size() > Extents::capacity)
    throw_as<ShapeError>("item: an index of {} numbers for shape {}; need one number per axis", index.size(), shape());
  if (!inside)
    throw_as<ShapeError>("item: index {} of shape {}; need one number per axis, each in [0, extent)",
                         Extents(std::span(index.begin(), index.size())), shape());
  return visit(dtype(), [&](auto zero) { return static_cast<double>(data<decltype(zero)>()[offset]); });
}

Tensor& Tensor::requires_gradient(bool required) & {
  check_defined("requires_gradient", "the tensor", *this);
  if (required && !is_floating(dtype()))
    throw TypeError("requires_gradient: the tensor is int64; only float32 and float64 have gradients");
  if (required && tape_is_alive(body().tape))
    throw TapeError("requires_gradient: the tensor is the result of a recorded operation; mark detach(x) instead");
  body().requires_gradient = required;
  return *this;
}

Tensor& Tensor::label(std::string text) & {
  std::string*& own = body("label").label;
  delete std::exchange(own, text.empty() ? nullptr : new std::string(std::move(text)));
  return *this;
}

const std::string& Tensor::label() const& {
  static const std::string none;
  return body("label").label != nullptr ? *body_->label : none;
}

void Tensor::throw_empty(const char* operation) { throw_undefined(operation, "the tensor"); }

void throw_undefined(std::string_view operation, std::string_view argument) {
  throw_as<ValueError>("{}: {} is an empty handle; assign a tensor first", operation, argument);
}

void Tensor::throw_dtype(DType wanted) const {
  throw_as<TypeError>("tensor: the values are {0}, asked for as {1}; convert with to({1})", dtype(), wanted);
}

void Tensor::throw_modify() const {
  throw_as<TypeError>(
      "modify: the values are {}, which the function does not take; need f(std::span<T>) for that dtype", dtype());
}

Tensor detach(const Tensor& x) {
  check_defined("detach", "x", x);
  return x.alias(x.shape());
}

}  // namespace xgrad
