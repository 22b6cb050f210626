#include <autograd/tensor/format.hpp>
#include <autograd/text/numbers.hpp>
#include <nn/report/chart.hpp>
#include <nn/report/gnuplot.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace xgrad::nn {

namespace {

constexpr int line_height = 18;  // height of a letter, in the units of the SVG

// Okabe and Ito (2008): told apart with every kind of colour vision; without their yellow, which white swallows.
constexpr std::array<const char*, 7> colours = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                "#000000", "#E69F00", "#56B4E9"};
// Disc, triangle, square, circle, triangle upside down, square, rhomb: told apart in black and white.
constexpr std::array<int, 7> point_types = {7, 8, 4, 6, 11, 5, 12};

bool shown(double value, bool logarithmic) {
  constexpr double largest = 1e300;  // gnuplot counts in doubles, and differences must not overflow
  return std::abs(value) <= largest && (!logarithmic || value > 0);
}

/// A power of 10: 1000, or 10⁻¹² where there are many of them.
std::string power_of_10(int exponent, bool plain) {
  if (plain) return exact_number(std::pow(10, exponent));
  constexpr std::array<const char*, 10> raised = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "10⁻" : "10";
  for (const char digit : std::to_string(std::abs(exponent))) text += raised.at(static_cast<std::size_t>(digit - '0'));
  return text;
}

/// The nearest 1, 2 or 5 times a power of 10 that is not above the value; mark_above: not below.
double mark_below(double value) {
  const double power = std::pow(10, std::floor(std::log10(value) + 1e-9));
  return (value >= 5 * power * (1 - 1e-9) ? 5 : value >= 2 * power * (1 - 1e-9) ? 2 : 1) * power;
}
double mark_above(double value) { return 1 / mark_below(1 / value); }

/// Tics of a logarithmic axis: powers of 10; 1, 2 and 5 times them where there are fewer than two; else gnuplot's.
std::string logarithmic_tics(char axis, double low, double high) {
  const int first = static_cast<int>(std::ceil(std::log10(low) - 1e-9)),
            last = static_cast<int>(std::floor(std::log10(high) + 1e-9));
  if (last <= first) {
    std::string marks;
    for (double mark = mark_above(low); mark <= high * (1 + 1e-9); mark = mark_above(1.5 * mark))
      marks += (marks.empty() ? "" : ", ") + exact_number(mark);
    return marks.find(',') == std::string::npos ? "" : fmt::format("set {}tics ({})\n", axis, marks);
  }
  const int step = (last - first + 7) / 8;
  std::string list;
  // Multiples of the step, so that 10⁰ is among them where the axis has it, and panels agree.
  for (int exponent = first + (step - first % step) % step; exponent <= last; exponent += step)
    list += fmt::format("{}\"{}\" {}", list.empty() ? "" : ", ", power_of_10(exponent, first >= -4 && last <= 4),
                        exact_number(std::pow(10, exponent)));
  return fmt::format("set {}tics ({})\n", axis, list);
}

/// Numbers that are all whole, such as epochs, have whole tics: 1, 2 or 5 times a power of 10 apart.
std::string whole_tics(double range) {
  const double power = std::pow(10, std::floor(std::log10(std::max(range / 8, 1.0))));
  double step = power;
  for (const double factor : {2, 5, 10})
    if (range / step > 8) step = factor * power;
  return "set xtics " + exact_number(step) + '\n';
}

void check(const Chart& chart) {
  const auto fail = [&](const Panel& panel, const std::string& what) {
    throw_as<ValueError>("picture '{}': {}", panel.title.empty() ? chart.title : panel.title, what);
  };
  if (chart.panels.empty()) throw_as<ValueError>("picture '{}': no panels; need one or more", chart.title);
  if (chart.columns < 1 || chart.width < 1 || chart.height < 1)
    throw_as<ValueError>("picture '{}': {} panels in a row of {} by {}; need 1 or more", chart.title, chart.columns,
                         chart.width, chart.height);
  for (const Panel& panel : chart.panels) {
    if (panel.traces.empty() && !panel.surface) fail(panel, "neither a trace nor a surface; need one");
    for (const Trace& trace : panel.traces)
      if (trace.x.size() != trace.y.size())
        fail(panel, fmt::format("'{}' has {} numbers of x and {} of y; need equal counts", trace.name, trace.x.size(),
                                trace.y.size()));
    const auto check_range = [&](const char* what, const auto& range, bool logarithmic) {
      if (!range) return;
      const auto [low, high] = *range;
      if (!shown(low, logarithmic) || !shown(high, logarithmic) || !(low < high))
        fail(panel, fmt::format("{} from {} to {}; need finite numbers{}, the first less", what, low, high,
                                logarithmic ? " above 0" : ""));
    };
    check_range("x", panel.x_range, panel.x_logarithmic);
    check_range("y", panel.y_range, panel.y_logarithmic);
    if (!panel.surface) continue;
    const Surface& surface = *panel.surface;
    check_range("the surface's x", std::optional(surface.x), panel.x_logarithmic);
    check_range("the surface's y", std::optional(surface.y), panel.y_logarithmic);
    check_range("colours", surface.range, false);
    if (panel.x_logarithmic || panel.y_logarithmic) fail(panel, "a surface has equal cells, no logarithmic axes");
    if (surface.values.empty() || surface.values.size() != surface.rows * surface.columns)
      fail(panel, fmt::format("{} values for {} rows and {} columns of a surface; need one for each cell",
                              surface.values.size(), surface.rows, surface.columns));
    for (const double level : surface.contours)
      if (!shown(level, false)) fail(panel, fmt::format("a contour of {}; need a finite number", level));
  }
}

/// How the traces of one name, or one without a name, look.
class Look {
 public:
  Look(const Trace& trace, std::size_t place)
      : name(trace.name),
        mark(trace.mark),
        colour(!trace.colour.empty() ? trace.colour
               : name.empty()        ? "#000000"
                                     : colours[place % colours.size()]),
        number(place) {}

  std::string name;
  Mark mark;
  std::string colour;
  std::size_t number;

  std::string style(std::size_t points) const {
    if (mark == Mark::points) return "with points" + point_style(points > 60 ? "0.35" : "0.6");
    if (mark == Mark::line) return "with lines" + line_style() + colour_style();
    // Many points would hide the dashes, a dozen tells the curves apart.
    const std::string spaced = points > 30 ? fmt::format(" pointinterval {}", points / 12) : "";
    return "with linespoints" + line_style() + point_style("0.5") + spaced;
  }

  /// What a legend shows of it: a piece of a line, a point in its middle.
  std::string sample(const std::string& left, const std::string& middle, const std::string& right) const {
    std::string text;
    if (mark != Mark::points)
      text = fmt::format("set arrow from {} to {} nohead{}{}\n", left, right, line_style(), colour_style());
    if (mark != Mark::line)
      text += fmt::format("set label \"\" at {} point{}\n", middle, point_style(mark == Mark::both ? "0.5" : "0.6"));
    return text;
  }

 private:
  std::string line_style() const {
    const std::size_t again = number / colours.size();  // colours begin anew, dashed
    return fmt::format(" linewidth {} dashtype {}", name.empty() ? "0.7" : "1.5",
                       1 + (mark == Mark::line ? number : again) % 5);
  }
  std::string point_style(const char* size) const {
    return fmt::format(" pointtype {} pointsize {}", point_types[number % point_types.size()], size) + colour_style();
  }
  std::string colour_style() const { return fmt::format(" linecolor rgb '{}'", colour); }
};

/// Looks by name, in the order in which the names come.
class Looks {
 public:
  explicit Looks(const Chart& chart) {
    for (const Panel& panel : chart.panels)
      for (const Trace& trace : panel.traces)
        if (!trace.name.empty() && find(trace.name) == named_.end()) named_.emplace_back(trace, named_.size());
  }
  Look of(const Trace& trace) const { return trace.name.empty() ? Look(trace, 0) : *find(trace.name); }
  const std::vector<Look>& named() const { return named_; }

 private:
  std::vector<Look>::const_iterator find(const std::string& name) const {
    return std::find_if(named_.begin(), named_.end(), [&](const Look& look) { return look.name == name; });
  }
  std::vector<Look> named_;
};

/// Where something stands: pixels from the left and the bottom.
struct Box {
  int left, bottom, width, height;
};

/// The commands of a panel.
class PanelCommands {
 public:
  PanelCommands(const Panel& panel, std::size_t number, const Looks& looks) : panel_(panel), number_(number) {
    if (panel.surface) add_surface(*panel.surface);
    for (const Trace& trace : panel.traces) add_trace(trace, looks.of(trace));
  }

  /// What must stand before all panels.
  const std::string& data() const { return data_; }

  std::string text(const Box& box, const Drawing& page) const {
    std::string text = fmt::format(
        "reset\nset border 3\nset tics nomirror front\nset format '%g'\nset key off\n"
        "set lmargin at screen {}\nset rmargin at screen {}\nset bmargin at screen {}\nset tmargin at screen {}\n{}",
        part(box.left, page.width), part(box.left + box.width, page.width), part(box.bottom, page.height),
        part(box.bottom + box.height, page.height), gnuplot_labels(panel_.title, panel_.x_label, panel_.y_label));
    text += ranges();
    if (!panel_.surface) text += "set grid linecolor rgb '#999999'\n";
    if (panel_.surface) text += palette(*panel_.surface, box, page);
    if (!panel_.notes.empty()) text += "set style textbox opaque noborder fillcolor rgb '#ffffff' margins 0.3,0.3\n";
    for (const Note& note : panel_.notes)
      text += fmt::format("set label {} at {},{} center front boxed\n", gnuplot_text(note.text), exact_number(note.x),
                          exact_number(note.y));
    return text + "plot " + (plots_.empty() ? "NaN" : plots_) + '\n';
  }

 private:
  static double part(int pixels, int of) { return static_cast<double>(pixels) / of; }

  void add_plot(const std::string& plot) { plots_ += (plots_.empty() ? "" : ", ") + plot; }

  void add_trace(const Trace& trace, const Look& look) {
    std::string points;
    bool any = false;
    for (std::size_t i = 0; i < trace.x.size(); ++i) {
      const double x = trace.x[i], y = trace.y[i];
      const bool drawn = shown(x, panel_.x_logarithmic) && shown(y, panel_.y_logarithmic);
      if (shown(x, panel_.x_logarithmic)) {
        least_x_ = std::min(least_x_, x);
        largest_x_ = std::max(largest_x_, x);
        whole_ = whole_ && x == std::floor(x);
      }
      negative_ = negative_ || y < 0;
      if (drawn) {
        least_y_ = std::min(least_y_, y);
        largest_y_ = std::max(largest_y_, y);
      }
      points += drawn ? fmt::format("{} {}\n", exact_number(x), exact_number(y)) : "NaN NaN\n";
      any = any || drawn;
    }
    scattered_ = scattered_ || trace.mark == Mark::points;
    if (!any) return;
    const std::string block = fmt::format("$trace_{}_{}", number_, blocks_++);
    data_ += block + " << end\n" + points + "end\n";
    add_plot(fmt::format("{} using 1:2 {}", block, look.style(trace.x.size())));
  }

  void add_surface(const Surface& surface) {
    const std::string grid = fmt::format("$surface_{}", number_);
    double least = INFINITY, largest = -INFINITY;
    data_ += grid + " << end\n";
    for (std::size_t i = 0; i < surface.values.size(); ++i) {
      const double value = surface.values[i];
      const bool finite = shown(value, false);
      data_ += finite ? exact_number(value) : "NaN";
      data_ += (i + 1) % surface.columns == 0 ? '\n' : ' ';
      if (!finite) continue;
      least = std::min(least, value);
      largest = std::max(largest, value);
    }
    data_ += "end\n";
    colours_ = surface.range.value_or(std::pair(least, largest));
    if (!(least <= largest)) colours_ = {0, 1};
    if (surface.diverging && !surface.range) {
      const double most = std::max(std::abs(colours_.first), std::abs(colours_.second));
      colours_ = {-most, most};
    }
    if (!(colours_.first < colours_.second)) colours_ = {colours_.first - 0.5, colours_.first + 0.5};

    const double dx = (surface.x.second - surface.x.first) / static_cast<double>(surface.columns);
    const double dy = (surface.y.second - surface.y.first) / static_cast<double>(surface.rows);
    const std::string places = fmt::format("({}+$1*{}):({}+$2*{}):3", exact_number(surface.x.first + dx / 2),
                                           exact_number(dx), exact_number(surface.y.first + dy / 2), exact_number(dy));
    add_plot(fmt::format("{} matrix using {} with image", grid, places));
    std::string levels;
    for (const double level : surface.contours)
      if (level > least && level < largest) levels += (levels.empty() ? "" : ",") + exact_number(level);
    if (levels.empty()) return;
    const std::string lines = fmt::format("$contours_{}", number_);
    data_ += fmt::format(
        "reset\nset contour base\nunset surface\nset cntrparam levels discrete {}\nset table {}\n"
        "splot {} matrix using {} with lines\nunset table\nreset\n",
        levels, lines, grid, places);
    add_plot(lines + " using 1:2 with lines linewidth 0.8 linecolor rgb '#333333'");
  }

  std::string ranges() const {
    std::string text;
    if (panel_.x_logarithmic) text += "set logscale x\nunset mxtics\n";
    if (panel_.y_logarithmic) text += "set logscale y\nunset mytics\n";
    const auto set = [&](char axis, double low, double high) {
      text += fmt::format("set {}range [{}:{}]\n", axis, exact_number(low), exact_number(high));
      if (axis == 'x' ? panel_.x_logarithmic : panel_.y_logarithmic) text += logarithmic_tics(axis, low, high);
    };
    const double range = largest_x_ - least_x_;
    if (const auto& given = panel_.surface ? std::optional(panel_.x_range.value_or(panel_.surface->x)) : panel_.x_range)
      set('x', given->first, given->second);
    else if (panel_.x_logarithmic && range > 0)
      set('x', least_x_, largest_x_);
    else if (!panel_.x_logarithmic && range >= 0) {
      const double margin = range == 0 ? 0.5 : scattered_ ? 0.04 * range : 0;
      set('x', least_x_ - margin, largest_x_ + margin);
      if (whole_ && !scattered_) text += whole_tics(range);
    }
    if (const auto& given = panel_.surface ? std::optional(panel_.y_range.value_or(panel_.surface->y)) : panel_.y_range)
      set('y', given->first, given->second);
    else if (plots_.empty())
      set('y', 1, 10);
    else if (panel_.y_logarithmic) {
      double low = mark_below(least_y_), high = std::max(mark_above(largest_y_), mark_above(1.5 * low));
      if (high > 100 * low) {  // whole decades
        low = std::pow(10, std::floor(std::log10(low) + 1e-9));
        high = std::pow(10, std::ceil(std::log10(high) - 1e-9));
      }
      set('y', low, high);
    } else if (panel_.from_zero && !negative_)
      text += "set yrange [0:*]\n";
    return text;
  }

  std::string palette(const Surface& surface, const Box& box, const Drawing& page) const {
    const std::string text =
        fmt::format("set palette maxcolors 24 defined ({})\nset cbrange [{}:{}]\n",
                    surface.diverging ? "-1 '#F4A82A', 0 '#ffffff', 1 '#4393C3'" : "0 '#ffffff', 1 '#08519c'",
                    exact_number(colours_.first), exact_number(colours_.second));
    if (surface.label.empty()) return text + "unset colorbox\n";
    return text +
           fmt::format(
               "set cblabel {}\nset colorbox user origin screen {},screen {} size screen {},screen {} noborder\n",
               gnuplot_text(surface.label), part(box.left + box.width + 8, page.width), part(box.bottom, page.height),
               part(10, page.width), part(box.height, page.height));
  }

  const Panel& panel_;
  std::size_t number_, blocks_ = 0;
  std::string data_, plots_;
  double least_x_ = INFINITY, largest_x_ = -INFINITY, least_y_ = INFINITY, largest_y_ = -INFINITY;
  bool whole_ = true, negative_ = false, scattered_ = false;
  std::pair<double, double> colours_;
};

}  // namespace

Drawing drawing_of(const Chart& chart) {
  check(chart);
  const Looks looks(chart);
  const auto columns = static_cast<int>(std::min(chart.columns, chart.panels.size()));
  const int rows = (static_cast<int>(chart.panels.size()) + columns - 1) / columns;
  const bool coloured = std::any_of(chart.panels.begin(), chart.panels.end(),
                                    [](const Panel& panel) { return panel.surface && !panel.surface->label.empty(); });
  const bool logarithmic = std::any_of(chart.panels.begin(), chart.panels.end(), [](const Panel& panel) {
    return panel.x_logarithmic;
  });  // its last number is long
  const bool bare =
      std::all_of(chart.panels.begin(), chart.panels.end(), [](const Panel& panel) { return panel.title.empty(); });
  const bool long_numbers =
      std::any_of(chart.panels.begin(), chart.panels.end(), [](const Panel& panel) { return panel.y_logarithmic; });
  const int left = long_numbers ? 84 : 66,
            right = coloured      ? 84
                    : logarithmic ? 34
                                  : 18,
            above = bare ? 14 : 34, below = 52;
  const int title = chart.title.empty() ? 0 : 28;

  Drawing drawing;
  drawing.width = columns * (left + chart.width + right);
  constexpr int sample = 26, gap = 10, room = sample + 3 * gap;  // of an entry of the legend, besides its text
  std::vector<std::string> names;
  const auto longest = static_cast<std::size_t>(std::clamp((drawing.width - room) / text_width({"m"}), 8, 60));
  for (const Look& look : looks.named()) names.push_back(shortened(look.name, longest));
  const int entry = text_width(names) + room,
            legend_columns = std::clamp(drawing.width / entry, 1, std::max(1, static_cast<int>(names.size())));
  const int lines = names.size() > 1 ? (static_cast<int>(names.size()) + legend_columns - 1) / legend_columns : 0;
  const int legend = lines == 0 ? 0 : 8 + line_height * lines;
  drawing.height = title + rows * (above + chart.height + below) + legend;

  std::string data, plots;
  for (std::size_t i = 0; i < chart.panels.size(); ++i) {
    const PanelCommands panel(chart.panels[i], i, looks);
    const auto row = static_cast<int>(i) / columns, column = static_cast<int>(i) % columns;
    const Box box = {column * (left + chart.width + right) + left,
                     drawing.height - title - row * (above + chart.height + below) - above - chart.height, chart.width,
                     chart.height};
    data += panel.data();
    plots += panel.text(box, drawing);
  }
  drawing.commands = data + "set multiplot\n" + plots;
  if (lines > 0 || title > 0) {  // a plot of nothing, for what belongs to no panel
    const auto place = [&](int x, int y) {
      return fmt::format("screen {}, screen {}", static_cast<double>(x) / drawing.width,
                         static_cast<double>(y) / drawing.height);
    };
    drawing.commands += fmt::format(
        "reset\nunset border\nunset tics\nset key off\nset xrange [0:1]\nset yrange [0:1]\n"
        "set margins screen 0,1,0,1\nset label {} at {} center\n",
        gnuplot_text(chart.title), place(drawing.width / 2, drawing.height - 16));
    for (int i = 0; lines > 0 && i < static_cast<int>(names.size()); ++i) {
      const int x = (drawing.width - legend_columns * entry) / 2 + i % legend_columns * entry + gap,
                y = legend - line_height / 2 - line_height * (i / legend_columns);
      const auto number = static_cast<std::size_t>(i);
      drawing.commands +=
          looks.named()[number].sample(place(x, y), place(x + sample / 2, y), place(x + sample, y)) +
          fmt::format("set label {} at {} left\n", gnuplot_text(names[number]), place(x + sample + gap, y));
    }
    drawing.commands += "plot NaN\n";
  }
  drawing.commands += "unset multiplot\n";
  return drawing;
}

}  // namespace xgrad::nn
