#pragma once

#include <nn/saving/model_graph.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace xgrad::nn {

/// Axes of an operand in a nest of loops: what an index is multiplied by.
using Strides = std::vector<std::int64_t>;

Strides strides_of(const Shape& shape);
/// Of an operand that is broadcast to `to`.
Strides broadcast_strides(const Shape& shape, const Shape& to);
/// A place in an array: Σ index · stride + offset.
std::string place(const Strides& strides, std::int64_t offset = 0);

/// ValueError of write_c.
[[noreturn]] void refuse_c(const std::string& what);

/// The code of one row of a model in C, as it grows: loops and lines over arrays that hold the graph's values.
class CCode {
 public:
  explicit CCode(const ModelGraph& graph);

  /// Of a value, for one row.
  Shape shape(std::size_t i) const {
    Shape one = graph_.values[i].shape;
    for (std::int64_t& extent : one)
      if (extent < 0) extent = -extent;
    return one;
  }
  std::size_t size(std::size_t i) const { return shape(i).elements(); }

  /// `float` or `double`, as the output is.
  std::string number() const { return wide_ ? "double" : "float"; }
  std::string literal(double number) const;
  /// exp or expf.
  std::string function(const char* name) const { return wide_ ? name : std::string(name) + "f"; }

  void line(const std::string& text) { body += std::string(2 * (depth_ + 1), ' ') + text + '\n'; }
  /// f() inside of loops over these extents, by i0, i1, ... from the axis first on.
  void nest(const Shape& extents, const std::function<void()>& f, std::size_t first = 0);
  /// An element of a value.
  std::string at(std::size_t i, const Strides& strides, std::int64_t offset = 0) const;
  /// A function of x, which the file defines once: `sigmoid`, `softplus`, `swish`, `mish`.
  std::string call(const std::string& name, const std::string& x);

  std::vector<std::string> names = {};    ///< of the arrays of values
  std::vector<std::string> helpers = {};  ///< functions that the code calls
  std::string body = {};
  bool checks = false;  ///< the function may return 1
  bool has_integers = false;

 private:
  const ModelGraph& graph_;
  bool wide_;
  std::size_t depth_ = 0;
};

/// The lines of a node, whose output has its place. ValueError for an operation that has no C.
void write_operation(CCode& code, const ModelGraph::Node& node);

}  // namespace xgrad::nn
