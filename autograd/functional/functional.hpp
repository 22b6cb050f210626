#pragma once

#include <autograd/tensor/tensor.hpp>

#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

namespace xgrad {

// Derivatives of a function at a point, as values: clients of Tape.
//
//     const Tensor h = hessian([](const Tensor& x) { return sum(exp(x)); }, x);     // diag(e^x)
//
// f is called once, with copies of the given tensors: they need not require a gradient, and are left alone whatever f
// does. Other tensors that f uses, parameters among them, are held constant in the derivative. f may also ignore its
// arguments and use the tensors themselves, if they require gradients or are on the tape, as a model does with its
// parameters:
//
//     hessian_vector_product([&](const auto&) { return nn::mse(net(x), y); }, net.parameters(), v)
//
// A TapeError if it uses a tensor both ways: one of them would silently be held constant.
//
// While a tape records, f and its derivatives are recorded there: results can be differentiated again, by everything
// that they depend on (a physics-informed network's loss by its weights), and the functions nest, to any order. Without
// one, or in a Pause, results are constants; then a tensor that was recorded by a tape that is still open is a
// TapeError (pass detach(x)). As ever, one tape's tensors are not used on another, such as one that f opens itself.
//
// Where f does not depend on a tensor, its derivative is zeros. Ranks from 0 and sizes from 0 on are valid.
//
// Every function throws ValueError for an empty function, an empty list, lists that are not equally long, or an empty
// handle, given or returned by f; TypeError for int64 tensors (let f capture them) or results; ShapeError or TypeError
// for a vector whose shape or dtype is not the one said below. What f throws passes through.
//
// Costs: "sweep" is one backward pass over what f recorded, a small multiple of f's own time (Griewank and Walther
// 2008, 4.6), "recorded sweep" one that is recorded itself. The latter needs operations whose vjp is built from
// recorded operations (TapeError that names the one that is not).

/// A function of one tensor (Argument: Tensor) or of several (std::vector<Tensor>) that returns a tensor. Generic
/// lambdas will do: the tensors given beside the function decide which of the two it is.
template <class Argument>
struct FunctionOf : std::function<Tensor(const Argument&)> {
  template <class F>
  FunctionOf(F f) : std::function<Tensor(const Argument&)>(std::move(f)) {
    static_assert(
        std::is_invocable_r_v<Tensor, F&, const Argument&>,
        "a function of one tensor takes `const Tensor&`; one that takes `const std::vector<Tensor>&` is given "
        "a std::vector of tensors");
  }
};

/// ∂f/∂x of a function whose result is one number (ShapeError for others); x's shape and dtype. One sweep.
Tensor gradient(const FunctionOf<Tensor>& f, const Tensor& x);
/// One for each tensor, from the same sweep.
std::vector<Tensor> gradient(const FunctionOf<std::vector<Tensor>>& f, const std::vector<Tensor>& x);

/// f(x), in the shape in which f gives its one number, and ∂f/∂x. One sweep.
std::pair<Tensor, Tensor> value_and_gradient(const FunctionOf<Tensor>& f, const Tensor& x);
std::pair<Tensor, std::vector<Tensor>> value_and_gradient(const FunctionOf<std::vector<Tensor>>& f,
                                                          const std::vector<Tensor>& x);

/// J[i..., j...] = ∂f(x)[i...] / ∂x[j...], of shape f(x).shape + x.shape (ShapeError beyond rank 8) and x's dtype. One
/// sweep for each entry of f(x); unless they are recorded, they run in parallel: the vjps of operations of your own are
/// called from several threads.
Tensor jacobian(const FunctionOf<Tensor>& f, const Tensor& x);
/// One for each tensor, from the same sweeps.
std::vector<Tensor> jacobian(const FunctionOf<std::vector<Tensor>>& f, const std::vector<Tensor>& x);

/// H[i..., j...] = ∂²f / ∂x[i...] ∂x[j...] of a function whose result is one number (ShapeError for others), of shape
/// x.shape + x.shape (ShapeError beyond rank 8) and x's dtype; symmetric up to rounding. One recorded sweep, then one
/// sweep over f and it for each entry of x.
Tensor hessian(const FunctionOf<Tensor>& f, const Tensor& x);
/// The blocks H[k][l] = ∂²f / ∂x_k ∂x_l, of shape x_k.shape + x_l.shape and x_l's dtype.
std::vector<std::vector<Tensor>> hessian(const FunctionOf<std::vector<Tensor>>& f, const std::vector<Tensor>& x);

/// H·v for a v of x's shape and dtype, without H; x's shape and dtype. One recorded sweep and one over f and it, as the
/// gradient of <∂f/∂x, v> (Pearlmutter 1994, by reverse over reverse). f's result is one number (ShapeError for
/// others).
Tensor hessian_vector_product(const FunctionOf<Tensor>& f, const Tensor& x, const Tensor& v);
/// Σ_l H[k][l]·v_l for each k.
std::vector<Tensor> hessian_vector_product(const FunctionOf<std::vector<Tensor>>& f, const std::vector<Tensor>& x,
                                           const std::vector<Tensor>& v);

/// J·v, the derivative of f along a v of x's shape and dtype; f(x)'s shape and dtype. One recorded sweep, which gives
/// Jᵀ·u for any u, and one over f and it, which differentiates that by u (Townsend 2017, "A new trick for calculating
/// Jacobian vector products").
Tensor jacobian_vector_product(const FunctionOf<Tensor>& f, const Tensor& x, const Tensor& v);
/// Σ_k J_k·v_k.
Tensor jacobian_vector_product(const FunctionOf<std::vector<Tensor>>& f, const std::vector<Tensor>& x,
                               const std::vector<Tensor>& v);

/// Jᵀ·u, the gradient of <f(x), u> for a u of f(x)'s shape and dtype; x's shape and dtype. One sweep.
Tensor vector_jacobian_product(const FunctionOf<Tensor>& f, const Tensor& x, const Tensor& u);
/// One for each tensor, from the same sweep.
std::vector<Tensor> vector_jacobian_product(const FunctionOf<std::vector<Tensor>>& f, const std::vector<Tensor>& x,
                                            const Tensor& u);

}  // namespace xgrad
