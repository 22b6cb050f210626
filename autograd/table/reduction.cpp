#include <autograd/ops/reduce.hpp>
#include <autograd/ops/softmax.hpp>
#include <autograd/table/op_table.hpp>
#include <autograd/tensor/creation.hpp>

namespace xgrad {

namespace {

/// Along one axis, for softmax and its logarithm.
OpRow along_axis(const std::string& name, const std::string& formula, Tensor (*f)(const Tensor&, std::int64_t)) {
  const auto along = [f](std::int64_t axis) { return [f, axis](const OpInputs& x) { return f(x[0], axis); }; };
  OpRow row(name, formula, along(-1));
  row.shapes({{1}, {7}, {8}, {9}, {15}, {16}, {17}, {33}, {3, 5}, {3, 0}}, along(0));
  row.shapes({{3, 5}, {3, 1}, {2, 3, 4}, {0, 3}, {3, 0}, {2, 17}}, along(1)).shapes({{2, 3, 4}}, along(-3));
  row.big_sample({{{301, 257}}}, along(1)).big_sample({{{301, 257}}}, along(0)).big_sample({{{2, 40000}}}, along(1));
  const Tensor x = ones({2, 3});
  row.refuses<ShapeError>({x}, name + ": axis 2 of a tensor of rank 2", along(2));
  row.refuses<ShapeError>({tensor(1.0)}, name + ": axis -1 of a tensor of rank 0");
  row.refuses<TypeError>({x.to(int64)}, name + ": input 0 is int64");
  return row;
}

OpRow index_of(const std::string& name, const std::string& formula, bool largest) {
  const auto along = [largest](std::int64_t axis, bool keepdims = false) {
    return [=](const OpInputs& x) { return largest ? argmax(x[0], axis, keepdims) : argmin(x[0], axis, keepdims); };
  };
  OpRow row(name, formula, along(-1));
  row.shapes({{1}, {7}, {8}, {9}, {15}, {16}, {17}, {33}, {3, 5}}, along(0)).shapes({{2, 3, 4}, {0, 3}}, along(1));
  row.shapes({{3, 5}}, along(1, true)).shapes({{3, 0}}, along(0, true));
  row.big_sample({{{301, 257}}}, along(1)).big_sample({{{301, 257}}}, along(0));
  row.gives_integers().picks().with_nan(NaNRule::moves);
  const Tensor x = ones({2, 3});
  row.refuses<ShapeError>({x}, name + ": axis 2 of a tensor of rank 2", along(2));
  row.refuses<ShapeError>({zeros({2, 0})}, "shape (2, 0) has no elements along axis 1");
  row.refuses<TypeError>({x.to(int64)}, name + ": input 0 is int64");
  row.point({tensor({2, 5, 5, 1, 1})}, tensor(largest ? 1.0 : 3.0).to(int64), "the first on a tie");
  row.point({tensor({2, nan, 5, nan})}, tensor(1.0).to(int64), "the first NaN");
  row.extreme({tensor({{-inf, 1e4, -1e4}, {inf, 0, inf}})}, (largest ? tensor({1, 0}) : tensor({0, 1})).to(int64));
  row.extreme({tensor({{-inf, -inf}, {inf, inf}})}, tensor({0, 0}).to(int64));
  return row;
}

void add_sums(std::vector<OpRow>& rows) {
  const Tensor x = tensor({{1, 2}, {3, 4}});
  rows.push_back(
      reduction("sum", "Σ x", sum)
          .takes_any_dtype()
          .is_linear()
          .point({tensor({{0, 1}, {0, 5}})}, tensor(6.0), "NumPy documentation of sum", {ones({2, 2})})
          .point({tensor({{0, 1}, {0, 5}})}, tensor({0, 6}), "NumPy documentation of sum", {ones({2, 2})},
                 over(sum, {0}))
          .point({tensor({{0, 1}, {0, 5}})}, tensor({1, 5}), "NumPy documentation of sum", {}, over(sum, {1}))
          .point({zeros({0, 2})}, tensor({0, 0}), "no elements", {zeros({0, 2})}, over(sum, {0}))
          .point({zeros({0})}, tensor(0.0), "no elements", {zeros({0})})
          .extreme({tensor({1e4, -1e4, 0})}, tensor(0.0), {ones({3})})
          .extreme({tensor({inf, 1})}, tensor(inf), {ones({2})}));
  rows.push_back(reduction("mean", "Σ x / n", mean)
                     .is_linear()
                     .point({x}, tensor(2.5), "NumPy documentation of mean", {full({2, 2}, 0.25)})
                     .point({x}, tensor({2, 3}), "NumPy documentation of mean", {full({2, 2}, 0.5)}, over(mean, {0}))
                     .point({x}, tensor({1.5, 3.5}), "NumPy documentation of mean", {}, over(mean, {1}))
                     .point({zeros({0})}, tensor(nan), "0/0", {zeros({0})})
                     .extreme({tensor({1e4, -1e4})}, tensor(0.0), {tensor({0.5, 0.5})}));
  const auto less_mean = [](const Tensor& a, const Axes& axes, bool) { return centred(a, axes); };
  rows.push_back(reduction("centred", "x - mean", less_mean)
                     .is_linear()
                     .point({x}, tensor({{-1.5, -0.5}, {0.5, 1.5}}), "the mean is 2.5", {zeros({2, 2})}));
  rows.push_back(reduction("var", "Σ (x - mean)² / n", var)
                     .point({x}, tensor(1.25), "NumPy documentation of var", {tensor({{-0.75, -0.25}, {0.25, 0.75}})})
                     .point({x}, tensor({1, 1}), "NumPy documentation of var", {}, over(var, {0}))
                     .point({x}, tensor({0.25, 0.25}), "NumPy documentation of var", {}, over(var, {1}))
                     .extreme({tensor({1e4, -1e4})}, tensor(1e8), {tensor({1e4, -1e4})})
                     .extreme({tensor({1e4, 1e4})}, tensor(0.0), {tensor({0, 0})}));
  rows.push_back(reduction("norm", "√(Σ x²)", norm)
                     .point({tensor({-4, -3, -2, -1, 0, 1, 2, 3, 4})}, tensor(7.745966692414834),
                            "NumPy documentation of linalg.norm")
                     .point({tensor({{1, 2, 3}, {-1, 1, 4}})}, tensor({1.4142135623730951, 2.23606797749979, 5}),
                            "NumPy documentation of linalg.norm; OEIS A002193, A002163", {}, over(norm, {0}))
                     .point({tensor({3, -4})}, tensor(5.0), "3² + 4² = 5²", {tensor({0.6, -0.8})})
                     .kink({zeros({3})}, tensor(0.0), {zeros({3})})
                     .kink({zeros({2, 2})}, tensor({0, 0}), {zeros({2, 2})}, over(norm, {1}))
                     .extreme({tensor({3e4, -4e4})}, tensor(5e4), {tensor({0.6, -0.8})})
                     .extreme({tensor({inf, 1})}, tensor(inf)));
  rows.push_back(
      reduction("prod", "Π x", prod, away_from({0}))
          .point({x}, tensor(24.0), "NumPy documentation of prod", {tensor({{24, 12}, {8, 6}})})
          .point({x}, tensor({2, 12}), "NumPy documentation of prod", {tensor({{2, 1}, {4, 3}})}, over(prod, {1}))
          .point({x}, tensor({3, 8}), "NumPy documentation of prod", {}, over(prod, {0}))
          .point({zeros({0})}, tensor(1.0), "no factors")
          .kink({tensor({2, 0, 3})}, tensor(0.0), {tensor({0, 6, 0})})
          .kink({tensor({0, 0, 3})}, tensor(0.0), {tensor({0, 0, 0})})
          .extreme({tensor({1e4, -1e4, 0.5})}, tensor(-5e7), {tensor({-5e3, 5e3, -1e8})}));
}

void add_extremes(std::vector<OpRow>& rows) {
  const Tensor x = tensor({{0, 1}, {2, 3}});
  rows.push_back(
      reduction("max", "the largest of x", max)
          .takes_any_dtype()
          .picks()
          .point({x}, tensor(3.0), "NumPy documentation of amax", {tensor({{0, 0}, {0, 1}})})
          .point({x}, tensor({2, 3}), "NumPy documentation of amax", {tensor({{0, 0}, {1, 1}})}, over(max, {0}))
          .point({x}, tensor({1, 3}), "NumPy documentation of amax", {}, over(max, {1}))
          .kink({tensor({1, 3, 3})}, tensor(3.0), {tensor({0, 0.5, 0.5})})
          .kink({tensor({{2, 2, 2, 2}, {0, -0.0, -1, 0}})}, tensor({2, 0}),
                {tensor({{0.25, 0.25, 0.25, 0.25}, {1.0 / 3, 1.0 / 3, 0, 1.0 / 3}})}, over(max, {1}))
          .extreme({tensor({-1e4, 1e4, 0})}, tensor(1e4), {tensor({0, 1, 0})})
          .extreme({tensor({-inf, inf})}, tensor(inf), {tensor({0, 1})})
          .extreme({tensor({-inf, -inf})}, tensor(-inf), {tensor({0.5, 0.5})})
          .extreme({tensor({1, nan})}, tensor(nan))
          .refuses<ShapeError>({zeros({0, 2})}, "max: shape (0, 2) has no elements", over(max, {0}))
          .refuses<ShapeError>({zeros({0})}, "max: shape (0,) has no elements"));
  rows.push_back(
      reduction("min", "the smallest of x", min)
          .takes_any_dtype()
          .picks()
          .point({x}, tensor(0.0), "NumPy documentation of amin", {tensor({{1, 0}, {0, 0}})})
          .point({x}, tensor({0, 1}), "NumPy documentation of amin", {tensor({{1, 1}, {0, 0}})}, over(min, {0}))
          .point({x}, tensor({0, 2}), "NumPy documentation of amin", {}, over(min, {1}))
          .kink({tensor({4, 3, 3})}, tensor(3.0), {tensor({0, 0.5, 0.5})})
          .extreme({tensor({-1e4, 1e4, 0})}, tensor(-1e4), {tensor({1, 0, 0})})
          .extreme({tensor({-inf, inf})}, tensor(-inf), {tensor({1, 0})})
          .extreme({tensor({nan, 1})}, tensor(nan))
          .refuses<ShapeError>({zeros({0})}, "min: shape (0,) has no elements"));
  rows.push_back(
      index_of("argmax", "index of the largest", true)
          .point({tensor({{10, 11, 12}, {13, 14, 15}})}, tensor({2, 2}).to(int64), "NumPy documentation of argmax"));
  rows.push_back(
      index_of("argmin", "index of the smallest", false)
          .point({tensor({{10, 11, 12}, {13, 14, 15}})}, tensor({0, 0}).to(int64), "NumPy documentation of argmin"));
}

/// With samples of both kinds of targets, labels and weights of the classes.
OpRow of_logits(const std::string& name, const std::string& formula, BinaryFunction f) {
  OpRow row(name, formula, [f](const OpInputs& in) { return f(in[0], in[1]); });
  for (const Shape& shape : {Shape{3, 4}, Shape{1, 1}, Shape{1, 7}, Shape{2, 17}, Shape{5, 33}}) {
    row.sample({{shape}, {{shape[0]}, indices(0, static_cast<double>(shape[1] - 1))}});
    row.sample({{shape}, {shape, {0.1, 1}}});
  }
  const Tensor two_rows = zeros({2, 3});
  return row.big_sample({{{4000, 10}}, {{4000}, indices(0, 9)}})
      .refuses<ValueError>({two_rows, tensor({1, 3}).to(int64)}, "label 3 in row 1")
      .refuses<ValueError>({two_rows, tensor({-1, 0}).to(int64)}, "label -1 in row 0")
      .refuses<ShapeError>({two_rows, tensor({0, 1, 2}).to(int64)}, "targets are int64 (3,)")
      .refuses<ShapeError>({two_rows, zeros({3, 2})}, "logits are (2, 3), targets are float64 (3, 2)")
      .refuses<ShapeError>({zeros({3}), zeros({3})}, "need logits (n, c)")
      .refuses<TypeError>({two_rows, zeros({2, 3}, float32)}, "dtypes do not mix")
      .refuses<TypeError>({two_rows.to(int64), tensor({0, 1}).to(int64)}, "input 0 is int64");
}

OpRow cross_entropy_row() {
  const Tensor logits = tensor({{1000, 0}});
  return of_logits("softmax_cross_entropy", "log Σ e^x - x[label], or Σ t·(log Σ e^x - x)",
                   [](const Tensor& x, const Tensor& t) { return softmax_cross_entropy(x, t); })
      .sample({{{0, 3}}, {{0}, indices(0, 2)}})
      .sample({{{0, 3}}, {{0, 3}, {0.1, 1}}})
      .big_sample({{{500, 157}}, {{500, 157}, {0.1, 1}}})
      .point({logits, tensor({1}).to(int64)}, tensor({1000}), "SEMANTICS, measured on PyTorch 1.13.1",
             {tensor({{1, -1}})})
      .point({logits, tensor({{0, 1}})}, tensor({1000}), "the same with a one-hot target", {tensor({{1, -1}})})
      .point({zeros({1, 4}), tensor({2}).to(int64)}, tensor({1.3862943611198906}), "log 4 (OEIS A016627)",
             {tensor({{0.25, 0.25, -0.75, 0.25}})})
      .point({zeros({1, 2}), tensor({{0.5, 1.5}})}, tensor({1.3862943611198906}), "2·log 2 for targets with the sum 2",
             {tensor({{0.5, -0.5}}), tensor({{0.6931471805599453, 0.6931471805599453}})})
      .extreme({tensor({{1e4, -1e4}, {-1e4, -1e4}}), tensor({0, 1}).to(int64)}, tensor({0, 0.6931471805599453}),
               {tensor({{0, 0}, {0.5, -0.5}})})
      .extreme({tensor({{1e4, -1e4}}), tensor({{0, 1}})}, tensor({2e4}), {tensor({{1, -1}}), tensor({{0, 2e4}})});
}

OpRow mean_cross_entropy_row() {
  return of_logits("mean_softmax_cross_entropy", "the mean of softmax_cross_entropy over the rows",
                   [](const Tensor& x, const Tensor& t) { return mean_softmax_cross_entropy(x, t); })
      .point({tensor({{1000, 0}, {0, 1000}}), tensor({1, 1}).to(int64)}, tensor(500), "half of SEMANTICS' 1000",
             {tensor({{0.5, -0.5}, {0, 0}})})
      .point({zeros({2, 2}), tensor({{0.5, 1.5}, {0, 0}})}, tensor(0.6931471805599453),
             "log 2 for targets with the sums 2 and 0",
             {tensor({{0.25, -0.25}, {0, 0}}),
              tensor({{0.34657359027997264, 0.34657359027997264}, {0.34657359027997264, 0.34657359027997264}})})
      .extreme({tensor({{1e4, -1e4}, {-1e4, -1e4}}), tensor({0, 1}).to(int64)}, tensor(0.34657359027997264),
               {tensor({{0, 0}, {0.25, -0.25}})});
}

void add_sums_of_exponentials(std::vector<OpRow>& rows) {
  rows.push_back(reduction("logsumexp", "log Σ e^x", logsumexp)
                     .point({tensor({0, 1, 2, 3, 4, 5, 6, 7, 8, 9})}, tensor(9.4586297444267107),
                            "SciPy documentation of logsumexp")
                     .point({zeros({4})}, tensor(1.3862943611198906), "log 4 (OEIS A016627)", {full({4}, 0.25)})
                     .extreme({tensor({1e4, 1e4})}, tensor(10000.693147180559945), {tensor({0.5, 0.5})})
                     .extreme({tensor({-1e4, -1e4})}, tensor(-9999.306852819440055), {tensor({0.5, 0.5})})
                     .extreme({tensor({1e4, 0, -1e4})}, tensor(1e4), {tensor({1, 0, 0})})
                     .extreme({tensor({-inf, 0})}, tensor(0.0), {tensor({0, 1})})
                     .extreme({tensor({inf, 0})}, tensor(inf), {tensor({1, 0})})
                     .extreme({tensor({-inf, -inf})}, tensor(-inf)));
  // Powers of e: e/(1 + e + e²) and so on, from OEIS A001113.
  const Tensor third = tensor({0.09003057317038046, 0.24472847105479764, 0.6652409557748218});
  rows.push_back(along_axis("softmax", "e^x / Σ e^x", softmax)
                     .point({tensor({1, 2, 3})}, third, "(1, e, e²)/(1 + e + e²)")
                     .point({tensor({0, 0})}, tensor({0.5, 0.5}), "by hand", {zeros({2})})
                     .extreme({tensor({1e4, 0, -1e4})}, tensor({1, 0, 0}), {zeros({3})})
                     .extreme({tensor({-1e4, -1e4})}, tensor({0.5, 0.5}), {zeros({2})})
                     .extreme({tensor({-inf, 0})}, tensor({0, 1}), {zeros({2})})
                     .extreme({tensor({inf, 0})}, tensor({1, 0}), {zeros({2})}));
  // Where one element outweighs the others the result is near 0, but the sum near 1 was rounded: up to half a unit
  // of 1.
  rows.push_back(
      along_axis("log_softmax", "x - log Σ e^x", log_softmax)
          .within(8, 4)
          .point({tensor({1, 2, 3})}, tensor({-2.4076059644443806, -1.4076059644443804, -0.4076059644443804}),
                 "log of (1, e, e²)/(1 + e + e²)")
          .point({tensor({1000, 1})}, tensor({0, -999}), "SciPy documentation of log_softmax", {tensor({-1, 1})})
          .extreme({tensor({1e4, 0, -1e4})}, tensor({0, -1e4, -2e4}), {tensor({-2, 1, 1})})
          .extreme({tensor({-inf, 0})}, tensor({-inf, 0}), {tensor({1, -1})})
          .extreme({tensor({inf, 0})}, tensor({0, -inf}), {tensor({-1, 1})}));
  rows.push_back(cross_entropy_row());
  rows.push_back(mean_cross_entropy_row());
}

}  // namespace

std::vector<OpRow> reduction_rows() {
  std::vector<OpRow> rows;
  add_sums(rows);
  add_extremes(rows);
  add_sums_of_exponentials(rows);
  return rows;
}

}  // namespace xgrad
