#include <autograd/tensor/error.hpp>
#include <nn/report/html.hpp>
#include <nn/report/picture.hpp>
#include <nn/report/report.hpp>
#include <nn/report/whole_file.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>

namespace xgrad::nn {

namespace {

using Pairs = std::vector<std::vector<std::string>>;

std::string number(double value, const char* format = "%.4g") {
  if (std::isnan(value)) return "NaN";  // not -nan, which some are
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}
std::string percent(double fraction) { return number(100 * fraction, "%.1f") + "\u00A0%"; }

std::string section(const std::string& title, const std::string& body) {
  return "<section>\n<h2>" + html::escaped(title) + "</h2>\n" + body + "</section>\n";
}
std::string preformatted(const std::string& text) { return "<pre>" + html::escaped(text) + "</pre>\n"; }
std::string paragraph(const std::string& text) { return "<p>" + html::escaped(text) + "</p>\n"; }
std::string details(const std::string& summary, const std::string& body) {
  return "<details>\n<summary>" + html::escaped(summary) + "</summary>\n" + body + "</details>\n";
}
std::string grid(const std::string& items, const char* kind) {
  return items.empty() ? "" : std::string("<div class=\"") + kind + "\">\n" + items + "</div>\n";
}

/// Each as a document of its own: the names inside of two pictures in one page would clash.
std::string picture(const Picture& drawn, const std::string& description) {
  return "<img class=\"picture\" alt=\"" + html::escaped(description) + "\" src=\"" +
         html::data_uri("image/svg+xml", drawn.svg()) + "\" />\n";
}

enum class Scale : std::uint8_t { fitted, from_zero, logarithmic };

/// A curve for each series over epochs from 1; nothing if no number is known.
std::string curves(const std::string& title, const std::string& y_label, std::vector<Series> series,
                   Scale scale = Scale::fitted) {
  const auto unknown = [](const Series& one) {
    return std::all_of(one.y.begin(), one.y.end(), [](double y) { return std::isnan(y); });
  };
  std::erase_if(series, unknown);
  if (series.empty()) return "";
  LinePlot plot{title, "epoch", y_label, {}, std::move(series), scale == Scale::from_zero, scale == Scale::logarithmic};
  for (std::size_t i = 0; i < plot.series.front().y.size(); ++i) plot.x.push_back(static_cast<double>(i + 1));
  return picture(plot, title + " over epochs");
}

double metric_of(const EpochRecord& epoch, std::size_t i) { return i < epoch.metrics.size() ? epoch.metrics[i] : NAN; }

std::string history_section(const History& history) {
  const auto over_epochs = [&](const std::string& name, const auto& value) {
    Series series{name, {}};
    for (const EpochRecord& epoch : history.epochs) series.y.push_back(value(epoch));
    return series;
  };
  const Series training = over_epochs("training", [](const EpochRecord& e) { return e.loss; });
  const Series validation =
      over_epochs("validation", [](const EpochRecord& e) { return e.validation_loss.value_or(NAN); });
  std::string pictures = curves("Loss", "loss", {training, validation});
  std::vector<std::string> head = {"epoch", "steps", "training loss", "validation loss"};
  for (std::size_t i = 0; i < history.metrics.size(); ++i) {
    const std::string& name = history.metrics[i];
    head.push_back(name);
    pictures += curves(name, name, {over_epochs(name, [i](const EpochRecord& e) { return metric_of(e, i); })});
  }
  pictures += curves("Learning rate", "learning rate of the last step",
                     {over_epochs("learning rate", [](const EpochRecord& e) { return e.learning_rate; })});
  pictures += curves("Time", "time of the steps / s",
                     {over_epochs("time", [](const EpochRecord& e) { return e.seconds; })}, Scale::from_zero);

  head.insert(head.end(), {"learning rate", "seconds"});
  Pairs rows;
  for (const EpochRecord& epoch : history.epochs) {
    rows.push_back({std::to_string(epoch.epoch + 1) + (epoch.complete ? "" : " (cut short)"),
                    std::to_string(epoch.steps), number(epoch.loss),
                    epoch.validation_loss ? number(*epoch.validation_loss) : "-"});
    for (std::size_t i = 0; i < history.metrics.size(); ++i)
      rows.back().push_back(i < epoch.metrics.size() ? number(epoch.metrics[i]) : "-");
    rows.back().insert(rows.back().end(), {number(epoch.learning_rate), number(epoch.seconds)});
  }
  std::string facts = std::to_string(history.epochs.size()) + " epochs, " + std::to_string(history.steps) +
                      " steps in " + number(history.seconds) + " s; it ended because " + to_string(history.reason) +
                      ".";
  if (history.best_epoch && *history.best_epoch < history.epochs.size())
    facts += " Least validation loss: " + number(history.epochs[*history.best_epoch].validation_loss.value_or(NAN)) +
             ", in epoch " + std::to_string(history.epochs[*history.best_epoch].epoch + 1) + ".";
  return section("Training", paragraph(facts) + grid(pictures, "pictures") +
                                 (rows.empty() ? "" : details("Numbers of every epoch", html::table(head, rows, 0))));
}

std::string class_name(const std::vector<std::string>& names, std::int64_t label) {
  if (names.empty()) return std::to_string(label);
  if (label < 0 || label >= static_cast<std::int64_t>(names.size()))
    throw ValueError("report: class " + std::to_string(label) + " has no name; need " + std::to_string(names.size()) +
                     " classes, as there are names");
  return names[static_cast<std::size_t>(label)];
}

std::string confusion_section(const ConfusionMatrix& matrix, const std::vector<std::string>& names) {
  const std::int64_t classes = matrix.classes();
  if (!names.empty() && static_cast<std::int64_t>(names.size()) != classes)
    throw ValueError("report: " + std::to_string(names.size()) + " class names for a confusion matrix of " +
                     std::to_string(classes) + " classes; need as many");
  HeatMap map{.title = "Confusion matrix",
              .x_label = "predicted",
              .y_label = "label",
              .columns = {},
              .rows = {},
              .values = {},
              .shades = {},
              .shade_label = "fraction of the label's rows"};
  Pairs rows;
  const auto score = [](double value) { return number(value, "%.4f"); };
  for (std::int64_t label = 0; label < classes; ++label) {
    map.rows.push_back(class_name(names, label));
    std::int64_t total = 0;
    for (std::int64_t predicted = 0; predicted < classes; ++predicted) total += matrix.count(label, predicted);
    for (std::int64_t predicted = 0; predicted < classes; ++predicted) {
      const auto count = static_cast<double>(matrix.count(label, predicted));
      map.values.push_back(count);
      map.shades.push_back(total == 0 ? 0 : count / static_cast<double>(total));
    }
    rows.push_back({map.rows.back(), std::to_string(total), score(matrix.precision(label)), score(matrix.recall(label)),
                    score(matrix.f1(label))});
  }
  map.columns = map.rows;
  for (const auto& [name, average] : {std::pair{"macro average", Average::macro}, {"micro average", Average::micro}})
    rows.push_back({name, std::to_string(matrix.total()), score(matrix.precision(average)),
                    score(matrix.recall(average)), score(matrix.f1(average))});
  return section("Classes", paragraph("Accuracy " + score(matrix.accuracy()) + " of " + std::to_string(matrix.total()) +
                                      " rows.") +
                                picture(map, "Confusion matrix, whose scores stand in the table below") +
                                html::table({"class", "rows", "precision", "recall", "F1"}, rows, 1));
}

std::vector<double> numbers_of(const Tensor& x) {
  std::vector<double> values;
  visit(x.dtype(), [&]<class T>(T) {
    for (const T value : x.values<T>()) values.push_back(static_cast<double>(value));
  });
  return values;
}

/// Black for the least number of all images, white for the largest; what is not finite is black.
std::string images_of(const std::vector<Sample>& samples, const std::function<std::string(const Sample&)>& caption) {
  double least = INFINITY, largest = -INFINITY;
  for (const Sample& sample : samples)
    for (const double value : numbers_of(sample.input))
      if (std::isfinite(value)) {
        least = std::min(least, value);
        largest = std::max(largest, value);
      }
  std::string figures;
  for (const Sample& sample : samples) {
    std::vector<std::uint8_t> pixels;
    for (const double value : numbers_of(sample.input)) {
      const double gray = 255 * ((value - least) / (largest - least));
      pixels.push_back(gray > 0 ? static_cast<std::uint8_t>(std::lround(std::min(gray, 255.0))) : std::uint8_t{0});
    }
    const bool right = sample.predicted == sample.label;
    figures += std::string("<figure class=\"") + (right ? "right" : "wrong") + "\"><img alt=\"row " +
               std::to_string(sample.row) + "\" src=\"" +
               html::data_uri("image/png", html::gray_png(pixels, sample.input.shape(0), sample.input.shape(1))) +
               "\" /><figcaption>" + caption(sample) + "</figcaption></figure>\n";
  }
  return grid(figures, "samples");
}

std::string samples_section(const std::vector<Sample>& samples, const std::vector<std::string>& names) {
  constexpr std::size_t max_numbers = 12;
  const bool images = std::all_of(samples.begin(), samples.end(),
                                  [](const Sample& one) { return one.input.rank() == 2 && one.input.size() > 0; });
  const auto verdict = [](const Sample& one) { return one.predicted == one.label ? "✓ right" : "✗ wrong"; };
  if (images)
    return section("Samples", images_of(samples, [&](const Sample& one) {
                     const bool right = one.predicted == one.label;
                     return "<b>" + html::escaped(std::string(right ? "✓ " : "✗ ") + class_name(names, one.predicted)) +
                            "</b> " + percent(one.probability) + "<br />" +
                            (right ? ""
                                   : "is " + html::escaped(class_name(names, one.label)) + " " +
                                         percent(one.label_probability) + "<br />") +
                            "row " + std::to_string(one.row);
                   }));
  std::size_t inputs = 0;
  for (const Sample& one : samples) inputs = std::max(inputs, std::min(one.input.size(), max_numbers));
  std::vector<std::string> head = {"", "predicted", "label", "row", "probability", "of the label"};
  for (std::size_t i = 0; i < inputs; ++i) head.push_back(std::string("x").append(std::to_string(i)));
  Pairs rows;
  for (const Sample& one : samples) {
    rows.push_back({verdict(one), class_name(names, one.predicted), class_name(names, one.label),
                    std::to_string(one.row), percent(one.probability), percent(one.label_probability)});
    const std::vector<double> numbers = numbers_of(one.input);
    for (std::size_t i = 0; i < inputs; ++i) rows.back().push_back(i < numbers.size() ? number(numbers[i]) : "");
    if (numbers.size() > max_numbers) rows.back().back() += " …";
  }
  return section("Samples", html::table(head, rows, 3));
}

/// What f says of every layer or parameter of the last epoch, over epochs. One that an epoch does not have is a gap.
template <class Row>
std::vector<Series> over_epochs(const std::vector<Diagnosis>& epochs, std::vector<Row> Diagnosis::*rows, const auto& f,
                                const std::string& suffix = "") {
  std::vector<Series> series;
  const std::vector<Row>& last = epochs.back().*rows;
  for (std::size_t i = 0; i < last.size(); ++i) {
    series.push_back({last[i].name + suffix, {}});
    for (const Diagnosis& epoch : epochs) {
      const std::vector<Row>& now = epoch.*rows;
      const bool known = i < now.size() && now[i].name == last[i].name;
      series.back().y.push_back(known ? std::optional<double>(f(now[i])).value_or(NAN) : NAN);
    }
  }
  return series;
}

std::string diagnostics_section(const std::vector<Diagnosis>& epochs) {
  const auto layers = [&](const auto& f, const std::string& suffix = "") {
    return over_epochs(epochs, &Diagnosis::layers, f, suffix);
  };
  const auto parameters = [&](const auto& f) { return over_epochs(epochs, &Diagnosis::parameters, f); };
  const auto in_percent = [](const std::optional<double>& share) { return 100 * share.value_or(NAN); };
  std::vector<Series> idle = layers([&](const LayerDiagnostics& l) { return in_percent(l.dead); }, ", dead units");
  for (Series& one : layers([&](const LayerDiagnostics& l) { return in_percent(l.saturated); }, ", saturated numbers"))
    idle.push_back(std::move(one));
  const std::string pictures =
      curves("Mean of the outputs", "mean", layers([](const LayerDiagnostics& l) { return l.mean; })) +
      curves("Spread of the outputs", "standard deviation",
             layers([](const LayerDiagnostics& l) { return l.deviation; })) +
      curves("Dead and saturated", "share / %", std::move(idle), Scale::from_zero) +
      curves("Gradients of the outputs", "norm of the gradient",
             layers([](const LayerDiagnostics& l) { return l.gradient_norm; }), Scale::logarithmic) +
      curves("Gradients of the parameters", "norm of the gradient",
             parameters([](const ParameterDiagnostics& p) { return p.gradient_norm; }), Scale::logarithmic) +
      curves("Updates of the parameters", "norm of update / norm of weight",
             parameters([](const ParameterDiagnostics& p) { return p.update_ratio; }), Scale::logarithmic);
  return section("Diagnostics", grid(pictures, "pictures") + "<h3>After epoch " +
                                    std::to_string(epochs.back().epoch + 1) + "</h3>\n" +
                                    preformatted(epochs.back().text()));
}

// The grounds of the page are those of its pictures: white, and 93 % inverted #121212.
constexpr const char* style = R"(
:root { color-scheme: light dark; --text: #1a1a1a; --ground: #ffffff; --line: #cccccc; --faint: #f4f4f4;
        --right: #00734f; --wrong: #b03a00; }
@media (prefers-color-scheme: dark) {
  :root { --text: #ededed; --ground: #121212; --line: #444444; --faint: #1e1e1e; --right: #4cc79f; --wrong: #ff9a5c; }
  img.picture { filter: invert(0.93) hue-rotate(180deg); }
}
body { margin: 0 auto; padding: 1rem 1.5rem 3rem; max-width: 1140px; color: var(--text); background: var(--ground);
       font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.8rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; display: block; max-width: 100%; overflow-x: auto; margin: 0.5rem 0; }
th, td { padding: 0.15rem 0.8rem; border-bottom: 1px solid var(--line); text-align: left; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: 0.8rem; background: var(--faint); font: 13px/1.4 ui-monospace, monospace; }
summary { cursor: pointer; }
img.picture { display: block; max-width: 100%; height: auto; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 0.5rem; }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 0.8rem; }
figure { margin: 0; padding: 0.5rem; border: 2px solid var(--line); border-radius: 6px; font-size: 0.82rem;
         line-height: 1.35; overflow-wrap: anywhere; }
figure img { display: block; width: 112px; margin: 0 auto 0.3rem; image-rendering: pixelated; }
figure.wrong { border-color: var(--wrong); } figure.wrong b { color: var(--wrong); } figure.right b { color: var(--right); }
)";

}  // namespace

std::string Report::html() const {
  std::string body;
  if (!configuration.empty()) {
    Pairs rows;
    for (const auto& [name, value] : configuration) rows.push_back({name, value});
    body += section("Configuration", html::table({"name", "value"}, rows, 2));
  }
  if (!summary.empty()) body += section("Model", preformatted(summary));
  if (doctor) body += section("Doctor", preformatted(doctor->text()));
  if (history) body += history_section(*history);
  if (confusion) body += confusion_section(*confusion, classes);
  if (!samples.empty()) body += samples_section(samples, classes);
  if (!diagnostics.empty()) body += diagnostics_section(diagnostics);
  if (body.empty()) throw ValueError("report '" + title + "': nothing to tell; set one of its members");
  const std::string name = html::escaped(title);
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n<title>" +
         name + "</title>\n<style>" + style + "</style>\n</head>\n<body>\n<h1>" + name + "</h1>\n" + body +
         "</body>\n</html>\n";
}

void Report::write(const std::string& path) const {
  WholeFile file(path);
  file.write(html());
}

}  // namespace xgrad::nn
