#pragma once

#include <string_view>
#include <vector>

namespace examples {

/// What stands between the separators of a text: a list in a flag or in an address. None of an empty text, and none
/// behind a separator at the end.
std::vector<std::string_view> pieces(std::string_view text, char separator);

}  // namespace examples
