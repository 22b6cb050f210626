#pragma once

#include <autograd/functional/functional.hpp>
#include <autograd/tape/recorder.hpp>
#include <autograd/tape/sweep.hpp>
#include <autograd/tensor/creation.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xgrad {

/// One call of a function of tensors, recorded on the tape that records here, or on one of its own if none does. What
/// is made of it is recorded on the former, and a constant with the latter.
class Recording {
 public:
  using List = std::vector<Tensor>;

  /// operation: for messages.
  Recording(std::string operation, const FunctionOf<List>& f, const List& x);

  /// f's result as a tensor of its own.
  Tensor value() const;
  /// ShapeError unless f's result is one number.
  List gradients() { return vector_jacobian_products(ones(one_number().shape(), value_.dtype())); }
  List vector_jacobian_products(const Tensor& u);
  List jacobians() { return rows(value_); }
  std::vector<List> hessians();
  List hessian_vector_products(const List& v);
  Tensor jacobian_vector_product(const List& v);

 private:
  const Tensor& one_number() const;
  void add_argument(const std::string& name, const Tensor& x);
  void choose_variables(const List& x, std::uint32_t first);
  void check_of_this_tape(const std::string& name, const Tensor& x) const;
  void check_fits(const std::string& name, const Tensor& v, const std::string& like, const Tensor& x) const;
  void check_vectors(const List& v) const;
  Shape joined(const Tensor& y, const Tensor& x) const;
  bool is_constant(const Tensor& y) const;
  Gradients sweep(const List& outputs, const List& cotangents, BackwardOptions options) const;
  Gradients recorded_gradients();
  Gradients differentiate_along(const Gradients& gradients, const List& v, const List& by) const;
  List complete(const Gradients& gradients) const;
  List rows(const Tensor& y) const;
  List recorded_rows(const Tensor& y) const;

  std::string operation_;
  std::optional<Tape> own_;
  Recorder* recorder_;
  List arguments_;
  List variables_;  // of each tensor: the argument, or itself if f uses that instead
  Tensor value_;
};

}  // namespace xgrad
