#pragma once

#include <autograd/tensor/tensor.hpp>

namespace xgrad {

// Elementwise arithmetic. Tensors broadcast by NumPy's rule (ShapeError) and have one floating dtype (TypeError); a C++
// number takes the tensor's dtype. add, sub, mul, maximum, minimum and where take int64 tensors as well, without
// gradients and exactly: ValueError for a result that int64 does not hold. x, y are inputs, g the cotangent of the
// result.

/// -x; gradient -g.
Tensor neg(const Tensor& x);
/// x + y; gradients g and g.
Tensor add(const Tensor& x, const Tensor& y);
/// x - y; gradients g and -g.
Tensor sub(const Tensor& x, const Tensor& y);
/// x · y; gradients g·y and g·x.
Tensor mul(const Tensor& x, const Tensor& y);
/// x / y; gradients g/y and -g·x/y².
Tensor div(const Tensor& x, const Tensor& y);
/// x^y; gradients g·y·x^(y-1), 0 for y = 0, and g·x^y·log x, 0 at x = 0 for y >= 0.
Tensor pow(const Tensor& x, const Tensor& y);
/// The larger (smaller) of x and y; NaN if either is. The gradient goes to that one, half to each on a tie.
Tensor maximum(const Tensor& x, const Tensor& y);
Tensor minimum(const Tensor& x, const Tensor& y);
/// x limited to [low, high]; gradient g inside and on the bounds, 0 outside. ValueError for low > high.
Tensor clamp(const Tensor& x, double low, double high);
/// x where the condition is not 0, y elsewhere; the gradient goes to the one taken, none to the condition, which may be
/// int64.
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y);

/// The number as a tensor of rank 0 with x's dtype. TypeError for a fraction and int64, ValueError for NaN and what
/// int64 does not have; in the name of the operation that it is for.
Tensor constant_like(const Tensor& x, double value, const char* operation = "constant_like");

inline Tensor add(const Tensor& x, double y) { return add(x, constant_like(x, y, "add")); }
inline Tensor sub(const Tensor& x, double y) { return sub(x, constant_like(x, y, "sub")); }
inline Tensor mul(const Tensor& x, double y) { return mul(x, constant_like(x, y, "mul")); }
inline Tensor div(const Tensor& x, double y) { return div(x, constant_like(x, y, "div")); }
inline Tensor add(double x, const Tensor& y) { return add(constant_like(y, x, "add"), y); }
inline Tensor sub(double x, const Tensor& y) { return sub(constant_like(y, x, "sub"), y); }
inline Tensor mul(double x, const Tensor& y) { return mul(constant_like(y, x, "mul"), y); }
inline Tensor div(double x, const Tensor& y) { return div(constant_like(y, x, "div"), y); }
/// x^y for a number y; squares for 2, roots for 0.5.
Tensor pow(const Tensor& x, double y);
inline Tensor pow(double x, const Tensor& y) { return pow(constant_like(y, x, "pow"), y); }
inline Tensor maximum(const Tensor& x, double y) { return maximum(x, constant_like(x, y, "maximum")); }
inline Tensor minimum(const Tensor& x, double y) { return minimum(x, constant_like(x, y, "minimum")); }
inline Tensor maximum(double x, const Tensor& y) { return maximum(constant_like(y, x, "maximum"), y); }
inline Tensor minimum(double x, const Tensor& y) { return minimum(constant_like(y, x, "minimum"), y); }
inline Tensor where(const Tensor& condition, const Tensor& x, double y) {
  return where(condition, x, constant_like(x, y, "where"));
}
inline Tensor where(const Tensor& condition, double x, const Tensor& y) {
  return where(condition, constant_like(y, x, "where"), y);
}
// x += y and its like: x becomes the new tensor x + y, as in x = x + y. Other handles keep the old one.
inline Tensor& operator+=(Tensor& x, const Tensor& y) { return x = add(x, y); }
inline Tensor& operator-=(Tensor& x, const Tensor& y) { return x = sub(x, y); }
inline Tensor& operator*=(Tensor& x, const Tensor& y) { return x = mul(x, y); }
inline Tensor& operator/=(Tensor& x, const Tensor& y) { return x = div(x, y); }
inline Tensor& operator+=(Tensor& x, double y) { return x = add(x, y); }
inline Tensor& operator-=(Tensor& x, double y) { return x = sub(x, y); }
inline Tensor& operator*=(Tensor& x, double y) { return x = mul(x, y); }
inline Tensor& operator/=(Tensor& x, double y) { return x = div(x, y); }
inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator+(const Tensor& x, const Tensor& y) { return add(x, y); }
inline Tensor operator-(const Tensor& x, const Tensor& y) { return sub(x, y); }
inline Tensor operator*(const Tensor& x, const Tensor& y) { return mul(x, y); }
inline Tensor operator/(const Tensor& x, const Tensor& y) { return div(x, y); }
inline Tensor operator+(const Tensor& x, double y) { return add(x, y); }
inline Tensor operator-(const Tensor& x, double y) { return sub(x, y); }
inline Tensor operator*(const Tensor& x, double y) { return mul(x, y); }
inline Tensor operator/(const Tensor& x, double y) { return div(x, y); }
inline Tensor operator+(double x, const Tensor& y) { return add(x, y); }
inline Tensor operator-(double x, const Tensor& y) { return sub(x, y); }
inline Tensor operator*(double x, const Tensor& y) { return mul(x, y); }
inline Tensor operator/(double x, const Tensor& y) { return div(x, y); }

}  // namespace xgrad
