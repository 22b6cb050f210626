#pragma once

#include <autograd/kernels/pointwise/rule.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace xgrad::kernels {

/// What a step does: its loops over vectors, and its derivative by the rules of duals.
struct Primitive;

/// One step of a program: a primitive of earlier steps, an input (a is its number), or a constant.
struct Step {
  const Primitive* primitive = nullptr;
  std::array<std::uint32_t, 3> operands{};
  double value = 0;
  friend auto operator<=>(const Step&, const Step&) = default;
};

/// A pointwise function as straight-line code, traced from its lambda once, and its derivatives of every order: what
/// the dual rules make of its steps, without structural zeros, with common subexpressions shared.
class Program {
 public:
  /// The function behind a rule. Functions of the same steps share a program.
  static std::shared_ptr<const Program> trace(const PointwiseRule& rule, const void* closure);

  /// ∂f/∂x_k, nullptr where that is zero everywhere. Kept; any thread.
  const std::shared_ptr<const Program>& along(std::size_t k) const;

  /// The steps by the names of their primitives, and which of them is the result.
  struct NamedStep {
    const char* name;
    std::array<std::uint32_t, 3> operands;
    double value;
  };
  using Listing = std::vector<NamedStep>;
  Listing listing() const;
  std::uint32_t result() const { return result_; }

  /// Inputs g, x...: g · f(x), with the program as closure.
  static const KernelByDType kernels;

  Program(std::size_t arity, std::vector<Step> steps, std::uint32_t result);

 private:
  template <class T>
  static void run(const void* closure, const void* const* inputs, const bool* splat, void* output, std::size_t count,
                  std::size_t room);
  /// What runs. Operands and result are slots of a block of elements, operands also inputs.
  struct Instruction {
    const Primitive* primitive;
    std::uint32_t out;
    std::array<std::uint32_t, 3> operands;
  };
  struct Constant {
    std::uint32_t slot;
    double value;
  };
  void compile();
  std::shared_ptr<const Program> differentiate(std::size_t k) const;

  std::size_t arity_;
  std::vector<Step> steps_;
  std::uint32_t result_;
  std::vector<Instruction> code_;
  std::vector<Constant> constants_;
  std::uint32_t slots_ = 0;
  mutable std::array<std::once_flag, max_pointwise_arity> known_;
  mutable std::array<std::shared_ptr<const Program>, max_pointwise_arity> along_;
};

}  // namespace xgrad::kernels
