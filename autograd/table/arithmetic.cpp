#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/compare.hpp>
#include <autograd/table/op_table.hpp>
#include <autograd/tensor/creation.hpp>

namespace xgrad {

namespace {

/// A relation with its results (left smaller, equal, left larger, NaN on the left, on the right, on both sides).
OpRow relation(const std::string& name, const std::string& formula, BinaryFunction f,
               std::initializer_list<double> results) {
  return std::move(
      binary(name, formula, f)
          .with_order(0)
          .picks()
          .takes_any_dtype()
          .with_nan(NaNRule::compares)
          .point({tensor({1, 2, 3, nan, 2, nan}), tensor({2, 2, 2, 2, nan, nan})}, tensor(results),
                 "IEEE 754-2008, 5.11")
          .point({tensor({-3, 0, 7}).to(int64), tensor({0, 0, 0}).to(int64)},
                 tensor({results.begin()[0], results.begin()[1], results.begin()[2]}).to(int64),
                 "order of the integers")
          .extreme({tensor({-inf, inf, 1e4, 0}), tensor({inf, inf, -1e4, -0.0})},
                   tensor({results.begin()[0], results.begin()[1], results.begin()[2], results.begin()[1]})));
}

void add_operators(std::vector<OpRow>& rows) {
  const Tensor two = tensor({2}), ten = tensor({10});
  rows.push_back(unary("neg", "-x", neg)
                     .is_linear()
                     .is_exact()
                     .points({{1.5, -1.5, -1.0}}, "by hand")
                     .extreme({{0, -0.0, -1.0}, {1e4, -1e4, -1.0}, {-inf, inf, -1.0}}));
  rows.push_back(
      binary("add", "x + y", add)
          .takes_any_dtype()
          .is_linear()
          .point({tensor({{0, 1, 2}, {3, 4, 5}, {6, 7, 8}}), tensor({0, 1, 2})},
                 tensor({{0, 2, 4}, {3, 5, 7}, {6, 8, 10}}), "NumPy documentation of add",
                 {ones({3, 3}), tensor({3, 3, 3})})
          .extreme({tensor({1e4, inf, inf}), tensor({-1e4, 1, -inf})}, tensor({0, inf, nan}), {ones({3}), ones({3})}));
  rows.push_back(binary("sub", "x - y", sub)
                     .takes_any_dtype()
                     .is_linear()
                     .point({tensor({{0, 1, 2}, {3, 4, 5}, {6, 7, 8}}), tensor({0, 1, 2})},
                            tensor({{0, 0, 0}, {3, 3, 3}, {6, 6, 6}}), "NumPy documentation of subtract",
                            {ones({3, 3}), tensor({-3, -3, -3})})
                     .extreme({tensor({1e4, inf}), tensor({1e4, 1})}, tensor({0, inf}), {ones({2}), tensor({-1, -1})}));
  rows.push_back(binary("mul", "x · y", mul)
                     .takes_any_dtype()
                     .point({tensor({{0, 1, 2}, {3, 4, 5}, {6, 7, 8}}), tensor({0, 1, 2})},
                            tensor({{0, 1, 4}, {0, 4, 10}, {0, 7, 16}}), "NumPy documentation of multiply",
                            {tensor({{0, 1, 2}, {0, 1, 2}, {0, 1, 2}}), tensor({9, 12, 15})})
                     .extreme({tensor({1e4, 0, inf}), tensor({-1e4, 1e4, 2})}, tensor({-1e8, 0, inf}),
                              {tensor({-1e4, 1e4, 2}), tensor({1e4, 0, inf})}));
  rows.push_back(binary("div", "x / y", div, {}, {0.4, 3})
                     .point({tensor({1, -3, 7}), tensor({2, 4, -8})}, tensor({0.5, -0.75, -0.875}), "by hand",
                            {tensor({0.5, 0.25, -0.125}), tensor({-0.25, 0.1875, -0.109375})})
                     .extreme({tensor({1, 0, 1e4, 1}), tensor({0, 1e4, 1e4, inf})}, tensor({inf, 0, 1, 0}),
                              {tensor({inf, 1e-4, 1e-4, 0}), tensor({-inf, 0, -1e-4, 0})}));
  // As e^(y·log x), whose relative error is that of y·log x, here up to 10.
  rows.push_back(
      binary("pow", "x^y", pow, {0.2, 3}, {})
          .within(16, 24)
          .point({tensor({0, 1, 2, 3, 4, 5}), tensor({3})}, tensor({0, 1, 8, 27, 64, 125}),
                 "NumPy documentation of power", {tensor({0, 3, 12, 27, 48, 75})})
          .point({tensor({0, 1, 2, 3, 4, 5}), tensor({1, 2, 3, 3, 2, 1})}, tensor({0, 1, 8, 27, 16, 5}),
                 "NumPy documentation of power", {tensor({1, 2, 12, 27, 8, 1})})
          .sample({{{33}, {0.2, 20}}, {{33}, {-8, 8}}})
          .point({two, ten}, tensor({1024}), "y·x^(y-1), x^y·log 2 (OEIS A002162)",
                 {tensor({5120}), tensor({709.782712893384})})
          .point({two, tensor({0.5})}, tensor({1.4142135623730951}), "OEIS A002193")
          .point({tensor({-2, -2, -2}), tensor({3, 2, -1})}, tensor({-8, 4, -0.5}), "by hand",
                 {tensor({12, -4, -0.25})})
          .kink({tensor({0, 0, 0}), tensor({0, 1, 2})}, tensor({1, 0, 0}), {tensor({0, 1, 0}), tensor({0, 0, 0})})
          .extreme({tensor({0, 0, 2, 2, 1, 1e4}), tensor({0.5, -1, -1e4, 1e4, 1e4, -1})},
                   tensor({0, inf, 0, inf, 1, 1e-4}), {tensor({inf, -inf, 0, inf, 1e4, -1e-8})}));
  // y = 2 and 1/2 take the ways of square and sqrt; y = 3 is the general one.
  for (const double exponent : {2.0, 0.5, 3.0})
    rows.back().sample({{{7}, {0.2, 3}}}, [exponent](const OpInputs& x) { return pow(x[0], exponent); });
}

void add_choices(std::vector<OpRow>& rows) {
  for (const bool larger : {true, false})
    rows.push_back((larger ? binary("maximum", "max(x, y)", maximum) : binary("minimum", "min(x, y)", minimum))
                       .picks()
                       .takes_any_dtype()
                       .point({tensor({2, 3, 4}), tensor({1, 5, 2})}, larger ? tensor({2, 5, 4}) : tensor({1, 3, 2}),
                              "NumPy documentation of maximum and minimum",
                              larger ? OpInputs{tensor({1, 0, 1}), tensor({0, 1, 0})}
                                     : OpInputs{tensor({0, 1, 0}), tensor({1, 0, 1})})
                       .kink({tensor({2, 0, -1e4}), tensor({2, -0.0, -1e4})}, tensor({2, 0, -1e4}),
                             {tensor({0.5, 0.5, 0.5}), tensor({0.5, 0.5, 0.5})})
                       .extreme({tensor({inf, 1e4, nan, 1}), tensor({-inf, -1e4, 1, nan})},
                                larger ? tensor({inf, 1e4, nan, nan}) : tensor({-inf, -1e4, nan, nan})));

  rows.push_back(
      elementwise("clamp", "min(max(x, low), high)", [](const OpInputs& x) { return clamp(x[0], -1.0, 0.5); },
                  {away_from({-1, 0.5})})
          .picks()
          .points({{0.25, 0.25, 1.0}, {-1.5, -1, 0.0}, {2, 0.5, 0.0}}, "by hand")
          .kink({{-1, -1, 1.0}, {0.5, 0.5, 1.0}})
          .extreme({{0, 0, 1.0}, {1e4, 0.5, 0.0}, {-1e4, -1, 0.0}, {inf, 0.5, 0.0}, {-inf, -1, 0.0}, {nan, nan}})
          .refuses<ValueError>({tensor({2})}, "need low <= high", [](const OpInputs& x) { return clamp(x[0], 1, 0); })
          .refuses<ValueError>({tensor({2})}, "clamp: bounds nan",
                               [](const OpInputs& x) { return clamp(x[0], nan, 0); }));
  rows.push_back(elementwise("where", "x where condition ≠ 0, y elsewhere",
                             [](const OpInputs& in) { return where(in[0], in[1], in[2]); }, {whole(0, 1), {}, {}})
                     .picks()
                     .takes_any_dtype()
                     .point({tensor({1, 0}).to(int64), tensor({1, 2}), tensor({3, 4})}, tensor({1, 4}),
                            "an int64 condition", {Tensor(), tensor({1, 0}), tensor({0, 1})})
                     .with_constants({0})
                     .with_nan(NaNRule::moves)
                     .point({tensor({1, 0, -2, nan}), tensor({1, 2, 3, 4}), tensor({5, 6, 7, 8})}, tensor({1, 6, 3, 4}),
                            "definition", {Tensor(), tensor({1, 0, 1, 1}), tensor({0, 1, 0, 0})})
                     .extreme({tensor({1, 0, 1, 0}), tensor({inf, inf, nan, nan}), tensor({nan, 1e4, 0, -1e4})},
                              tensor({inf, 1e4, nan, -1e4}), {Tensor(), tensor({1, 0, 1, 0}), tensor({0, 1, 0, 1})}));
}

}  // namespace

std::vector<OpRow> arithmetic_rows() {
  std::vector<OpRow> rows;
  add_operators(rows);
  add_choices(rows);
  rows.push_back(relation("eq", "1 where x = y, else 0", eq, {0, 1, 0, 0, 0, 0}));
  rows.push_back(relation("ne", "1 where x ≠ y, else 0", ne, {1, 0, 1, 1, 1, 1}));
  rows.push_back(relation("lt", "1 where x < y, else 0", lt, {1, 0, 0, 0, 0, 0}));
  rows.push_back(relation("le", "1 where x ≤ y, else 0", le, {1, 1, 0, 0, 0, 0}));
  rows.push_back(relation("gt", "1 where x > y, else 0", gt, {0, 0, 1, 0, 0, 0}));
  rows.push_back(relation("ge", "1 where x ≥ y, else 0", ge, {0, 1, 1, 0, 0, 0}));
  return rows;
}

}  // namespace xgrad
