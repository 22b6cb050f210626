#include <autograd/text/numbers.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <locale>
#include <string>

using namespace xgrad;

namespace {

/// 1.5 is 1,5 and 1000 is 1.000 while it lives.
class GermanLocale {
 public:
  GermanLocale() : before_(std::locale::global(std::locale(std::locale(), new Numbers))) {}
  ~GermanLocale() { std::locale::global(before_); }

 private:
  struct Numbers : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  std::locale before_;
};

}  // namespace

TEST_CASE("a short number is what %g writes") {
  CHECK(short_number(0) == "0");
  CHECK(short_number(2.0 / 3) == "0.667");
  CHECK(short_number(-1234.5) == "-1.23e+03");
  CHECK(short_number(1234.5, 9) == "1234.5");
  CHECK(short_number(1e-5, 1) == "1e-05");
  CHECK(short_number(INFINITY) == "inf");
  CHECK(short_number(-INFINITY) == "-inf");
  CHECK(short_number(std::copysign(NAN, -1.0)) == "nan");
  CHECK(short_number(std::nullopt) == "-");
}

TEST_CASE("a fixed number has so many digits after the point, and a NaN no sign") {
  CHECK(fixed_number(0.125) == "0.1250");
  CHECK(fixed_number(-1234.5, 2) == "-1234.50");
  CHECK(fixed_number(-INFINITY) == "-inf");
  for (const double x : {std::nan(""), -std::nan("")}) CHECK(fixed_number(x) == "nan");
}

TEST_CASE("a fraction in percent") {
  CHECK(percent(0.125) == "12.5 %");
  CHECK(percent(1) == "100 %");
  CHECK(percent(NAN) == "nan %");
  CHECK(percent(std::nullopt) == "-");
}

TEST_CASE("large counts have separators") {
  CHECK(with_separators(0) == "0");
  CHECK(with_separators(999) == "999");
  CHECK(with_separators(1000) == "1,000");
  CHECK(with_separators(0x1p53) == "9,007,199,254,740,992");
  CHECK(with_separators(-999) == "-999");
  CHECK(with_separators(-123456) == "-123,456");
}

TEST_CASE("seconds are rounded up, in two units") {
  CHECK(duration(0) == "0 s");
  CHECK(duration(58.1) == "59 s");
  CHECK(duration(59.5) == "1 min 0 s");
  CHECK(duration(3599) == "59 min 59 s");
  CHECK(duration(7620) == "2 h 7 min");
}

TEST_CASE("an exact number reads back the same") {
  for (const double value : {0.1, 1.0 / 3, -2.5, 1e300, std::numeric_limits<double>::denorm_min(), 0x1p53 + 2, -0.0})
    CHECK(std::strtod(exact_number(value).c_str(), nullptr) == value);
  CHECK(exact_number(0.1) == "0.1");
  CHECK(exact_number(-0.0) == "-0");
  CHECK(exact_number(INFINITY) == "inf");
  CHECK(exact_number(std::copysign(NAN, -1.0)) == "nan");
}

TEST_CASE("no locale changes a number") {
  const GermanLocale here;
  CHECK(short_number(1234.5, 9) == "1234.5");
  CHECK(percent(0.125) == "12.5 %");
  CHECK(with_separators(1234567) == "1,234,567");
  CHECK(exact_number(1234.5) == "1234.5");
}
