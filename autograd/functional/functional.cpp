#include <autograd/functional/functional.hpp>
#include <autograd/functional/recording.hpp>

namespace xgrad {

namespace {

using List = std::vector<Tensor>;

/// A function of one tensor as one of a list; it must outlive the result.
FunctionOf<List> of_list(const FunctionOf<Tensor>& f) {
  std::function<Tensor(const List&)> list;
  if (f) list = [&f](const List& x) { return f(x[0]); };
  return list;
}

}  // namespace

List gradient(const FunctionOf<List>& f, const List& x) { return Recording("gradient", f, x).gradients(); }

Tensor gradient(const FunctionOf<Tensor>& f, const Tensor& x) { return gradient(of_list(f), List{x})[0]; }

std::pair<Tensor, List> value_and_gradient(const FunctionOf<List>& f, const List& x) {
  Recording recording("value_and_gradient", f, x);
  List gradients = recording.gradients();
  return {recording.value(), std::move(gradients)};
}

std::pair<Tensor, Tensor> value_and_gradient(const FunctionOf<Tensor>& f, const Tensor& x) {
  const auto [value, gradients] = value_and_gradient(of_list(f), List{x});
  return {value, gradients[0]};
}

List jacobian(const FunctionOf<List>& f, const List& x) { return Recording("jacobian", f, x).jacobians(); }

Tensor jacobian(const FunctionOf<Tensor>& f, const Tensor& x) { return jacobian(of_list(f), List{x})[0]; }

std::vector<List> hessian(const FunctionOf<List>& f, const List& x) { return Recording("hessian", f, x).hessians(); }

Tensor hessian(const FunctionOf<Tensor>& f, const Tensor& x) { return hessian(of_list(f), List{x})[0][0]; }

List hessian_vector_product(const FunctionOf<List>& f, const List& x, const List& v) {
  return Recording("hessian_vector_product", f, x).hessian_vector_products(v);
}

Tensor hessian_vector_product(const FunctionOf<Tensor>& f, const Tensor& x, const Tensor& v) {
  return hessian_vector_product(of_list(f), List{x}, List{v})[0];
}

Tensor jacobian_vector_product(const FunctionOf<List>& f, const List& x, const List& v) {
  return Recording("jacobian_vector_product", f, x).jacobian_vector_product(v);
}

Tensor jacobian_vector_product(const FunctionOf<Tensor>& f, const Tensor& x, const Tensor& v) {
  return jacobian_vector_product(of_list(f), List{x}, List{v});
}

List vector_jacobian_product(const FunctionOf<List>& f, const List& x, const Tensor& u) {
  return Recording("vector_jacobian_product", f, x).vector_jacobian_products(u);
}

Tensor vector_jacobian_product(const FunctionOf<Tensor>& f, const Tensor& x, const Tensor& u) {
  return vector_jacobian_product(of_list(f), List{x}, u)[0];
}

}  // namespace xgrad
