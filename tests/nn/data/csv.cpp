#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nn/data/batches.hpp>
#include <nn/data/csv.hpp>
#include <nn/data/scaler.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

using namespace xgrad;
using expect::error_of;
using nn::CsvHeader;
using nn::CsvMissing;
using nn::CsvOptions;
using nn::CsvTable;
using nn::parse_csv;
using Texts = std::vector<std::string>;

namespace {

CsvTable parse(const std::string& text, const CsvOptions& options = {}) { return parse_csv(text, "iris.csv", options); }

std::string error(const std::string& text, const CsvOptions& options = {}) {
  return error_of([&] { parse(text, options); });
}

const std::string iris =
    "width,length,species\n"
    "0.2,1.4,setosa\n"
    "1.3,4.7,versicolor\n"
    "2.5,6,virginica\n"
    "0.4,1.5,setosa\n";

}  // namespace

TEST_CASE("a table becomes inputs and class labels") {
  const CsvTable table = parse(iris);
  CHECK(table.rows() == 4);
  CHECK(table.columns() == Texts{"width", "length", "species"});
  CHECK(table.columns_except({"species"}) == Texts{"width", "length"});
  const Tensor x = table.numbers({"length", "width"});
  CHECK(x.dtype() == float32);
  CHECK(x.shape() == Shape{4, 2});
  CHECK(expect::difference(x, std::vector<double>{1.4, 0.2, 4.7, 1.3, 6, 2.5, 1.5, 0.4}) < 1e-6);
  const Tensor length = table.number_column("length", float64);
  CHECK(length.shape() == Shape{4});
  CHECK(expect::values(length) == std::vector<double>{1.4, 4.7, 6, 1.5});
  CHECK(table.text("species") == Texts{"setosa", "versicolor", "virginica", "setosa"});
  const nn::OrdinalEncoder species = table.categories("species");
  CHECK(expect::values(table.codes("species", species)) == std::vector<double>{0, 1, 2, 0});
}

TEST_CASE("numbers are the nearest to what is written, in every dtype") {
  const CsvTable table = parse("x\n0.1\n-1e-3\n16777217\n9007199254740993\n.5\n1.\n");
  CHECK(expect::values(table.number_column("x", float64)) ==
        std::vector<double>{0.1, -1e-3, 16777217, 9007199254740992.0, 0.5, 1});
  CHECK(expect::values(table.number_column("x", float32)) ==
        std::vector<double>{double{0.1f}, double{-1e-3f}, 16777216, 9007199254740992.0, 0.5, 1});
  const Tensor whole = parse("x\n9007199254740993\n-7\n").number_column("x", int64);
  CHECK(whole.values<std::int64_t>()[0] == 9007199254740993);
  CHECK(whole.values<std::int64_t>()[1] == -7);
}

TEST_CASE("quoted fields hold separators, quotes and line breaks (RFC 4180, section 2)") {
  const CsvTable table =
      parse("name,text\r\n\"a,b\",\"say \"\"hi\"\"\"\r\n\"\",\"line 1\r\nline 2\"\r\n\"\"\"\",\"1.5\"");
  CHECK(table.rows() == 3);
  CHECK(table.text("name") == Texts{"a,b", "", "\""});
  CHECK(table.text("text") == Texts{"say \"hi\"", "line 1\r\nline 2", "1.5"});
  CHECK(parse("x\n\"1.5\"\n").number_column("x").item({0}) == 1.5);
}

TEST_CASE("lines end in LF or CRLF, the last may do without, a byte order mark is skipped, separators can be chosen") {
  for (const char* text : {"a,b\n1,2\n3,4\n", "a,b\r\n1,2\r\n3,4\r\n", "a,b\n1,2\r\n3,4",
                           "\xEF\xBB\xBF"
                           "a,b\n1,2\n3,4"}) {
    const CsvTable table = parse(text);
    CHECK(table.columns() == Texts{"a", "b"});
    CHECK(expect::values(table.numbers({"a", "b"})) == std::vector<double>{1, 2, 3, 4});
  }
  CHECK(parse("a;b\n1,5;2\n", {.separator = ';'}).text("a") == Texts{"1,5"});
  CHECK(parse("a\tb\n1\t2\n", {.separator = '\t'}).number_column("b").item({0}) == 2);
}

TEST_CASE("a header is there, is not, or shows by the numbers below it") {
  CHECK(parse("1,2\n3,4\n", {.header = CsvHeader::absent}).columns() == Texts{"1", "2"});
  CHECK(parse("1,2\n3,4\n", {.header = CsvHeader::absent}).rows() == 2);
  CHECK(parse("1,2\n3,4\n", {.header = CsvHeader::detect}).rows() == 2);
  CHECK(parse("a,b\n3,x\n", {.header = CsvHeader::detect}).columns() == Texts{"a", "b"});
  CHECK(parse("1,2\n3,4\n", {.header = CsvHeader::numeric}).columns() == Texts{"1", "2"});
  CHECK(error("5.1,3.5\n4.9,3\n") ==
        "FileError: iris.csv:1:1: the first line has nothing but numbers; need names; CsvOptions::header says if there "
        "are none (absent), or if they are these (numeric)");
  CHECK(parse("country,2019,2020\nPeru,1,2\n").columns() == Texts{"country", "2019", "2020"});
  CHECK(error("a,b\nx,y\n", {.header = CsvHeader::detect}) ==
        "FileError: iris.csv:1:1: neither of the first two lines has a number; CsvOptions::header says whether "
        "the first one has names");
}

TEST_CASE("missing values are errors, dropped rows or filled fields, and counted") {
  const std::string text = "a,b\n1,x\n,y\n3,NA\n4,\"\"\n5,z\n";
  CHECK(error(text) ==
        "FileError: iris.csv:3:1: a missing value in column 'a'; CsvOptions::missing says what becomes of it");
  const CsvTable dropped = parse(text, {.missing = CsvMissing::drop_row});
  CHECK(dropped.rows() == 3);
  CHECK(dropped.dropped_rows() == 2);
  CHECK(dropped.filled_fields() == 0);
  CHECK(expect::values(dropped.number_column("a")) == std::vector<double>{1, 4, 5});
  CHECK(dropped.text("b") == Texts{"x", "", "z"});  // what stands in quotes is not missing
  const CsvTable filled = parse(text, {.missing = CsvMissing::fill, .fill = "-1.5"});
  CHECK(filled.rows() == 5);
  CHECK(filled.dropped_rows() == 0);
  CHECK(filled.filled_fields() == 2);
  CHECK(expect::values(filled.number_column("a")) == std::vector<double>{1, -1.5, 3, 4, 5});
  CHECK(filled.text("b") == Texts{"x", "y", "-1.5", "", "z"});
  // Only the columns that are kept matter.
  const CsvTable kept = parse(text, {.columns = {"b"}, .missing = CsvMissing::drop_row});
  CHECK(kept.columns() == Texts{"b"});
  CHECK(kept.text("b") == Texts{"x", "y", "", "z"});
  CHECK(parse("a\n?\n1\n", {.missing = CsvMissing::drop_row, .missing_words = {"?"}}).rows() == 1);
}

TEST_CASE("missing values stay missing on request: NaN, code -1, empty text") {
  const CsvTable table = parse("n,t,none\n1,x,\n,y,\n3,NA,\n4,\"\",NA\n", {.missing = CsvMissing::keep});
  CHECK(table.rows() == 4);
  CHECK(table.dropped_rows() == 0);
  CHECK(table.filled_fields() == 0);
  for (const DType dtype : {float32, float64}) {
    const std::vector<double> numbers = expect::values(table.number_column("n", dtype));
    CHECK(std::isnan(numbers[1]));
    CHECK(numbers[2] == 3);
  }
  CHECK(table.missing("n") == std::vector<bool>{false, true, false, false});
  CHECK(table.missing("t") == std::vector<bool>{false, false, true, false});  // quotes are a value
  CHECK(table.text("t") == Texts{"x", "y", "", ""});
  const nn::OrdinalEncoder categories = table.categories("t");
  CHECK(categories.categories() == Texts{"", "x", "y"});
  CHECK(expect::values(table.codes("t", categories)) == std::vector<double>{1, 2, -1, 0});
  CHECK(error_of([&] { table.number_column("n", int64); }) ==
        "FileError: iris.csv:3:1: '' in column 'n'; need a whole number");
  CHECK(error_of([&] { table.categories("none"); }) ==
        "FileError: iris.csv:2:5: column 'none' has no value in all 4 rows; need two");
  CHECK(table.is_numeric("n"));
  CHECK_FALSE(table.is_numeric("t"));
  CHECK_FALSE(table.is_numeric("none"));
  CHECK(error_of([&] { table.missing("m"); }).starts_with("FileError: iris.csv:1:1: no column 'm'"));
  CHECK(error_of([&] { table.is_numeric("m"); }).starts_with("FileError: iris.csv:1:1: no column 'm'"));
  // Filled and complete tables have no gaps.
  CHECK(parse("n\n1\n?\n", {.missing = CsvMissing::fill}).missing("n") == std::vector<bool>{false, false});
}

TEST_CASE("columns can be chosen and put in order") {
  const CsvTable table = parse(iris, {.columns = {"species", "width"}});
  CHECK(table.columns() == Texts{"species", "width"});
  CHECK(expect::values(table.number_column("width", float64)) == std::vector<double>{0.2, 1.3, 2.5, 0.4});
  CHECK(table.text("species").back() == "setosa");
  CHECK(error(iris, {.columns = {"width", "color"}}) ==
        "FileError: iris.csv:1:1: no column 'color'; the columns are 'width', 'length', 'species'");
  CHECK(
      error(iris, {.columns = {"width", "width"}}).starts_with("ValueError: read_csv: column 'width' is listed twice"));
}

TEST_CASE("every fault of a file is one line with file, line and column") {
  CHECK(error("a,b\n1,2\n3\n") == "FileError: iris.csv:3:2: 1 fields in the row; need 2");
  CHECK(error("a,b\n1,2,3\n") == "FileError: iris.csv:2:5: field 3 of a row; need 2");
  CHECK(error("a,b\n1,2\n\n3,4\n") == "FileError: iris.csv:3:1: an empty line; need 2");
  CHECK(error("") == "FileError: iris.csv:1:1: the file is empty; need rows");
  CHECK(error("\xEF\xBB\xBF") == "FileError: iris.csv:1:1: the file is empty; need rows");
  CHECK(error("a,b\n") == "FileError: iris.csv:1:1: a header and no rows");
  CHECK(error("a\n\n", {.missing = CsvMissing::drop_row}) ==
        "FileError: iris.csv:1:1: all 1 rows have a missing value and were dropped");
  CHECK(error("a,,b\n1,2,3\n") ==
        "FileError: iris.csv:1:3: a column without a name; CsvOptions::drop_unnamed leaves it out (an index of pandas "
        "has none)");
  CHECK(error("a,b,a\n1,2,3\n") ==
        "FileError: iris.csv:1:5: column name 'a' is used twice; CsvOptions::columns says which to keep");
  CHECK(error("a,b\n1,x\"y\n").starts_with("FileError: iris.csv:2:4: a quote in a field without quotes"));
  CHECK(error("a,b\n1,\"x\"y\n").starts_with("FileError: iris.csv:2:6: text behind a closing quote"));
  CHECK(error("a,b\n\"x\"y,1\n").starts_with("FileError: iris.csv:2:4: text behind a closing quote"));
  CHECK(error("a,b\n1,\"x\n3,4\n") == "FileError: iris.csv:2:3: a quote that is not closed");
  CHECK(error("a,b\r1,2\r") == "FileError: iris.csv:1:4: a carriage return without a line feed");
  CHECK(error("a,b\n1,2\r") == "FileError: iris.csv:2:4: a carriage return without a line feed");
  CHECK(error("a,b\n1,\"2\"\r") == "FileError: iris.csv:2:6: a carriage return without a line feed");
}

TEST_CASE("bytes that are not UTF-8 are found, wherever they stand") {
  CHECK(error("a,b\n1,\xC3\xA9\xE9\n") == "FileError: iris.csv:2:4: byte 0xE9 is not UTF-8; convert the file");
  // Overlong, a surrogate, beyond U+10FFFF, cut off, a continuation alone: Unicode 15, table 3-7.
  for (const char* wrong : {"\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
                            "\xE2\x82", "\xF0\x9F\x98", "\x80", "\xFF"})
    CHECK(expect::contains(error("a\n" + std::string(wrong)), "iris.csv:2:1: byte 0x"));
  for (const char* right :
       {"\xC3\xA9", "\xE2\x82\xAC", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"})
    CHECK(parse("a\n" + std::string(right)).text("a") == Texts{right});
}

TEST_CASE("places count characters and lines, also of those inside quotes") {
  // é is two bytes and one character; the quoted field has a line break of its own.
  const CsvTable table = parse("x,y\n\xC3\xA9\xC3\xA9,1\n\"a\nb\",zwei\n");
  CHECK(error_of([&] { table.number_column("y"); }) == "FileError: iris.csv:4:4: 'zwei' in column 'y'; need a number");
  CHECK(error_of([&] { parse("x,y\n\xC3\xA9\xC3\xA9,eins\n").number_column("y"); }) ==
        "FileError: iris.csv:2:4: 'eins' in column 'y'; need a number");
  CHECK(error_of([&] { parse("x,y\n1,\"eins\"\n").number_column("y"); }).starts_with("FileError: iris.csv:2:3: "));
  CHECK(error_of([&] { table.number_column("x"); }).find('\n') == std::string::npos);
}

TEST_CASE("text, infinities, spaces and numbers out of range are no numbers") {
  for (const char* text : {"abc", "1a", "1 ", " 1", "+-1", "++1", "+", "1,5", "0x10", "1e", "--1",
                           "\xC2\xA0"
                           "1"}) {
    CAPTURE(text);
    CHECK(expect::contains(error_of([&] { parse("x\n\"" + std::string(text) + "\"\n").number_column("x"); }),
                           "; need a number"));
  }
  for (const char* text : {"inf", "-Infinity", "NAN", "\"nan\""})
    CHECK(expect::contains(error_of([&] { parse("x\n" + std::string(text) + "\n").number_column("x"); }),
                           "; need a finite number"));
  CHECK(error("x\nNaN\n").starts_with("FileError: iris.csv:2:1: a missing value"));
  CHECK(error_of([] { parse("x\n1\n1e39\n").number_column("x"); }) ==
        "FileError: iris.csv:3:1: '1e39' in column 'x' does not fit into float32");
  CHECK(parse("x\n1e39\n").number_column("x", float64).item({0}) == 1e39);
  CHECK(error_of([] { parse("x\n1e999\n").number_column("x", float64); }).ends_with("does not fit into float64"));
  // IEEE 754, round to nearest: below half of the least denormal, 2^-150 and 2^-1075, comes 0.
  for (const char* const tiny : {"1e-50", "-1e-50", "0.00001e-45", "7e-46", "1e-400"}) {
    const Tensor x = parse(std::string("x\n") + tiny + "\n").number_column("x", float32);
    CHECK(x.item({0}) == 0);
    CHECK(std::signbit(x.item({0})) == (tiny[0] == '-'));
  }
  CHECK(parse("x\n1e-45\n").number_column("x", float32).item({0}) == 0x1p-149);
  CHECK(parse("x\n1e-400\n").number_column("x", float64).item({0}) == 0);
  CHECK(parse("x\n3e-324\n").number_column("x", float64).item({0}) == 0x1p-1074);
  CHECK(error_of([] { parse("x\n-1e400\n").number_column("x", float64); }).ends_with("does not fit into float64"));
  CHECK(error_of([] {
          parse("x\n1.5\n").number_column("x", int64);
        }).ends_with("'1.5' in column 'x'; need a whole number"));
  CHECK(error_of([] {
          parse("x\n9223372036854775808\n").number_column("x", int64);
        }).ends_with("does not fit into int64"));
}

TEST_CASE("unknown targets, unknown categories and one class only are errors at their place") {
  const CsvTable table = parse(iris);
  CHECK(error_of([&] { table.categories("color"); }) ==
        "FileError: iris.csv:1:1: no column 'color'; the columns are 'width', 'length', 'species'");
  CHECK(error_of([&] { table.columns_except({"color"}); }).starts_with("FileError: iris.csv:1:1: no column 'color'"));
  CHECK(
      error_of([&] {
        table.codes("species", nn::OrdinalEncoder({"setosa", "virginica"}));
      }) ==
      "FileError: iris.csv:3:9: unknown category 'versicolor' in column 'species'; need one of 'setosa', 'virginica'");
  CHECK(error_of([] { parse("a,b\n1,x\n2,x\n").categories("b"); }) ==
        "FileError: iris.csv:2:3: column 'b' has one class only, 'x' in all 2 rows; need two or more");
}

TEST_CASE("a constant column and fewer rows than a batch are named") {
  const CsvTable table = parse("a,bb\n1,7\n2,7\n");
  const Texts names = table.columns();
  const Tensor x = table.numbers(names);
  CHECK(error_of([&] { nn::Scaler::standard(x, table.places(names)); }) ==
        "ValueError: iris.csv:1:3: bb: Scaler: constant, 7 in all 2 rows; leave the column out");
  CHECK(parse("1,7\n2,7\n", {.header = CsvHeader::absent}).places({"2"}) == Texts{"iris.csv:1:3: 2"});
  CHECK(error_of([&] {
          nn::Batches(nn::Dataset(x, x), {.size = 3, .drop_last = true});
        }).starts_with("ValueError: Batches: 2 examples, size 3 and drop_last leave no batch"));
}

TEST_CASE("an index of pandas, names used twice and other encodings do not matter in columns that nobody asked for") {
  const std::string pandas = ",width,note,note\n0,1.5,\xE9,?\n1,2.5,x,\n";
  CHECK(parse(pandas, {.columns = {"width"}}).columns() == Texts{"width"});
  CHECK(expect::values(parse(pandas, {.columns = {"width"}}).number_column("width")) == std::vector<double>{1.5, 2.5});
  CHECK(error(pandas, {.columns = {"width", "note"}})
            .starts_with("FileError: iris.csv:1:13: column name 'note' is used"));
  CHECK(error("a,b\n\xE9,1\n", {.columns = {"a"}}) ==
        "FileError: iris.csv:2:1: byte 0xE9 is not UTF-8; convert the file");
  CHECK(error("\xE9,b\n1,1\n", {.columns = {"colour"}}) ==
        "FileError: iris.csv:1:1: no column 'colour'; the columns are '\xEF\xBF\xBD', 'b'");
  const CsvTable indexed = parse(",a,b\n0,1,2\n1,3,4\n", {.drop_unnamed = true});
  CHECK(indexed.columns() == Texts{"a", "b"});
  CHECK(expect::values(indexed.numbers({"a", "b"})) == std::vector<double>{1, 2, 3, 4});
  CHECK(indexed.places({"b"}) == Texts{"iris.csv:1:4: b"});
  CHECK(error(",\n1,2\n", {.drop_unnamed = true}).starts_with("FileError: iris.csv:1:1: no column has a name"));
}

TEST_CASE("numbers as other programs write them are read as the options say, or the error names the option") {
  const auto read = [](const std::string& text, CsvOptions options = {}) {
    options.separator = ';';
    return expect::values(parse("x\n" + text + "\n", options).number_column("x", float64));
  };
  const auto refused = [](const std::string& text, CsvOptions options = {}) {
    options.separator = ';';
    return error_of([&] { parse("x\n" + text + "\n", options).number_column("x", float64); });
  };
  CHECK(read("+5\n+.5\n+1e3") == std::vector<double>{5, 0.5, 1000});
  CHECK(read(" 5\n\t-6 \n+7", {.trim = true}) == std::vector<double>{5, -6, 7});
  CHECK(read("1,5\n-0,25\n7\n+,5\n1e3", {.decimal = ','}) == std::vector<double>{1.5, -0.25, 7, 0.5, 1000});
  CHECK(read("1,234.5\n-1,234,567\n12\n1234", {.thousands = ','}) == std::vector<double>{1234.5, -1234567, 12, 1234});
  CHECK(read("1.234,5\n1.234.567", {.decimal = ',', .thousands = '.'}) == std::vector<double>{1234.5, 1234567});
  CHECK(read("1'234\n1'234'567.25", {.thousands = '\''}) == std::vector<double>{1234, 1234567.25});
  CHECK(read("1 234", {.thousands = ' '}) == std::vector<double>{1234});
  CHECK(parse("x\n1,234\n", {.separator = ';', .thousands = ','}).number_column("x", int64).item({0}) == 1234);
  CHECK(parse("x,y\n\"1,5\",2\n", {.decimal = ','}).number_column("x").item({0}) == 1.5);
  for (const char* const wrong : {"1,23", "1,2345", ",123", "1234,567", "1,234,5", "1.5,000", "1,,234", "1,234,"})
    CHECK(expect::contains(refused(wrong, {.thousands = ','}), "; need a number"));
  for (const char* const wrong : {"1.5", "1,5,5", "1,5.5"})
    CHECK(expect::contains(refused(wrong, {.decimal = ','}), "; need a number"));

  CHECK(refused(" 5").ends_with("; need a number; CsvOptions::trim leaves out spaces"));
  for (const char* const foreign : {"1,5", "1.234,5", "1,234.5", "1'234", "1 234", "1_234", "1.234.567"}) {
    CAPTURE(foreign);
    CHECK(
        refused(foreign).ends_with("; need a number; CsvOptions::decimal and CsvOptions::thousands say how numbers "
                                   "are written"));
  }
  CHECK(refused("-").ends_with("; need a number; CsvOptions::missing_words says what stands for a missing value"));
  for (const char* const missing : {"?", "null", "NULL", "N/A", "NA", "NaN", ""})
    CHECK(refused(missing) ==
          "FileError: iris.csv:2:1: a missing value in column 'x'; CsvOptions::missing says what becomes of it");
  CHECK(parse("x\n1\n?\nnull\nN/A\n", {.missing = CsvMissing::drop_row}).rows() == 1);
}

TEST_CASE("spaces around names, fields and quotes are left out on request") {
  const CsvOptions trim = {.trim = true};
  const CsvTable table = parse("width , \"species\" , n\n1, \"a b\" ,2 \n 3,c , 4\n", trim);
  CHECK(table.columns() == Texts{"width", "species", "n"});
  CHECK(table.text("species") == Texts{"a b", "c"});
  CHECK(expect::values(table.numbers({"width", "n"})) == std::vector<double>{1, 2, 3, 4});
  CHECK(parse("a\tb\n1\t\n", {.separator = '\t', .missing = CsvMissing::fill, .trim = true}).filled_fields() == 1);
  CHECK(parse("a,b\n 1,x\n").text("a") == Texts{" 1"});
  CHECK(error("a,b\n1, \"x\"\n").ends_with("; CsvOptions::trim leaves out spaces before it"));
  CHECK(parse("a,b\n1, ?\n2,3\n", {.missing = CsvMissing::drop_row, .trim = true}).rows() == 1);
}

TEST_CASE("lines of comment are skipped on request, and named where they are in the way") {
  const std::string text = "# made today\na,b\n1,2\n# half\n3,4\n#end";
  const CsvTable table = parse(text, {.comment = '#'});
  CHECK(expect::values(table.numbers({"a", "b"})) == std::vector<double>{1, 2, 3, 4});
  CHECK(error("a,b\n# half\n3,4\n").ends_with("1 fields in the row; need 2; CsvOptions::comment skips comments"));
  CHECK(error(text).ends_with("; CsvOptions::comment skips comments"));
  CHECK(parse("a\n\"#1\"\n", {.comment = '#'}).text("a") == Texts{"#1"});
  CHECK(parse("#x\na,b\n#y\n1,2\n", {.header = CsvHeader::detect, .comment = '#'}).rows() == 1);
  CHECK(error("#x\n", {.comment = '#'}).ends_with("the file is empty; need rows"));
}

TEST_CASE("a wrong separator and a missing header are guessed from an unknown name") {
  CHECK(error("a;b\n1;2\n", {.columns = {"a"}})
            .ends_with("the columns are 'a;b'; CsvOptions::separator says what stands between them"));
  CHECK(error("setosa,5.1\nvirginica,6\n", {.columns = {"species"}})
            .ends_with("; CsvOptions::header says if the file has no names"));
  CHECK(error("width,length\n1,2\n", {.columns = {"lenght"}}).ends_with("; did you mean length?"));
}

TEST_CASE("options are called in messages as their reader calls them, and not at all where he has none") {
  const auto flag = [](const std::string& option) {
    return option == "thousands" || option == "header" ? "" : "--" + option;
  };
  const CsvOptions options = {.header = CsvHeader::detect, .option_name = flag};
  CHECK(error_of([&] {
          parse("x,y\n\"1,5\",2\n", options).number_column("x");
        }).ends_with("; need a number; --decimal say how numbers are written"));
  CHECK(error("a,a\n1,2\n", options).ends_with("column name 'a' is used twice; --columns says which to keep"));
  CHECK(error("a,b\n# half\n3,4\n", {.option_name = flag}).ends_with("need 2; --comment skips comments"));
  CHECK(error("a,b\nx,y\n", options).ends_with("neither of the first two lines has a number"));
}

TEST_CASE("marks that cannot be told apart are refused") {
  for (const CsvOptions& options :
       {CsvOptions{.decimal = ';'}, CsvOptions{.decimal = '1'}, CsvOptions{.decimal = ',', .thousands = ','},
        CsvOptions{.thousands = '-'}, CsvOptions{.thousands = '.'}, CsvOptions{.comment = ','},
        CsvOptions{.comment = '-'}, CsvOptions{.comment = 'c'}, CsvOptions{.comment = '"'}})
    CHECK(error("a\n1\n", options).starts_with("ValueError: read_csv: "));
}

TEST_CASE("many columns, and many quotes in a field, take time in proportion") {
  // With a cost that grows with their square these are 10^10 and 10^12 steps.
  std::string names, numbers, quotes(2'000'000, '"');
  Texts wanted;
  for (int column = 0; column < 100'000; ++column) {
    wanted.push_back(fmt::format("column{}", column));
    names += wanted.back() + ",";
    numbers += "1,";
  }
  names.back() = numbers.back() = '\n';
  const CsvTable wide = parse(names + numbers);
  CHECK(wide.columns_except({"column7"}).size() == wanted.size() - 1);
  CHECK(wide.places(wanted).back() == fmt::format("iris.csv:1:{}: column99999", names.size() - 11));
  CHECK(wide.numbers(wanted).shape() == Shape{1, 100'000});
  CHECK(parse("x\n\"" + quotes + "\"\n").text("x")[0].size() == 1'000'000);
}

TEST_CASE("a table that was moved from, or was never read, says so") {
  CsvTable table = parse(iris);
  const CsvTable other = std::move(table);
  CHECK(other.rows() == 4);
  for (const CsvTable& empty : {table, CsvTable()}) {
    const std::string expected =
        "ValueError: CsvTable: nothing was read into it, or it was moved from; need the result "
        "of read_csv";
    CHECK(error_of([&] { empty.rows(); }) == expected);
    CHECK(error_of([&] { empty.columns(); }) == expected);
    CHECK(error_of([&] { empty.numbers({"a"}); }) == expected);
    CHECK(error_of([&] { empty.text("a"); }) == expected);
    CHECK(error_of([&] { empty.places({"a"}); }) == expected);
  }
}

TEST_CASE("separators that could be part of a number or a quote are refused") {
  for (const char c : {'"', '\n', '\r', '.', '-', '+', '0', 'e', 'E'})
    CHECK(error("a\n1\n", {.separator = c}).starts_with("ValueError: read_csv: separator"));
}

TEST_CASE("files are read, and those that cannot be are named") {
  const Folder folder;
  const std::filesystem::path path = folder / "iris.csv";
  std::ofstream(path, std::ios::binary) << iris;
  CHECK(nn::read_csv(path).rows() == 4);
  CHECK(error_of([&] { nn::read_csv(path).number_column("species"); }) ==
        "FileError: " + path.string() + ":2:9: 'setosa' in column 'species'; need a number");
  std::filesystem::remove(path);
  CHECK(error_of([&] { nn::read_csv(path); }) ==
        "FileError: " + path.string() +
            ": read_csv: cannot be opened (No such file or directory); expected a CSV file");
  CHECK(expect::contains(error_of([&] { nn::read_csv(folder.path); }), "found a directory"));
}

TEST_CASE("no sequence of bytes makes the reader do anything but read or throw a FileError") {
  const std::string alphabet = "a1,\"\n\r.\xC3\xA9 -";
  std::size_t read = 0;
  for (std::uint64_t seed = 1; seed <= 20000; ++seed) {
    std::string text;
    for (const double x : expect::numbers(1 + seed % 16, seed, 0, static_cast<double>(alphabet.size())))
      text += alphabet[static_cast<std::size_t>(x)];
    const std::string result = error_of([&] {
      const CsvTable table = parse(text, {.header = CsvHeader::absent, .missing = CsvMissing::fill});
      REQUIRE(table.text("1").size() == static_cast<std::size_t>(table.rows()));
      ++read;
    });
    const bool expected = result == "no error" || result.starts_with("FileError: iris.csv:");
    if (!expected || result.find('\n') != std::string::npos) FAIL_CHECK(text << " gives " << result);
  }
  CHECK(read > 1000);
  CHECK(read < 19000);
}
