#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <nn/data/csv_source.hpp>

#include <string>

using namespace xgrad;

TEST_CASE("places count lines and characters, from the beginning or from a known place") {
  const nn::CsvSource source = {"a.csv", "\xEF\xBB\xBFx\xC3\xA9y\nz\n\nw"};
  const auto at = [&](char c) { return source.words(source.place(source.text.find(c))); };
  CHECK(source.words(source.place(0)) == "a.csv:1:1");
  CHECK(at('x') == "a.csv:1:1");
  CHECK(at('y') == "a.csv:1:3");
  CHECK(at('z') == "a.csv:2:1");
  CHECK(at('w') == "a.csv:4:1");
  const std::size_t y = source.text.find('y'), w = source.text.find('w');
  CHECK(source.words(source.place(w, source.place(y), y)) == at('w'));
}

TEST_CASE("parts of a file are quoted short, printable and on one line") {
  CHECK(nn::quoted("a\nb\t\x01") == "'a b \xEF\xBF\xBD'");
  CHECK(nn::quoted("\xE9") == "'\xEF\xBF\xBD'");
  CHECK(nn::quoted(std::string(50, 'x')) == "'" + std::string(40, 'x') + "...'");
}
