#pragma once

#include <autograd/tape/formula.hpp>
#include <autograd/tensor/tensor.hpp>
#include <nn/layers/module.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace xgrad::nn {

/// In the shape that an imported reshape asks for: what the other extents leave, and the extent that its input has
/// there.
inline constexpr std::int64_t open_extent = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t copied_extent = open_extent + 1;

/// A model as the operations that it calls, one after another: what can be written down where its C++ cannot go. Made
/// by `trace`, or from a file of another program.
///
/// An extent that is -k stands for k times the rows of the batch. An elementwise operation is a formula of elementary
/// steps; the others have attributes by name, as autograd's operations tell them.
struct ModelGraph {
  struct Value {
    std::string name;  ///< a parameter's or buffer's path; of others one of its own
    DType dtype = DType::float32;
    Shape shape;
    Tensor constant = {};  ///< of parameters, buffers and other constants
    bool learned = false;  ///< a parameter
  };
  struct Node {
    std::string operation;            ///< `linear`, `relu`, ...
    std::string path;                 ///< of the layer, empty outside of any
    std::vector<std::size_t> inputs;  ///< places in values
    std::size_t output = 0;
    std::map<std::string, std::vector<std::int64_t>> attributes = {};
    Formula formula = {};  ///< of an elementwise operation; without steps for others
  };

  std::vector<Value> values;
  std::vector<Node> nodes;  ///< in an order in which they can be computed
  std::size_t input = 0;
  std::size_t output = 0;
};

/// The operations that f calls on a tensor of that shape behind the batch's axis. Values come from calls with two and
/// with three rows, in which everything but extents must be the same.
///
/// ValueError for a function whose operations or constants depend on the number of rows otherwise, whose result has no
/// rows or does not depend on the input, or that calls an operation of the user's own, which no other program knows.
/// What f decides by looking at values is decided as for zeros.
ModelGraph trace_of(const Module& model, const std::function<Tensor(const Tensor&)>& f, const Shape& shape,
                    DType dtype);

/// The operations of a model in eval mode. shape: of an example without the batch's axis; dtype int64 for indices.
template <std::derived_from<Module> M>
ModelGraph trace(M& model, const Shape& shape, DType dtype = default_dtype()) {
  const bool training = model.training();
  model.eval();
  const auto back = [&] {
    if (training) model.train();
  };
  try {
    ModelGraph graph = trace_of(
        model, [&model](const Tensor& x) -> Tensor { return model(x); }, shape, dtype);
    back();
    return graph;
  } catch (...) {
    back();
    throw;
  }
}

/// ValueError for a graph that was read from ONNX, whose shapes are known when it runs: it cannot be written down.
void require_shapes(const ModelGraph& graph, const char* writer);

/// Of a function of one tensor that calls one elementwise operation; without steps for others.
Formula formula_of(const std::function<Tensor(const Tensor&)>& f);

/// The graph as JSON, without the values of parameters and buffers, which are saved by their names.
std::string json_of(const ModelGraph& graph);
/// From such text, and the tensors by name. FileError for text that json_of does not write; `file` stands in messages.
ModelGraph graph_of(const std::string& json, const std::map<std::string, Tensor>& tensors, const std::string& file);

}  // namespace xgrad::nn
