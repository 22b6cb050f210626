#include <doctest/doctest.h>
#include <autograd/tensor/error.hpp>

#include <string>

using namespace xgrad;

TEST_CASE("an error's text is whole where a name in it has a zero byte") {
  CHECK(std::string(ValueError(std::string("label '\0\0a'", 11)).what()) == "label '\\0\\0a'");
  CHECK(std::string(FileError("none").what()) == "none");
  CHECK(std::string(MemoryError("zeros", std::string("a\0b", 3)).what()) == "zeros: a\\0b");
}
