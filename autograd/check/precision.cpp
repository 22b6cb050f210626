#include <autograd/check/experiment.hpp>
#include <autograd/check/precision.hpp>

#include <algorithm>
#include <cmath>

namespace xgrad {

namespace {

constexpr double rounding = 0x1p-24;  // of a float32 number, relative

/// Tensors that are converted in place while it lives.
class Conversion {
 public:
  Conversion(const GradientSubject& subject, DType dtype) {
    const Pause pause;
    for (const auto& [name, tensor] : subject.tensors) tensors_.push_back(tensor);
    for (const Tensor& tensor : subject.companions)
      if (is_floating(tensor.dtype())) tensors_.push_back(tensor);
    for (Tensor& tensor : tensors_) {
      originals_.push_back(tensor.clone());
      const Tensor rounded = tensor.to(float32);
      tensor.assign(dtype == float32 ? rounded : rounded.to(dtype));
    }
  }
  Conversion(const Conversion&) = delete;
  Conversion& operator=(const Conversion&) = delete;
  ~Conversion() {
    for (std::size_t i = 0; i < tensors_.size(); ++i) tensors_[i].assign(originals_[i]);
  }

 private:
  std::vector<Tensor> tensors_;
  std::vector<Tensor> originals_;
};

/// The gradients, in float64, twice.
std::pair<std::vector<Tensor>, std::vector<Tensor>> gradients_in(DType dtype, const GradientSubject& subject,
                                                                 const GradientCheckOptions& options) {
  const Conversion conversion(subject, dtype);
  const DefaultDType constants_are(dtype);
  Experiment experiment(subject, options, dtype);
  std::pair<std::vector<Tensor>, std::vector<Tensor>> gradients(experiment.analytical(), experiment.analytical());
  const Pause pause;
  for (std::vector<Tensor>* list : {&gradients.first, &gradients.second})
    for (Tensor& gradient : *list)
      if (gradient.defined()) gradient = gradient.to(float64);
  return gradients;
}

void compare(GradientRow& row, const Tensor& in32, const Tensor& in64, double limit) {
  row.entries = in64.size();
  const double rms = scale_of(in64).rms;
  const auto entry = [&](std::size_t i) {
    GradientEntry result;
    result.index = index_of(i, row.shape);
    result.numerical = in64.data<double>()[i];
    result.analytical = in32.data<double>()[i];
    const double size = std::max(std::abs(result.numerical), rms);
    result.absolute_error = std::abs(result.numerical - result.analytical);
    result.relative_error = result.absolute_error == 0 ? 0 : result.absolute_error / size;
    result.tolerance = limit * rounding * size;
    return result;
  };
  for (std::size_t i = 0; i < row.entries; ++i) {
    const GradientEntry found = entry(i);
    const bool finite = std::isfinite(found.numerical) && std::isfinite(found.analytical);
    const GradientVerdict verdict = !finite                                  ? GradientVerdict::non_finite
                                    : found.absolute_error > found.tolerance ? GradientVerdict::wrong
                                                                             : GradientVerdict::ok;
    if (verdict == row.verdict && verdict != GradientVerdict::ok) ++row.failed;
    const bool worse =
        i == 0 || verdict > row.verdict || (verdict == row.verdict && found.relative_error > row.relative_error);
    if (!worse) continue;
    if (verdict > row.verdict) row.failed = 1;
    row.verdict = verdict;
    static_cast<GradientEntry&>(row) = found;
  }
  if (row.verdict == GradientVerdict::ok && scale_of(in64).largest == 0) row.verdict = GradientVerdict::zero;
}

}  // namespace

void check_precision(GradientReport& report, const GradientSubject& subject, const GradientCheckOptions& options) {
  GradientCheckOptions rounded = options;
  if (options.cotangent.defined()) {
    const Pause pause;
    rounded.cotangent = options.cotangent.to(float32);
  }
  const auto [in32, again] = gradients_in(float32, subject, rounded);
  const std::vector<Tensor> in64 = gradients_in(float64, subject, rounded).first;
  for (std::size_t t = 0; t < report.rows.size(); ++t) {
    GradientRow& row = report.rows[t];
    if (!in32[t].defined() && !in64[t].defined())
      row.verdict = GradientVerdict::unreachable;
    else if (!same_bits(in32[t], again[t]))
      row.verdict = GradientVerdict::nondeterministic;
    else if (in32[t].defined() != in64[t].defined())
      row.verdict = GradientVerdict::wrong, row.note = "a gradient in one of both dtypes only";
    else
      compare(row, in32[t], in64[t], options.rounding_limit);
  }
}

}  // namespace xgrad
