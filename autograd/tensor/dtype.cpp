#include <autograd/tensor/dtype.hpp>
#include <autograd/tensor/error.hpp>

namespace xgrad {

namespace {

constinit thread_local DType default_dtype_of_thread = DType::float32;

}  // namespace

DType default_dtype() noexcept { return default_dtype_of_thread; }

DefaultDType::DefaultDType(DType dtype) : of_thread_(&default_dtype_of_thread), previous_(*of_thread_) {
  if (!is_floating(dtype)) throw TypeError("default dtype: int64; constants are float32 or float64");
  default_dtype_of_thread = dtype;
}

DefaultDType::~DefaultDType() {
  if (of_thread_ == &default_dtype_of_thread) *of_thread_ = previous_;
}

}  // namespace xgrad
