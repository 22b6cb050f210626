#pragma once

#include <autograd/check/gradient_check.hpp>

namespace xgrad {

/// Fills the report's rows with the gradient in float32 against the gradient in float64, both at the subject's float64
/// values rounded to float32. The tensors are put back.
void check_precision(GradientReport& report, const GradientSubject& subject, const GradientCheckOptions& options);

}  // namespace xgrad
