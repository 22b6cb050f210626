#include <autograd/ops/compare.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/error.hpp>
#include <nn/data/features.hpp>

#include <utility>

namespace xgrad::nn {

Features Features::fit(const CsvTable& table, std::vector<std::string> columns) {
  if (columns.empty()) throw ValueError("Features: no columns; need one at least");
  Features features{std::move(columns)};
  for (const std::string& column : features.columns)
    if (!table.is_numeric(column)) features.encoders.emplace(column, table.categories(column));
  return features;
}

std::vector<std::string> Features::names() const {
  std::vector<std::string> names;
  for (const std::string& column : columns) {
    const auto encoder = encoders.find(column);
    if (encoder == encoders.end())
      names.push_back(column);
    else
      for (const std::string& category : encoder->second.categories()) names.push_back(column + " = " + category);
  }
  return names;
}

Tensor Features::apply(const CsvTable& table, DType dtype) const {
  if (columns.empty()) throw ValueError("Features: no columns; need one at least");
  const Pause pause;
  std::vector<Tensor> parts;
  for (const std::string& column : columns) {
    const auto encoder = encoders.find(column);
    parts.push_back(encoder == encoders.end() ? table.numbers({column}, dtype)
                                              : eq(reshape(table.codes(column, encoder->second), {table.rows(), 1}),
                                                   arange(encoder->second.size()))
                                                    .to(dtype));
  }
  return concatenate(parts, 1);
}

}  // namespace xgrad::nn
