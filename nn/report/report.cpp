#include <autograd/tensor/format.hpp>
#include <autograd/text/numbers.hpp>
#include <autograd/text/words.hpp>
#include <nn/files/whole_file.hpp>
#include <nn/report/html.hpp>
#include <nn/report/picture.hpp>
#include <nn/report/report.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

namespace xgrad::nn {

namespace {

std::string number(std::optional<double> value) { return short_number(value, 4); }
std::string percentage(double fraction) { return fmt::format("{:.1f}\u00A0%", 100 * fraction); }

std::string section(const std::string& title, const std::string& body) {
  return fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", html::escaped(title), body);
}
std::string preformatted(const std::string& text) { return fmt::format("<pre>{}</pre>\n", html::escaped(text)); }
std::string paragraph(const std::string& text) { return fmt::format("<p>{}</p>\n", html::escaped(text)); }
std::string grid(const std::string& items, const char* kind) {
  return items.empty() ? "" : fmt::format("<div class=\"{}\">\n{}</div>\n", kind, items);
}

/// Each as a document of its own: the names inside of two pictures in one page would clash.
std::string picture(const Picture& drawn, const std::string& description) {
  return fmt::format("<img class=\"picture\" alt=\"{}\" src=\"{}\" />\n", html::escaped(description),
                     html::data_uri("image/svg+xml", drawn.svg()));
}

enum class Scale : std::uint8_t { fitted, from_zero, logarithmic };

/// A curve for each series over epochs from 1; nothing if there is no number to show.
std::string curves(const std::string& title, const std::string& y_label, std::vector<Series> series,
                   Scale scale = Scale::fitted) {
  const auto shown = [&](double y) { return std::isfinite(y) && (scale != Scale::logarithmic || y > 0); };
  std::erase_if(series, [&](const Series& one) { return std::none_of(one.y.begin(), one.y.end(), shown); });
  if (series.empty()) return "";
  LinePlot plot{title, "epoch", y_label, {}, std::move(series), scale == Scale::from_zero, scale == Scale::logarithmic};
  for (std::size_t i = 0; i < plot.series.front().y.size(); ++i) plot.x.push_back(static_cast<double>(i + 1));
  return picture(plot, title + " over epochs");
}

std::string history_facts(const History& history) {
  std::string facts = fmt::format("{}, {} steps in {} s; it ended because {}.", counted(history.epochs.size(), "epoch"),
                                  history.steps, number(history.seconds), to_string(history.reason));
  if (history.best_epoch && *history.best_epoch < history.epochs.size()) {
    const EpochRecord& best = history.epochs[*history.best_epoch];
    facts += fmt::format(" Least validation loss: {}, in epoch {}.", number(best.validation_loss), best.epoch + 1);
  }
  return paragraph(facts);
}

std::string history_curves(const History& history) {
  const auto over_epochs = [&](const std::string& name, const auto& value) {
    Series series{name, {}};
    for (const EpochRecord& epoch : history.epochs) series.y.push_back(std::invoke(value, epoch));
    return series;
  };
  const auto validation = [](const EpochRecord& e) { return e.validation_loss.value_or(NAN); };
  std::string pictures =
      curves("Loss", "loss", {over_epochs("training", &EpochRecord::loss), over_epochs("validation", validation)});
  for (std::size_t i = 0; i < history.metrics.size(); ++i) {
    const std::string& name = history.metrics[i];
    const auto metric = [i](const EpochRecord& e) { return i < e.metrics.size() ? e.metrics[i] : NAN; };
    pictures += curves(name, name, {over_epochs(name, metric)});
  }
  pictures += curves("Learning rate", "learning rate of the last step",
                     {over_epochs("learning rate", &EpochRecord::learning_rate)});
  pictures += curves("Time", "time of the steps / s", {over_epochs("time", &EpochRecord::seconds)}, Scale::from_zero);
  return grid(pictures, "pictures");
}

std::string history_numbers(const History& history) {
  TextTable table = {{"epoch", "steps", "training loss", "validation loss"}};
  table[0].insert(table[0].end(), history.metrics.begin(), history.metrics.end());
  table[0].insert(table[0].end(), {"learning rate", "seconds"});
  for (const EpochRecord& epoch : history.epochs) {
    auto& line = table.emplace_back();
    line = {fmt::format("{}{}", epoch.epoch + 1, epoch.complete ? "" : " (cut short)"), fmt::format("{}", epoch.steps),
            number(epoch.loss), number(epoch.validation_loss)};
    for (std::size_t i = 0; i < history.metrics.size(); ++i)
      line.push_back(i < epoch.metrics.size() ? number(epoch.metrics[i]) : "-");
    line.insert(line.end(), {number(epoch.learning_rate), number(epoch.seconds)});
  }
  return history.epochs.empty() ? ""
                                : fmt::format("<details>\n<summary>Numbers of every epoch</summary>\n{}</details>\n",
                                              html::table(table, 0));
}

std::string class_name(const std::vector<std::string>& names, std::int64_t label) {
  if (names.empty()) return fmt::format("{}", label);
  if (label < 0 || label >= static_cast<std::int64_t>(names.size()))
    throw_as<ValueError>("report: class {} has no name; there are {}, need one for each class", label, names.size());
  return names[static_cast<std::size_t>(label)];
}

std::string confusion_section(const ConfusionMatrix& matrix, const std::vector<std::string>& names) {
  const std::int64_t classes = matrix.classes();
  if (!names.empty() && static_cast<std::int64_t>(names.size()) != classes)
    throw_as<ValueError>("report: {} class names for a confusion matrix of {} classes; need one for each", names.size(),
                         classes);
  HeatMap map{.title = "Confusion matrix",
              .x_label = "predicted",
              .y_label = "label",
              .columns = {},
              .rows = {},
              .values = {},
              .shades = {},
              .shade_label = "fraction of the label's rows"};
  TextTable table = {{"class", "rows", "precision", "recall", "F1"}};
  const auto add_scores = [&](const std::string& name, std::int64_t rows, auto which) {
    table.push_back({name, fmt::format("{}", rows), fixed_number(matrix.precision(which)),
                     fixed_number(matrix.recall(which)), fixed_number(matrix.f1(which))});
  };
  for (std::int64_t label = 0; label < classes; ++label) {
    map.rows.push_back(class_name(names, label));
    std::int64_t total = 0;
    for (std::int64_t predicted = 0; predicted < classes; ++predicted) total += matrix.count(label, predicted);
    for (std::int64_t predicted = 0; predicted < classes; ++predicted) {
      const auto count = static_cast<double>(matrix.count(label, predicted));
      map.values.push_back(count);
      map.shades.push_back(total == 0 ? 0 : count / static_cast<double>(total));
    }
    add_scores(map.rows.back(), total, label);
  }
  map.columns = map.rows;
  add_scores("macro average", matrix.total(), Average::macro);
  add_scores("micro average", matrix.total(), Average::micro);
  return section("Classes",
                 paragraph(fmt::format("Accuracy {} of {} rows.", fixed_number(matrix.accuracy()), matrix.total())) +
                     picture(map, "Confusion matrix, whose scores stand in the table below") + html::table(table, 1));
}

std::vector<double> numbers_of(const Tensor& x) {
  std::vector<double> values;
  visit(x.dtype(), [&]<class T>(T) {
    for (const T value : x.values<T>()) values.push_back(static_cast<double>(value));
  });
  return values;
}

/// Black for the least number of all images, white for the largest; what is not finite is black.
std::string images_of(const std::vector<Sample>& samples, const std::vector<std::string>& names) {
  std::vector<double> all;
  for (const Sample& sample : samples)
    for (const double value : numbers_of(sample.input)) all.push_back(value);
  const auto [least, largest] = finite_range(all);
  std::string figures;
  for (const Sample& sample : samples) {
    std::vector<std::uint8_t> pixels;
    for (const double value : numbers_of(sample.input)) {
      const double gray = 255 * ((value - least) / (largest - least));
      pixels.push_back(gray > 0 ? static_cast<std::uint8_t>(std::lround(std::min(gray, 255.0))) : std::uint8_t{0});
    }
    const bool right = sample.predicted == sample.label;
    const std::string label = right ? ""
                                    : fmt::format("is {} {}<br />", html::escaped(class_name(names, sample.label)),
                                                  percentage(sample.label_probability));
    figures += fmt::format(
        "<figure class=\"{}\"><img alt=\"row {}\" src=\"{}\" /><figcaption><b>{} {}</b> {}<br />{}row {}</figcaption>"
        "</figure>\n",
        right ? "right" : "wrong", sample.row,
        html::data_uri("image/png", html::gray_png(pixels, sample.input.shape(0), sample.input.shape(1))),
        right ? "✓" : "✗", html::escaped(class_name(names, sample.predicted)), percentage(sample.probability), label,
        sample.row);
  }
  return grid(figures, "samples");
}

std::string number_table(const std::vector<Sample>& samples, const std::vector<std::string>& names) {
  constexpr std::size_t max_numbers = 12;
  std::size_t inputs = 0;
  for (const Sample& one : samples) inputs = std::max(inputs, std::min(one.input.size(), max_numbers));
  TextTable table = {{"", "predicted", "label", "row", "probability", "of the label"}};
  for (std::size_t i = 0; i < inputs; ++i) table[0].push_back(fmt::format("x{}", i));
  for (const Sample& one : samples) {
    auto& line = table.emplace_back();
    line = {one.predicted == one.label ? "✓ right" : "✗ wrong",
            class_name(names, one.predicted),
            class_name(names, one.label),
            fmt::format("{}", one.row),
            percentage(one.probability),
            percentage(one.label_probability)};
    const std::vector<double> numbers = numbers_of(one.input);
    for (std::size_t i = 0; i < inputs; ++i) line.push_back(i < numbers.size() ? number(numbers[i]) : "");
    if (numbers.size() > max_numbers) line.back() += " …";
  }
  return html::table(table, 3);
}

std::string samples_section(const std::vector<Sample>& samples, const std::vector<std::string>& names) {
  const bool images = std::all_of(samples.begin(), samples.end(),
                                  [](const Sample& one) { return one.input.rank() == 2 && one.input.size() > 0; });
  return section("Samples", images ? images_of(samples, names) : number_table(samples, names));
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
      series.back().y.push_back(known ? std::optional<double>(std::invoke(f, now[i])).value_or(NAN) : NAN);
    }
  }
  return series;
}

/// Beside the figures that they judge.
std::string healthy_ranges() {
  const TextTable table = {
      {"figure", "healthy", "otherwise"},
      {"standard deviation of the outputs", "0.1 to 10, alike from layer to layer (Glorot and Bengio 2010)",
       "signals vanish or explode: another initialisation, or normalisation"},
      {"dead units", "less than 50 %", "a smaller learning rate, or LeakyReLU"},
      {"saturated numbers", "less than 50 %", "smaller weights or inputs: gradients vanish there"},
      {"norm of the gradients", "alike from layer to layer, to a factor of 100",
       "they vanish or explode: initialisation, normalisation, clip_norm"},
      {"norm of update / norm of weight", "1e-4 to 1e-2 (Karpathy, CS231n: about 1e-3)",
       "below, the learning rate is small; above, it is large"}};
  return "<h3>Healthy ranges</h3>\n" + html::table(table, table[0].size());
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
  const std::string pictures = curves("Mean of the outputs", "mean", layers(&LayerDiagnostics::mean)) +
                               curves("Spread of the outputs", "standard deviation", layers(&LayerDiagnostics::std)) +
                               curves("Dead and saturated", "share / %", std::move(idle), Scale::from_zero) +
                               curves("Gradients of the outputs", "norm of the gradient",
                                      layers(&LayerDiagnostics::gradient_norm), Scale::logarithmic) +
                               curves("Gradients of the parameters", "norm of the gradient",
                                      parameters(&ParameterDiagnostics::gradient_norm), Scale::logarithmic) +
                               curves("Updates of the parameters", "norm of update / norm of weight",
                                      parameters(&ParameterDiagnostics::update_ratio), Scale::logarithmic);
  return section("Diagnostics",
                 fmt::format("{}{}<h3>After epoch {}</h3>\n{}", healthy_ranges(), grid(pictures, "pictures"),
                             epochs.back().epoch + 1, preformatted(epochs.back().text())));
}

// The page has the background of its pictures: white, and #121212, to which a filter of 93 % inverts it.
constexpr const char* style = R"(
:root { color-scheme: light dark; --text: #1a1a1a; --ground: #ffffff; --line: #cccccc; --faint: #f4f4f4;
        --right: #00734f; --wrong: #b03a00; }
@media (prefers-color-scheme: dark) {
  :root { --text: #ededed; --ground: #121212; --line: #444444; --faint: #1e1e1e; --right: #4cc79f; --wrong: #ff9a5c; }
  img.picture { filter: invert(0.93) hue-rotate(180deg); }
}
body { margin: 0 auto; padding: 1rem 1.5rem 3rem; max-width: 1140px; color: var(--text); background: var(--ground);
       font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.8rem; } .result { font-size: 1.3rem; margin: 0.3rem 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
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
  for (const auto& [name, value] : results)
    body += fmt::format("<p class=\"result\">{} <b>{}</b></p>\n", html::escaped(name), html::escaped(value));
  for (const auto& [heading, facts] : {std::pair("Run", &environment), std::pair("Configuration", &configuration)}) {
    TextTable table = {{"name", "value"}};
    for (const auto& [name, value] : *facts) table.push_back({name, value});
    if (!facts->empty()) body += section(heading, html::table(table, 2));
  }
  if (!summary.empty()) body += section("Model", preformatted(summary));
  if (doctor) body += section("Doctor", preformatted(doctor->text()));
  if (history)
    body += section("Training", history_facts(*history) + history_curves(*history) + history_numbers(*history));

  if (confusion) body += confusion_section(*confusion, classes);
  if (!samples.empty()) body += samples_section(samples, classes);
  if (!diagnostics.empty()) body += diagnostics_section(diagnostics);
  if (body.empty()) throw_as<ValueError>("report '{}': nothing to tell; set one of its members", title);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n<title>{0}</title>\n"
      "<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n{2}</body>\n</html>\n",
      html::escaped(title), style, body);
}

void Report::write(const std::string& path) const {
  WholeFile file(path);
  file.write(html());
}

}  // namespace xgrad::nn
