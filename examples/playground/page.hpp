#pragma once

#include <string_view>

namespace playground {

/// A file of the page, as it was when the program was built: page.html, page.css, page.js. Empty for another name.
std::string_view page_file(std::string_view name);

}  // namespace playground
