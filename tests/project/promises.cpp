#include "tests/support/folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <regex>
#include <sstream>
#include <string>

namespace {

/// What is wrong with a row `| promise | file | test |` of docs/promises.md, or "".
std::string fault_of(const std::string& promise, const std::string& file, const std::string& test) {
  const std::string path = std::string(XGRAD_SOURCE_DIR) + "/tests/" + file;
  if (!std::filesystem::exists(path)) return promise + ": there is no " + file;
  const std::string text = std::regex_replace(content_of(path), std::regex("\"\\s*\n\\s*\""), "");
  static const std::regex start(R"(TEST_CASE(?:_TEMPLATE)?\(\s*"([^"]*)\")");
  for (std::sregex_iterator match(text.begin(), text.end(), start), end; match != end; ++match)
    if ((*match)[1].str().starts_with(test)) return "";
  return promise + ": " + file + " has no test `" + test + "`";
}

}  // namespace

TEST_CASE("every promise in docs/promises.md names a test that there is") {
  std::istringstream lines(content_of(std::string(XGRAD_SOURCE_DIR) + "/docs/promises.md"));
  static const std::regex row(R"(\| (.+) \| (\S+\.cpp) \| (.+) \|)");
  std::size_t rows = 0;
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, row)) {
      CHECK_MESSAGE((!line.starts_with("|") || line.starts_with("|--") || line.starts_with("| promise |")), line);
      continue;
    }
    ++rows;
    const std::string fault = fault_of(match[1], match[2], match[3]);
    CHECK_MESSAGE(fault.empty(), fault);
  }
  CHECK(rows >= 60);
}

TEST_CASE("a promise without a test is found") {
  CHECK(fault_of("p", "project/promises.cpp", "a promise without a test is found").empty());
  CHECK_FALSE(fault_of("p", "project/promises.cpp", "no such test").empty());
  CHECK_FALSE(fault_of("p", "project/no_such_file.cpp", "x").empty());
}
