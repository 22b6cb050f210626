#pragma once

#include <mpfr.h>

#include <concepts>
#include <type_traits>

/// A number of 200 binary digits, with the functions that exact values are made of (MPFR).
class Real {
 public:
  Real() { mpfr_init2(value_, digits); }
  template <class Number>
  requires std::is_arithmetic_v<Number> Real(Number x) : Real() {
    mpfr_set_ld(value_, static_cast<long double>(x), round);
  }
  Real(const Real& other) : Real() { mpfr_set(value_, other.value_, round); }
  Real& operator=(const Real& other) {
    mpfr_set(value_, other.value_, round);
    return *this;
  }
  ~Real() { mpfr_clear(value_); }

  explicit operator double() const { return mpfr_get_d(value_, round); }
  explicit operator long double() const { return mpfr_get_ld(value_, round); }

  friend Real operator+(const Real& a, const Real& b) { return of(mpfr_add, a, b); }
  friend Real operator-(const Real& a, const Real& b) { return of(mpfr_sub, a, b); }
  friend Real operator*(const Real& a, const Real& b) { return of(mpfr_mul, a, b); }
  friend Real operator/(const Real& a, const Real& b) { return of(mpfr_div, a, b); }
  friend Real operator-(const Real& a) { return of(mpfr_neg, a); }
  friend bool operator==(const Real& a, const Real& b) { return mpfr_equal_p(a.value_, b.value_) != 0; }
  friend bool operator<(const Real& a, const Real& b) { return mpfr_less_p(a.value_, b.value_) != 0; }
  friend bool operator>(const Real& a, const Real& b) { return b < a; }
  friend bool operator<=(const Real& a, const Real& b) { return mpfr_lessequal_p(a.value_, b.value_) != 0; }
  friend bool operator>=(const Real& a, const Real& b) { return b <= a; }

  friend Real abs(const Real& x) { return of(mpfr_abs, x); }
  friend Real sqrt(const Real& x) { return of(mpfr_sqrt, x); }
  friend Real exp(const Real& x) { return of(mpfr_exp, x); }
  friend Real expm1(const Real& x) { return of(mpfr_expm1, x); }
  friend Real log(const Real& x) { return of(mpfr_log, x); }
  friend Real log1p(const Real& x) { return of(mpfr_log1p, x); }
  friend Real sin(const Real& x) { return of(mpfr_sin, x); }
  friend Real cos(const Real& x) { return of(mpfr_cos, x); }
  friend Real tanh(const Real& x) { return of(mpfr_tanh, x); }
  friend Real pow(const Real& x, const Real& y) { return of(mpfr_pow, x, y); }
  friend Real floor(const Real& x) {
    Real y;
    mpfr_floor(y.value_, x.value_);
    return y;
  }
  friend bool isinf(const Real& x) { return mpfr_inf_p(x.value_) != 0; }

 private:
  static constexpr mpfr_prec_t digits = 200;
  static constexpr mpfr_rnd_t round = MPFR_RNDN;

  template <class F, class... X>
  static Real of(const F& f, const X&... x) {
    Real y;
    f(y.value_, x.value_..., round);
    return y;
  }

  mpfr_t value_;
};
