#include <doctest/doctest.h>

#include <autograd/text/table.hpp>

using namespace xgrad;

TEST_CASE("text stands at the left of its column, numbers at the right, by characters") {
  CHECK(aligned({{"layer", "output"}, {"größe", "1"}, {"x", "12"}}, 1) ==
        "layer  output\n"
        "größe       1\n"
        "x          12\n");
  CHECK(aligned({{"a", "bc"}, {"def", "g"}}, 2) == "a    bc\ndef  g \n");
  CHECK(aligned({{"a", "b"}, {"10", "2"}}, 0) == " a  b\n10  2\n");
}
