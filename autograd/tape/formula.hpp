#pragma once

#include <autograd/tensor/shape.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad {

/// How many operands a step has; `known_derivative`, whose value is its first operand, counts as one.
constexpr std::size_t operands_of(std::string_view step) {
  if (step == "input" || step == "constant") return 0;
  if (step == "where") return 3;
  for (const std::string_view two : {"add", "sub", "mul", "div", "pow", "lt", "le", "eq", "and", "or", "tie",
                                     "power_derivative_by_base", "power_derivative_by_exponent"})
    if (step == two) return 2;
  return 1;
}

/// What an elementwise operation computes, as straight-line code: for those who write it down elsewhere.
struct Formula {
  struct Step {
    std::string name;  ///< `input` (its number is the first operand), `constant`, or a function of earlier steps
    std::array<std::uint32_t, 3> operands{};
    double value = 0;  ///< of a constant
    friend bool operator==(const Step&, const Step&) = default;
  };
  std::vector<Step> steps = {};
  std::uint32_t result = 0;  ///< a step

  /// The steps that the result needs; those that only its derivative needs are not among them.
  std::vector<bool> live_steps() const {
    std::vector<bool> live(steps.size());
    if (result < live.size()) live[result] = true;
    for (std::size_t i = live.size(); i-- > 0;)
      for (std::size_t o = 0; live[i] && o < operands_of(steps[i].name); ++o) live[steps[i].operands[o]] = true;
    return live;
  }
  friend bool operator==(const Formula&, const Formula&) = default;
};

/// A parameter of an operation that its inputs do not tell: axes, flags.
struct Attribute {
  const char* name;
  std::vector<std::int64_t> values;
};

/// How an operation can be written down.
struct OperationDescription {
  std::vector<Attribute> attributes = {};
  Formula formula = {};  ///< without steps unless elementwise
  bool known = false;    ///< whether name, attributes and formula are all there is to it
};

}  // namespace xgrad
