/// Backpropagation by hand, in matrix form, beside the tape: equal gradients, and what they cost.
/// Lecture: all five

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <examples/command_line.hpp>
#include <examples/drawing.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

/// Y = f(σ(X·W₁ + b₁)·W₂ + b₂): a hidden layer of sigmoids, an output layer of f.
struct Parameters {
  Tensor w1, b1, w2, b2;
  std::vector<Tensor> all() const { return {w1, b1, w2, b2}; }
};
Parameters parameters(std::int64_t in, std::int64_t hidden, std::int64_t out, DType dtype) {
  const auto draw = [dtype](const Shape& shape, std::int64_t fan_in) {
    Tensor w = normal(shape, 0, 1 / std::sqrt(static_cast<double>(fan_in)), dtype);
    return w.requires_gradient();
  };
  return {draw({in, hidden}, in), draw({hidden}, in), draw({hidden, out}, hidden), draw({out}, hidden)};
}

/// An error E(S, T) of the output layer's sums S (rows, out) and its targets, and what the lectures derive for it by
/// hand: δ = ∂E/∂S.
struct Case {
  std::string name;
  std::string rule;
  std::function<Tensor(const Tensor&, const Tensor&)> error;
  std::function<Tensor(const Tensor&, const Tensor&)> delta;
};
const std::vector<Case> cases = {
    {"sigmoid, SSE", "δ = (y − t)·y·(1 − y)", [](const Tensor& s, const Tensor& t) { return nn::sse(sigmoid(s), t); },
     [](const Tensor& s, const Tensor& t) {
       const Tensor y = sigmoid(s);
       return (y - t) * y * (1.0 - y);
     }},
    {"sigmoid, BCE", "δ = (y − t) / n",
     [](const Tensor& s, const Tensor& t) { return nn::binary_cross_entropy_with_logits(s, t); },
     [](const Tensor& s, const Tensor& t) { return (sigmoid(s) - t) / static_cast<double>(t.size()); }},
    {"softmax, CE", "δ = (y − t) / rows", [](const Tensor& s, const Tensor& t) { return nn::cross_entropy(s, t); },
     [](const Tensor& s, const Tensor& t) { return (softmax(s) - t) / static_cast<double>(t.shape(0)); }},
};

/// The gradients of all parameters by hand: δ of the output layer goes back through W₂ and the hidden layer's slope.
std::vector<Tensor> by_hand(const Parameters& p, const Tensor& x, const Tensor& t, const Case& one) {
  const Tensor h = sigmoid(matmul(x, p.w1) + p.b1);                         // (rows, hidden)
  const Tensor delta2 = one.delta(matmul(h, p.w2) + p.b2, t);               // (rows, out)
  const Tensor delta1 = matmul(delta2, p.w2, false, true) * h * (1.0 - h);  // (rows, hidden): δ₂·W₂ᵀ ⊙ h(1 − h)
  return {matmul(x, delta1, true, false), sum(delta1, {0}),                 // Xᵀ·δ₁, Σ δ₁
          matmul(h, delta2, true, false), sum(delta2, {0})};                // Hᵀ·δ₂, Σ δ₂
}

Tensor forward(const Parameters& p, const Tensor& x) { return linear(sigmoid(linear(x, p.w1, p.b1)), p.w2, p.b2); }

std::vector<Tensor> by_tape(const Parameters& p, const Tensor& x, const Tensor& t, const Case& one) {
  Tape tape;
  const Gradients gradients = tape.backward(one.error(forward(p, x), t));
  std::vector<Tensor> list;
  for (const Tensor& w : p.all()) list.push_back(gradients[w]);
  return list;
}

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void compare(examples::CommandLine& line) {
  const Parameters p = parameters(6, 5, 4, float64);
  const Tensor x = normal({10, 6}, 0, 1, float64);
  const Tensor t = one_hot(integers({10}, 0, 4), 4, float64);
  const std::vector<std::string> names = {"W₁", "b₁", "W₂", "b₂"};
  TextTable table = {{"output, error", "rule", "tensor", "largest entry", "largest difference"}};
  double worst = 0;
  for (const Case& one : cases) {
    const std::vector<Tensor> hand = by_hand(p, x, t, one), tape = by_tape(p, x, t, one);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const double largest = max(abs(hand[i])).item(), difference = max(abs(hand[i] - tape[i])).item();
      worst = std::max(worst, difference / largest);
      table.push_back(
          {one.name, one.rule, names[i], fmt::format("{:.4f}", largest), fmt::format("{:.1e}", difference)});
    }
  }
  line.table(table, 3);
  line.result("worst_relative_difference", worst);
  line.claim("by hand and tape: largest difference, of the tensor's largest entry", worst, {.maximum = 1e-13});
}

void measure(examples::CommandLine& line) {
  line.out() << "\nthe cost of a step, 64 rows, softmax and CE, float32\n";
  TextTable table = {{"weights", "forward / µs", "backward / µs", "backward / forward"}};
  nn::Trace forwards = {.name = "forward", .mark = nn::Mark::both},
            backwards = {.name = "backward", .mark = nn::Mark::both};
  std::vector<double> ratios;
  for (const std::int64_t width :
       line.quick() ? std::vector<std::int64_t>{7, 71, 224} : std::vector<std::int64_t>{7, 22, 71, 224, 707, 2236}) {
    if (examples::interrupted()) return;
    const Parameters p = parameters(width, width, width, float32);
    const Tensor x = normal({64, width}), t = integers({64}, 0, width);
    const auto weights = static_cast<double>(2 * width * (width + 1));
    double f = INFINITY, backward = INFINITY;
    for (int run = 0; run < 15; ++run) {  // in turn, so that a slow moment of the machine meets both
      Tape tape;
      Tensor loss;
      f = std::min(f, seconds([&] { loss = nn::cross_entropy(forward(p, x), t); }));
      backward = std::min(backward, seconds([&] { tape.backward(loss); }));
    }
    forwards.x.push_back(weights);
    forwards.y.push_back(f);
    backwards.x.push_back(weights);
    backwards.y.push_back(backward);
    ratios.push_back(backward / f);
    table.push_back({fmt::format("{}", weights), fmt::format("{:.1f}", 1e6 * f), fmt::format("{:.1f}", 1e6 * backward),
                     fmt::format("{:.2f}", backward / f)});
  }
  line.table(table, 0);
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  line.out() << fmt::format(
      "backward takes {:.2f} to {:.2f} times the forward's time, however many weights; theory: a constant, as it "
      "makes\n"
      "three products where forward makes two (none for the gradient of the inputs)\n",
      *least, *most);
  line.result("backward_of_forward", ratios);
  line.result("forward_seconds", forwards.y);
  line.result("backward_seconds", backwards.y);
  line.draw("cost", nn::Chart{.panels = {{.title = "Cost of forward and backward, 64 rows",
                                          .x_label = "weights",
                                          .y_label = "time / s",
                                          .traces = {forwards, backwards},
                                          .x_logarithmic = true,
                                          .y_logarithmic = true}},
                              .width = 420,
                              .height = 240});
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  examples::CommandLine line("backpropagation",
                             "compares backpropagation by hand with the tape, and measures its cost");
  line.seed(first_seed);
  line.draws();
  return line.run(argc, argv, [&] {
    compare(line);
    measure(line);
  });
}
