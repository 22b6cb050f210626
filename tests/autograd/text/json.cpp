#include <autograd/text/json.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

using xgrad::json_text;

TEST_CASE("in JSON what is not known is null and infinite numbers are words, at every depth") {
  CHECK(json_text({{"a", NAN}, {"b", {1.5, -INFINITY, {{"c", INFINITY}}}}, {"d", 7}, {"e", false}}, -1) ==
        R"({"a":null,"b":[1.5,"-inf",{"c":"inf"}],"d":7,"e":false})");
  CHECK(json_text(INFINITY) == "\"inf\"");
}

TEST_CASE("JSON has an indent of two, and strings of any bytes") {
  CHECK(json_text({{"a", "\xFF"}}) == "{\n  \"a\": \"\xEF\xBF\xBD\"\n}");
}
