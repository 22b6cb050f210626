#include <autograd/text/table.hpp>
#include <autograd/text/utf8.hpp>

#include <algorithm>

namespace xgrad {

namespace {

/// Of what is seen: a colour begins with ESC and ends with m.
std::size_t width_of(const std::string& cell) {
  std::size_t width = utf8_characters(cell);
  for (std::size_t begin = 0; (begin = cell.find('\x1b', begin)) != std::string::npos;) {
    const std::size_t end = std::min(cell.find('m', begin), cell.size() - 1) + 1;
    width -= end - begin;
    begin = end;
  }
  return width;
}

}  // namespace

std::string aligned(const TextTable& table, std::size_t first_number) {
  std::vector<std::size_t> widths;
  for (const auto& line : table) {
    widths.resize(std::max(widths.size(), line.size()));
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width_of(line[i]));
  }
  std::string text;
  for (const auto& line : table) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string padding(widths[i] - width_of(line[i]), ' ');
      text += (i > 0 ? "  " : "") + (i < first_number ? line[i] + padding : padding + line[i]);
    }
    text.erase(text.find_last_not_of(' ') + 1) += '\n';
  }
  return text;
}

}  // namespace xgrad
