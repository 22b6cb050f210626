#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/indexing.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/ops/softmax.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/text/numbers.hpp>
#include <nn/losses/losses.hpp>
#include <nn/table/module_table.hpp>

#include <numeric>
#include <string>
#include <vector>

namespace xgrad::nn {

namespace {

constexpr Reduction reductions[] = {Reduction::mean, Reduction::sum, Reduction::none};
const double ln2 = 0.6931471805599453;  // OEIS A002162
const double ln4 = 2 * ln2;
const double minus_ln_three_quarters = 0.28768207245178085;  // ln 4 - ln 3, OEIS A083679

template <class Loss>
OpCall reduced(const Loss& loss, Reduction reduction) {
  return [=](const OpInputs& x) { return loss(x[0], x[1], {.reduction = reduction}); };
}

OpCall smoothed(double smoothing, Reduction reduction = Reduction::mean) {
  return [=](const OpInputs& x) {
    return cross_entropy(
        x[0], x[1], {.reduction = reduction, .weights = x.size() > 2 ? x[2] : Tensor(), .label_smoothing = smoothing});
  };
}
OpCall ignoring(std::int64_t index, Reduction reduction, double smoothing = 0) {
  return [=](const OpInputs& x) {
    return cross_entropy(x[0], x[1],
                         {.reduction = reduction,
                          .weights = x.size() > 2 ? x[2] : Tensor(),
                          .label_smoothing = smoothing,
                          .ignore_index = index});
  };
}
OpCall reduced(const CrossEntropy&, Reduction reduction) { return smoothed(0, reduction); }
/// With rows of the targets divided by their sums, so that differences leave them distributions.
OpCall normalised(const OpCall& call) {
  return [=](OpInputs x) {
    x[1] = x[1] / sum(x[1], {1}, true);
    return call(x);
  };
}

/// The loss of drawn values. Labels are drawn by themselves, so that every class occurs.
MakeCase drawn_loss(const OpCall& loss, const std::vector<Argument>& arguments) {
  return [=](std::uint64_t seed) {
    OpInputs inputs = make_inputs({nullptr, arguments}, float64, seed);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (arguments[i].domain.kind == Domain::Kind::index)
        inputs[i] = make_inputs({nullptr, {arguments[i]}}, float64, seed)[0];
    return loss_case(loss, inputs);
  };
}

/// The loss of a drawn target and a prediction that is off by a residual from a domain of its own.
MakeCase drawn_loss_with_residual(const OpCall& loss, const Shape& shape, const Domain& residual) {
  return [=](std::uint64_t seed) {
    const OpInputs values = make_inputs({nullptr, {{shape, residual}, {shape}}}, float64, seed);
    return loss_case(loss, {values[0] + values[1], values[1]});
  };
}

/// A sample of each list of arguments for every reduction.
template <class Loss>
void add_samples(ModuleRow& row, const Loss& loss, const std::vector<std::vector<Argument>>& lists) {
  for (const Reduction reduction : reductions)
    for (const std::vector<Argument>& arguments : lists) row.sample(drawn_loss(reduced(loss, reduction), arguments));
}

/// A point for each reduction from the losses of the elements, or rows, and the gradients of their sum.
template <class Loss>
void add_points(ModuleRow& row, const Loss& loss, const OpInputs& inputs, const Tensor& losses,
                const OpInputs& gradients, const std::string& source) {
  const auto values = losses.values<double>();
  const double total = std::accumulate(values.begin(), values.end(), 0.0), n = static_cast<double>(values.size());
  OpInputs mean;
  for (const Tensor& gradient : gradients) mean.push_back(gradient.defined() ? gradient / n : gradient);
  const auto at = [&](Reduction reduction) { return loss_case(reduced(loss, reduction), inputs); };
  row.point(at(Reduction::none), losses, gradients, source)
      .point(at(Reduction::sum), tensor(total), gradients, source)
      .point(at(Reduction::mean), tensor(total / n), mean, source);
}

/// A loss of elements, without samples: it refuses to broadcast and to mix dtypes, and keeps NaN.
template <class Loss>
ModuleRow elementwise_row(const std::string& name, const std::string& formula, const Loss& loss) {
  ModuleRow row(name, ModuleRow::Kind::loss, formula);
  const OpCall call = [loss](const OpInputs& x) { return loss(x[0], x[1]); };
  row.refuses<ShapeError>(call, {ones({4, 1}), ones({4})},
                          name + ": prediction is (4, 1), target is (4,); need equal shapes, losses do not broadcast")
      .refuses<TypeError>(call, {ones({4}), ones({4}, float32)}, name + ": ")
      .refuses<TypeError>(call, {ones({4}), ones({4}, int64)}, name + ": input 1 is int64")
      .refuses<TypeError>(call, {ones({4}, int64), ones({4})}, name + ": input 0 is int64");
  const Tensor good = tensor({0.5, 0.25});
  const Tensor bad = tensor({0.5, nan});
  row.point(loss_case(call, {bad, good}), tensor(nan), {}, "NaN stays")
      .point(loss_case(call, {good, bad}), tensor(nan), {}, "NaN stays");
  return row;
}

/// Of a prediction and a target whose difference keeps to a domain.
template <class Loss>
ModuleRow regression_row(const std::string& name, const std::string& formula, const Loss& loss,
                         const Domain& residual = {}) {
  ModuleRow row = elementwise_row(name, formula, loss);
  for (const Reduction reduction : reductions)
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{4, 3}})
      row.sample(drawn_loss_with_residual(reduced(loss, reduction), shape, residual));
  row.big_sample(drawn_loss_with_residual(reduced(loss, Reduction::mean), {70, 1001}, residual));
  return row;
}

/// The default reduction.
template <class Loss>
ModuleCase called(const Loss& loss, const Tensor& prediction, const Tensor& target) {
  return loss_case([loss](const OpInputs& x) { return loss(x[0], x[1]); }, {prediction, target});
}

ModuleRow mse_row() {
  ModuleRow row = regression_row("mse", "(p - t)²", mse);
  add_points(row, mse, {tensor({1, 2, 3}), tensor({1, 0, 6})}, tensor({0, 4, 9}),
             {tensor({0, 4, -6}), tensor({0, -4, 6})}, "by hand");
  row.point(called(mse, tensor({1, 2}), tensor({1, 0})), tensor(2.0), {}, "the mean if nothing is said");
  return row;
}

ModuleRow mae_row() {
  ModuleRow row = regression_row("mae", "|p - t|", mae, away_from({0}));
  add_points(row, mae, {tensor({2, 3}), tensor({0, 6})}, tensor({2, 3}), {tensor({1, -1}), tensor({-1, 1})}, "by hand");
  row.point(called(mae, tensor({1, 2}), tensor({1, 0})), tensor(1.0), {}, "the mean if nothing is said")
      .kink(called(mae, tensor({1, 2}), tensor({1, 0})), tensor(1.0), {tensor({0, 0.5}), tensor({0, -0.5})});
  return row;
}

ModuleRow sae_row() {
  ModuleRow row = regression_row("sae", "|p - t|, summed", sae, away_from({0}));
  add_points(row, sae, {tensor({2, 3}), tensor({0, 6})}, tensor({2, 3}), {tensor({1, -1}), tensor({-1, 1})}, "by hand");
  row.point(called(sae, tensor({1, 2}), tensor({1, 0})), tensor(2.0), {}, "the sum if nothing is said")
      .kink(called(sae, tensor({1, 2}), tensor({1, 0})), tensor(2.0), {tensor({0, 1}), tensor({0, -1})});
  return row;
}

ModuleRow huber_row() {
  const Huber half{.delta = 0.5};
  const Huber two{.delta = 2};
  ModuleRow row = regression_row("huber", "r²/2 for |r| < delta, delta·(|r| - delta/2) elsewhere, r = p - t", huber,
                                 away_from({-1, 1}));
  for (const Reduction reduction : reductions)
    row.sample(drawn_loss_with_residual(reduced(half, reduction), {4, 3}, away_from({-0.5, 0.5})));
  add_points(row, huber, {tensor({1, 3, -2, 0.5}), tensor({1, 1, 1, 0})}, tensor({0, 1.5, 2.5, 0.125}),
             {tensor({0, 1, -1, 0.5}), tensor({0, -1, 1, -0.5})}, "by hand, delta 1");
  add_points(row, two, {tensor({3, 1}), tensor({0, 0})}, tensor({4, 0.5}), {tensor({2, 1}), tensor({-2, -1})},
             "by hand, delta 2");
  row.point(called(huber, tensor({inf}), zeros({1})), tensor(inf), {tensor({1}), tensor({-1})}, "limit")
      .point(called(huber, tensor({3, 1}), tensor({1, 1})), tensor(0.75), {}, "the mean if nothing is said")
      .kink(called(huber, tensor({1, -1}), zeros({2})), tensor(0.5), {tensor({0.5, -0.5}), tensor({-0.5, 0.5})})
      .kink(called(half, tensor({0.5, -0.5}), zeros({2})), tensor(0.125),
            {tensor({0.25, -0.25}), tensor({-0.25, 0.25})});
  row.refuses<ValueError>([](const OpInputs& x) { return Huber{.delta = 0}(x[0], x[1]); }, {ones({2}), ones({2})},
                          "huber: delta 0; need delta > 0");
  return row;
}

ModuleRow sse_row() {
  ModuleRow row = regression_row("sse", "½(p - t)², summed", sse);
  add_points(row, sse, {tensor({1, 2, 3}), tensor({1, 0, 6})}, tensor({0, 2, 4.5}),
             {tensor({0, 2, -3}), tensor({0, -2, 3})}, "by hand");
  row.point(called(sse, tensor({1, 2}), tensor({1, 0})), tensor(2.0), {}, "the sum if nothing is said");
  return row;
}

ModuleRow binary_cross_entropy_row() {
  const auto at = [](double p, double t) { return called(binary_cross_entropy, tensor({p}), tensor({t})); };
  const Domain inside = {0.1, 0.9};
  ModuleRow row = elementwise_row("binary_cross_entropy", "-t·log p - (1 - t)·log(1 - p)", binary_cross_entropy);
  add_samples(row, binary_cross_entropy, {{{{}, inside}, {{}, inside}}, {{{4, 3}, inside}, {{4, 3}, inside}}});
  row.big_sample(
      drawn_loss(reduced(binary_cross_entropy, Reduction::mean), {{{70, 1001}, inside}, {{70, 1001}, inside}}));
  // d/dp = (p - t)/(p(1 - p)), d/dt = log(1 - p) - log p
  const double ln3 = ln4 - minus_ln_three_quarters;
  add_points(row, binary_cross_entropy, {tensor({0.25, 0.25, 0.25, 0.5}), tensor({1, 0, 0.5, 0.5})},
             tensor({ln4, minus_ln_three_quarters, (ln4 + minus_ln_three_quarters) / 2, ln2}),
             {tensor({-4, 4.0 / 3, -4.0 / 3, 0}), tensor({ln3, ln3, ln3, 0})}, "logarithms of 2 and 3");
  const std::string stops = "logarithms stop at -100, p(1 - p) at 1e-12";
  row.point(at(0, 1), tensor(100.0), {tensor({-1e12}), tensor({100})}, stops)
      .point(at(1, 0), tensor(100.0), {tensor({1e12}), tensor({-100})}, stops)
      .point(at(0, 0), tensor(0.0), {zeros({1}), tensor({100})}, stops)
      .point(at(1, 1), tensor(0.0), {zeros({1}), tensor({-100})}, stops)
      .point(at(0, 0.5), tensor(50.0), {tensor({-0.5e12}), tensor({100})}, stops);
  const OpCall call = reduced(binary_cross_entropy, Reduction::mean);
  row.refuses<ValueError>(call, {tensor({{0.5, 1}, {0, 1.5}}), zeros({2, 2})},
                          "binary_cross_entropy: element 3 of the prediction is 1.5; need 0 <= value <= 1 (for "
                          "logits: binary_cross_entropy_with_logits)")
      .refuses<ValueError>(call, {tensor({-1e-6}), zeros({1})},
                           "binary_cross_entropy: element 0 of the prediction is -1e-06; need 0 <= value <= 1")
      .refuses<ValueError>(call, {tensor({0.5}), tensor({-1})},
                           "binary_cross_entropy: element 0 of the target is -1; need 0 <= value <= 1");
  return row;
}

ModuleRow binary_cross_entropy_with_logits_row() {
  const std::string name = "binary_cross_entropy_with_logits";
  const auto& loss = binary_cross_entropy_with_logits;
  const Domain inside = {0.1, 0.9};
  ModuleRow row = elementwise_row(name, "log(1 + e^x) - x·t", loss);
  add_samples(row, loss, {{{{}}, {{}, inside}}, {{{4, 3}}, {{4, 3}, inside}}});
  row.big_sample(drawn_loss(reduced(loss, Reduction::mean), {{{70, 1001}}, {{70, 1001}, inside}}));
  // d/dx = σ(x) - t, d/dt = -x
  add_points(row, loss, {zeros({3}), tensor({0, 1, 0.5})}, tensor({ln2, ln2, ln2}),
             {tensor({0.5, -0.5, 0}), zeros({3})}, "log 2, by hand");
  add_points(row, loss, {tensor({1000, 1000, -1000, -1000, 1e4}), tensor({0, 1, 1, 0, 0.5})},
             tensor({1000, 0, 1000, 0, 5e3}), {tensor({1, 0, -1, 0, 0.5}), tensor({-1000, -1000, 1000, 1000, -1e4})},
             "max(x, 0) - x·t, the limit");
  row.refuses<ValueError>(reduced(loss, Reduction::mean), {tensor({5, 5}), tensor({0, 2})},
                          name + ": element 1 of the target is 2; need 0 <= value <= 1");
  return row;
}

void add_cross_entropy_points(ModuleRow& row) {
  const Tensor first = tensor({0}, int64);
  const Tensor second = tensor({1}, int64);
  const Tensor both = tensor({0, 1}, int64);
  const Tensor extreme = tensor({{1000, 0}});
  const auto at = [](const OpInputs& inputs, Reduction reduction = Reduction::mean) {
    return loss_case(reduced(cross_entropy, reduction), inputs);
  };
  row.point(at({extreme, second}), tensor(1000.0), {tensor({{1, -1}})}, "measured on PyTorch 1.13.1")
      .point(at({extreme, tensor({{0, 1}})}), tensor(1000.0), {tensor({{1, -1}}), tensor({{0, 1000}})},
             "the same with a one-hot target")
      .point(at({extreme, first}), tensor(0.0), {zeros({1, 2})}, "the likely class")
      .point(at({zeros({1, 2}), tensor({{0.5, 0.5}})}), tensor(ln2), {zeros({1, 2}), tensor({{ln2, ln2}})}, "log 2")
      .point(at({tensor({{0, nan}}), first}), tensor(nan), {}, "NaN stays");
  const double sigmoid_of_1 = 0.7310585786300049;  // e/(1 + e), OEIS A001113
  const double softplus_1 = 1.3132616875182228;    // log(1 + e)
  const Tensor logits = tensor({{0, 0}, {1, 0}});
  const Tensor slope = tensor({{-0.5, 0.5}, {sigmoid_of_1, -sigmoid_of_1}});
  const std::string source = "log 2 and log(1 + e)";
  add_points(row, cross_entropy, {logits, both}, tensor({ln2, softplus_1}), {slope}, source);
  add_points(row, cross_entropy, {logits, tensor({{1, 0}, {0, 1}})}, tensor({ln2, softplus_1}),
             {slope, tensor({{ln2, ln2}, {softplus_1 - 1, softplus_1}})}, source);
  // Weights of 1 and 3: the mean of labelled rows is Σ w·loss / Σ w, with the slope (loss_k - mean)/Σ w for w_k.
  const Tensor steep = tensor({{0, 0}, {1000, 0}});
  const Tensor weights = tensor({1, 3});
  const double mean = (ln2 + 3000) / 4;
  row.point(at({steep, both, weights}), tensor(mean),
            {tensor({{-0.125, 0.125}, {0.75, -0.75}}), tensor({(ln2 - mean) / 4, (1000 - mean) / 4})}, "by hand")
      .point(at({steep, both, weights}, Reduction::sum), tensor(ln2 + 3000),
             {tensor({{-0.5, 0.5}, {3, -3}}), tensor({ln2, 1000})}, "by hand")
      .point(at({steep, both, weights}, Reduction::none), tensor({ln2, 3000}),
             {tensor({{-0.5, 0.5}, {3, -3}}), tensor({ln2, 1000})}, "by hand");
  // Soft targets: Σ w_j t_j (log Σ e^x - x_j).
  add_points(
      row, cross_entropy, {steep, tensor({{0.5, 0.5}, {0, 1}}), weights}, tensor({2 * ln2, 3000}),
      {tensor({{0.5, -0.5}, {3, -3}}), tensor({{ln2, 3 * ln2}, {0, 3000}}), tensor({0.5 * ln2, 0.5 * ln2 + 1000})},
      "by hand");
}

/// Of rows with losses log 2, a, log(1 + e) the second is left out, whatever its logits are.
void add_ignoring_points(ModuleRow& row) {
  const double sigmoid_of_1 = 0.7310585786300049;  // e/(1 + e), OEIS A001113
  const double softplus_1 = 1.3132616875182228;    // log(1 + e)
  const Tensor slope = tensor({{-0.5, 0.5}, {0, 0}, {sigmoid_of_1, -sigmoid_of_1}});
  const std::string source = "log 2 and log(1 + e); documentation of PyTorch's ignore_index";
  for (const double ignored : {-100.0, 7.0}) {
    const auto at = [&](const Tensor& logits, const OpInputs& rest, Reduction reduction) {
      OpInputs inputs = {logits, tensor({0, ignored, 1}, int64)};
      inputs.insert(inputs.end(), rest.begin(), rest.end());
      return loss_case(ignoring(static_cast<std::int64_t>(ignored), reduction), inputs);
    };
    for (const double x : {5.0, inf, nan}) {
      const Tensor logits = tensor({{0, 0}, {x, 0}, {1, 0}});
      row.point(at(logits, {}, Reduction::none), tensor({ln2, 0, softplus_1}), {slope}, source)
          .point(at(logits, {}, Reduction::sum), tensor(ln2 + softplus_1), {slope}, source)
          .point(at(logits, {}, Reduction::mean), tensor((ln2 + softplus_1) / 2), {slope / 2.0}, source)
          .point(at(logits, {tensor({1, 3})}, Reduction::mean), tensor((ln2 + 3 * softplus_1) / 4), {}, source);
    }
  }
  row.point(loss_case(ignoring(1, Reduction::sum), {zeros({2, 2}), tensor({1, 1}, int64)}), tensor(0.0),
            {zeros({2, 2})}, "no row counts")
      .point(loss_case(ignoring(1, Reduction::mean), {zeros({2, 2}), tensor({1, 1}, int64)}), tensor(nan), {},
             "0/0, as PyTorch gives");
}

/// Logits (ln 3, 0) have the probabilities ¾ and ¼, with the losses a = ln 4 - ln 3 and b = ln 4.
void add_smoothing_points(ModuleRow& row) {
  const double a = minus_ln_three_quarters;
  const double b = ln4;
  const double ln3 = b - a;
  const Tensor logits = tensor({{ln3, 0}, {ln3, 0}});
  const Tensor labels = tensor({0, 1}, int64);
  const Tensor one_hots = tensor({{1, 0}, {0, 1}});
  // ε = 0.2: t' = (0.9, 0.1) and (0.1, 0.9); the gradient is p - t'.
  const Tensor losses = tensor({0.9 * a + 0.1 * b, 0.1 * a + 0.9 * b});
  const Tensor slope = tensor({{-0.15, 0.15}, {0.65, -0.65}});
  const std::string source = "Szegedy et al. 2016, section 7, by hand";
  row.point(loss_case(smoothed(0.2, Reduction::none), {logits, labels}), losses, {slope}, source)
      .point(loss_case(smoothed(0.2, Reduction::sum), {logits, labels}), tensor(a + b), {slope}, source)
      .point(loss_case(smoothed(0.2), {logits, labels}), tensor((a + b) / 2), {slope / 2.0}, source)
      .point(loss_case(smoothed(0.2, Reduction::none), {logits, one_hots}), losses, {slope, Tensor()}, source)
      .point(loss_case(smoothed(1), {logits, labels}), tensor((a + b) / 2), {}, "all classes alike")
      .point(loss_case(smoothed(0.3), {zeros({1, 4}), tensor({2}, int64)}), tensor(ln4), {},
             "log c for equal logits, whatever the smoothing");
  // Weights (1, 3): rows 0.9·1·a + 0.1·3·b and 0.1·1·a + 0.9·3·b; gradient p·Σ w·t' - w·t'. For labels the mean is over
  // Σ w_label = 4, for one-hot targets over 2 rows.
  const std::string combined = "documentation of PyTorch's cross_entropy, by hand";
  const Tensor weights = tensor({1, 3});
  const Tensor weighted = tensor({0.9 * a + 0.3 * b, 0.1 * a + 2.7 * b});
  row.point(loss_case(smoothed(0.2, Reduction::none), {logits, labels, weights}), weighted, {Tensor(), tensor({a, b})},
            combined)
      .point(loss_case(smoothed(0.2, Reduction::sum), {logits, labels, weights}), tensor(a + 3 * b), {}, combined)
      .point(loss_case(smoothed(0.2), {zeros({1, 2}), tensor({1}, int64), weights}), tensor(2.8 * ln2 / 3),
             {tensor({{1.3 / 3, -1.3 / 3}}), Tensor()}, combined)
      .point(loss_case(smoothed(0.2, Reduction::sum), {zeros({1, 2}), tensor({1}, int64), weights}), tensor(2.8 * ln2),
             {tensor({{1.3, -1.3}}), tensor({0.1 * ln2, 0.9 * ln2})}, combined)
      .point(loss_case(smoothed(0.2), {logits, labels, weights}), tensor((a + 3 * b) / 4), {}, combined)
      .point(loss_case(smoothed(0.2), {logits, one_hots, weights}), tensor((a + 3 * b) / 2), {}, combined);
}

ModuleRow cross_entropy_row() {
  const Argument logits = {{4, 3}};
  const Argument labels = {{4}, indices(0, 2)};
  const Argument soft = {{4, 3}, {0.1, 1}};
  const Argument weights = {{3}, {0.5, 2}};
  ModuleRow row("cross_entropy", ModuleRow::Kind::loss, "log Σ e^x - x[label], or Σ t·(log Σ e^x - x)");
  add_samples(row, cross_entropy, {{logits, labels}, {logits, labels, weights}});
  row.big_sample(drawn_loss(reduced(cross_entropy, Reduction::mean), {{{4000, 10}}, {{4000}, indices(0, 9)}}))
      .big_sample(drawn_loss(normalised(reduced(cross_entropy, Reduction::mean)),
                             {{{500, 157}}, {{500, 157}, {0.1, 1}}, {{157}, {0.5, 2}}}));
  for (const Reduction reduction : reductions) {
    for (const std::vector<Argument>& arguments : {std::vector<Argument>{logits, soft}, {logits, soft, weights}})
      row.sample(drawn_loss(normalised(reduced(cross_entropy, reduction)), arguments));
    row.sample(drawn_loss(smoothed(0.3, reduction), {logits, labels}))
        .sample(drawn_loss(normalised(smoothed(0.3, reduction)), {logits, soft, weights}))
        .sample(drawn_loss(ignoring(1, reduction), {logits, labels}));
    if (reduction != Reduction::mean)  // of the one or two rows that are left the weights' gradient cancels
      row.sample(drawn_loss(ignoring(1, reduction, 0.3), {logits, labels, weights}));
  }
  row.sample(drawn_loss(normalised(smoothed(0.3)), {logits, soft}))
      .sample(drawn_loss(smoothed(0.3), {logits, labels, weights}));
  row.big_sample(drawn_loss(smoothed(0.3), {{{4000, 10}}, {{4000}, indices(0, 9)}, {{10}, {0.5, 2}}}));
  add_cross_entropy_points(row);
  add_smoothing_points(row);
  add_ignoring_points(row);
  const OpCall call = reduced(cross_entropy, Reduction::mean);
  const Tensor zero = zeros({4, 3});
  row.refuses<ValueError>(call, {zero, tensor({0, 1, 2, 3}, int64)},
                          "cross_entropy: label 3 in row 3; need 0 <= label < 3")
      .refuses<ValueError>(call, {zero, tensor({0, -1, 2, 3}, int64)}, "cross_entropy: label -1 in row 1")
      .refuses<ShapeError>(call, {zero, tensor({0, 1}, int64)},
                           "cross_entropy: logits are (4, 3), targets are int64 (2,)")
      .refuses<ShapeError>(call, {zero, ones({4, 1}, int64)}, "cross_entropy: logits are (4, 3)")
      .refuses<ShapeError>(call, {zero, ones({4})}, "cross_entropy: logits are (4, 3)")
      .refuses<TypeError>(call, {zero, ones({4, 3}, float32)}, "cross_entropy: input 0 is float64, input 1 is float32")
      .refuses<ShapeError>(
          call, {zero, tensor({0, 1, 2, 0}, int64), ones({4})},
          "cross_entropy: logits are (4, 3), class weights are (4,); need logits (n, c) and weights (c,)")
      .refuses<TypeError>(call, {zero, tensor({0, 1, 2, 0}, int64), ones({3}, float32)},
                          "cross_entropy: input 0 is float64, input 1 is float32");
  for (const double smoothing : {-0.1, 1.1, nan})
    row.refuses<ValueError>(smoothed(smoothing), {zero, tensor({0, 1, 2, 0}, int64)},
                            "cross_entropy: label smoothing " + short_number(smoothing) + "; need 0 <= smoothing <= 1");
  const std::string rule = "; need numbers >= 0 whose sum is 1 (the logits come first, then the targets)";
  row.refuses<ValueError>(call, {zero, tensor({{0.5, 0.5, 0}, {1, 0, 0}, {0, 1.5, -0.5}, {0, 0, 1}})},
                          "cross_entropy: -0.5 in row 2 of the soft targets" + rule)
      .refuses<ValueError>(call, {zero, tensor({{0.5, 0.5, 0}, {1, 0, 1}, {0, 1, 0}, {0, 0, 1}})},
                           "cross_entropy: a sum of 2 in row 1 of the soft targets" + rule)
      .refuses<ValueError>(call, {one_hot(tensor({0, 1}, int64), 3), tensor({{2, -1, 0}, {0, 1, 0}})},
                           "cross_entropy: -1 in row 0 of the soft targets")
      .refuses<ValueError>(call, {zero, tensor({0, 1, 2, 0}, int64), tensor({1, -1, 1})},
                           "cross_entropy: class 1 has the weight -1; need a finite number >= 0")
      .refuses<ValueError>(ignoring(0, Reduction::mean), {zero, softmax(zero)},
                           "cross_entropy: ignore_index 0 with soft targets; need class indices")
      .refuses<ValueError>(ignoring(-100, Reduction::mean), {zero, tensor({-100, 0, 3, 1}, int64)},
                           "cross_entropy: label 3 in row 2; need 0 <= label < 3");
  return row;
}

}  // namespace

std::vector<ModuleRow> loss_rows() {
  return {mse_row(),
          mae_row(),
          sae_row(),
          huber_row(),
          sse_row(),
          binary_cross_entropy_row(),
          binary_cross_entropy_with_logits_row(),
          cross_entropy_row()};
}

}  // namespace xgrad::nn
