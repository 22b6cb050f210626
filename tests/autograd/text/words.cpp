#include <autograd/text/words.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace xgrad;

TEST_CASE("a count comes with its noun") {
  CHECK(counted(0, "row") == "0 rows");
  CHECK(counted(1, "row") == "1 row");
  CHECK(counted(1, "entry", "entries") == "1 entry");
  CHECK(counted(7, "entry", "entries") == "7 entries");
}

TEST_CASE("the first ordinal numbers are words") {
  CHECK(ordinal(1) == "first");
  CHECK(ordinal(2) == "second");
  CHECK(ordinal(3) == "third");
  CHECK(ordinal(4) == "4th");
}

TEST_CASE("words are joined by commas") {
  CHECK(joined(std::vector<std::string>{}) == "");
  CHECK(joined(std::vector<std::string>{"a", "b", "c"}) == "a, b, c");
  CHECK(joined(std::vector<std::pair<std::string, int>>{{"a", 1}, {"b", 2}}, &std::pair<std::string, int>::first) ==
        "a, b");
}

TEST_CASE("the nearest word is the one with the fewest edits, and none if all are far") {
  CHECK(did_you_mean("sed", {"seed", "speed"}) == "; did you mean seed?");
  CHECK(did_you_mean("eopchs", {"batch", "epochs"}) == "; did you mean epochs?");
  CHECK(did_you_mean("batch", {"quiet", "json"}) == "");
  CHECK(did_you_mean("x", {}) == "");
}

TEST_CASE("near words are those with the word in them, then those with the fewest edits, in the order of the list") {
  using xgrad::nearest_words;
  const std::vector<std::string> known = {"sum", "matmul", "softmax", "max", "log_softmax"};
  CHECK(nearest_words("softmax", known, 3) == std::vector<std::string>{"softmax", "log_softmax", "max"});
  CHECK(nearest_words("sun", known, 1) == std::vector<std::string>{"sum"});
  CHECK(nearest_words("zzzzz", known, 2).size() == 2);
  CHECK(nearest_words("x", {}, 5).empty());
}
