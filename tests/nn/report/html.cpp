#include "tests/support/expect.hpp"
#include "tests/support/xml.hpp"

#include <nn/report/html.hpp>

#include <doctest/doctest.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

using namespace xgrad;
namespace html = nn::html;

TEST_CASE("the judge of documents finds what is not well-formed") {
  CHECK(xml::fault("<?xml version='1.0'?>\n<a b=\"c>'\" d='e'>&lt;<f /></a>\n") == "");
  for (const char* document : {"<a><b></a></b>", "<a>", "</a>", "<a/><b/>", "a", "<a b=\"c></a>", "<a>b & c</a>",
                               "<a>&nbsp;</a>", "<a b='c' b='d' />", "<a b='<' />", "<a b='&' />"})
    CHECK(xml::fault(document) != "");
}

TEST_CASE("text is escaped and printable") {
  CHECK(html::escaped("<b>&\"it's\"") == "&lt;b&gt;&amp;&quot;it&#39;s&quot;");
  CHECK(html::escaped("&lt;") == "&amp;lt;");
  CHECK(html::escaped("\xC3\xBC \xFF") == "\xC3\xBC \xEF\xBF\xBD");
}

TEST_CASE("a table has a head and rows, numbers at the right") {
  const std::string table = html::table({{"name", "n"}, {"<b>", "1"}, {"", "2"}}, 1);
  CHECK(xml::fault(table) == "");
  CHECK(table ==
        "<table>\n<thead><tr><th>name</th><th class=\"number\">n</th></tr>\n</thead>\n<tbody>\n"
        "<tr><td>&lt;b&gt;</td><td class=\"number\">1</td></tr>\n<tr><td></td><td class=\"number\">2</td></tr>\n"
        "</tbody>\n</table>\n");
  CHECK(expect::error_of([] {
          html::table({{"a", "b"}, {"1"}}, 0);
        }) == "ShapeError: table: a row of 1 cells under a head of 2; need equal lengths");
}

TEST_CASE("data URIs are base64: the test vectors of RFC 4648, section 10") {
  const std::vector<std::pair<std::string, std::string>> vectors = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"},
                                                                    {"\xFB\xFF\xBF", "+/+/"}};
  for (const auto& [bytes, digits] : vectors)
    CHECK(html::data_uri("text/plain", bytes) == "data:text/plain;base64," + digits);
}

namespace {

std::uint32_t number_at(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[at + i]);
  return value;
}

}  // namespace

TEST_CASE("a gray PNG is what the standard says, chunk by chunk") {
  const std::vector<std::uint8_t> pixels = {0, 1, 2, 253, 254, 255};
  const std::string png = html::gray_png(pixels, 2, 3);
  REQUIRE(png.starts_with("\x89PNG\r\n\x1A\n"));
  std::vector<std::pair<std::string, std::string>> chunks;
  for (std::size_t at = 8; at < png.size();) {
    const std::size_t length = number_at(png, at);
    REQUIRE(at + 12 + length <= png.size());
    const std::string body = png.substr(at + 4, 4 + length);
    CHECK(number_at(png, at + 8 + length) ==
          crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
    chunks.emplace_back(body.substr(0, 4), body.substr(4));
    at += 12 + length;
  }
  REQUIRE(chunks.size() == 3);
  CHECK(chunks[0].first == "IHDR");  // width 3, height 2, 8 bits, gray, deflate, filters of method 0, not interlaced
  CHECK(chunks[0].second == std::string("\0\0\0\x03\0\0\0\x02\x08\0\0\0\0", 13));
  CHECK(chunks[1].first == "IDAT");
  CHECK(chunks[2].first == "IEND");
  CHECK(chunks[2].second.empty());
  std::string lines(64, 'x');
  uLongf size = lines.size();
  REQUIRE(uncompress(reinterpret_cast<Bytef*>(lines.data()), &size,
                     reinterpret_cast<const Bytef*>(chunks[1].second.data()), chunks[1].second.size()) == Z_OK);
  CHECK(lines.substr(0, size) == std::string("\0\0\x01\x02\0\xFD\xFE\xFF", 8));  // each line behind its filter, none
}

TEST_CASE("a PNG of no pixels, or of another count, is refused") {
  const std::vector<std::uint8_t> six(6);
  for (const auto& [height, width] : {std::pair{2, 2}, {0, 6}, {6, 0}, {-2, -3}})
    CHECK(
        expect::contains(expect::error_of([&, h = height, w = width] { html::gray_png(six, h, w); }), "ShapeError: "));
}
