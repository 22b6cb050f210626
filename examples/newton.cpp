/// Newton's method by Hessian-vector products, and what the Hessian says of the doubt: logistic regression.

#include <autograd/autograd.hpp>
#include <autograd/xtensor.hpp>
#include <nn/nn.hpp>

#include "command_line.hpp"
#include "drawing.hpp"
#include "training.hpp"

#include <fmt/core.h>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <string>
#include <vector>
#include <xtensor-blas/xlinalg.hpp>

using namespace xgrad;

namespace {

double length(const Tensor& v) { return norm(v).item(); }

/// H⁻¹ g for a positive definite H that is known by its products (Hestenes and Stiefel 1952), to |H x - g| <= error.
Tensor conjugate_gradients(const std::function<Tensor(const Tensor&)>& product, const Tensor& g, double error) {
  Tensor x = zeros(g.shape()), rest = g, direction = g;
  double square_length = dot(rest, rest).item();
  for (std::int64_t i = 0; i < 10 * g.shape(0) && std::sqrt(square_length) > error; ++i) {
    const Tensor h = product(direction);
    const double step = square_length / dot(direction, h).item();
    x = x + step * direction;
    rest = rest - step * h;
    const double before = std::exchange(square_length, dot(rest, rest).item());
    direction = rest + square_length / before * direction;
  }
  return x;
}

/// Two clouds of points in the plane that overlap, with a third input that is 1, for the bias; the class, 0 or 1.
struct Data {
  Tensor x, t;
};
Data two_clouds(std::int64_t rows) {
  const Tensor t = gt(uniform({rows}), 0.5);
  const Tensor sign = unsqueeze(2.0 * t - 1.0, 1);
  const Tensor points = sign * tensor({{1.0, 0.6}}) + normal({rows, 2}) * tensor({{1.0, 1.4}});
  return {concatenate({points, ones({rows, 1})}, 1), t};
}

struct Path {
  Tensor w;
  std::vector<double> gradients = {};  // their lengths
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t rows = 60, descent_steps = 200;
  double decay = 1.0;
  examples::CommandLine line("newton", "finds a minimum by Newton-CG, and the doubt around it by Laplace");
  line.seed(first_seed);
  line.flag("rows", rows, "points", {4, 100000});
  line.flag("decay", decay, "precision of the weights' prior", {1e-6, 1e6});
  line.flag("descent-steps", descent_steps, "steps of gradient descent, for comparison", {1, 100000});
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    const DefaultDType doubles(float64);
    const auto [x, t] = two_clouds(rows);
    // The negative logarithm of the posterior of w, up to a constant.
    const auto loss = [&, &x = x, &t = t](const Tensor& w) {
      return nn::binary_cross_entropy_with_logits(matmul(x, w), t, {.reduction = nn::Reduction::sum}) +
             decay / 2 * sum(square(w));
    };
    const auto product = [&](const Tensor& w) {
      return [&loss, w](const Tensor& v) { return hessian_vector_product(loss, w, v); };
    };

    Path newton{zeros({3})}, descent{zeros({3})};
    const auto newton_step = [&](std::int64_t) {
      if (!newton.gradients.empty() && newton.gradients.back() <= 1e-10) return;
      const Tensor g = gradient(loss, newton.w);
      const double size = length(g);
      newton.gradients.push_back(size);
      // Solved the better the closer the minimum: the convergence is quadratic (Dembo et al. 1982).
      newton.w.assign(newton.w - conjugate_gradients(product(newton.w), g, std::min(0.1 * size, size * size)));
    };
    checkpoints.repeat(30, {{"w", newton.w}, {"gradients", newton.gradients}}, newton_step, "newton");
    const double rate = 1 / (0.25 * sum(square(x)).item() + decay);  // one over a bound of the curvature
    const auto descent_step = [&](std::int64_t) {
      const Tensor g = gradient(loss, descent.w);
      descent.gradients.push_back(length(g));
      descent.w.assign(descent.w - rate * g);
    };
    checkpoints.repeat(descent_steps, {{"w", descent.w}, {"gradients", descent.gradients}}, descent_step, "descent");
    if (examples::interrupted()) return;

    // In closed form: g = Xᵀ (p - t) + λ w, H = Xᵀ diag(p (1 - p)) X + λ I, the doubt of a row's sum xᵀ w is xᵀ H⁻¹ x.
    const Tensor& w = newton.w;
    const Tensor p = sigmoid(matmul(x, w)), weights = unsqueeze(p * (1.0 - p), 1);
    const Tensor identity = one_hot(arange(3), 3);
    const Tensor g = matmul(p - t, x) + decay * w, h = matmul(x, weights * x, true, false) + decay * identity;
    const xt::xarray<double> inverse = xt::linalg::inv(as_xtensor<double>(h));
    const Tensor covariance = from_xtensor(inverse);
    const Tensor sample = tensor({{1.0, -2.0, 1.0}, {4.0, 5.0, 1.0}, {-6.0, 6.0, 1.0}});
    double doubt_error = 0;
    for (std::int64_t i = 0; i < sample.shape(0); ++i) {
      const Tensor row = squeeze(slice(sample, 0, i, i + 1), {0});
      const double by_products = dot(row, conjugate_gradients(product(w), row, 1e-12)).item();
      doubt_error = std::max(doubt_error, std::abs(by_products / dot(row, matmul(covariance, row)).item() - 1));
    }
    line.claim("Newton-CG: steps to a gradient of 1e-10", static_cast<double>(newton.gradients.size() - 1),
               {.maximum = 10});
    line.claim("gradient at the minimum, in closed form", length(g), {.maximum = 1e-10});
    line.claim("Hessian by differentiation, less that in closed form", max(abs(hessian(loss, w) - h)).item(),
               {.maximum = 1e-10});
    line.claim("doubt of sums by H·v and conjugate gradients, relative error", doubt_error, {.maximum = 1e-9});
    const std::size_t same = std::min(newton.gradients.size(), descent.gradients.size()) - 1;
    line.claim("gradient descent: gradient after as many steps, of Newton's",
               descent.gradients[same] / newton.gradients[same], {.minimum = 1e6});

    nn::Panel convergence = {
        .title = "Convergence", .x_label = "step", .y_label = "length of the gradient", .y_logarithmic = true};
    for (const auto& [name, path] : {std::pair("Newton-CG", &newton), std::pair("gradient descent", &descent)}) {
      nn::Trace trace = {.name = name, .mark = path == &newton ? nn::Mark::both : nn::Mark::line};
      for (std::size_t i = 0; i < std::min<std::size_t>(path->gradients.size(), 30); ++i) {
        trace.x.push_back(static_cast<double>(i));
        trace.y.push_back(path->gradients[i]);
      }
      convergence.traces.push_back(trace);
    }
    // p ≈ σ(xᵀw / √(1 + π s² / 8)) with s² = xᵀ H⁻¹ x (MacKay 1992).
    const auto panel = [&, &x = x, &t = t](std::string title, bool with_doubt) {
      return examples::regions(
          std::move(title),
          [&, with_doubt](const Tensor& points) {
            const Tensor all = concatenate({points, ones({points.shape(0), 1})}, 1), sums = matmul(all, w);
            const Tensor variance = sum(matmul(all, covariance) * all, {1});
            return 2.0 * sigmoid(with_doubt ? sums / sqrt(1.0 + std::numbers::pi / 8 * variance) : sums) - 1.0;
          },
          nn::Dataset(slice(x, 1, 0, 2), unsqueeze(2.0 * t - 1.0, 1)));
    };
    nn::Chart chart = {.title = "Logistic regression",
                       .panels = {convergence, panel("Class by the best weights", false),
                                  panel("Class by all weights (Laplace)", true)}};
    for (const std::size_t i : {1u, 2u}) chart.panels[i].surface->contours = {-0.8, 0, 0.8};
    line.draw("newton", chart);
  });
}
