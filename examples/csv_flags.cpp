#include "csv_flags.hpp"
#include "pieces.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

namespace examples {

using namespace xgrad;

namespace {

/// A mark by its name.
using Mark = std::pair<const char*, char>;
constexpr std::array marks = {Mark{"comma", ','},       Mark{"semicolon", ';'}, Mark{"tab", '\t'},
                              Mark{"bar", '|'},         Mark{"none", '\0'},     Mark{"point", '.'},
                              Mark{"apostrophe", '\''}, Mark{"space", ' '},     Mark{"underscore", '_'}};
constexpr std::array headers = {std::pair{"present", nn::CsvHeader::present},
                                std::pair{"numeric", nn::CsvHeader::numeric},
                                std::pair{"absent", nn::CsvHeader::absent}, std::pair{"detect", nn::CsvHeader::detect}};

template <class Table>
auto value_of(const Table& table, const std::string& name) {
  return std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.first == name; })->second;
}

/// Of a list with commas between.
std::vector<std::string> items_of(std::string_view list) {
  const std::vector<std::string_view> items = pieces(list, ',');
  return {items.begin(), items.end()};
}

}  // namespace

CsvFlags::CsvFlags(CommandLine& line) : line_(line) {
  line.flag("separator", separator_, "what stands between the fields of a table", {"comma", "semicolon", "tab", "bar"});
  line.flag("header", header_,
            "whether the first line of a table has the names of its columns: they may be numbers, there may be none "
            "(columns are called 1, 2, ...), or it shows by the numbers below",
            {"present", "numeric", "absent", "detect"});
  line.flag("columns", columns_, "the columns to read, with commas between; all unless told");
  line.flag("decimal", decimal_, "the decimal mark of a table", {"point", "comma"});
  line.flag("thousands", thousands_, "what stands between groups of three digits",
            {"none", "comma", "point", "apostrophe", "space", "underscore"});
  line.flag(
      "missing-words", missing_words_,
      "what stands for a missing value besides nothing, with commas between; NA, null, ? and their like unless told");
  line.flag("comment", comment_, "the character that lines to be skipped begin with");
  line.flag("max-bytes", max_bytes_, "of a table that comes from a pipe", {0, 1e15});
}

nn::CsvOptions CsvFlags::options() const {
  if (comment_.size() > 1) throw UsageError("--comment " + comment_ + "; need one character");
  nn::CsvOptions options{.header = value_of(headers, header_),
                         .separator = value_of(marks, separator_),
                         .columns = items_of(columns_),
                         .drop_unnamed = true,
                         .trim = true,
                         .decimal = value_of(marks, decimal_),
                         .thousands = value_of(marks, thousands_),
                         .comment = comment_.empty() ? '\0' : comment_[0],
                         .max_bytes = static_cast<std::uint64_t>(max_bytes_),
                         .option_name = [this](std::string option) {
                           std::replace(option.begin(), option.end(), '_', '-');
                           return line_.has(option) ? "--" + option : "";
                         }};
  if (missing_words_.empty()) return options;
  options.missing_words = items_of(missing_words_);
  options.missing_words.emplace_back();
  return options;
}

}  // namespace examples
