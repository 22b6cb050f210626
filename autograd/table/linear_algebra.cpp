#include <autograd/ops/linear_algebra.hpp>
#include <autograd/table/op_table.hpp>
#include <autograd/tensor/creation.hpp>

namespace xgrad {

namespace {

OpCall product(bool transpose_x, bool transpose_y) {
  return [=](const OpInputs& in) { return matmul(in[0], in[1], transpose_x, transpose_y); };
}

OpRow matmul_row() {
  OpRow row("matmul", "x · y", [](const OpInputs& in) { return matmul(in[0], in[1]); });
  row.sample({{{2, 3}}, {{3, 4}}}).sample({{{1, 1}}, {{1, 1}}}).sample({{{7, 9}}, {{9, 17}}});
  row.sample({{{16, 8}}, {{8, 15}}}).sample({{{3}}, {{3}}}).sample({{{2, 3}}, {{3}}}).sample({{{3}}, {{3, 4}}});
  row.sample({{{5, 2, 3}}, {{3}}}).sample({{{3}}, {{5, 3, 2}}}).sample({{{5, 2, 3}}, {{3, 4}}});
  row.sample({{{2, 3}}, {{5, 3, 4}}}).sample({{{5, 2, 3}}, {{5, 3, 4}}}).sample({{{2, 1, 2, 3}}, {{4, 3, 2}}});
  row.sample({{{1, 2, 3}}, {{4, 3, 2}}}).sample({{{2, 1, 2, 3}}, {{1, 4, 3, 2}}}).sample({{{0, 3}}, {{3, 2}}});
  row.sample({{{2, 0}}, {{0, 3}}}).sample({{{0}}, {{0}}}).sample({{{0, 2, 3}}, {{3, 2}}});
  row.sample({{{3, 2}}, {{3, 4}}}, product(true, false)).sample({{{2, 3}}, {{4, 3}}}, product(false, true));
  row.sample({{{3, 2}}, {{4, 3}}}, product(true, true)).sample({{{5, 3, 2}}, {{4, 3}}}, product(true, true));
  row.sample({{{3, 2}}, {{5, 3, 4}}}, product(true, false)).sample({{{5, 2, 3}}, {{1, 4, 3}}}, product(false, true));
  row.big_sample({{{300, 257}}, {{257, 190}}}).big_sample({{{8, 64, 65}}, {{65, 133}}});
  row.big_sample({{{257, 300}}, {{190, 257}}}, product(true, true)).big_sample({{{2, 3000}}, {{3000, 3}}});
  row.big_sample({{{64, 784}}, {{784, 128}}});
  const Tensor rows = tensor({{1, 0}, {0, 1}}), columns = tensor({{4, 1}, {2, 2}});
  row.point({rows, columns}, tensor({{4, 1}, {2, 2}}), "NumPy documentation of matmul",
            {tensor({{5, 4}, {5, 4}}), tensor({{1, 1}, {1, 1}})})
      .point({rows, tensor({1, 2})}, tensor({1, 2}), "NumPy documentation of matmul")
      .point({tensor({1, 2}), rows}, tensor({1, 2}), "NumPy documentation of matmul")
      .point({tensor({{1, 2}, {3, 4}}), tensor({{5, 6}, {7, 8}})}, tensor({{19, 22}, {43, 50}}), "by hand",
             {tensor({{11, 15}, {11, 15}}), tensor({{4, 4}, {6, 6}})})
      .point({tensor({{1, 2}, {3, 4}}), tensor({{5, 6}, {7, 8}})}, tensor({{26, 30}, {38, 44}}), "xᵀ · y by hand", {},
             product(true, false))
      .point({tensor({{1, 2}, {3, 4}}), tensor({{5, 6}, {7, 8}})}, tensor({{17, 23}, {39, 53}}), "x · yᵀ by hand", {},
             product(false, true))
      .point({zeros({2, 0}), zeros({0, 2})}, zeros({2, 2}), "sum without terms", {zeros({2, 0}), zeros({0, 2})})
      .extreme({tensor({{1e4, -1e4}}), tensor({{1e4}, {1e4}})}, tensor({{0}}),
               {tensor({{1e4, 1e4}}), tensor({{1e4}, {-1e4}})})
      .refuses<ShapeError>({zeros({2, 3}), zeros({4, 5})}, "matmul: a is (2, 3), b is (4, 5); need")
      .refuses<ShapeError>({zeros({2, 3}), zeros({2})}, "matmul: a is (2, 3), b is (2,)")
      .refuses<ShapeError>({zeros({}), zeros({2})}, "matmul: a is (), b is (2,)")
      .refuses<ShapeError>({zeros({2, 2, 3}), zeros({3, 3, 4})}, "do not broadcast")
      .refuses<ShapeError>({zeros({2, 3}), zeros({3, 4})}, "transposed", product(true, false))
      .refuses<TypeError>({zeros({2, 3}), zeros({3, 2}, float32)}, "dtypes do not mix")
      .refuses<TypeError>({zeros({2, 2}, int64), zeros({2, 2}, int64)}, "matmul: input 0 is int64");
  return row;
}

OpRow linear_row() {
  OpRow row("linear", "x · W + b",
            [](const OpInputs& in) { return in.size() == 2 ? linear(in[0], in[1]) : linear(in[0], in[1], in[2]); });
  row.sample({{{2, 3}}, {{3, 4}}, {{4}}}).sample({{{2, 3}}, {{3, 4}}}).sample({{{3}}, {{3, 4}}, {{4}}});
  row.sample({{{2, 2, 3}}, {{3, 4}}, {{4}}}).sample({{{9, 17}}, {{17, 8}}, {{8}}}).sample({{{3}}, {{3, 1}}});
  row.sample({{{1, 1}}, {{1, 1}}, {{1}}}).sample({{{0, 3}}, {{3, 2}}, {{2}}}).sample({{{2, 0}}, {{0, 3}}, {{3}}});
  row.sample({{{2, 3}}, {{3, 0}}, {{0}}}).sample({{{2, 0, 3}}, {{3, 2}}, {{2}}});
  row.big_sample({{{128, 784}}, {{784, 256}}, {{256}}}).big_sample({{{5, 60, 65}}, {{65, 133}}, {{133}}});
  row.big_sample({{{3000, 7}}, {{7, 9}}, {{9}}});
  const Tensor x = tensor({{1, 2}, {3, 4}}), weight = tensor({{5, 6}, {7, 8}}), bias = tensor({-1, 1});
  row.point({x, weight, bias}, tensor({{18, 23}, {42, 51}}), "by hand",
            {tensor({{11, 15}, {11, 15}}), tensor({{4, 4}, {6, 6}}), tensor({2, 2})})
      .point({x, weight}, tensor({{19, 22}, {43, 50}}), "by hand")
      .point({zeros({2, 0}), zeros({0, 2}), bias}, tensor({{-1, 1}, {-1, 1}}), "the bias alone",
             {zeros({2, 0}), zeros({0, 2}), tensor({2, 2})})
      .extreme({tensor({{1e4, -1e4}}), tensor({{1e4}, {1e4}}), tensor({0})}, tensor({{0}}),
               {tensor({{1e4, 1e4}}), tensor({{1e4}, {-1e4}}), tensor({1})})
      .refuses<ShapeError>({zeros({2, 3}), zeros({4, 5}), zeros({5})}, "linear expects (…, 4), got (2, 3)")
      .refuses<ShapeError>({zeros({2, 3}), zeros({3, 5}), zeros({4})}, "linear: weight is (3, 5), bias is (4,)")
      .refuses<ShapeError>({zeros({2, 3}), zeros({3, 5}), zeros({1, 5})}, "bias is (1, 5)")
      .refuses<ShapeError>({zeros({}), zeros({3, 5})}, "linear expects (…, 3), got ()")
      .refuses<ShapeError>({zeros({2, 3}), zeros({3})}, "weight is (3,)")
      .refuses<TypeError>({zeros({2, 3}), zeros({3, 5}, float32)}, "dtypes do not mix")
      .refuses<TypeError>({zeros({2, 3}), zeros({3, 5}), zeros({5}, int64)}, "linear: input 2 is int64");
  return row;
}

OpRow of_vectors(const std::string& name, const std::string& formula, BinaryFunction f) {
  OpRow row(name, formula, [f](const OpInputs& in) { return f(in[0], in[1]); });
  for (const std::int64_t length : {1, 7, 8, 9, 15, 16, 17, 33}) row.sample({{{length}}, {{length}}});
  row.sample({{{0}}, {{0}}}).big_sample({{{301}}, {{301}}});
  row.refuses<ShapeError>({zeros({2, 3}), zeros({3})}, name + ": shapes (2, 3) and (3,); need two vectors");
  row.refuses<ShapeError>({zeros({3}), zeros({})}, "need two vectors");
  row.refuses<TypeError>({zeros({3}), zeros({3}, float32)}, "dtypes do not mix");
  return row;
}

}  // namespace

std::vector<OpRow> linear_algebra_rows() {
  std::vector<OpRow> rows;
  rows.push_back(matmul_row());
  rows.push_back(linear_row());
  rows.push_back(
      of_vectors("outer", "x_i · y_j", outer)
          .sample({{{2}}, {{17}}})
          .sample({{{0}}, {{3}}})
          .point({tensor({1, 2}), tensor({3, 4, 5})}, tensor({{3, 4, 5}, {6, 8, 10}}), "by hand",
                 {tensor({12, 12}), tensor({3, 3, 3})})
          .extreme({tensor({1e4, 0}), tensor({-1e4})}, tensor({{-1e8}, {0}}), {tensor({-1e4, -1e4}), tensor({1e4})}));
  rows.push_back(
      of_vectors("dot", "Σ x_i · y_i", dot)
          .big_sample({{{70001}}, {{70001}}})
          .point({tensor({1, 2, 3}), tensor({4, 5, 6})}, tensor(32.0), "by hand",
                 {tensor({4, 5, 6}), tensor({1, 2, 3})})
          .point({zeros({0}), zeros({0})}, tensor(0.0), "sum without terms", {zeros({0}), zeros({0})})
          .extreme({tensor({1e4, -1e4}), tensor({1e4, 1e4})}, tensor(0.0), {tensor({1e4, 1e4}), tensor({1e4, -1e4})})
          .refuses<ShapeError>({zeros({3}), zeros({4})}, "dot: shapes (3,) and (4,); need equal lengths"));
  return rows;
}

}  // namespace xgrad
