#include <autograd/ops/elementary.hpp>
#include <autograd/table/op_table.hpp>

#include <numbers>

namespace xgrad {

namespace {

void add_exponentials(std::vector<OpRow>& rows) {
  const double tiny = 0x1p-40;
  rows.push_back(unary("exp", "e^x", exp)
                     .sample({{{33}, {-80, 80}}})
                     .points({{1, 2.718281828459045, 2.718281828459045}}, "OEIS A001113")
                     .points({{-1, 0.36787944117144233, 0.36787944117144233}}, "OEIS A068985")
                     .points({{0.5, 1.6487212707001282, 1.6487212707001282}}, "OEIS A019774")
                     .extreme({{0, 1, 1.0}, {1e4, inf, inf}, {-1e4, 0, 0.0}, {inf, inf, inf}, {-inf, 0, 0.0}}));
  rows.push_back(unary("expm1", "e^x - 1", expm1)
                     .sample({{{33}, {-80, 80}}})
                     .points({{1, 1.718281828459045, 2.718281828459045}}, "OEIS A001113")
                     .points({{tiny, 9.094947017733418e-13, 1.0000000000009095}}, "series x + x²/2")
                     .extreme({{0, 0, 1.0}, {1e4, inf, inf}, {-1e4, -1, 0.0}, {inf, inf, inf}, {-inf, -1, 0.0}}));
  rows.push_back(unary("log", "ln x", log, {0.1, 4})
                     .points({{2, std::numbers::ln2, 0.5}}, "OEIS A002162")
                     .points({{10, 2.302585092994046, 0.1}}, "OEIS A002392")
                     .points({{1, 0, 1.0}}, "definition")
                     .extreme({{0, -inf, inf}, {1e4, 9.210340371976183, 1e-4}, {inf, inf, 0.0}, {-1, nan}}));
  rows.push_back(unary("log1p", "ln(1 + x)", log1p, {-0.8, 3})
                     .points({{1, std::numbers::ln2, 0.5}}, "OEIS A002162")
                     .points({{tiny, 9.094947017725146e-13, 0.9999999999990905}}, "series x - x²/2")
                     .extreme({{0, 0, 1.0},
                               {1e4, 9.210440366976517, 9.999000099990002e-05},
                               {-1, -inf, inf},
                               {inf, inf, 0.0},
                               {-2, nan}}));
}

}  // namespace

std::vector<OpRow> elementary_rows() {
  std::vector<OpRow> rows;
  add_exponentials(rows);
  rows.push_back(unary("sqrt", "√x", sqrt, {0.1, 4})
                     .points({{2, 1.4142135623730951, 0.35355339059327373}}, "OEIS A002193")
                     .extreme({{0, 0, inf}, {1e4, 100, 0.005}, {inf, inf, 0.0}, {-1, nan}}));
  rows.push_back(unary("square", "x²", square)
                     .points({{-1.5, 2.25, -3.0}}, "by hand")
                     .extreme({{0, 0, 0.0}, {1e4, 1e8, 2e4}, {-1e4, 1e8, -2e4}, {-inf, inf, -inf}}));
  rows.push_back(unary("abs", "|x|", abs, away_from({0}))
                     .picks()
                     .points({{-1.5, 1.5, -1.0}, {2, 2, 1.0}}, "by hand")
                     .kink({{0, 0, 0.0}, {-0.0, 0, 0.0}})
                     .extreme({{1e4, 1e4, 1.0}, {-1e4, 1e4, -1.0}, {-inf, inf, -1.0}}));
  rows.push_back(unary("sign", "-1, 0 or 1", sign, away_from({0}))
                     .with_order(0)
                     .picks()
                     .points({{-5, -1, 0.0}, {4.5, 1, 0.0}}, "NumPy documentation of sign")
                     .kink({{0, 0, 0.0}})
                     .extreme({{1e4, 1, 0.0}, {-1e4, -1, 0.0}, {inf, 1, 0.0}, {-inf, -1, 0.0}}));
  rows.push_back(unary("floor", "⌊x⌋", floor, away_from({-2, -1, 0, 1, 2}))
                     .with_order(0)
                     .picks()
                     .points({{-1.75, -2, 0.0}, {-1.5, -2}, {-0.25, -1}, {0.25, 0}, {1.5, 1}, {1.75, 1}, {2, 2}},
                             "NumPy documentation of floor")
                     .kink({{1, 1, 0.0}})
                     .extreme({{0, 0, 0.0},
                               {10000.5, 1e4, 0.0},
                               {-10000.5, -10001, 0.0},
                               {inf, inf, 0.0},
                               {-inf, -inf, 0.0},
                               {0x1p60, 0x1p60, 0.0}}));
  rows.push_back(unary("sin", "sin x", sin)
                     .sample({{{33}, {-300, 300}}})
                     .sample({{{33}, {-1e6, 1e6}}})
                     .points({{1, 0.8414709848078965, 0.5403023058681398}}, "OEIS A049469, A049470")
                     .extreme({{0, 0, 1.0},
                               {1e4, -0.30561438888825215, -0.9521553682590149},
                               {-1e4, 0.30561438888825215, -0.9521553682590149},
                               {inf, nan}}));
  rows.push_back(unary("cos", "cos x", cos)
                     .sample({{{33}, {-300, 300}}})
                     .sample({{{33}, {-1e6, 1e6}}})
                     .points({{1, 0.5403023058681398, -0.8414709848078965}}, "OEIS A049470, A049469")
                     .extreme({{0, 1, 0.0},
                               {1e4, -0.9521553682590149, 0.30561438888825215},
                               {-1e4, -0.9521553682590149, -0.30561438888825215},
                               {inf, nan}}));
  rows.push_back(unary("tanh", "tanh x", tanh)
                     .points({{1, 0.7615941559557649, 0.41997434161402614}}, "OEIS A073744, 1 - y²")
                     .points({{0.5, 0.46211715726000976, 0.7864477329659274}}, "(e - 1)/(e + 1), 1 - y²")
                     .extreme({{0, 0, 1.0}, {1e4, 1, 0.0}, {-1e4, -1, 0.0}, {inf, 1, 0.0}, {-inf, -1, 0.0}}));
  return rows;
}

}  // namespace xgrad
