#include "own_data.hpp"

#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/numbers.hpp>
#include <autograd/text/words.hpp>
#include <nn/data/csv.hpp>
#include <nn/data/encoders.hpp>
#include <nn/data/scaler.hpp>

#include <algorithm>

namespace playground {

using namespace xgrad;

namespace {

constexpr double scaled_edge = 5;

bool is_numeric(const nn::CsvTable& table, const std::string& column) {
  try {
    table.number_column(column, float64);
    return true;
  } catch (const FileError&) {
    return false;
  }
}

Tensor scaled(const Tensor& x, double edge, const std::string& name) {
  const std::vector<std::string> names = {name};
  return nn::Scaler::min_max(x, -edge, edge, names).apply(x);
}

/// The labels as -1 and 1, or in [-1, 1].
Tensor labels_of(const nn::CsvTable& table, const std::string& column, std::string& note) {
  const nn::OrdinalEncoder classes = table.categories(column);
  if (classes.size() == 2) {
    note += fmt::format(" -1 stands for {}, 1 for {}.", classes.categories()[0], classes.categories()[1]);
    return table.codes(column, classes).to(float64) * 2.0 - 1.0;
  }
  if (!is_numeric(table, column))
    throw_as<ValueError>("column {} has {} classes; the page shows two, or numbers", column, classes.size());
  const Tensor numbers = table.number_column(column, float64);
  note += fmt::format(" {} is a number to be predicted, brought from {} to {} into -1 to 1.", column,
                      short_number(min(numbers).item()), short_number(max(numbers).item()));
  return scaled(numbers, 1, column);
}

}  // namespace

OwnData own_data(const std::string& csv) {
  const nn::CsvTable table = nn::parse_csv(csv, "data.csv", {.header = nn::CsvHeader::detect});
  if (table.columns().size() != 3)
    throw_as<ValueError>("data.csv: {}; need three, x1, x2 and the label", counted(table.columns().size(), "column"));
  OwnData own;
  own.note = counted(static_cast<std::size_t>(table.rows()), "point") + ".";
  std::vector<Tensor> columns;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string& name = table.columns()[i];
    Tensor x = table.number_column(name, float64);
    if (max(abs(x)).item() > plane_edge) {
      own.note += fmt::format(" {} was brought from {} to {} into -5 to 5.", name, short_number(min(x).item()),
                              short_number(max(x).item()));
      x = scaled(x, scaled_edge, name);
    }
    columns.push_back(std::move(x));
  }
  columns.push_back(labels_of(table, table.columns()[2], own.note));
  // The address holds what the network sees.
  const auto value = [](const Tensor& x, std::int64_t row) {
    return static_cast<double>(static_cast<float>(x.item({row})));
  };
  for (std::int64_t row = 0; row < table.rows(); ++row)
    own.points.push_back(
        {value(columns[0], row), value(columns[1], row), std::clamp(value(columns[2], row), -1.0, 1.0)});
  constexpr std::size_t most_points = 5000;
  if (own.points.size() > most_points)
    throw_as<ValueError>("data.csv: {} points; the page takes at most {}", own.points.size(), most_points);
  return own;
}

}  // namespace playground
