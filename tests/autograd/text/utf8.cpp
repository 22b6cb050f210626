#include <autograd/text/utf8.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace xgrad;

TEST_CASE("a character of UTF-8 has one to four bytes, as RFC 3629 says") {
  CHECK(utf8_length("a") == 1);
  CHECK(utf8_length("\xC3\xA9t\xC3\xA9") == 2);
  CHECK(utf8_length("\xE2\x82\xAC") == 3);
  CHECK(utf8_length("\xF0\x9F\x98\x80") == 4);
  CHECK(utf8_length(std::string(1, '\0')) == 1);
  CHECK(utf8_length("") == 0);
  for (const char* text : {"\x80", "\xC0\x80", "\xC3", "\xC3(", "\xE0\x80\x80", "\xE2\x82", "\xED\xA0\x80",
                           "\xF5\x80\x80\x80", "\xF4\x90\x80\x80", "\xFF"})
    CHECK(utf8_length(text) == 0);
}

TEST_CASE("characters are counted, not bytes") {
  CHECK(utf8_characters("hidden \xE2\x86\x92 relu") == 13);
  CHECK(utf8_characters("") == 0);
}

TEST_CASE("what is not UTF-8 or no character of XML is replaced, and nothing else") {
  const std::string replaced = "\xEF\xBF\xBD";
  for (const std::string& text : {std::string("a\tb\nc\r"), std::string("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80<&\"'"),
                                  std::string("\xEF\xBF\xBD"), std::string()})
    CHECK(printable(text) == text);
  CHECK(printable("a\xFF\x62") == "a" + replaced + "b");
  CHECK(printable("\xC3") == replaced);
  CHECK(printable("\xE2\x82x") == replaced + replaced + "x");
  CHECK(printable(std::string("\0\x1B", 2)) == replaced + replaced);
  CHECK(printable("\xEF\xBF\xBE") == replaced);
  CHECK(printable("\xEF\xBF\xBF") == replaced);
}
