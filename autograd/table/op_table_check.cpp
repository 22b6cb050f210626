#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/table/op_table_check.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace xgrad {

Tensor cotangent_like(const Tensor& y, std::size_t which) {
  std::vector<double> values(y.size());
  for (std::size_t k = 0; k < values.size(); ++k) {
    const auto step = static_cast<double>((k * 7 + which * 5 + 3) % 16) + 1;
    values[k] = (k + which) % 7 == 5 ? -step / 16 : step / 16;
  }
  return tensor(values, y.shape(), y.dtype());
}

bool takes_gradient(const OpRow& row, const OpInputs& inputs, std::size_t i) {
  return is_floating(inputs[i].dtype()) &&
         std::find(row.constants.begin(), row.constants.end(), i) == row.constants.end();
}

GradientSubject op_subject(const OpRow& row, const OpSample& sample, std::uint64_t seed) {
  const OpInputs inputs = make_inputs(sample, float64, seed);
  GradientSubject subject;
  subject.f = [call = sample.call, inputs] { return call(inputs); };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (takes_gradient(row, inputs, i))
      subject.tensors.emplace_back(fmt::format("input {}", i), inputs[i]);
    else
      subject.companions.push_back(inputs[i]);
  }
  return subject;
}

GradientReport check_table_gradients(const GradientSubject& subject, int order, GradientCheckOptions options) {
  GradientSubject checked = subject;
  if (order > 1)
    checked.f = [f = subject.f, order] {
      const Tensor y = f();
      Tensor sum = y, term = y;
      for (int power = 2; power <= order; ++power) {
        term = term * y * (1.0 / power);
        sum = sum + term;
      }
      return sum;
    };
  options.order = order;
  if (options.mode == GradientMode::automatic) options.mode = GradientMode::full;
  {
    const Pause pause;
    const DefaultDType constants_are(float64);
    options.cotangent = cotangent_like(subject.f());
  }
  return check_gradients_in_place(checked, options);
}

bool passes_as_smooth(const GradientReport& report) {
  return std::all_of(report.rows.begin(), report.rows.end(), [&](const GradientRow& row) {
    return row.shape.elements() == 0 || (row.verdict != GradientVerdict::kink && report.passed(row));
  });
}

}  // namespace xgrad
