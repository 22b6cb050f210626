#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad::nn {

/// What gnuplot writes to its standard output for these commands, without anybody's settings. FileError if it is not
/// installed, or with its own message if it fails.
std::string run_gnuplot(const std::string& commands);

/// The text in gnuplot's quotes, with everything escaped that it would substitute: on one line and in UTF-8.
std::string gnuplot_text(std::string_view text);

/// gnuplot's SVG without what says nothing: groups of nothing, groups that repeat the one before, attributes that are
/// SVG's own defaults, zeros at the end of fractions. Half as long.
std::string slim_svg(std::string_view svg);

/// The commands that set a title and the names of both axes.
std::string gnuplot_labels(const std::string& title, const std::string& x_label, const std::string& y_label);

/// The end of a long name: of a path, the part that tells.
std::string shortened(std::string_view name, std::size_t characters = 60);

/// Room for the longest of these texts, in units of the SVG.
int text_width(const std::vector<std::string>& texts);

}  // namespace xgrad::nn
