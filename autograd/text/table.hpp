#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace xgrad {

/// Lines of cells in UTF-8, the head first. A line may end early.
using TextTable = std::vector<std::vector<std::string>>;

/// The table as text whose columns are aligned, two spaces apart: the cells before column `first_number` at the left,
/// the numbers from there on at the right. Widths count characters; a cell may be coloured (ECMA-48). No line ends with
/// spaces.
std::string aligned(const TextTable& table, std::size_t first_number);

}  // namespace xgrad
