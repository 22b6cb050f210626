#pragma once

#include <string>
#include <vector>

#include "settings.hpp"

namespace playground {

struct OwnData {
  std::vector<Point> points;
  std::string note;  ///< what was made of them, in one sentence
};

/// Points from CSV: three columns, with or without a line of names: x₁, x₂ and the label. Two texts or two numbers as
/// labels are two classes; other numbers are to be predicted, brought to [-1, 1]. Columns that leave ±6 are brought to
/// ±5. FileError, with line and column, for what does not parse; ValueError for what the page cannot show.
OwnData own_data(const std::string& csv);

}  // namespace playground
