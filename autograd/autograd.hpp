#pragma once

// Everything that a user of tensors and tapes needs. Not included, since they bring heavy headers: pointwise.hpp (own
// elementwise functions; SIMD) and xtensor.hpp (conversions to and from xtensor).

#include <autograd/dtype.hpp>
#include <autograd/error.hpp>
#include <autograd/functional.hpp>
#include <autograd/gradient_check.hpp>
#include <autograd/gradients.hpp>
#include <autograd/memory.hpp>
#include <autograd/operation.hpp>
#include <autograd/ops/activations.hpp>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/linear_algebra.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/random.hpp>
#include <autograd/shape.hpp>
#include <autograd/tape.hpp>
#include <autograd/tensor.hpp>
