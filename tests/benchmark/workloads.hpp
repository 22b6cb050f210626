#pragma once

/// The workloads on which xgrad and its peers are compared. Every program includes this table, so that a row means the
/// same work on the same numbers in each of them. C++17, because the peers' headers want it.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace benchmark {

enum class Kind {
  training_step,       ///< multilayer perceptron with relu: forward, cross-entropy, backward, SGD with momentum 0.9
  sin_chain,           ///< y = sin(y), forward and backward, per operation
  multiply_add_chain,  ///< y = y·x + x, then sum(y), forward and backward, per iteration
  operation,           ///< y = f(arguments), then sum(y) unless y is one number, forward and backward
  optimizer_step,      ///< SGD with momentum 0.9 on four matrices of given gradients
  rows_of_table,      ///< 0.5·Σ of squares of the rows that indices take from a table: forward, backward, SGD or Adam
  generator_step,     ///< backward alone of a GAN's generator step, widths[0] numbers of noise, by the generator's
                      ///< parameters only or by both networks
  example_gradients,  ///< of each row's loss by all parameters: their norms, or every one written down
  batch_gradients,    ///< of the batch's loss by all parameters, without a step
  hessian_product,    ///< of the batch's loss by all parameters, with a vector
  gradient_penalty,   ///< mean of (‖∂net/∂x‖ - 1)² over a batch: forward, and backward by the parameters
  curvature,          ///< u″ for u = x (1 - x) net(x), float64
  poisson,            ///< mean of (u″ + f)²: forward, backward, Adam
  fashion_mnist,      ///< training on Fashion-MNIST, per epoch; checksum is the test accuracy
};

/// A tensor of float32, drawn evenly from [low, high), with or without gradient; of indices, 0, ..., high - 1; or of
/// conditions, true or false.
struct Argument {
  enum class Type { real, constant, index, condition };
  std::vector<std::int64_t> shape;
  double low = -2;
  double high = 2;
  Type type = Type::real;

  std::size_t elements() const {
    std::size_t count = 1;
    for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
    return count;
  }
};

struct Workload {
  std::string name;   ///< what --workload and --only take
  std::string group;  ///< the table in which the row is printed
  std::string title;
  Kind kind;
  std::vector<int> widths = {};          ///< of the layers, from input to classes
  int size = 1;                          ///< rows of a batch; elements of a chain's tensor; numbers to optimize
  int repeats = 1;                       ///< operations or iterations in one step; times are per repeat
  double seconds = 0.06;                 ///< that a run takes, without --quick
  bool quick = true;                     ///< is part of --quick
  double flop = 0;                       ///< of products, per repeat
  double bytes = 0;                      ///< that memory must move, per repeat; 0 for what caches hold
  double units = 1;                      ///< layers or MFLOP in a step, by which the cost of growing work is divided
  std::string operation = {};            ///< its name in the op table
  std::vector<Argument> arguments = {};  ///< of the operation
  std::vector<int> axes = {};            ///< of a reduction; none: all
};

/// Too small to move a weight: every step does the same work, and no unit that dies leaves denormal momentum behind.
inline constexpr double learning_rate = 1e-12;
inline constexpr double momentum = 0.9;

/// Fashion-MNIST: pixels less their mean, in units of their deviation (both of the training images in [0, 1]).
inline constexpr double pixel_mean = 0.2860;
inline constexpr double pixel_deviation = 0.3530;
inline constexpr int fashion_epochs = 20;
/// Falls to zero, so that accuracies at the end do not depend on how the last steps were rounded.
inline double fashion_rate(int epoch) { return 0.05 * (1 - static_cast<double>(epoch) / fashion_epochs); }

/// Even draws from [low, high), the same in every program: the engine is defined bit by bit, distributions are not.
inline std::vector<float> numbers(std::size_t count, double low, double high, std::uint32_t seed) {
  std::mt19937 engine(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(low + (high - low) * 0x1p-32 * static_cast<double>(engine()));
  return values;
}

/// Weights are drawn from ± this (He et al. 2015, for relu), so that neither values nor gradients of a thousand layers
/// become denormal; biases begin at zero.
inline double weight_bound(int inputs) { return std::sqrt(6.0 / inputs); }

inline std::vector<std::int64_t> indices(std::size_t count, std::int64_t end, std::uint32_t seed) {
  std::mt19937 engine(seed);
  std::vector<std::int64_t> values(count);
  for (std::int64_t& value : values) value = static_cast<std::int64_t>(engine()) % end;
  return values;
}

/// The order of an epoch's examples (Fisher and Yates, as Durstenfeld 1964).
inline std::vector<std::int64_t> epoch_order(std::size_t count, std::uint32_t epoch) {
  std::mt19937 engine(epoch);
  std::vector<std::int64_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = static_cast<std::int64_t>(i);
  for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[engine() % i]);
  return order;
}

/// Floating point operations of a step's products: three products a layer, less the first layer's dX, which nobody
/// needs.
inline double product_flop(const std::vector<int>& widths, int batch) {
  double flop = 0;
  for (std::size_t layer = 0; layer + 1 < widths.size(); ++layer)
    flop += 2.0 * batch * widths[layer] * widths[layer + 1] * (layer == 0 ? 2 : 3);
  return flop;
}

/// Numbers that a last-level cache may hold: what has no more is not charged with moving through memory.
inline constexpr double cached_numbers = 4e6;

/// Bytes of the optimizer's step: parameter, gradient and velocity are read, parameter and velocity written.
inline double optimizer_bytes(double parameters) { return 3 * parameters > cached_numbers ? 5 * 4 * parameters : 0; }

inline Workload training_step(const std::string& name, const std::string& group, const std::string& title,
                              const std::vector<int>& widths, int batch) {
  Workload w{name, group, title, Kind::training_step, widths, batch};
  w.flop = product_flop(widths, batch);
  double parameters = 0;
  for (std::size_t layer = 0; layer + 1 < widths.size(); ++layer)
    parameters += (widths[layer] + 1.0) * widths[layer + 1];
  w.bytes = optimizer_bytes(parameters);
  return w;
}

/// Every number of the arguments is read and its gradient written, every number of the result written and read.
inline Workload operation(const std::string& name, const std::string& group, const std::string& title,
                          const std::string& function, const std::vector<Argument>& arguments, double results,
                          const std::vector<int>& axes = {}) {
  Workload w{name, group, title, Kind::operation};
  w.operation = function;
  w.arguments = arguments;
  w.axes = axes;
  double count = results;
  for (const Argument& argument : arguments) count += static_cast<double>(argument.elements());
  if (count > cached_numbers) w.bytes = 8 * count;
  return w;
}

/// A size of the tables of operations: rows · columns elements.
struct Extent {
  std::string name;
  std::int64_t rows, columns;
};

/// An operation of the op table, with the arguments that it takes at a size.
struct Operation {
  enum class Result { elements, rows, one };
  std::string name;
  std::vector<Argument> (*arguments)(const Extent& e);
  Result result = Result::elements;
};

/// The operations of the op table through which gradients flow; products have a table of their own.
inline const std::vector<Operation>& operations() {
  using E = const Extent&;
  using Arguments = std::vector<Argument>;
  using R = Operation::Result;
  const auto any = [](E e) -> Arguments { return {{{e.rows, e.columns}}}; };
  const auto positive = [](E e) -> Arguments { return {{{e.rows, e.columns}, 0.1, 4}}; };
  const auto two = [](E e) -> Arguments { return {{{e.rows, e.columns}}, {{e.rows, e.columns}}}; };
  const auto two_positive = [](E e) -> Arguments {
    return {{{e.rows, e.columns}, 0.4, 3}, {{e.rows, e.columns}, 0.4, 3}};
  };
  // Products of millions of them stay near 1; nearer factors would lie on so few numbers that rounding is biased.
  const auto near_one = [](E e) -> Arguments { return {{{e.rows, e.columns}, 0.999, 1.001}}; };
  const auto with_slope = [](E e) -> Arguments { return {{{e.rows, e.columns}}, {{1}, 0.1, 0.4}}; };
  const auto conditioned = [](E e) -> Arguments {
    return {{{e.rows, e.columns}, 0, 2, Argument::Type::condition}, {{e.rows, e.columns}}, {{e.rows, e.columns}}};
  };
  const auto one_row = [](E e) -> Arguments {
    return {{{1, e.columns}}, {{e.rows, e.columns}, 0, 1, Argument::Type::constant}};
  };
  const auto row_indices = [](E e) -> Arguments {
    return {{{e.rows, e.columns}}, {{e.rows}, 0, static_cast<double>(e.rows), Argument::Type::index}};
  };
  const auto labelled = [](E e) -> Arguments {
    return {{{e.rows, e.columns}}, {{e.rows}, 0, static_cast<double>(e.columns), Argument::Type::index}};
  };
  const auto vectors = [](E e) -> Arguments { return {{{e.rows}}, {{e.columns}}}; };
  const auto long_vectors = [](E e) -> Arguments { return {{{e.rows * e.columns}}, {{e.rows * e.columns}}}; };
  static const std::vector<Operation> table = {{"neg", any},
                                               {"exp", any},
                                               {"expm1", any},
                                               {"log", positive},
                                               {"log1p", positive},
                                               {"sqrt", positive},
                                               {"square", any},
                                               {"abs", any},
                                               {"sin", any},
                                               {"cos", any},
                                               {"tanh", any},

                                               {"sigmoid", any},
                                               {"log_sigmoid", any},
                                               {"softplus", any},
                                               {"relu", any},
                                               {"leaky_relu", any},
                                               {"prelu", with_slope},
                                               {"elu", any},
                                               {"swish", any},
                                               {"mish", any},
                                               {"hard_tanh", any},
                                               {"clamp", any},
                                               {"maxout", any, R::rows},
                                               {"add", two},
                                               {"sub", two},
                                               {"mul", two},
                                               {"div", two_positive},
                                               {"pow", two_positive},
                                               {"maximum", two},
                                               {"minimum", two},
                                               {"where", conditioned},
                                               {"sum", any, R::one},
                                               {"mean", any, R::one},
                                               {"centred", any},
                                               {"var", any, R::one},
                                               {"norm", any, R::one},
                                               {"prod", near_one, R::one},
                                               {"max", any, R::one},
                                               {"min", any, R::one},
                                               {"logsumexp", any, R::one},
                                               {"softmax", any},
                                               {"log_softmax", any},
                                               {"softmax_cross_entropy", labelled, R::rows},
                                               {"mean_softmax_cross_entropy", labelled, R::one},
                                               {"reshape", any},
                                               {"flatten", any},
                                               {"squeeze", any},
                                               {"unsqueeze", any},
                                               {"broadcast_to", one_row},
                                               {"permute", any},
                                               {"transpose", any},
                                               {"slice", any},
                                               {"concatenate", two},
                                               {"stack", two},
                                               {"take", row_indices},
                                               {"scatter_add", row_indices},
                                               {"clone", any},
                                               {"to", any},
                                               {"outer", vectors},
                                               {"dot", long_vectors, R::one}};
  return table;
}

inline void add_step_times(std::vector<Workload>& table) {
  const std::string group = "Step times";
  std::vector<int> deep(51, 64);
  deep.push_back(10);
  const std::size_t first = table.size();
  for (const auto& [name, title, widths, batch] :
       std::vector<std::tuple<const char*, const char*, std::vector<int>, int>>{
           {"2-8-2", "2-8-2, batch 4", {2, 8, 2}, 4},
           {"4-16-16-3", "4-16-16-3, batch 32", {4, 16, 16, 3}, 32},
           {"784-128-10", "784-128-10, batch 64", {784, 128, 10}, 64},
           {"784-256-128-10", "784-256-128-10, batch 128", {784, 256, 128, 10}, 128},
           {"1024x4", "1024-1024-1024-1024-10, batch 256", {1024, 1024, 1024, 1024, 10}, 256},
           {"50-layers", "50 layers of 64, then 10, batch 32", deep, 32}})
    table.push_back(training_step(name, group, title, widths, batch));
  table.push_back({"sin-chain", group, "chain of 1000 sin, one element, per operation", Kind::sin_chain, {}, 1, 1000});
  table.push_back({"multiply-add-chain",
                   group,
                   "chain of 1000 y·x+x, 1000 elements, per iteration",
                   Kind::multiply_add_chain,
                   {},
                   1000,
                   1000});
  for (std::size_t i = first; i < table.size(); ++i) table[i].seconds = 0.6;
}

/// The columns of the table of 4M elements on which LibTorch's figures were first taken.
inline void add_large_elementwise(std::vector<Workload>& table) {
  const double n = 1 << 22;
  const Argument x{{2048, 2048}};
  const std::string group = "4M elements";
  for (const char* name : {"relu", "sigmoid", "tanh", "swish", "elu", "exp", "softmax", "log_softmax"})
    table.push_back(operation(std::string("large-") + name, group, name, name, {x}, n));
  table.push_back(operation("large-sum", group, "sum axis 0", "sum", {x}, 2048, {0}));
  table.push_back(operation("large-square", group, "x·x", "self_product", {x}, n));
  table.push_back(operation("large-bias", group, "x + bias row", "add", {x, {{2048}}}, n));
}

inline void add_operations(std::vector<Workload>& table) {
  for (const Extent& e : {Extent{"1", 1, 1}, {"1000", 10, 100}, {"65536", 256, 256}, {"4M", 2048, 2048}})
    for (const Operation& o : operations()) {
      const double results = o.result == Operation::Result::elements ? static_cast<double>(e.rows * e.columns)
                             : o.result == Operation::Result::rows   ? static_cast<double>(e.rows)
                                                                     : 1;
      table.push_back(operation(o.name + "-" + e.name,
                                "Operations, " + e.name + (e.name == "1" ? " element" : " elements"), o.name, o.name,
                                o.arguments(e), results));
      table.back().quick = e.rows * e.columns <= 1000;
    }
}

inline void add_reductions(std::vector<Workload>& table) {
  const std::string group = "Reductions over each axis";
  const std::vector<std::vector<std::int64_t>> shapes = {{2048, 2048}, {128, 128, 256}};
  for (const char* name : {"sum", "mean", "var", "norm", "max", "logsumexp"})
    for (const auto& shape : shapes)
      for (int axis = 0; axis < static_cast<int>(shape.size()); ++axis) {
        const std::string extents = shape.size() == 2 ? "2048×2048" : "128×128×256";
        const Argument x{shape};
        const double results =
            static_cast<double>(x.elements()) / static_cast<double>(shape[static_cast<std::size_t>(axis)]);
        table.push_back(operation(
            std::string(name) + "-rank" + std::to_string(shape.size()) + "-axis" + std::to_string(axis), group,
            std::string(name) + " of " + extents + ", axis " + std::to_string(axis), name, {x}, results, {axis}));
        table.back().quick = false;
      }
}

inline void add_softmax_and_products(std::vector<Workload>& table) {
  for (const auto& [rows, columns] : std::vector<std::pair<int, int>>{{128, 10}, {128, 1000}, {4096, 1024}})
    for (const char* name : {"softmax", "log_softmax", "softmax_cross_entropy"}) {
      std::vector<Argument> arguments = {{{rows, columns}, -4, 4}};
      const bool labelled = std::string(name) == "softmax_cross_entropy";
      if (labelled) arguments.push_back({{rows}, 0, static_cast<double>(columns), Argument::Type::index});
      const std::string extents = std::to_string(rows) + "×" + std::to_string(columns);
      table.push_back(operation(std::string(name) + "-" + std::to_string(rows) + "x" + std::to_string(columns),
                                "Softmax and cross-entropy", std::string(name) + ", " + extents, name, arguments,
                                static_cast<double>(rows) * (labelled ? 1 : columns)));
    }
  for (const auto& [m, k, n] : std::vector<std::tuple<int, int, int>>{{4, 2, 8},
                                                                      {32, 4, 16},
                                                                      {32, 64, 64},
                                                                      {64, 784, 128},
                                                                      {128, 784, 256},
                                                                      {128, 256, 128},
                                                                      {128, 128, 10},
                                                                      {256, 1024, 1024}}) {
    const std::string extents =
        std::to_string(m) + "×" + std::to_string(k) + " by " + std::to_string(k) + "×" + std::to_string(n);
    const std::string name = std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n);
    const std::string group = "Products at the shapes of the networks";
    const Argument x{{m, k}}, weight{{k, n}}, bias{{n}};
    table.push_back(operation("matmul-" + name, group, "matmul, " + extents, "matmul", {x, weight}, 0));
    table.push_back(operation("linear-" + name, group, "linear, " + extents, "linear", {x, weight, bias}, 0));
    for (std::size_t i = table.size() - 2; i < table.size(); ++i) {
      table[i].flop = 3 * 2.0 * m * k * n;
      table[i].quick = false;
    }
  }
}

inline void add_training(std::vector<Workload>& table) {
  for (const auto& [name, parameters] : std::vector<std::pair<const char*, int>>{{"100K", 100000}, {"10M", 10000000}}) {
    Workload w{std::string("sgd-") + name, "Optimizer", std::string("SGD with momentum, ") + name + " parameters",
               Kind::optimizer_step,       {},          parameters};
    w.bytes = optimizer_bytes(parameters);
    w.seconds = 0.3;
    table.push_back(w);
  }
  const std::vector<int> widths = {784, 512, 256, 10};
  Workload w = training_step("fashion-mnist", "Fashion-MNIST", "784-512-256-10, batch 128, per epoch", widths, 128);
  w.kind = Kind::fashion_mnist;
  const double batches = 60000.0 / 128;
  w.flop *= batches;
  w.bytes *= batches;
  w.quick = false;
  table.push_back(w);
}

/// The widths of the GAN of examples/gan.cpp, generator and then critic.
inline const std::vector<int> generator_widths = {2, 64, 64, 64, 2}, critic_widths = {2, 64, 64, 64, 1};

/// What custom models ask for: rows of large tables, chosen gradients, gradients by examples, derivatives in the loss.
inline void add_custom_models(std::vector<Workload>& table) {
  const std::string group = "Custom models";
  const std::size_t first = table.size();
  for (const char* optimizer : {"SGD", "Adam"}) {
    table.push_back({std::string("rows-") + optimizer,
                     group,
                     std::string("256 rows of a table of 1M × 32, ") + optimizer,
                     Kind::rows_of_table,
                     {1000000, 32},
                     256});
    table.back().operation = optimizer;
  }
  for (const char* which : {"only", "all"}) {
    table.push_back({std::string("generator-") + which, group,
                     std::string("backward of a generator's step, batch 256, ") +
                         (std::string(which) == "all" ? "by both networks" : "by the generator only"),
                     Kind::generator_step, generator_widths, 256});
    table.back().operation = which;
  }
  const std::vector<int> widths = {784, 256, 128, 10};
  for (const char* what : {"norms", "written"}) {
    table.push_back({std::string("example-gradients-") + what, group,
                     std::string("gradients of each of 128 rows, 784-256-128-10, ") +
                         (std::string(what) == "norms" ? "their norms" : "written down: 120 MB"),
                     Kind::example_gradients, widths, 128});
    table.back().operation = what;
  }
  table.push_back(
      {"batch-gradients", group, "gradients of these 128 rows' mean loss", Kind::batch_gradients, widths, 128});
  table.push_back(
      {"hessian-product", group, "Hessian of these rows' loss times a vector", Kind::hessian_product, widths, 128});
  table.push_back({"gradient-penalty", group, "penalty on a critic's gradient and its gradient, batch 256",
                   Kind::gradient_penalty, critic_widths, 256});
  table.push_back(
      {"curvature", group, "u″ of Poisson's equation, 64 points, 32 units", Kind::curvature, {1, 32, 1}, 64});
  table.push_back({"poisson", group, "Poisson's equation, 64 points, 32 units, a step", Kind::poisson, {1, 32, 1}, 64});
  for (std::size_t i = first; i < table.size(); ++i) table[i].seconds = 0.3;
}

/// How cost grows with depth, batch and width: every power of two, and what lies half way to the next.
inline void add_sweeps(std::vector<Workload>& table) {
  const auto add = [&](const std::string& what, int size, const std::vector<int>& widths, int batch) {
    Workload w = training_step(what + "-" + std::to_string(size), "Cost as work grows: " + what, std::to_string(size),
                               widths, batch);
    w.units = what == "depth" ? size : w.flop * 1e-6;
    w.quick = false;
    table.push_back(w);
  };
  const auto sizes = [](int first, int last) {
    std::vector<int> list;
    for (int size = first; size <= last; size *= 2) {
      list.push_back(size);
      if (size > 1 && size * 3 / 2 <= last) list.push_back(size * 3 / 2);
    }
    if (list.back() != last) list.push_back(last);
    return list;
  };
  for (const int depth : sizes(1, 1000)) {
    std::vector<int> widths(static_cast<std::size_t>(depth) + 1, 64);
    widths.push_back(10);
    add("depth", depth, widths, 32);
  }
  for (const int batch : sizes(1, 4096)) add("batch", batch, {784, 256, 128, 10}, batch);
  for (const int width : sizes(8, 4096)) add("width", width, {width, width, width, 10}, 128);
}

inline const std::vector<Workload>& workloads() {
  static const std::vector<Workload> table = [] {
    std::vector<Workload> rows;
    for (const auto add : {add_step_times, add_large_elementwise, add_operations, add_reductions,
                           add_softmax_and_products, add_training, add_custom_models, add_sweeps})
      add(rows);
    return rows;
  }();
  return table;
}

}  // namespace benchmark
