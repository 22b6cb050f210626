#include <autograd/ops/activations.hpp>
#include <autograd/table/op_table.hpp>
#include <autograd/tensor/creation.hpp>

#include <numbers>

namespace xgrad {

namespace {

constexpr double sigmoid_1 = 0.7310585786300049;              // e/(1 + e), OEIS A001113
constexpr double sigmoid_minus_1 = 0.2689414213699951;        // 1/(1 + e)
constexpr double sigmoid_derivative_1 = 0.19661193324148185;  // e/(1 + e)²
constexpr double softplus_1 = 1.3132616875182228;             // log(1 + e)

OpRow maxout_row() {
  const auto of = [](std::int64_t pieces) { return [pieces](const OpInputs& x) { return maxout(x[0], pieces); }; };
  OpRow row("maxout", "max over j of x[j·n + i]", of(2));
  row.picks();
  row.shapes({{2}, {34}, {3, 10}, {2, 3, 4}, {0, 4}, {3, 0}})
      .sample({{{3, 5}}}, of(1))
      .sample({{{3, 15}}}, of(5))
      .sample({{{1, 1, 1, 1, 1, 1, 2, 6}}}, of(3));
  row.big_sample({{{70, 1002}}}).big_sample({{{257, 300}}}, of(5));
  // Pieces (1, 5), (4, 2) and (3, 0) of a row.
  const Tensor x = tensor({{1, 5, 4, 2, 3, 0}, {-1, -5, -4, -2, -3, -6}});
  return row
      .point({x}, tensor({{4, 5}, {-1, -2}}), "Goodfellow et al. 2013, by hand",
             {tensor({{0, 1, 1, 0, 0, 0}, {1, 0, 0, 1, 0, 0}})}, of(3))
      .point({x}, tensor({{2, 5, 4}, {-1, -3, -4}}), "by hand", {tensor({{0, 1, 1, 1, 0, 0}, {1, 0, 1, 0, 1, 0}})})
      .point({x}, x, "one piece is the identity", {ones({2, 6})}, of(1))
      .kink({tensor({{2, 0, 2, 1}})}, tensor({{2, 1}}), {tensor({{0.5, 0, 0.5, 1}})})
      .extreme({tensor({-1e4, 0, 1e4, -1})}, tensor({1e4, 0}), {tensor({0, 1, 1, 0})})
      .extreme({tensor({-inf, inf})}, tensor({inf}), {tensor({0, 1})})
      .extreme({tensor({nan, 1})}, tensor({nan}))
      .refuses<ShapeError>({ones({2, 5})}, "maxout: x is (2, 5); need a last axis of 2 pieces of one length")
      .refuses<ShapeError>({ones({})}, "maxout: x is (); need a last axis of 2 pieces")
      .refuses<ValueError>({ones({2, 4})}, "maxout: 0 pieces; need at least one", of(0))
      .refuses<TypeError>({ones({2, 4}, int64)}, "maxout: input 0 is int64");
}

void add_sigmoids(std::vector<OpRow>& rows) {
  rows.push_back(
      unary(
          "step", "0 for x < 0, 1 for x > 0, at_zero for 0", [](const Tensor& x) { return step(x); }, away_from({0}))
          .with_order(0)
          .picks()
          .points({{-1.5, 0, 0.0}, {2, 1, 0.0}}, "NumPy documentation of heaviside")
          .point({tensor({-1.5, 0, 2.0})}, tensor({0, 0.5, 1}), "NumPy documentation of heaviside, with 0.5")
          .point({tensor({-1.5, 0, 2.0})}, tensor({0, 1, 1}), "NumPy documentation of heaviside, with 1",
                 {tensor({0, 0, 0})}, [](const OpInputs& x) { return step(x[0], 1); })
          .kink({{0, 0.5, 0.0}, {-0.0, 0.5, 0.0}})
          .extreme({{1e4, 1, 0.0}, {-1e4, 0, 0.0}, {inf, 1, 0.0}, {-inf, 0, 0.0}, {nan, nan}}));
  rows.push_back(
      unary("sigmoid", "1/(1 + e^-x)", sigmoid)
          .sample({{{33}, {-30, 30}}})
          .points({{1, sigmoid_1, sigmoid_derivative_1}, {-1, sigmoid_minus_1, sigmoid_derivative_1}}, "e/(1 + e)")
          .extreme({{0, 0.5, 0.25},
                    {1e4, 1, 0.0},
                    {-1e4, 0, 0.0},
                    {inf, 1, 0.0},
                    {-inf, 0, 0.0},
                    {-60, 8.75651076269652e-27, 8.75651076269652e-27},
                    {60, 1, 8.75651076269652e-27}}));
  rows.push_back(
      unary("log_sigmoid", "-log(1 + e^-x)", log_sigmoid)
          .sample({{{33}, {-30, 30}}})
          .points({{1, 1 - softplus_1, sigmoid_minus_1}, {-1, -softplus_1, sigmoid_1}}, "1 - log(1 + e)")
          .extreme({{0, -std::numbers::ln2, 0.5}, {1e4, 0, 0.0}, {-1e4, -1e4, 1.0}, {inf, 0, 0.0}, {-inf, -inf, 1.0}}));
  rows.push_back(
      unary("softplus", "log(1 + e^x)", softplus)
          .sample({{{33}, {-30, 30}}})
          .points({{1, softplus_1, sigmoid_1}, {-1, softplus_1 - 1, sigmoid_minus_1}}, "log(1 + e)")
          .extreme({{0, std::numbers::ln2, 0.5}, {1e4, 1e4, 1.0}, {-1e4, 0, 0.0}, {inf, inf, 1.0}, {-inf, 0, 0.0}}));
}

}  // namespace

std::vector<OpRow> activation_rows() {
  std::vector<OpRow> rows;
  add_sigmoids(rows);
  rows.push_back(unary("relu", "max(x, 0)", relu, away_from({0}))
                     .picks()
                     .points({{1.5, 1.5, 1.0}, {-1.5, 0, 0.0}}, "by hand")
                     .kink({{0, 0, 0.0}, {-0.0, 0, 0.0}})
                     .extreme({{1e4, 1e4, 1.0}, {-1e4, 0, 0.0}, {inf, inf, 1.0}, {-inf, 0, 0.0}, {nan, nan}}));
  rows.push_back(elementwise("leaky_relu", "x for x > 0, slope·x elsewhere",
                             [](const OpInputs& x) { return leaky_relu(x[0], 0.25); }, {away_from({0})})
                     .is_flat()
                     .points({{1.5, 1.5, 1.0}, {-2, -0.5, 0.25}}, "by hand")
                     .kink({{0, 0, 0.25}})
                     .extreme({{1e4, 1e4, 1.0}, {-1e4, -2500, 0.25}, {inf, inf, 1.0}, {-inf, -inf, 0.25}})
                     .sample({{{7}, away_from({0})}}, [](const OpInputs& x) { return leaky_relu(x[0]); })
                     .point({tensor({-200})}, tensor({-2}), "the default slope is 0.01", {tensor({0.01})},
                            [](const OpInputs& x) { return leaky_relu(x[0]); }));
  rows.push_back(binary("prelu", "x for x > 0, slope·x elsewhere", prelu, away_from({0}), {0.1, 0.4})
                     .with_nan(NaNRule::moves)  // the slope is not read for x > 0
                     .point({tensor({nan, -1, 1}), tensor({1, nan, nan})}, tensor({nan, nan, 1}), "definition")
                     .point({tensor({{1, -2}, {-3, 4}}), tensor({0.25, 0.5})}, tensor({{1, -1}, {-0.75, 4}}), "by hand",
                            {tensor({{1, 0.5}, {0.25, 1}}), tensor({-3, -2})})
                     .kink({tensor({0, 0}), tensor({0.25, -2})}, tensor({0, 0}), {tensor({0.25, -2}), tensor({0, 0})})
                     .extreme({tensor({1e4, -1e4, inf}), tensor({0.25, 0.25, 0.25})}, tensor({1e4, -2500, inf}),
                              {tensor({1, 0.25, 1}), tensor({0, -1e4, 0})}));
  rows.push_back(
      elementwise("elu", "x for x > 0, alpha·(e^x - 1) elsewhere", [](const OpInputs& x) { return elu(x[0], 2.0); },
                  {away_from({0})})
          .points({{1.5, 1.5, 1.0}, {-1, -1.2642411176571153, 0.7357588823428847}}, "2·(1/e - 1), OEIS A068985")
          .kink({{0, 0, 2.0}})
          .extreme({{1e4, 1e4, 1.0}, {-1e4, -2, 0.0}, {inf, inf, 1.0}, {-inf, -2, 0.0}})
          .sample({{{7}, away_from({0})}}, [](const OpInputs& x) { return elu(x[0]); }));
  rows.push_back(unary("swish", "x/(1 + e^-x)", swish)
                     .sample({{{33}, {-30, 30}}})
                     .points({{1, sigmoid_1, 0.9276705118714868}, {-1, -sigmoid_minus_1, 0.07232948812851325}},
                             "x·σ(x), σ(x) + x·σ(x)·σ(-x)")
                     .extreme({{0, 0, 0.5}, {1e4, 1e4, 1.0}, {-1e4, 0, 0.0}, {-100, -3.7200759760208356e-42}}));
  rows.push_back(unary("mish", "x·tanh(log(1 + e^x))", mish)
                     .sample({{{33}, {-30, 30}}})
                     .points({{1, 0.86509838826731035, 1.0490362200997922},
                              {-2, -0.25250148269570886, -0.10835509242039394},
                              {-1.1924312145154952, -0.30884341301725041}},
                             "mpmath, 40 digits; the last is the minimum")
                     .extreme({{0, 0, 0.6}, {1e4, 1e4, 1.0}, {-1e4, 0, 0.0}, {-100, -3.7200759760208360e-42}}));
  rows.push_back(
      unary("hard_tanh", "min(max(x, -1), 1)", hard_tanh, away_from({-1, 1}))
          .picks()
          .points({{0.5, 0.5, 1.0}, {-2, -1, 0.0}, {1.5, 1, 0.0}}, "by hand")
          .kink({{1, 1, 0.0}, {-1, -1, 0.0}})
          .extreme({{0, 0, 1.0}, {1e4, 1, 0.0}, {-1e4, -1, 0.0}, {inf, 1, 0.0}, {-inf, -1, 0.0}, {nan, nan}}));
  rows.push_back(maxout_row());
  return rows;
}

}  // namespace xgrad
