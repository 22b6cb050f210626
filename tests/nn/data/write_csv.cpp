#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <autograd/tensor/creation.hpp>
#include <nn/data/csv.hpp>
#include <nn/data/write_csv.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

using namespace xgrad;

TEST_CASE("columns of numbers and texts are written as RFC 4180 says") {
  const Folder folder;
  nn::write_csv(folder.file("a"), {{"x", tensor({0.5, -1e-30})},
                                   {"n, \"q\"", tensor({1, -9007199254740993.0}, int64)},
                                   {"text", std::vector<std::string>{"a,b", "say \"grün\"\nNA"}}});
  CHECK(content_of(folder.file("a")) ==
        "x,\"n, \"\"q\"\"\",text\n0.5,1,\"a,b\"\n-1e-30,-9007199254740992,\"say \"\"grün\"\"\nNA\"\n");
}

TEST_CASE("numbers and texts are read back as they were, every bit") {
  const Folder folder;
  const Tensor wide = expect::random_tensor({200, 3}, 1, float64, -1e300, 1e300);
  std::vector<nn::CsvColumn> columns = nn::csv_columns({"a", "b", "c"}, wide);
  const Tensor narrow = expect::random_tensor({200}, 2, float32, -1e-38, 1e-38);
  std::vector<std::string> texts(200, "plain");
  texts[0] = "", texts[1] = "NA", texts[2] = "a\"b", texts[3] = "c\r\nd", texts[4] = "nan";
  columns.push_back({"narrow", narrow});
  columns.push_back({"texts", texts});
  nn::write_csv(folder.file("a"), columns);
  const nn::CsvTable table = nn::read_csv(folder.file("a"));
  CHECK(expect::same_bits(expect::values(table.numbers({"a", "b", "c"}, float64)), expect::values(wide)));
  CHECK(expect::same_bits(expect::values(table.number_column("narrow", float32)), expect::values(narrow)));
  CHECK(table.text("texts") == texts);
}

TEST_CASE("numbers that are not finite have words") {
  const Folder folder;
  const double inf = std::numeric_limits<double>::infinity();
  nn::write_csv(folder.file("a"), {{"x", tensor({inf, -inf, std::numeric_limits<double>::quiet_NaN()})}});
  CHECK(content_of(folder.file("a")) == "x\ninf\n-inf\nnan\n");
}

TEST_CASE("tables that are none are refused") {
  const Folder folder;
  const auto error = [&](const std::vector<nn::CsvColumn>& columns) {
    return expect::error_of([&] { nn::write_csv(folder.file("a"), columns); });
  };
  CHECK(error({}) == "ValueError: write_csv: no columns; need at least one");
  CHECK(error({{"", tensor({1})}}) == "ValueError: write_csv: a column without a name; need one for each");
  CHECK(error({{"a", tensor({1})}, {"a", tensor({1})}}) == "ValueError: write_csv: two columns are called a");
  CHECK(error({{"a", ones({1, 1})}}) == "ShapeError: write_csv: column a is (1, 1); need (rows,)");
  CHECK(error({{"a", ones({2})}, {"b", ones({3})}}) ==
        "ShapeError: write_csv: column a has 2 rows, column b has 3; need as many");
  CHECK(expect::contains(error({{"a", std::vector<std::string>{"\xFF"}}}), "is not UTF-8"));
  CHECK(expect::error_of([] {
          nn::csv_columns({"a"}, ones({2, 2}));
        }) == "ShapeError: csv_columns: 1 names for a table (2, 2); need (rows, names)");
  CHECK(folder.entries() == 0);
}
