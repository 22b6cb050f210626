#pragma once

#include <autograd/ops/arithmetic.hpp>

namespace xgrad {

// The six relations: 1 where one holds, 0 elsewhere (also for NaN, but for ne), in the operands' dtype, which `where`
// takes; no gradient. Tensors broadcast by NumPy's rule (ShapeError) and have one dtype, which may be int64
// (TypeError); a C++ number takes the tensor's dtype.

Tensor eq(const Tensor& x, const Tensor& y);
Tensor ne(const Tensor& x, const Tensor& y);
Tensor lt(const Tensor& x, const Tensor& y);
Tensor le(const Tensor& x, const Tensor& y);
Tensor gt(const Tensor& x, const Tensor& y);
Tensor ge(const Tensor& x, const Tensor& y);

inline Tensor eq(const Tensor& x, double y) { return eq(x, constant_like(x, y, "eq")); }
inline Tensor ne(const Tensor& x, double y) { return ne(x, constant_like(x, y, "ne")); }
inline Tensor lt(const Tensor& x, double y) { return lt(x, constant_like(x, y, "lt")); }
inline Tensor le(const Tensor& x, double y) { return le(x, constant_like(x, y, "le")); }
inline Tensor gt(const Tensor& x, double y) { return gt(x, constant_like(x, y, "gt")); }
inline Tensor ge(const Tensor& x, double y) { return ge(x, constant_like(x, y, "ge")); }

}  // namespace xgrad
