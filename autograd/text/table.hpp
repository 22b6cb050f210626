#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace xgrad {

/// Lines of as many cells each, in UTF-8.
using TextTable = std::vector<std::vector<std::string>>;

/// The table, not empty, as text whose columns are aligned, two spaces apart: the cells before column `first_number` at
/// the left, the numbers from there on at the right. Widths count characters.
std::string aligned(const TextTable& table, std::size_t first_number);

}  // namespace xgrad
