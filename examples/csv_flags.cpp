#include "csv_flags.hpp"

namespace examples {

using namespace xgrad;

CsvFlags::CsvFlags(CommandLine& line) {
  line.flag("separator", separator_, "what stands between the fields of a table", {"comma", "semicolon", "tab"});
  line.flag("decimal", decimal_, "the decimal mark of a table", {".", ","});
  line.flag("no-header", no_header_, "the first line of a table has no names: columns are called 1, 2, ...");
}

nn::CsvOptions CsvFlags::options() const {
  return {.header = no_header_ ? nn::CsvHeader::absent : nn::CsvHeader::present,
          .separator = separator_ == "comma"       ? ','
                       : separator_ == "semicolon" ? ';'
                                                   : '\t',
          .drop_unnamed = true,
          .trim = true,
          .decimal = decimal_[0]};
}

}  // namespace examples
