#pragma once

#include <string>
#include <string_view>

namespace xgrad::nn {

/// What gnuplot writes to its standard output for these commands, without anybody's settings. FileError if it is not
/// installed, or with its own message if it fails.
std::string run_gnuplot(const std::string& commands);

/// The text in gnuplot's quotes, with everything escaped that it would substitute: on one line and in UTF-8.
std::string gnuplot_text(std::string_view text);

}  // namespace xgrad::nn
