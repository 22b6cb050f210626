#include <autograd/ops/layout.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/data/csv_content.hpp>

#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_set>

namespace xgrad::nn {

const CsvTable::Content& CsvTable::content() const {
  if (content_ == nullptr)
    throw ValueError("CsvTable: nothing was read into it, or it was moved from; need the result of read_csv");
  return *content_;
}

std::int64_t CsvTable::rows() const { return static_cast<std::int64_t>(content().rows); }
const std::vector<std::string>& CsvTable::columns() const& { return content().columns; }
std::int64_t CsvTable::dropped_rows() const { return content().dropped_rows; }
std::int64_t CsvTable::filled_fields() const { return content().filled_fields; }

std::vector<std::string> CsvTable::columns_except(const std::vector<std::string>& names) const {
  for (const std::string& name : names) content().position(name);
  const std::unordered_set<std::string> left_out(names.begin(), names.end());
  std::vector<std::string> others;
  std::copy_if(columns().begin(), columns().end(), std::back_inserter(others),
               [&](const std::string& column) { return !left_out.contains(column); });
  return others;
}

Tensor CsvTable::numbers(const std::vector<std::string>& names, DType dtype) const {
  const Content& table = content();
  std::vector<std::size_t> positions;
  for (const std::string& name : names) positions.push_back(table.position(name));
  Tensor result = Tensor::uninitialized({rows(), static_cast<std::int64_t>(names.size())}, dtype);
  visit(dtype, [&](auto zero) {
    auto* target = result.fresh_data<decltype(zero)>();
    for (std::size_t row = 0; row < table.rows; ++row)
      for (std::size_t i = 0; i < names.size(); ++i)
        *target++ = table.number<decltype(zero)>(table.field(row, positions[i]), names[i]);
  });
  return result;
}

Tensor CsvTable::number_column(const std::string& name, DType dtype) const {
  return reshape(numbers({name}, dtype), {rows()});
}

std::vector<std::string> CsvTable::text(const std::string& name) const {
  const Content& table = content();
  const std::size_t column = table.position(name);
  std::vector<std::string> values;
  for (std::size_t row = 0; row < table.rows; ++row) values.push_back(table.value(table.field(row, column)));
  return values;
}

std::vector<bool> CsvTable::missing(const std::string& name) const {
  const Content& table = content();
  const std::size_t column = table.position(name);
  std::vector<bool> gaps;
  for (std::size_t row = 0; row < table.rows; ++row) gaps.push_back(table.is_missing(table.field(row, column)));
  return gaps;
}

bool CsvTable::is_numeric(const std::string& name) const {
  const Content& table = content();
  const std::size_t column = table.position(name);
  bool any = false;
  for (std::size_t row = 0; row < table.rows; ++row) {
    const Field field = table.field(row, column);
    if (table.is_missing(field)) continue;
    if (!is_number(table.value(field), table.format)) return false;
    any = true;
  }
  return any;
}

OrdinalEncoder CsvTable::categories(const std::string& name) const {
  const Content& table = content();
  const std::vector<bool> gaps = missing(name);
  const std::vector<std::string> texts = text(name);
  std::vector<std::string> values;
  for (std::size_t row = 0; row < texts.size(); ++row)
    if (!gaps[row]) values.push_back(texts[row]);
  if (values.empty())
    table.source.fail(table.field(0, table.position(name)).start(), "column {} has no value in all {} rows; need two",
                      quoted(name), table.rows);
  const OrdinalEncoder encoder = OrdinalEncoder::fit(values);
  if (encoder.size() < 2)
    table.source.fail(table.field(0, table.position(name)).start(),
                      "column {} has one class only, {} in all {} rows; need two or more", quoted(name),
                      quoted(encoder.categories().front()), table.rows);
  return encoder;
}

Tensor CsvTable::codes(const std::string& name, const OrdinalEncoder& categories) const {
  const Content& table = content();
  const std::size_t column = table.position(name);
  Tensor codes = Tensor::uninitialized({rows()}, int64);
  std::int64_t* target = codes.fresh_data<std::int64_t>();
  for (std::size_t row = 0; row < table.rows; ++row) {
    const Field here = table.field(row, column);
    if (table.is_missing(here)) {
      *target++ = -1;
      continue;
    }
    const std::string text = table.value(here);
    const std::optional<std::int64_t> code = categories.find(text);
    if (!code)
      table.source.fail(here.start(), "unknown category {} in column {}; need one of {}", quoted(text), quoted(name),
                        list_of(categories.categories()));
    *target++ = *code;
  }
  return codes;
}

std::vector<std::string> CsvTable::places(const std::vector<std::string>& names) const {
  const Content& table = content();
  std::vector<std::string> places;
  for (const std::string& name : names)
    places.push_back(table.source.words(table.headings[table.position(name)]) + ": " + name);
  return places;
}

}  // namespace xgrad::nn
