#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/data/data.hpp>
#include <nn/report/picture.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

// Tensors as what pictures are made of.

namespace examples {

/// The numbers of a tensor of any dtype, row-major.
std::vector<double> numbers(const xgrad::Tensor& x);

/// count numbers from first to last, both included, (count, 1).
xgrad::Tensor evenly(double first, double last, std::int64_t count, xgrad::DType dtype = xgrad::default_dtype());

/// y over x, of equally many elements.
xgrad::nn::Trace trace(std::string name, const xgrad::Tensor& x, const xgrad::Tensor& y,
                       xgrad::nn::Mark mark = xgrad::nn::Mark::line);

/// A function that gives a number for each of points (n, 2): (n,) or (n, 1).
using PlaneFunction = std::function<xgrad::Tensor(const xgrad::Tensor&)>;

/// The function over a rectangle, called once. Points have the default dtype.
xgrad::nn::Surface surface(const PlaneFunction& f, std::pair<double, double> x, std::pair<double, double> y,
                           std::size_t cells = 40);

/// The regions that a model of the plane makes of its outputs' signs, with at most `points` points of data whose
/// targets (n, 1) are -1 and 1; other targets have no points. The colours go from -1 to 1.
xgrad::nn::Panel regions(std::string title, const PlaneFunction& model, const xgrad::nn::Dataset& data,
                         std::int64_t points = 200);

}  // namespace examples
