#include <autograd/text/table.hpp>
#include <autograd/text/utf8.hpp>

#include <algorithm>

namespace xgrad {

std::string aligned(const TextTable& table, std::size_t first_number) {
  std::vector<std::size_t> widths(table.front().size());
  for (const auto& line : table)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], utf8_characters(line[i]));
  std::string text;
  for (const auto& line : table) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string padding(widths[i] - utf8_characters(line[i]), ' ');
      text += (i > 0 ? "  " : "") + (i < first_number ? line[i] + padding : padding + line[i]);
    }
    text += '\n';
  }
  return text;
}

}  // namespace xgrad
