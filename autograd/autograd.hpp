#pragma once

#include <autograd/tensor/needs_cplusplus20.hpp>

// Everything that a user of tensors and tapes needs. Not included, since they bring heavy headers: pointwise.hpp (own
// elementwise functions; SIMD) and xtensor.hpp (conversions to and from xtensor).

#include <autograd/check/gradient_check.hpp>
#include <autograd/functional/functional.hpp>
#include <autograd/functional/recompute.hpp>
#include <autograd/ops/activations.hpp>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/compare.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/indexing.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/linear_algebra.hpp>
#include <autograd/ops/random.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/ops/softmax.hpp>
#include <autograd/parallel/threads.hpp>
#include <autograd/tape/broadcasting.hpp>
#include <autograd/tape/custom.hpp>
#include <autograd/tape/gradients.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/dtype.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/memory.hpp>
#include <autograd/tensor/shape.hpp>
#include <autograd/tensor/tensor.hpp>
