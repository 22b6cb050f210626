#pragma once

// The elementary functions on vectors: within 4 ulp of the exact value over the whole range, denormal results within
// one unit, a lane's bits independent of the lanes beside it.

#include <autograd/kernels/simd/exponential.hpp>
#include <autograd/kernels/simd/logarithm.hpp>
#include <autograd/kernels/simd/power.hpp>
#include <autograd/kernels/simd/trigonometric.hpp>
