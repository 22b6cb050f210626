#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <nn/data/batches.hpp>
#include <nn/data/csv.hpp>
#include <nn/data/scaler.hpp>

#include <filesystem>
#include <fstream>
#include <string>
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
  CHECK(parse("1,2\n3,4\n").columns() == Texts{"1", "2"});
  CHECK(error("a,b\nx,y\n", {.header = CsvHeader::detect}) ==
        "FileError: iris.csv:1:1: neither of the first two lines has a number; say whether there is a header");
}

TEST_CASE("missing values are errors, dropped rows or filled fields, and counted") {
  const std::string text = "a,b\n1,x\n,y\n3,NA\n4,\"\"\n5,z\n";
  CHECK(error(text) == "FileError: iris.csv:3:1: a missing value in column 'a'; CsvOptions::missing can drop or fill");
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
  CHECK(error("a,,b\n1,2,3\n") == "FileError: iris.csv:1:3: a column without a name");
  CHECK(error("a,b,a\n1,2,3\n") == "FileError: iris.csv:1:5: column name 'a' is used twice");
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
  for (const char* text : {"abc", "1a", "1 ", " 1", "+1", "1,5", "0x10", "1e", "--1",
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

TEST_CASE("separators that could be part of a number or a quote are refused") {
  for (const char c : {'"', '\n', '\r', '.', '-', '+', '0', 'e', 'E'})
    CHECK(error("a\n1\n", {.separator = c}).starts_with("ValueError: read_csv: separator"));
}

TEST_CASE("files are read, and those that cannot be are named") {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "xgrad_test_csv.csv";
  std::ofstream(path, std::ios::binary) << iris;
  CHECK(nn::read_csv(path).rows() == 4);
  CHECK(error_of([&] { nn::read_csv(path).number_column("species"); }) ==
        "FileError: " + path.string() + ":2:9: 'setosa' in column 'species'; need a number");
  std::filesystem::remove(path);
  CHECK(error_of([&] { nn::read_csv(path); }) ==
        "FileError: " + path.string() +
            ": read_csv: cannot be opened (No such file or directory); expected a CSV file");
  CHECK(expect::contains(error_of([] { nn::read_csv(std::filesystem::temp_directory_path()); }), "found a directory"));
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
