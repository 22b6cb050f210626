#include <autograd/check/finding.hpp>
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

/// The gradients as computed in a dtype, then converted to float64.
std::vector<Tensor> gradients_in(DType dtype, const GradientSubject& subject, const GradientCheckOptions& options) {
  const Conversion conversion(subject, dtype);
  const DefaultDType constants_are(dtype);
  std::vector<Tensor> gradients = Experiment(subject, options, dtype).analytical();
  const Pause pause;
  for (Tensor& gradient : gradients)
    if (gradient.defined()) gradient = gradient.to(float64);
  return gradients;
}

void compare(GradientRow& row, const Tensor& in32, const Tensor& in64, double limit) {
  row.entries = in64.size();
  const double rms = scale_of(in64).rms;
  for (std::size_t i = 0; i < row.entries; ++i) {
    GradientEntry entry;
    entry.numerical = in64.data<double>()[i];
    entry.analytical = in32.data<double>()[i];
    entry.absolute_error = std::abs(entry.numerical - entry.analytical);
    entry.relative_error = relative(entry.absolute_error, entry, rms);
    entry.tolerance = limit * rounding * std::max(std::abs(entry.numerical), rms);
    const bool finite = std::isfinite(entry.numerical) && std::isfinite(entry.analytical);
    const GradientVerdict verdict = !finite                                  ? GradientVerdict::non_finite
                                    : entry.absolute_error > entry.tolerance ? GradientVerdict::wrong
                                                                             : GradientVerdict::ok;
    if (verdict > row.verdict) row.failed = 0;
    if (verdict != GradientVerdict::ok && verdict >= row.verdict) ++row.failed;
    const bool worse = verdict == row.verdict && entry.relative_error > row.relative_error;
    if (i > 0 && verdict <= row.verdict && !worse) continue;
    entry.index = index_of(i, row.shape);
    static_cast<GradientEntry&>(row) = entry;
    row.verdict = verdict;
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
  const std::vector<Tensor> in32 = gradients_in(float32, subject, rounded);
  const std::vector<Tensor> again = gradients_in(float32, subject, rounded);
  const std::vector<Tensor> in64 = gradients_in(float64, subject, rounded);
  for (std::size_t t = 0; t < report.rows.size(); ++t) {
    GradientRow& row = report.rows[t];
    if (!in32[t].defined() && !in64[t].defined())
      row.verdict = GradientVerdict::unreachable;
    else if (!same_bits(in32[t], again[t]))
      row.verdict = GradientVerdict::nondeterministic;
    else if (in32[t].defined() != in64[t].defined())
      row.verdict = GradientVerdict::wrong, row.note = "a gradient in one of the two dtypes only";
    else
      compare(row, in32[t], in64[t], options.rounding_limit);
  }
}

}  // namespace xgrad
