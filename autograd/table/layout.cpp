#include <autograd/ops/indexing.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/table/op_table.hpp>
#include <autograd/tensor/creation.hpp>

namespace xgrad {

namespace {

/// A row of an operation that moves values; what it is tried on stands in samples and points of its own.
OpRow moving(const std::string& name, const std::string& formula, OpCall call) {
  OpRow row(name, formula, std::move(call));
  row.is_linear().is_exact().takes_any_dtype().with_nan(NaNRule::moves);
  return row;
}

OpCall reshaped(const Shape& shape) {
  return [shape](const OpInputs& x) { return reshape(x[0], shape); };
}
OpCall squeezed(const Axes& axes) {
  return [axes](const OpInputs& x) { return squeeze(x[0], axes); };
}
OpCall permuted(const Axes& axes) {
  return [axes](const OpInputs& x) { return permute(x[0], axes); };
}
OpCall sliced(std::int64_t axis, std::int64_t start, std::int64_t stop, std::int64_t step = 1) {
  return [=](const OpInputs& x) { return slice(x[0], axis, start, stop, step); };
}
OpCall broadcasted(const Shape& shape) {
  return [shape](const OpInputs& x) { return broadcast_to(x[0], shape); };
}

Tensor matrix() { return tensor({{1, 2, 3}, {4, 5, 6}}); }

OpRow reshape_row() {
  return moving("reshape", "the same values under another shape", reshaped({-1}))
      .sample({{{2, 3, 4}}}, reshaped({4, 6}))
      .sample({{{2, 3, 4}}}, reshaped({3, -1, 2}))
      .sample({{{}}}, reshaped({1, 1}))
      .sample({{{1}}}, reshaped({}))
      .sample({{{0, 3}}}, reshaped({0}))
      .sample({{{0, 3}}}, reshaped({-1, 7}))
      .sample({{{33}}}, reshaped({3, 11}))
      .big_sample({{{301, 257}}}, reshaped({257, 301}))
      .point({matrix()}, tensor({{1, 2}, {3, 4}, {5, 6}}), "NumPy documentation of reshape", {}, reshaped({3, -1}))
      .refuses<ShapeError>({matrix()}, "reshape: (2, 3) to (4, 2)", reshaped({4, 2}))
      .refuses<ShapeError>({matrix()}, "at most one extent -1", reshaped({-1, -1}))
      .refuses<ShapeError>({matrix()}, "reshape: (2, 3) to (-1, 4)", reshaped({-1, 4}))
      .refuses<ShapeError>({matrix()}, "reshape: (2, 3) to (-2, -3)", reshaped({-2, -3}))
      .refuses<ShapeError>({zeros({0})}, "reshape: (0,) to (0, -1)", reshaped({0, -1}));
}

void add_shape_changes(std::vector<OpRow>& rows) {
  rows.push_back(reshape_row());
  const auto flat = [](std::int64_t first) { return [first](const OpInputs& x) { return flatten(x[0], first); }; };
  rows.push_back(moving("flatten", "axes from the first one on become one", flat(0))
                     .shapes({{2, 3, 4}, {}})
                     .sample({{{2, 3, 4}}}, flat(1))
                     .sample({{{2, 3, 4}}}, flat(-1))
                     .sample({{{0, 3, 2}}}, flat(1))
                     .big_sample({{{10, 70, 101}}}, flat(1))
                     .point({matrix()}, tensor({1, 2, 3, 4, 5, 6}), "row-major order")
                     .refuses<ShapeError>({matrix()}, "flatten: axis 2", flat(2)));
  rows.push_back(moving("squeeze", "without axes of extent 1", squeezed({}))
                     .shapes({{1, 3, 1}, {}, {1, 0}})
                     .sample({{{1, 3, 1}}}, squeezed({-1}))
                     .sample({{{1, 3, 1}}}, squeezed({0, 2}))
                     .big_sample({{{301, 1, 257}}})
                     .point({tensor({{1, 2, 3}})}, tensor({1, 2, 3}), "definition")
                     .refuses<ShapeError>({matrix()}, "squeeze: axis 1 of shape (2, 3) has extent 3", squeezed({1}))
                     .refuses<ShapeError>({matrix()}, "squeeze: axis 2", squeezed({2})));
  const auto unsqueezed = [](std::int64_t axis) { return [axis](const OpInputs& x) { return unsqueeze(x[0], axis); }; };
  rows.push_back(moving("unsqueeze", "with a new axis of extent 1", unsqueezed(0))
                     .shapes({{2, 3}, {}})
                     .sample({{{2, 3}}}, unsqueezed(1))
                     .sample({{{2, 3}}}, unsqueezed(-1))
                     .sample({{{0}}}, unsqueezed(1))
                     .big_sample({{{301, 257}}}, unsqueezed(1))
                     .point({tensor({1, 2})}, tensor({{1}, {2}}), "definition", {}, unsqueezed(-1))
                     .refuses<ShapeError>({matrix()}, "unsqueeze: axis 3", unsqueezed(3))
                     .refuses<ShapeError>({zeros({1, 1, 1, 1, 1, 1, 1, 1})}, "need at most 7"));
  rows.push_back(moving("broadcast_to", "repeated along new axes and axes of extent 1", broadcasted({2, 3}))
                     .shapes({{3}, {}, {2, 1}, {2, 3}})
                     .sample({{{3, 1}}}, broadcasted({2, 3, 17}))
                     .sample({{{2, 1, 3}}}, broadcasted({2, 4, 3}))
                     .sample({{{1, 3}}}, broadcasted({0, 3}))
                     .sample({{{}}}, broadcasted({0}))
                     .big_sample({{{257}}}, broadcasted({301, 257}))
                     .big_sample({{{301, 1}}}, broadcasted({301, 257}))
                     .point({tensor({1, 2, 3})}, tensor({{1, 2, 3}, {1, 2, 3}}), "NumPy documentation of broadcast_to",
                            {tensor({2, 2, 2})})
                     .point({tensor(7.0)}, tensor({{7, 7, 7}, {7, 7, 7}}), "definition", {tensor(6.0)})
                     .refuses<ShapeError>({zeros({2})}, "broadcast_to: shape (2,) does not broadcast to (2, 3)")
                     .refuses<ShapeError>({zeros({2, 3})}, "does not broadcast to (3,)", broadcasted({3})));
}

void add_orders(std::vector<OpRow>& rows) {
  rows.push_back(moving("permute", "axis i of the result is axis axes[i] of x", permuted({1, 0}))
                     .shapes({{3, 5}, {17, 9}, {0, 3}})
                     .sample({{{2, 3, 4}}}, permuted({2, 0, 1}))
                     .sample({{{2, 3, 4}}}, permuted({0, -1, -2}))
                     .sample({{{2, 3, 2, 3}}}, permuted({3, 1, 0, 2}))
                     .sample({{{}}}, permuted({}))
                     .big_sample({{{301, 257}}})
                     .big_sample({{{17, 60, 81}}}, permuted({2, 0, 1}))
                     .point({matrix()}, tensor({{1, 4}, {2, 5}, {3, 6}}), "definition")
                     .refuses<ShapeError>({matrix()}, "permute: axes (0,) for shape (2, 3)", permuted({0}))
                     .refuses<ShapeError>({matrix()}, "name axis 1 twice", permuted({1, -1}))
                     .refuses<ShapeError>({matrix()}, "permute: axis 2", permuted({0, 2})));
  const auto swapped = [](std::int64_t a, std::int64_t b) {
    return [=](const OpInputs& x) { return transpose(x[0], a, b); };
  };
  rows.push_back(moving("transpose", "two axes swapped", [](const OpInputs& x) { return transpose(x[0]); })
                     .shapes({{3, 5}, {2, 3, 4}, {2, 0}})
                     .sample({{{2, 3, 4}}}, swapped(0, 2))
                     .sample({{{2, 3, 4}}}, swapped(-2, 0))
                     .sample({{{5}}}, swapped(0, 0))
                     .big_sample({{{301, 257}}})
                     .point({matrix()}, tensor({{1, 4}, {2, 5}, {3, 6}}), "definition")
                     .refuses<ShapeError>({matrix()}, "transpose: axis 2", swapped(0, 2))
                     .refuses<ShapeError>({tensor({1})}, "transpose: axis -2"));
}

void add_parts(std::vector<OpRow>& rows) {
  const Tensor ten = arange(10).to(float64);
  constexpr std::int64_t far = std::int64_t{1} << 62;
  rows.push_back(moving("slice", "x[start:stop:step] along an axis", sliced(0, 1, -1))
                     .sample({{{7}}})
                     .sample({{{3, 5}}}, sliced(1, 0, 3))
                     .sample({{{3, 5}}}, sliced(-1, 4, 0, -2))
                     .sample({{{2, 9, 2}}}, sliced(1, 1, 8, 3))
                     .sample({{{33}}}, sliced(0, -1, -34, -1))
                     .sample({{{5}}}, sliced(0, 3, 3))
                     .sample({{{0, 2}}}, sliced(0, 0, 5))
                     .big_sample({{{301, 400}}}, sliced(1, 3, -10, 2))
                     .point({ten}, tensor({1, 3, 5}), "NumPy indexing guide, x[1:7:2]",
                            {tensor({0, 1, 0, 1, 0, 1, 0, 0, 0, 0})}, sliced(0, 1, 7, 2))
                     .point({ten}, tensor({8, 9}), "NumPy indexing guide, x[-2:10]", {}, sliced(0, -2, 10))
                     .point({ten}, tensor({7, 6, 5, 4}), "NumPy indexing guide, x[-3:3:-1]", {}, sliced(0, -3, 3, -1))
                     .point({ten}, tensor({5, 6, 7, 8, 9}), "NumPy indexing guide, x[5:]", {}, sliced(0, 5, far))
                     .point({ten}, tensor({9, 8}), "Python, x[100:7:-1]", {}, sliced(0, 100, 7, -1))
                     .point({ten}, tensor({1, 0}), "Python, x[1::-1]", {}, sliced(0, 1, -far, -1))
                     .point({ten}, tensor({2}), "Python, one step beyond the end", {}, sliced(0, 2, 10, far))
                     .point({ten}, zeros({0}), "Python, x[7:2]", {zeros({10})}, sliced(0, 7, 2))
                     .refuses<ValueError>({ten}, "slice: step 0", sliced(0, 0, 5, 0))
                     .refuses<ShapeError>({ten}, "slice: axis 1", sliced(1, 0, 5))
                     .refuses<ShapeError>({tensor(1.0)}, "slice: axis 0"));
  const auto joined = [](std::int64_t axis) { return [axis](const OpInputs& x) { return concatenate(x, axis); }; };
  rows.push_back(moving("concatenate", "one after another along an axis", joined(0))
                     .sample({{{2, 3}}, {{1, 3}}})
                     .sample({{{2, 3}}, {{2, 1}}, {{2, 4}}}, joined(1))
                     .sample({{{2, 3, 2}}, {{2, 2, 2}}}, joined(-2))
                     .sample({{{5}}, {{0}}, {{1}}, {{17}}})
                     .sample({{{0, 2}}, {{0, 2}}})
                     .sample({{{3}}})
                     .big_sample({{{301, 157}}, {{301, 100}}}, joined(1))
                     .point({tensor({{1, 2}, {3, 4}}), tensor({{5, 6}})}, tensor({{1, 2}, {3, 4}, {5, 6}}),
                            "NumPy documentation of concatenate")
                     .point({tensor({{1, 2}, {3, 4}}), tensor({{5}, {6}})}, tensor({{1, 2, 5}, {3, 4, 6}}),
                            "NumPy documentation of concatenate", {}, joined(1))
                     .refuses<ShapeError>({zeros({2, 3}), zeros({2, 4})}, "concatenate: shapes (2, 3) and (2, 4)")
                     .refuses<ShapeError>({zeros({2, 3}), zeros({3})}, "concatenate: shapes (2, 3) and (3,)")
                     .refuses<ShapeError>({zeros({2})}, "concatenate: axis 1", joined(1))
                     .refuses<TypeError>({zeros({2}), zeros({2}, float32)}, "tensor 1 is float32")
                     .refuses<ValueError>({}, "concatenate: no tensors"));
  const auto stacked = [](std::int64_t axis) { return [axis](const OpInputs& x) { return stack(x, axis); }; };
  rows.push_back(moving("stack", "tensors of one shape along a new axis", stacked(0))
                     .sample({{{2, 3}}, {{2, 3}}})
                     .sample({{{2, 3}}, {{2, 3}}, {{2, 3}}}, stacked(1))
                     .sample({{{2, 3}}, {{2, 3}}}, stacked(-1))
                     .sample({{{}}, {{}}})
                     .sample({{{0}}, {{0}}})
                     .big_sample({{{301, 157}}, {{301, 157}}}, stacked(-1))
                     .point({tensor({1, 2, 3}), tensor({4, 5, 6})}, matrix(), "NumPy documentation of stack")
                     .point({tensor({1, 2, 3}), tensor({4, 5, 6})}, tensor({{1, 4}, {2, 5}, {3, 6}}),
                            "NumPy documentation of stack", {}, stacked(-1))
                     .refuses<ShapeError>({zeros({2, 3}), zeros({3, 2})}, "stack: shapes (2, 3) and (3, 2)")
                     .refuses<ShapeError>({zeros({2})}, "axis 2", stacked(2))
                     .refuses<ValueError>({}, "stack: no tensors"));
}

void add_indexed(std::vector<OpRow>& rows) {
  const auto taken = [](std::int64_t axis) { return [axis](const OpInputs& in) { return take(in[0], in[1], axis); }; };
  const auto scattered = [](std::int64_t extent, std::int64_t axis = 0) {
    return [=](const OpInputs& in) { return scatter_add(in[0], in[1], extent, axis); };
  };
  const auto coded = [](const OpInputs& in) { return one_hot(in[0], 4); };
  const auto whole_numbers = [](std::initializer_list<double> values) { return tensor(values).to(int64); };
  rows.push_back(
      moving("take", "entries at indices along an axis", taken(0))
          .sample({{{5}}, {{8}, indices(0, 4)}})
          .sample({{{5, 3}}, {{2, 4}, indices(0, 4)}})
          .sample({{{2, 5, 3}}, {{4}, indices(0, 4)}}, taken(1))
          .sample({{{2, 5}}, {{}, indices(1, 1)}}, taken(-1))
          .sample({{{5, 3}}, {{0}, indices(0, 4)}})
          .big_sample({{{100, 257}}, {{400}, indices(0, 99)}})
          .big_sample({{{257, 100}}, {{400}, indices(0, 99)}}, taken(1))
          .point({tensor({4, 3, 5, 7, 6, 8}), whole_numbers({0, 1, 4})}, tensor({4, 3, 6}),
                 "NumPy documentation of take", {tensor({1, 1, 0, 0, 1, 0})})
          .point({tensor({4, 3}), whole_numbers({1, 1, 0})}, tensor({3, 3, 4}), "twice taken adds up", {tensor({1, 2})})
          .refuses<ValueError>({zeros({3}), whole_numbers({0, 3})}, "take: index 3 in row 1; need 0 <= index < 3")
          .refuses<ValueError>({zeros({3}), whole_numbers({-1})}, "take: index -1 in row 0")
          .refuses<TypeError>({zeros({3}), zeros({2})}, "take: each index is float64; need int64")
          .refuses<ShapeError>({zeros({3}), whole_numbers({0})}, "take: axis 1", taken(1)));
  OpRow row("scatter_add", "zeros with entry indices[i] of an axis raised by entry i of x", scattered(5));
  rows.push_back(
      row.is_linear()
          .with_nan(NaNRule::moves)
          .sample({{{8}}, {{8}, indices(0, 4)}})
          .sample({{{2, 4, 3}}, {{2, 4}, indices(0, 4)}})
          .sample({{{2, 4, 3}}, {{4}, indices(0, 4)}}, scattered(7, 1))
          .sample({{{0, 3}}, {{0}, indices(0, 4)}})
          .big_sample({{{400, 257}}, {{400}, indices(0, 99)}}, scattered(100))
          .big_sample({{{257, 400}}, {{400}, indices(0, 99)}}, scattered(100, 1))
          .point({tensor({1, 2, 4}), whole_numbers({3, 0, 3})}, tensor({2, 0, 0, 5, 0}), "by hand", {ones({3})})
          .refuses<ValueError>({zeros({2}), whole_numbers({0, 5})}, "scatter_add: index 5 in row 1")
          .refuses<TypeError>({zeros({2}), zeros({2})}, "scatter_add: each index is float64")
          .refuses<TypeError>({whole_numbers({1}), whole_numbers({1})}, "scatter_add: input 0 is int64")
          .refuses<ShapeError>({zeros({2}), whole_numbers({0, 1, 2})}, "scatter_add: x is (2,)")
          .refuses<ShapeError>({zeros({1}), whole_numbers({0})}, "scatter_add: extent -1", scattered(-1)));
  rows.push_back(
      OpRow("one_hot", "rows of zeros with a 1 at each index", coded)
          .with_order(0)
          .picks()
          .with_nan(NaNRule::moves)
          .sample({{{5}, indices(0, 3)}})
          .sample({{{2, 3}, indices(0, 3)}})
          .sample({{{}, indices(2, 2)}})
          .sample({{{0}, indices(0, 3)}})
          .big_sample({{{30000}, indices(0, 3)}})
          .point({whole_numbers({1, 0, 3})}, tensor({{0, 1, 0, 0}, {1, 0, 0, 0}, {0, 0, 0, 1}}), "definition")
          .refuses<ValueError>({whole_numbers({4})}, "one_hot: index 4 in row 0; need 0 <= index < 4")
          .refuses<TypeError>({tensor({1})}, "one_hot: each index is float64")
          .refuses<TypeError>({whole_numbers({1})}, "one_hot: dtype int64",
                              [](const OpInputs& in) { return one_hot(in[0], 4, int64); }));
}

void add_copies(std::vector<OpRow>& rows) {
  rows.push_back(moving("clone", "a copy", [](const OpInputs& x) { return x[0].clone(); })
                     .shapes({{3, 5}, {}, {0}})
                     .big_sample({{{301, 257}}})
                     .point({matrix()}, matrix(), "definition", {ones({2, 3})}));
  // Always to float64, so that a check in float64 sees the identity; other ways have tests of their own.
  rows.push_back(moving("to", "a copy in another dtype", [](const OpInputs& x) { return x[0].to(float64); })
                     .shapes({{3, 5}, {33}, {}, {0}})
                     .big_sample({{{301, 257}}})
                     .point({matrix()}, matrix(), "definition", {ones({2, 3})})
                     .point({tensor({-1.75, 1.75, 0})}, tensor({-1, 1, 0}).to(int64), "fractions are cut off", {},
                            [](const OpInputs& x) { return x[0].to(int64); })
                     .refuses<ValueError>({tensor({1, nan})}, "to: nan as int64",
                                          [](const OpInputs& x) { return x[0].to(int64); }));
}

}  // namespace

std::vector<OpRow> layout_rows() {
  std::vector<OpRow> rows;
  add_shape_changes(rows);
  add_orders(rows);
  add_parts(rows);
  add_indexed(rows);
  add_copies(rows);
  return rows;
}

}  // namespace xgrad
