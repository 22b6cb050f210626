#include <doctest/doctest.h>

#include <autograd/text/table.hpp>

using namespace xgrad;

TEST_CASE("text stands at the left of its column, numbers at the right, by characters") {
  CHECK(aligned({{"layer", "output"}, {"größe", "1"}, {"x", "12"}}, 1) ==
        "layer  output\n"
        "größe       1\n"
        "x          12\n");
  CHECK(aligned({{"a", "bc"}, {"def", "g"}}, 2) == "a    bc\ndef  g\n");
  CHECK(aligned({{"a", "b"}, {"10", "2"}}, 0) == " a  b\n10  2\n");
  CHECK(aligned({}, 0) == "");
}

TEST_CASE("lines may end early, and end without spaces") {
  CHECK(aligned({{"a"}, {"bcd", "e"}, {"", "f", ""}}, 3) == "a\nbcd  e\n     f\n");
}

TEST_CASE("colours take no room") {
  CHECK(aligned({{"a", "b"}, {"\x1b[31mred\x1b[0m", "1"}, {"plain", "\x1b[1;32m2\x1b[0m"}}, 1) ==
        "a      b\n"
        "\x1b[31mred\x1b[0m    1\n"
        "plain  \x1b[1;32m2\x1b[0m\n");
}
