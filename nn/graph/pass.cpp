#include <autograd/functional/functional.hpp>
#include <autograd/ops/activations.hpp>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/indexing.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/sparse.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/graph/plan.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

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

/// Calls body(part, chunk) for every chunk.
template <class Body>
void for_chunks(const GraphPlan& plan, std::size_t batch, const Body& body) {
  const std::size_t chunks = chunk_count(batch);
  const std::size_t parts = part_count(plan, batch);
  parallel_parts(parts, [&](std::size_t part) {
    for (std::size_t i = part * chunks / parts; i < (part + 1) * chunks / parts; ++i) body(part, chunk_at(i, batch));
  });
}

/// g *= f'(z) from the values y = f(z); count is a multiple of 8.
template <class T>
using MultiplyDerivatives = void (*)(std::size_t count, const T* y, T* g);

template <class T, class Derivative>
constexpr MultiplyDerivatives<T> multiplies(Derivative) {
  return [](std::size_t count, const T* y, T* g) {
    constexpr std::size_t width = 8;  // a constant, of which compilers make vectors
    for (std::size_t i = 0; i < count; i += width) {
      std::array<T, width> factors;
      std::copy_n(y + i, width, factors.begin());
      for (T& factor : factors) factor = Derivative()(factor);
      for (std::size_t k = 0; k < width; ++k) g[i + k] *= factors[k];
    }
  };
}

/// Where the derivative follows from the value, which takes less than a sweep over the function.
template <class T>
constexpr std::pair<NodeActivation, MultiplyDerivatives<T>> derivatives[] = {
    {nullptr, [](std::size_t, const T*, T*) {}},
    {sigmoid, multiplies<T>([](T y) { return y * (1 - y); })},
    {tanh, multiplies<T>([](T y) { return (1 - y) * (1 + y); })},
    {relu, multiplies<T>([](T y) { return y > 0 ? T(1) : T(0); })},
    {leaky_relu, multiplies<T>([](T y) { return y > 0 ? T(1) : T(0.01); })},
    {elu, multiplies<T>([](T y) { return y > 0 ? T(1) : y + 1; })},
    {softplus, multiplies<T>([](T y) { return -std::expm1(-y); })},
    {hard_tanh, multiplies<T>([](T y) { return y > -1 && y < 1 ? T(1) : T(0); })},
};

Tensor vector_of(std::size_t count, DType dtype) {
  return Tensor::uninitialized({static_cast<std::int64_t>(count)}, dtype);
}

/// values[i] = source[order[i]].
template <class T>
Tensor gathered(const Tensor& source, const std::vector<std::uint32_t>& order) {
  Tensor values = vector_of(order.size(), source.dtype());
  const T* const from = source.data<T>();
  std::transform(order.begin(), order.end(), values.fresh_data<T>(), [from](std::uint32_t i) { return from[i]; });
  return values;
}

/// g *= f'(z) by a sweep over f.
template <class T>
void multiply_by_sweep(NodeActivation f, std::size_t count, const T* z, T* g) {
  const auto tensor_of = [count](const T* numbers) {
    Tensor x = vector_of(count, dtype_of<T>);
    std::copy_n(numbers, count, x.template fresh_data<T>());
    return x;
  };
  const Tensor product = vector_jacobian_product(f, tensor_of(z), tensor_of(g));
  std::copy_n(product.data<T>(), count, g);
}

SparseRows rows_of(const GraphPlan::Edges& edges) { return {edges.begin, edges.row}; }

/// The values (rows, width) of one chunk, then the sums that are kept. weight: in the order of plan.into; bias: of
/// rows.
template <class T>
void evaluate(const GraphPlan& plan, const T* x, const T* weight, const T* bias, const Chunk& chunk, T* values, T* y) {
  const std::size_t width = chunk.width;
  for (std::size_t c = 0; c < width; ++c) {
    const T* const example = x + (chunk.first + std::min(c, chunk.count - 1)) * plan.inputs;
    for (std::size_t row = 0; row < plan.inputs; ++row) values[row * width + c] = example[row];
  }
  for (const GraphPlan::Run& run : plan.runs) {
    const bool in_place = run.activation == nullptr;
    T* const v = values + run.begin * width;
    Tensor sums;
    if (!in_place) sums = vector_of((run.end - run.begin) * width, dtype_of<T>);
    T* const z = in_place ? v : sums.fresh_data<T>();
    sparse_product(rows_of(plan.into), run.begin, run.end, width, weight, bias + run.begin - plan.inputs, values, z);
    if (in_place) continue;
    const Tensor result = run.activation(sums);
    if (result.shape() != sums.shape())
      throw_as<ShapeError>("network_graph: an activation makes {} of {}; need a function of each number by itself",
                           result.shape(), sums.shape());
    std::copy_n(result.data<T>(), result.size(), v);
    if (run.kept != GraphPlan::none) std::copy_n(z, result.size(), values + run.kept * width);
  }
  for (std::size_t output = 0; output < plan.outputs.size(); ++output)
    for (std::size_t c = 0; c < chunk.count; ++c)
      y[(chunk.first + c) * plan.outputs.size() + output] = values[plan.outputs[output] * width + c];
}

/// Adds a chunk's gradients to dw (in the order of plan.out_of) and db (of rows); sets those of x. weight: in the order
/// of plan.out_of; dz: room for (rows, width).
template <class T>
void sweep(const GraphPlan& plan, const T* dy, const T* weight, const T* values, const Chunk& chunk, T* dz, T* dw,
           T* db, T* dx) {
  const std::size_t width = chunk.width;
  const auto cotangents = [&](std::size_t begin, std::size_t end) {
    T* const g = dz + begin * width;
    const auto first = plan.output_of_row.begin();
    const bool outputs =
        std::any_of(first + static_cast<std::ptrdiff_t>(begin), first + static_cast<std::ptrdiff_t>(end),
                    [](std::uint32_t o) { return o != GraphPlan::none; });
    for (std::size_t row = begin; outputs && row < end; ++row) {
      T* const g_row = dz + row * width;
      std::fill_n(g_row, width, T(0));
      if (const std::uint32_t output = plan.output_of_row[row]; output != GraphPlan::none)
        for (std::size_t c = 0; c < chunk.count; ++c) g_row[c] = dy[(chunk.first + c) * plan.outputs.size() + output];
    }
    sparse_product_vjp(rows_of(plan.out_of), begin, end, width, weight, outputs ? g : nullptr, dz, g,
                       values + begin * width, dw);
    return g;
  };
  for (auto run = plan.runs.rbegin(); run != plan.runs.rend(); ++run) {
    T* const g = cotangents(run->begin, run->end);
    const std::size_t rows = run->end - run->begin;
    if (run->kept == GraphPlan::none)
      derivatives<T>[activation_order(run->activation)].second(rows * width, values + run->begin * width, g);
    else
      multiply_by_sweep(run->activation, rows * width, values + run->kept * width, g);
    add_row_sums(rows, width, g, db + run->begin - plan.inputs);
  }
  const T* const g = cotangents(0, plan.inputs);
  for (std::size_t row = 0; row < plan.inputs; ++row)
    for (std::size_t c = 0; c < chunk.count; ++c) dx[(chunk.first + c) * plan.inputs + row] = g[row * width + c];
}

Tensor indices_of(std::span<const std::uint32_t> list) {
  Tensor indices = vector_of(list.size(), int64);
  std::transform(list.begin(), list.end(), indices.fresh_data<std::int64_t>(),
                 [](std::uint32_t i) { return std::int64_t{i}; });
  return indices;
}

/// y (batch, outputs) by recorded operations, a few for each run, for derivatives of derivatives.
Tensor composed(const GraphPlan& plan, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Tensor values = transpose(x);  // (rows so far, batch)
  for (const GraphPlan::Run& run : plan.runs) {
    const std::size_t first = plan.into.begin[run.begin], count = plan.into.begin[run.end] - first;
    const std::size_t rows = run.end - run.begin;
    std::vector<std::uint32_t> to;
    for (std::size_t row = run.begin; row < run.end; ++row)
      to.resize(plan.into.begin[row + 1] - first, static_cast<std::uint32_t>(row - run.begin));
    const std::span<const std::uint32_t> from(plan.into.row), edges(plan.into.edge), nodes(plan.node);
    const Tensor weights = take(weight, indices_of(edges.subspan(first, count)));
    const Tensor products = take(values, indices_of(from.subspan(first, count))) * unsqueeze(weights, 1);
    const Tensor biases = take(bias, indices_of(nodes.subspan(run.begin - plan.inputs, rows)));
    const Tensor sums = scatter_add(products, indices_of(to), static_cast<std::int64_t>(rows)) + unsqueeze(biases, 1);
    values = concatenate({values, run.activation == nullptr ? sums : run.activation(sums)});
  }
  return transpose(take(values, indices_of(plan.outputs)));
}

/// x (batch, inputs), weight (edges,), bias (nodes,) to y (batch, outputs) and the values of all nodes.
class GraphOperation : public Operation {
 public:
  explicit GraphOperation(std::shared_ptr<const GraphPlan> plan) : plan_(std::move(plan)) {}
  std::string_view name() const override { return "network_graph"; }
  OperationTraits traits() const override { return {.saved_outputs = Which::only(1), .recorded_vjp = true}; }

  Tensors forward(const Inputs& inputs) override {
    const GraphPlan& plan = *plan_;
    const Tensor& x = inputs[0];
    const std::size_t batch = x.extent(0);
    Tensor y = Tensor::uninitialized({x.shape(0), static_cast<std::int64_t>(plan.outputs.size())}, x.dtype());
    Tensor values = vector_of(values_size(plan.kept_rows, batch), x.dtype());
    visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const Tensor weight = gathered<T>(inputs[1], plan.into.edge), bias = gathered<T>(inputs[2], plan.node);
      for_chunks(plan, batch, [&](std::size_t, const Chunk& chunk) {
        evaluate<T>(plan, x.data<T>(), weight.data<T>(), bias.data<T>(), chunk,
                    values.fresh_data<T>() + plan.kept_rows * chunk.first, y.fresh_data<T>());
      });
    });
    return {y, values};
  }

  Tensors vjp(const Call& call) const override {
    if (call.recording()) return recorded_vjp(call);
    const GraphPlan& plan = *plan_;
    const Tensor& dy = call.cotangent();
    const Tensor& values = call.output(1);
    const DType dtype = dy.dtype();
    const std::size_t batch = dy.extent(0);
    const std::size_t parts = part_count(plan, batch);
    const std::size_t edges = plan.edges(), nodes = plan.rows - plan.inputs;
    Tensor dx = Tensor::uninitialized({dy.shape(0), static_cast<std::int64_t>(plan.inputs)}, dtype);
    Tensor dw = vector_of(edges, dtype);
    Tensor db = vector_of(nodes, dtype);
    visit_floating(dtype, [&](auto zero) {
      using T = decltype(zero);
      const Tensor weight = gathered<T>(call.input(1), plan.out_of.edge);
      Tensor sums = zeros({static_cast<std::int64_t>(parts * (edges + nodes))}, dtype);
      T* const sums_of_parts = sums.fresh_data<T>();
      for_chunks(plan, batch, [&](std::size_t part, const Chunk& chunk) {
        Tensor dz = vector_of(plan.rows * chunk.width, dtype);
        T* const sums_of_part = sums_of_parts + part * (edges + nodes);
        sweep<T>(plan, dy.data<T>(), weight.data<T>(), values.data<T>() + plan.kept_rows * chunk.first, chunk,
                 dz.fresh_data<T>(), sums_of_part, sums_of_part + edges, dx.fresh_data<T>());
      });
      const auto total = [&](std::size_t i) {
        T sum = sums_of_parts[i];
        for (std::size_t part = 1; part < parts; ++part) sum += sums_of_parts[part * (edges + nodes) + i];
        return sum;
      };
      for (std::size_t k = 0; k < edges; ++k) dw.fresh_data<T>()[plan.out_of.edge[k]] = total(k);
      for (std::size_t i = 0; i < nodes; ++i) db.fresh_data<T>()[plan.node[i]] = total(edges + i);
    });
    Tensors gradients(3);
    if (call.needs(0)) gradients[0] = dx;
    if (call.needs(1)) gradients[1] = dw;
    if (call.needs(2)) gradients[2] = db;
    return gradients;
  }

 private:
  Tensors recorded_vjp(const Call& call) const {
    const auto graph = [this](const std::vector<Tensor>& in) { return composed(*plan_, in[0], in[1], in[2]); };
    const std::vector<Tensor> found =
        vector_jacobian_product(graph, {call.input(0), call.input(1), call.input(2)}, call.cotangent());
    return {found[0], found[1], found[2]};
  }

  std::shared_ptr<const GraphPlan> plan_;
};

}  // namespace

std::size_t activation_order(NodeActivation f) {
  for (std::size_t i = 0; i < std::size(derivatives<float>); ++i)
    if (derivatives<float>[i].first == f) return i;
  return GraphPlan::none;
}

Tensor evaluate_graph(const std::shared_ptr<const GraphPlan>& plan, const Tensor& x, const Tensor& weight,
                      const Tensor& bias) {
  return apply_operation(GraphOperation(plan), x, weight, bias);
}

}  // namespace xgrad::nn
