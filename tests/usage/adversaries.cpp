#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>

using namespace xgrad;
using expect::difference;
using expect::Matrix;

// A generator G(z) = z·A + a and a critic D(x) = x·w + d (logits). The critic learns to tell real from made examples,
// the generator to be taken for real (Goodfellow et al. 2014, the loss that does not saturate):
//     L_D = mean softplus(-D(real)) + mean softplus(D(G(z))),   L_G = mean softplus(-D(G(z))).

namespace {

constexpr std::size_t rows = 8, noise = 3, width = 2;

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

struct Players {
  Matrix a, a0, w, w0;
};

Matrix generate(const Players& p, const Matrix& z) { return add_row(z * p.a, p.a0); }
Matrix judge(const Players& p, const Matrix& x) { return add_row(x * p.w, p.w0); }

}  // namespace

TEST_CASE("two networks trained against each other each move by their own loss, and the other stands still") {
  const DefaultDType dtype(float64);
  seed(7);
  const nn::Linear generator(noise, width), critic(width, 1);
  nn::SGD generator_steps(generator.parameters(), {.learning_rate = 0.2});
  nn::SGD critic_steps(critic.parameters(), {.learning_rate = 0.1});
  Players p{Matrix(generator.weight), Matrix(generator.bias), Matrix(critic.weight), Matrix(critic.bias)};
  const Tensor is_real = ones({rows, 1}), is_made = zeros({rows, 1});

  for (std::uint64_t step = 0; step < 25; ++step) {
    CAPTURE(step);
    const Matrix real(rows, width, expect::numbers(rows * width, 2 * step, 1, 3));
    const Matrix z(rows, noise, expect::numbers(rows * noise, 2 * step + 1));
    {
      const Tensor made = generator(z.tensor());  // outside of the tape: a constant for the critic
      Tape tape;
      const Tensor loss = nn::binary_cross_entropy_with_logits(critic(real.tensor()), is_real) +
                          nn::binary_cross_entropy_with_logits(critic(made), is_made);
      const Gradients g = tape.backward(loss);
      CHECK(g.size() == 2);
      CHECK_FALSE(g.contains(generator.weight));
      critic_steps.step(g);
    }
    {  // the same by hand
      const Matrix made = generate(p, z);
      const Matrix on_real = map(judge(p, real), [](double d) { return -sigmoid_of(-d) / rows; });
      const Matrix on_made = map(judge(p, made), [](double d) { return sigmoid_of(d) / rows; });
      p.w = p.w - 0.1 * (transposed(real) * on_real + transposed(made) * on_made);
      p.w0 = p.w0 - 0.1 * (sum_of_rows(on_real) + sum_of_rows(on_made));
    }
    CHECK(difference(critic.weight, p.w) < 1e-13);
    CHECK(difference(critic.bias, p.w0) < 1e-13);
    CHECK(difference(generator.weight, p.a) < 1e-13);  // it stood still
    {
      Tape tape;
      const Tensor loss = nn::binary_cross_entropy_with_logits(critic(generator(z.tensor())), is_real);
      generator_steps.step(tape.backward(loss));  // the critic's gradients are there, and left alone
    }
    {
      const Matrix through = map(judge(p, generate(p, z)), [](double d) { return -sigmoid_of(-d) / rows; });
      const Matrix made_slope = through * transposed(p.w);
      p.a = p.a - 0.2 * (transposed(z) * made_slope);
      p.a0 = p.a0 - 0.2 * sum_of_rows(made_slope);
    }
    CHECK(difference(generator.weight, p.a) < 1e-13);
    CHECK(difference(generator.bias, p.a0) < 1e-13);
    CHECK(difference(critic.weight, p.w) < 1e-13);  // it stood still
    CHECK(difference(critic.bias, p.w0) < 1e-13);
  }
}

TEST_CASE("the critic's bits do not change in the generator's step, when it is frozen for it") {
  seed(7);
  const nn::Linear generator(noise, width);
  nn::Linear critic(width, 1);
  const std::string before = nn::digest(critic.parameters());
  const std::string generator_before = nn::digest(generator.parameters());
  std::vector<Tensor> all = generator.parameters();
  for (const Tensor& parameter : critic.parameters()) all.push_back(parameter);
  nn::SGD optimizer(all, {.learning_rate = 0.5, .momentum = 0.9});
  critic.freeze();
  for (int step = 0; step < 3; ++step) {
    Tape tape;
    const Tensor loss = nn::binary_cross_entropy_with_logits(critic(generator(ones({rows, noise}))), ones({rows, 1}));
    const Gradients g = tape.backward(loss);
    CHECK(g.size() == 2);
    optimizer.step(g);
  }
  CHECK(nn::digest(critic.parameters()) == before);
  CHECK(nn::digest(generator.parameters()) != generator_before);
}
