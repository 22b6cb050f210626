#include <autograd/ops/random.hpp>
#include <autograd/table/op_table.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>
#include <cmath>

namespace xgrad {

namespace {

double keep_away(double value, const Domain& domain) {
  const double margin = (domain.high - domain.low) / 100;
  for (const double point : domain.avoid) {
    const double distance = value - point;
    // Values that move keep their order, so that they stay different.
    if (std::abs(distance) < margin) return point + (distance < 0 ? -margin : margin) * (1 + std::abs(distance));
  }
  return value;
}

const std::vector<std::int64_t> lengths = {7, 8, 9, 15, 16, 17, 33};

/// Pairs that broadcast: each way, both sides at once, other ranks, no elements.
const std::vector<std::pair<Shape, Shape>> broadcast_pairs = {{{3, 5}, {5}},          {{3, 5}, {3, 1}},
                                                              {{3, 5}, {1, 5}},       {{3, 5}, {}},
                                                              {{3, 5}, {1, 1}},       {{3, 1}, {1, 5}},
                                                              {{3, 1}, {5}},          {{2, 3, 4}, {4}},
                                                              {{2, 3, 4}, {3, 1}},    {{2, 1, 4}, {3, 1}},
                                                              {{2, 3, 1}, {2, 1, 4}}, {{2, 3, 4}, {2, 1, 1}},
                                                              {{1}, {3, 2}},          {{1, 1, 1}, {2}},
                                                              {{2, 17}, {17}},        {{2, 17}, {2, 1}},
                                                              {{17, 1}, {1, 3}},      {{0, 3}, {3}},
                                                              {{0, 3}, {1, 3}},       {{0, 1}, {1, 3}},
                                                              {{2, 0}, {2, 1}},       {{0}, {}}};

void add_elementwise_samples(OpRow& row, const std::vector<Domain>& domains) {
  const auto with_shapes = [&](std::vector<Shape> shapes) {
    std::vector<Argument> arguments;
    for (std::size_t i = 0; i < domains.size(); ++i)
      arguments.push_back({shapes[std::min(i, shapes.size() - 1)], domains[i]});
    return arguments;
  };
  for (const std::int64_t length : lengths) row.sample(with_shapes({Shape{length}}));
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{0}, Shape{3, 5}, Shape{2, 3, 4}, Shape{3, 0}, Shape{1, 1}})
    row.sample(with_shapes({shape}));
  row.big_sample(with_shapes({Shape{70, 1001}}));
  if (domains.size() == 1) return;
  // Two shapes meet in every pair of arguments; a third argument is a scalar, a row or whole.
  for (const auto& [a, b] : broadcast_pairs)
    for (std::size_t i = 0; i < domains.size(); ++i) {
      std::vector<Shape> shapes(domains.size(), a);
      shapes[i] = b;
      if (domains.size() > 2) shapes[(i + 1) % domains.size()] = i == 0 ? Shape{} : b;
      row.sample(with_shapes(shapes));
    }
  row.big_sample(with_shapes({Shape{70, 1001}, Shape{1001}}));
  row.big_sample(with_shapes({Shape{70, 1}, Shape{70, 1001}}));
}

}  // namespace

OpRow& OpRow::sample(std::vector<Argument> arguments, OpCall with) {
  return add(samples, {std::move(with), std::move(arguments)});
}

OpRow& OpRow::big_sample(std::vector<Argument> arguments, OpCall with) {
  return add(big, {std::move(with), std::move(arguments)});
}

OpRow& OpRow::point(OpInputs inputs, Tensor value, const std::string& source, OpInputs gradients, OpCall with) {
  return add(known, {std::move(with), std::move(inputs), std::move(value), std::move(gradients), source});
}

OpRow& OpRow::kink(OpInputs inputs, Tensor value, OpInputs gradients, OpCall with) {
  return add(kinks, {std::move(with), std::move(inputs), std::move(value), std::move(gradients), "declared gradient"});
}

OpRow& OpRow::extreme(OpInputs inputs, Tensor value, OpInputs gradients, OpCall with) {
  return add(extremes, {std::move(with), std::move(inputs), std::move(value), std::move(gradients), "limit"});
}

OpRow& OpRow::add(std::vector<OpPoint>& list, const std::vector<UnaryPoint>& points, const std::string& source) {
  for (const auto& [x, y, derivative] : points) {
    const OpInputs gradients = derivative ? OpInputs{tensor({*derivative}, float64)} : OpInputs{};
    add(list, OpPoint{call, {tensor({x}, float64)}, tensor({y}, float64), gradients, source});
  }
  return *this;
}

OpInputs make_inputs(const OpSample& sample, DType dtype, std::uint64_t seed) {
  std::size_t count = 0;
  for (const Argument& argument : sample.arguments) count += argument.shape.elements();
  // Equal parts of the interval hold one value each, all at this place in their part.
  Generator generator(seed, count);
  const Tensor order = permutation(static_cast<std::int64_t>(count), generator);
  const double offset = seed == 0 ? 0.37 : uniform({}, 0.1, 0.9, float64, generator).item();

  OpInputs inputs;
  const std::int64_t* part = order.data<std::int64_t>();
  for (const auto& [shape, domain] : sample.arguments) {
    std::vector<double> values(shape.elements());
    for (double& value : values) {
      const double place = (static_cast<double>(*part++) + offset) / static_cast<double>(count);
      value = domain.kind == Domain::Kind::real ? keep_away(domain.low + place * (domain.high - domain.low), domain)
                                                : domain.low + std::floor(place * (domain.high - domain.low + 1));
    }
    inputs.push_back(tensor(values, shape, domain.kind == Domain::Kind::index ? int64 : dtype));
  }
  return inputs;
}

OpRow elementwise(const std::string& name, const std::string& formula, OpCall f, const std::vector<Domain>& domains) {
  OpRow row(name, formula, std::move(f));
  row.elementwise = true;
  add_elementwise_samples(row, domains);
  const OpInputs good(domains.size(), zeros({2, 3}, float64));
  for (std::size_t i = 0; i < domains.size(); ++i) {
    OpInputs bad = good;
    bad[i] = zeros({2, 3}, int64);
    row.refuses<TypeError>(bad, fmt::format("{}: input {} is int64", name, i));
    if (domains.size() == 1) break;
    bad[i] = zeros({4}, float64);
    row.refuses<ShapeError>(bad, name + ": shapes " + (i == 0 ? "(4,) and (2, 3)" : "(2, 3) and (4,)"));
    bad[i] = zeros({2, 3}, float32);
    row.refuses<TypeError>(bad, "dtypes do not mix");
  }
  return row;
}

OpRow unary(const std::string& name, const std::string& formula, UnaryFunction f, const Domain& domain) {
  return elementwise(name, formula, [f](const OpInputs& x) { return f(x[0]); }, {domain});
}

OpRow binary(const std::string& name, const std::string& formula, BinaryFunction f, const Domain& x, const Domain& y) {
  return elementwise(name, formula, [f](const OpInputs& in) { return f(in[0], in[1]); }, {x, y});
}

OpCall over(ReduceFunction f, Axes axes, bool keepdims) {
  return [f, axes, keepdims](const OpInputs& x) { return f(x[0], axes, keepdims); };
}

OpRow reduction(const std::string& name, const std::string& formula, ReduceFunction f, const Domain& domain) {
  OpRow row(name, formula, over(f, {}));
  const std::vector<std::pair<Shape, std::vector<Axes>>> shapes = {
      {{}, {{}}},
      {{1}, {{}, {0}}},
      {{17}, {{}, {-1}}},
      {{33}, {{0}}},
      {{3, 5}, {{}, {0}, {1}, {-2, -1}}},
      {{9, 1}, {{0}, {1}}},
      {{2, 17}, {{0}, {1}}},
      {{2, 3, 4}, {{0}, {1}, {2}, {0, 2}, {1, 2}, {2, 0, 1}}},
      {{2, 3, 2, 3}, {{1, 3}, {0, 2}, {3, 0}}},
      {{0, 3}, {{1}}},
      {{3, 0, 2}, {{0, 2}}}};
  for (const auto& [shape, list] : shapes)
    for (const Axes& axes : list)
      for (const bool keepdims : {false, true}) row.sample({{shape, domain}}, over(f, axes, keepdims));
  for (const Axes& axes : {Axes{}, Axes{0}, Axes{1}}) row.big_sample({{{257, 301}, domain}}, over(f, axes));
  const Tensor x = ones({2, 3}, float64);
  row.refuses<ShapeError>({x}, name + ": axis 2 of a tensor of rank 2", over(f, {2}));
  row.refuses<ShapeError>({x}, name + ": axis -3 of a tensor of rank 2", over(f, {0, -3}));
  row.refuses<ShapeError>({x}, "name axis 1 twice", over(f, {1, -1}));
  row.refuses<TypeError>({x.to(int64)}, name + ": input 0 is int64");
  return row;
}

const std::vector<OpRow>& op_table() {
  static const std::vector<OpRow> table = [] {
    const DefaultDType constants(float64);
    std::vector<OpRow> rows;
    for (const auto& kind :
         {arithmetic_rows, elementary_rows, activation_rows, reduction_rows, layout_rows, linear_algebra_rows})
      for (OpRow& row : kind()) rows.push_back(std::move(row));
    return rows;
  }();
  return table;
}

const OpRow& op_row(const std::string& name) {
  for (const OpRow& row : op_table())
    if (row.name == name) return row;
  throw_as<ValueError>("op_table: no operation {}", name);
}

}  // namespace xgrad
