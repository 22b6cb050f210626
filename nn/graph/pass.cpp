#include <autograd/ops/activations.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/tape/operation.hpp>
#include <nn/graph/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace xgrad::nn {

namespace {

// The batch is cut into chunks of at most 16 examples. For a chunk the whole graph is evaluated at once: a node's
// values for these examples lie side by side, so that an edge is a few vector instructions, and no level waits for
// threads. The last chunk is padded by copies of its last example, whose cotangents are 0.

constexpr std::size_t chunk_columns = 16;
constexpr std::size_t max_parts = 16;             // each has a gradient of all weights
constexpr std::size_t parallel_products = 32768;  // edges times examples

/// Examples [first, first + count), in rows of `width` numbers.
struct Chunk {
  std::size_t first;
  std::size_t count;
  std::size_t width;
};

std::size_t chunk_count(std::size_t batch) { return (batch + chunk_columns - 1) / chunk_columns; }

Chunk chunk_at(std::size_t i, std::size_t batch) {
  const std::size_t first = i * chunk_columns;
  const std::size_t count = std::min(chunk_columns, batch - first);
  return {first, count, count > 8 ? std::size_t{16} : std::size_t{8}};
}

/// Numbers in the values of all chunks; those of chunk i begin at rows · first.
std::size_t values_size(std::size_t rows, std::size_t batch) {
  if (batch == 0) return 0;
  const Chunk last = chunk_at(chunk_count(batch) - 1, batch);
  return rows * (last.first + last.width);
}

std::size_t part_count(const GraphPlan& plan, std::size_t batch) {
  return plan.edges() * batch < parallel_products ? 1 : std::min(chunk_count(batch), max_parts);
}

/// Calls body(part, chunk, width) for every chunk, the width as a constant.
template <class Body>
void for_chunks(const GraphPlan& plan, std::size_t batch, const Body& body) {
  const std::size_t chunks = chunk_count(batch);
  const std::size_t parts = part_count(plan, batch);
  parallel_parts(parts, [&](std::size_t part) {
    for (std::size_t i = part * chunks / parts; i < (part + 1) * chunks / parts; ++i) {
      const Chunk chunk = chunk_at(i, batch);
      if (chunk.width == 16) body(part, chunk, std::integral_constant<std::size_t, 16>());
      if (chunk.width == 8) body(part, chunk, std::integral_constant<std::size_t, 8>());
    }
  });
}

Tensor activate(NodeActivation activation, const Tensor& z) {
  switch (activation) {
    case NodeActivation::identity:
      break;
    case NodeActivation::sigmoid:
      return sigmoid(z);
    case NodeActivation::tanh:
      return tanh(z);
    case NodeActivation::relu:
      return relu(z);
    case NodeActivation::leaky_relu:
      return leaky_relu(z);
    case NodeActivation::elu:
      return elu(z);
    case NodeActivation::softplus:
      return softplus(z);
    case NodeActivation::hard_tanh:
      return hard_tanh(z);
  }
  return z;
}

/// `width` numbers as one vector of g++ and clang, so that a row of values stays in registers.
template <class T, std::size_t width>
struct RowOf {
  typedef T Vector __attribute__((vector_size(width * sizeof(T))));
};
template <class T, std::size_t width>
using Row = typename RowOf<T, width>::Vector;

/// To and from memory of any alignment.
template <class T, class Vector>
void load(Vector& row, const T* source) {
  std::memcpy(&row, source, sizeof(Vector));
}
template <class T, class Vector>
void store(const Vector& row, T* target) {
  std::memcpy(target, &row, sizeof(Vector));
}

/// The sum of a row, by halves: the order is the same for every machine.
template <class T>
T total(const Row<T, 8>& x) {
  const Row<T, 4> half = __builtin_shufflevector(x, x, 0, 1, 2, 3) + __builtin_shufflevector(x, x, 4, 5, 6, 7);
  return (half[0] + half[2]) + (half[1] + half[3]);
}
template <class T>
T total(const Row<T, 16>& x) {
  return total<T>(Row<T, 8>(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
                            __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15)));
}

/// g *= f'(z), which follows from the value v = f(z).
template <class T, std::size_t width>
void multiply_slopes(NodeActivation activation, const Row<T, width>& v, Row<T, width>& g) {
  const auto each = [&](const auto& slope) {
    T slopes[width];
    store(v, slopes);
    for (T& y : slopes) y = slope(y);
    Row<T, width> factors;
    load(factors, slopes);
    g *= factors;
  };
  switch (activation) {
    case NodeActivation::identity:
      return;
    case NodeActivation::sigmoid:
      return each([](T y) { return y * (1 - y); });
    case NodeActivation::tanh:
      return each([](T y) { return (1 - y) * (1 + y); });
    case NodeActivation::relu:
      return each([](T y) { return y > 0 ? T(1) : T(0); });
    case NodeActivation::leaky_relu:
      return each([](T y) { return y > 0 ? T(1) : T(0.01); });
    case NodeActivation::elu:
      return each([](T y) { return y > 0 ? T(1) : y + 1; });
    case NodeActivation::softplus:
      return each([](T y) { return -std::expm1(-y); });
    case NodeActivation::hard_tanh:
      return each([](T y) { return y > -1 && y < 1 ? T(1) : T(0); });
  }
}

template <class T>
T* data(const Tensor& x) {
  return static_cast<T*>(x.mutable_data());
}

/// values[i] = source[order[i]].
template <class T>
Tensor gathered(const Tensor& source, const std::vector<std::uint32_t>& order) {
  const Tensor values = Tensor::uninitialized({static_cast<std::int64_t>(order.size())}, source.dtype());
  T* const to = data<T>(values);
  const T* const from = source.data<T>();
  for (std::size_t i = 0; i < order.size(); ++i) to[i] = from[order[i]];
  return values;
}

/// The values (rows, width) of one chunk. weight: in the order of plan.into.
template <class T, std::size_t width>
void evaluate(const GraphPlan& plan, const T* x, const T* weight, const T* bias, const Chunk& chunk, T* values, T* y) {
  for (std::size_t c = 0; c < width; ++c) {
    const T* const example = x + (chunk.first + std::min(c, chunk.count - 1)) * plan.inputs;
    for (std::size_t row = 0; row < plan.inputs; ++row) values[row * width + c] = example[row];
  }
  for (const GraphPlan::Run& run : plan.runs) {
    const bool in_place = run.activation == NodeActivation::identity;
    Tensor sums;
    if (!in_place)
      sums = Tensor::uninitialized({static_cast<std::int64_t>((run.end - run.begin) * width)}, dtype_of<T>);
    T* const z = in_place ? values + run.begin * width : data<T>(sums);
    for (std::size_t row = run.begin; row < run.end; ++row) {
      Row<T, width> sum = bias[plan.node[row - plan.inputs]] + Row<T, width>{};
      for (std::uint32_t k = plan.into.begin[row]; k < plan.into.begin[row + 1]; ++k) {
        Row<T, width> v;
        load(v, values + plan.into.row[k] * width);
        sum += weight[k] * v;
      }
      store(sum, z + (row - run.begin) * width);
    }
    if (in_place) continue;
    const Tensor result = activate(run.activation, sums);
    std::copy_n(result.data<T>(), result.size(), values + run.begin * width);
  }
  for (std::size_t output = 0; output < plan.outputs.size(); ++output)
    for (std::size_t c = 0; c < chunk.count; ++c)
      y[(chunk.first + c) * plan.outputs.size() + output] = values[plan.outputs[output] * width + c];
}

/// Adds a chunk's gradients to dw (in the order of plan.out_of) and db (of rows); sets those of x. weight: in the order
/// of plan.out_of; dz: room for (rows, width).
template <class T, std::size_t width>
void sweep(const GraphPlan& plan, const T* dy, const T* weight, const T* values, const Chunk& chunk, T* dz, T* dw,
           T* db, T* dx) {
  for (std::size_t row = plan.rows; row-- > 0;) {
    Row<T, width> v, g{};
    load(v, values + row * width);
    if (const std::uint32_t output = plan.output_of_row[row]; output != GraphPlan::none)
      for (std::size_t c = 0; c < chunk.count; ++c) g[c] = dy[(chunk.first + c) * plan.outputs.size() + output];
    for (std::uint32_t k = plan.out_of.begin[row]; k < plan.out_of.begin[row + 1]; ++k) {
      Row<T, width> d;
      load(d, dz + plan.out_of.row[k] * width);
      g += weight[k] * d;
      dw[k] += total<T>(v * d);
    }
    if (row < plan.inputs) {
      for (std::size_t c = 0; c < chunk.count; ++c) dx[(chunk.first + c) * plan.inputs + row] = g[c];
      continue;
    }
    multiply_slopes<T, width>(plan.activation_of[row - plan.inputs], v, g);
    store(g, dz + row * width);
    db[row - plan.inputs] += total<T>(g);
  }
}

/// x (batch, inputs), weight (edges,), bias (nodes,) to y (batch, outputs) and the values of all nodes.
class GraphOperation : public Operation {
 public:
  explicit GraphOperation(std::shared_ptr<const GraphPlan> plan) : plan_(std::move(plan)) {}
  std::string_view name() const override { return "network_graph"; }
  OperationTraits traits() const override { return {.saved_inputs = Which::only(1), .saved_outputs = Which::only(1)}; }

  Tensors forward(const Inputs& inputs) override {
    const GraphPlan& plan = *plan_;
    const Tensor& x = inputs[0];
    const auto batch = static_cast<std::size_t>(x.shape()[0]);
    const Tensor y = Tensor::uninitialized({x.shape()[0], static_cast<std::int64_t>(plan.outputs.size())}, x.dtype());
    const Tensor values = Tensor::uninitialized({static_cast<std::int64_t>(values_size(plan.rows, batch))}, x.dtype());
    visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const Tensor weight = gathered<T>(inputs[1], plan.into.edge);
      for_chunks(plan, batch, [&](std::size_t, const Chunk& chunk, auto width) {
        evaluate<T, width()>(plan, x.data<T>(), weight.data<T>(), inputs[2].template data<T>(), chunk,
                             data<T>(values) + plan.rows * chunk.first, data<T>(y));
      });
    });
    return {y, values};
  }

  Tensors vjp(const Call& call) const override {
    const GraphPlan& plan = *plan_;
    const Tensor& dy = call.cotangent();
    const Tensor& values = call.output(1);
    const DType dtype = dy.dtype();
    const auto batch = dy.shape()[0];
    const std::size_t parts = part_count(plan, static_cast<std::size_t>(batch));
    const std::size_t edges = plan.edges(), nodes = plan.rows - plan.inputs;
    const Tensor dx = Tensor::uninitialized({batch, static_cast<std::int64_t>(plan.inputs)}, dtype);
    const Tensor dw = Tensor::uninitialized({static_cast<std::int64_t>(edges)}, dtype);
    const Tensor db = Tensor::uninitialized({static_cast<std::int64_t>(nodes)}, dtype);
    const Tensor sums = zeros({static_cast<std::int64_t>(parts), static_cast<std::int64_t>(edges + nodes)}, dtype);
    visit_floating(dtype, [&](auto zero) {
      using T = decltype(zero);
      const Tensor weight = gathered<T>(call.input(1), plan.out_of.edge);
      for_chunks(plan, static_cast<std::size_t>(batch), [&](std::size_t part, const Chunk& chunk, auto width) {
        const Tensor dz = Tensor::uninitialized({static_cast<std::int64_t>(plan.rows * width())}, dtype);
        T* const sums_of_part = data<T>(sums) + part * (edges + nodes);
        sweep<T, width()>(plan, dy.data<T>(), weight.data<T>(), values.data<T>() + plan.rows * chunk.first, chunk,
                          data<T>(dz), sums_of_part, sums_of_part + edges, data<T>(dx));
      });
      const auto total = [&](std::size_t i) {
        T sum = data<T>(sums)[i];
        for (std::size_t part = 1; part < parts; ++part) sum += data<T>(sums)[part * (edges + nodes) + i];
        return sum;
      };
      for (std::size_t k = 0; k < edges; ++k) data<T>(dw)[plan.out_of.edge[k]] = total(k);
      for (std::size_t i = 0; i < nodes; ++i) data<T>(db)[plan.node[i]] = total(edges + i);
    });
    Tensors gradients(3);
    if (call.needs(0)) gradients[0] = dx;
    if (call.needs(1)) gradients[1] = dw;
    if (call.needs(2)) gradients[2] = db;
    return gradients;
  }

 private:
  std::shared_ptr<const GraphPlan> plan_;
};

}  // namespace

Tensor evaluate_graph(const std::shared_ptr<const GraphPlan>& plan, const Tensor& x, const Tensor& weight,
                      const Tensor& bias) {
  const Tensor* const inputs[] = {&x, &weight, &bias};
  return apply_all(GraphOperation(plan), Inputs(inputs, 3))[0];
}

}  // namespace xgrad::nn
