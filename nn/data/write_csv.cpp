#include <autograd/ops/layout.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/data/write_csv.hpp>
#include <nn/files/whole_file.hpp>

#include <charconv>
#include <set>

namespace xgrad::nn {

namespace {

constexpr std::size_t piece = std::size_t{1} << 20;

void add_text(std::string& line, const std::string& text) {
  if (!is_utf8(text)) throw_as<ValueError>("write_csv: '{}' is not UTF-8", printable(text));
  // An empty text without quotes would be a missing value, and so would these words.
  const bool plain = !text.empty() && text.find_first_of(",\"\r\n") == std::string::npos && text != "NA" &&
                     text != "NaN" && text != "nan";
  if (plain) {
    line += text;
    return;
  }
  line += '"';
  for (const char c : text) line.append(c == '"' ? 2 : 1, c);
  line += '"';
}

void add_number(std::string& line, const Tensor& numbers, std::size_t row) {
  visit(numbers.dtype(), [&](auto zero) {
    char text[32];
    const auto value = numbers.values<decltype(zero)>()[row];
    line.append(text, std::to_chars(text, text + sizeof text, value).ptr);
  });
}

std::size_t check(const std::vector<CsvColumn>& columns) {
  if (columns.empty()) throw ValueError("write_csv: no columns; need at least one");
  std::set<std::string> names;
  std::size_t rows = 0;
  for (const CsvColumn& column : columns) {
    if (column.name.empty()) throw ValueError("write_csv: a column without a name; need one for each");
    if (!names.insert(column.name).second) throw_as<ValueError>("write_csv: two columns are called {}", column.name);
    const Tensor* const numbers = std::get_if<Tensor>(&column.values);
    if (numbers != nullptr && numbers->rank() != 1)
      throw_as<ShapeError>("write_csv: column {} is {}; need (rows,)", column.name, numbers->shape());
    const std::size_t length = numbers != nullptr ? numbers->size() : std::get<1>(column.values).size();
    if (&column == &columns.front()) rows = length;
    if (length != rows)
      throw_as<ShapeError>("write_csv: column {} has {} rows, column {} has {}; need as many", columns.front().name,
                           rows, column.name, length);
  }
  return rows;
}

}  // namespace

std::vector<CsvColumn> csv_columns(const std::vector<std::string>& names, const Tensor& table) {
  check_defined("csv_columns", "the table", table);
  if (table.rank() != 2 || table.extent(1) != names.size())
    throw_as<ShapeError>("csv_columns: {} names for a table {}; need (rows, names)", names.size(), table.shape());
  const Pause pause;
  std::vector<CsvColumn> columns;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    columns.push_back({names[i], reshape(slice(table, 1, at, at + 1), {table.shape(0)})});
  }
  return columns;
}

void write_csv(const std::string& path, const std::vector<CsvColumn>& columns) {
  const std::size_t rows = check(columns);
  WholeFile file(path);
  std::string text;
  for (const CsvColumn& column : columns) {
    if (&column != &columns.front()) text += ',';
    add_text(text, column.name);
  }
  text += '\n';
  for (std::size_t row = 0; row < rows; ++row) {
    for (const CsvColumn& column : columns) {
      if (&column != &columns.front()) text += ',';
      if (const Tensor* const numbers = std::get_if<Tensor>(&column.values))
        add_number(text, *numbers, row);
      else
        add_text(text, std::get<1>(column.values)[row]);
    }
    text += '\n';
    if (text.size() < piece) continue;
    file.append(text);
    text.clear();
  }
  file.append(text);
  file.finish();
}

}  // namespace xgrad::nn
