#include <doctest/doctest.h>
#include <nn/data/csv_number.hpp>

#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

using namespace xgrad;
using nn::NumberFormat;
using nn::read_number;

TEST_CASE("a number is the whole text, whatever the type") {
  double x = 0;
  float f = 0;
  std::int64_t i = 0;
  CHECK(read_number("-1.5e2", NumberFormat(), x) == std::errc());
  CHECK(x == -150);
  CHECK(read_number("16777217", NumberFormat(), f) == std::errc());
  CHECK(f == 16777216.0f);
  CHECK(read_number("+9223372036854775807", NumberFormat(), i) == std::errc());
  CHECK(i == 9223372036854775807);
  CHECK(read_number("9223372036854775808", NumberFormat(), i) == std::errc::result_out_of_range);
  for (const char* const wrong : {"", "+", "-", "1 ", "1.5x", "+-1", "0x1", "1e"})
    CHECK(read_number(wrong, NumberFormat(), x) == std::errc::invalid_argument);
  CHECK(read_number("1.5", NumberFormat(), i) == std::errc::invalid_argument);
  CHECK(read_number("1e400", NumberFormat(), x) == std::errc::result_out_of_range);
  CHECK(read_number("1e-400", NumberFormat(), x) == std::errc());
  CHECK(x == 0);
}

TEST_CASE("the option that would help is named, if there is one") {
  using Options = std::vector<std::string>;
  CHECK(nn::advice_to_read("abc", NumberFormat()).options.empty());
  CHECK(nn::advice_to_read("1,5", NumberFormat()).options == Options{"decimal", "thousands"});
  CHECK(nn::advice_to_read(" 1", NumberFormat()).options == Options{"trim"});
  CHECK(nn::advice_to_read("n/a", NumberFormat()).options == Options{"missing_words"});
  CHECK(nn::advice_to_read("1;2", NumberFormat()).options == Options{"separator"});
  CHECK(nn::trimmed(" \t a b\t") == "a b");
  CHECK(nn::trimmed(" ").empty());
}
