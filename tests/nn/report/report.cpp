#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/program_path.hpp"
#include "tests/support/xml.hpp"

#include <nn/report/report.hpp>

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/data/csv.hpp>
#include <nn/data/scaler.hpp>
#include <nn/layers/linear.hpp>
#include <nn/losses/losses.hpp>
#include <nn/report/html.hpp>

#include <algorithm>
#include <clocale>
#include <cstdint>
#include <limits>
#include <locale>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace xgrad;
using expect::contains;
using expect::error_of;

namespace {

const std::string nasty = "<b>&\"it's";

nn::ConfusionMatrix matrix_of(const std::vector<std::vector<int>>& counts) {
  nn::ConfusionMatrix matrix(static_cast<std::int64_t>(counts.size()));
  for (std::size_t label = 0; label < counts.size(); ++label)
    for (std::size_t predicted = 0; predicted < counts.size(); ++predicted)
      for (int i = 0; i < counts[label][predicted]; ++i)
        matrix.add(full({1}, static_cast<double>(predicted), int64), full({1}, static_cast<double>(label), int64));
  return matrix;
}

nn::History history() {
  nn::History history;
  history.metrics = {"accuracy"};
  history.epochs = {{.epoch = 0,
                     .steps = 4,
                     .complete = true,
                     .loss = 2,
                     .validation_loss = 3,
                     .metrics = {0.5},
                     .learning_rate = 0.1,
                     .seconds = 1.5},
                    {.epoch = 1,
                     .steps = 4,
                     .complete = true,
                     .loss = 1,
                     .validation_loss = 2.5,
                     .metrics = {0.75},
                     .learning_rate = 0.05,
                     .seconds = 1.25},
                    {.epoch = 2, .steps = 1, .complete = false, .loss = NAN, .learning_rate = 0.01, .seconds = 0.5}};
  history.steps = 9;
  history.seconds = 3.25;
  history.reason = nn::StopReason::callback;
  history.best_epoch = 1;
  return history;
}

std::vector<nn::Sample> images() {
  return {{7, tensor({{-1, 0}, {1, 3}}), 0, 1, 0.875, 0.125}, {9, tensor({{3, 3}, {-1, NAN}}), 1, 1, 0.5, 0.5}};
}

struct Net : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(2, 3));
  nn::Linear output = add("output", nn::Linear(3, 1));
  Tensor operator()(const Tensor& x) const { return output(relu(hidden(x))); }
};

std::vector<nn::Diagnosis> diagnoses() {
  seed(1);
  const Net net;
  nn::Diagnosis one = nn::diagnose(net, nn::mse, {ones({4, 2}), zeros({4, 1})});
  nn::Diagnosis two = one;
  two.epoch = 1;
  for (nn::ParameterDiagnostics& row : two.parameters) row.update_ratio = row.name == "hidden.bias" ? 1 : 1e-3;
  return {one, two};
}

nn::Report full_report() {
  nn::Report report{.title = nasty, .configuration = {{nasty, nasty}}, .summary = "summary of " + nasty};
  report.doctor.emplace();
  report.doctor->checks = {{nasty, "", "1 layer"}};
  report.doctor->findings.push_back({nasty, nn::Severity::error, nasty, 1, nasty, nasty});
  report.history = history();
  report.history->metrics = {nasty};
  report.confusion = matrix_of({{3, 1}, {2, 4}});
  report.classes = {nasty, "b"};
  report.samples = images();
  report.diagnostics = diagnoses();
  report.diagnostics[0].layers[0].name = report.diagnostics[1].layers[0].name = nasty;
  return report;
}

std::string png_uri(std::span<const std::uint8_t> pixels) {
  return nn::html::data_uri("image/png", nn::html::gray_png(pixels, 2, 2));
}

/// The bytes of a `data:` URI.
std::string bytes_of_uri(std::string_view uri) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : uri.substr(uri.find(',') + 1)) {
    if (c == '=') break;
    group = group << 6 | static_cast<std::uint32_t>(digits.find(c));
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(group >> (bits -= 8) & 255);
  }
  return bytes;
}

/// The pictures of a page, in order.
std::vector<std::string> pictures(const std::string& page) {
  std::vector<std::string> found;
  for (const std::string& uri : xml::between(page, "src=\"", "\""))
    if (uri.starts_with("data:image/svg+xml;base64,")) found.push_back(bytes_of_uri(uri));
  return found;
}

std::vector<std::string> rows(const std::string& page) { return xml::between(page, "<tr>", "</tr>"); }
bool has_row(const std::string& page, const std::vector<std::string>& cells, std::size_t first_number) {
  std::string row;
  for (std::size_t i = 0; i < cells.size(); ++i)
    row += (i < first_number ? "<td>" : "<td class=\"number\">") + cells[i] + "</td>";
  const auto all = rows(page);
  return std::find(all.begin(), all.end(), row) != all.end();
}

}  // namespace

TEST_CASE("a page is well-formed, escapes every text and needs nothing but itself") {
  const std::string page = full_report().html();
  CHECK(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />"));
  CHECK(xml::fault(page) == "");
  CHECK_FALSE(contains(page, "<b>&"));
  CHECK(contains(page, "<title>&lt;b&gt;&amp;&quot;it&#39;s</title>"));
  CHECK(xml::between(page, "<h2>", "</h2>") ==
        std::vector<std::string>{"Configuration", "Model", "Doctor", "Training", "Classes", "Samples", "Diagnostics"});
  for (const std::string& source : xml::between(page, "src=\"", "\"")) CHECK(source.starts_with("data:image/"));
  for (const char* foreign : {"http:", "https:", "href", "<script", "<link", "<iframe", "@import", "url("})
    CHECK_FALSE(contains(page, foreign));
  for (const std::string& svg : pictures(page)) {
    CHECK(xml::fault(svg) == "");
    for (const std::string& reference : xml::between(svg, "href='", "'")) CHECK(reference.starts_with("#"));
    CHECK_FALSE(contains(svg, "<script"));
  }
  CHECK(contains(page, "prefers-color-scheme: dark"));
}

TEST_CASE("the same report gives the same bytes") { CHECK(full_report().html() == full_report().html()); }

TEST_CASE("what was not set leaves no trace") {
  const std::string page = nn::Report{.title = "a", .summary = "b"}.html();
  CHECK(xml::between(page, "<h2>", "</h2>") == std::vector<std::string>{"Model"});
  CHECK(pictures(page).empty());
  CHECK(error_of([] { nn::Report{.title = "a"}.html(); }) ==
        "ValueError: report 'a': nothing to tell; set one of its members");
}

TEST_CASE("texts of doctor, summary and diagnostics, and the configuration, are on the page") {
  const nn::Report report = full_report();
  const auto texts = xml::between(report.html(), "<pre>", "</pre>");
  CHECK(texts == std::vector<std::string>{report.summary, report.doctor->text(), report.diagnostics[1].text()});
  CHECK(has_row(nn::Report{.title = "a", .configuration = {{"epochs", "2"}}}.html(), {"epochs", "2"}, 2));
}

TEST_CASE("the history is curves and numbers of every epoch") {
  nn::Report report{.title = "a"};
  report.history = history();
  const std::string page = report.html();
  CHECK(contains(page,
                 "3 epochs, 9 steps in 3.25 s; it ended because a callback asked to stop. Least validation loss: "
                 "2.5, in epoch 2."));
  CHECK(has_row(page, {"1", "4", "2", "3", "0.5", "0.1", "1.5"}, 0));
  CHECK(has_row(page, {"2", "4", "1", "2.5", "0.75", "0.05", "1.25"}, 0));
  CHECK(has_row(page, {"3 (cut short)", "1", "nan", "-", "-", "0.01", "0.5"}, 0));
  const auto drawn = pictures(page);
  REQUIRE(drawn.size() == 4);
  const std::vector<std::vector<std::string>> expected = {
      {"Loss", "training", "validation"}, {"accuracy"}, {"Learning rate"}, {"Time", "time of the steps / s"}};
  for (std::size_t i = 0; i < drawn.size(); ++i)
    for (const std::string& text : expected[i]) CHECK(contains(drawn[i], "<text>" + text + "</text>"));

  for (nn::EpochRecord& epoch : report.history->epochs) epoch.validation_loss.reset();
  report.history->best_epoch.reset();
  const std::string without = report.html();
  CHECK_FALSE(contains(pictures(without)[0], "validation"));
  CHECK_FALSE(contains(without, "Least validation loss"));
  report.history = nn::History{};
  CHECK(contains(report.html(), "0 epochs"));
}

TEST_CASE("scores of the classes are those of the closed forms") {
  nn::Report report{.title = "a"};
  report.confusion = matrix_of({{3, 1}, {2, 4}});
  report.classes = {"cat", nasty};
  const std::string page = report.html();
  // precision 3/5 and 4/5, recall 3/4 and 4/6, F1 2·3/(2·3 + 2 + 1) and 2·4/(2·4 + 1 + 2); accuracy 7/10
  CHECK(contains(page, "Accuracy 0.7000 of 10 rows."));
  CHECK(has_row(page, {"cat", "4", "0.6000", "0.7500", "0.6667"}, 1));
  CHECK(has_row(page, {nasty, "6", "0.8000", "0.6667", "0.7273"}, 1));
  CHECK(has_row(page, {"macro average", "10", "0.7000", "0.7083", "0.6970"}, 1));
  CHECK(has_row(page, {"micro average", "10", "0.7000", "0.7000", "0.7000"}, 1));
  const auto drawn = pictures(page);
  REQUIRE(drawn.size() == 1);
  const auto texts = xml::between(drawn[0], "<text>", "</text>");
  CHECK(std::count(texts.begin(), texts.end(), nasty) == 2);
  const auto first = std::find(texts.begin(), texts.end(), "3");
  REQUIRE(texts.end() - first >= 4);
  CHECK(std::vector<std::string>(first, first + 4) == std::vector<std::string>{"3", "1", "2", "4"});
  report.classes.clear();
  CHECK(has_row(report.html(), {"0", "4", "0.6000", "0.7500", "0.6667"}, 1));
  report.confusion = nn::ConfusionMatrix(2);  // of no rows
  CHECK(has_row(report.html(), {"1", "0", "0.0000", "0.0000", "0.0000"}, 1));
}

TEST_CASE("images go from black for the least number of all to white for the largest, and wrong ones are marked") {
  nn::Report report{.title = "a", .classes = {nasty, "dog"}};
  report.samples = images();
  const std::string page = report.html();
  const auto sources = xml::between(page, "src=\"", "\"");
  REQUIRE(sources.size() == 2);
  const std::uint8_t first[] = {0, 64, 128, 255}, second[] = {255, 255, 0, 0};  // -1 to 3; NaN is black
  CHECK(sources[0] == png_uri(first));
  CHECK(sources[1] == png_uri(second));
  const auto captions = xml::between(page, "<figcaption>", "</figcaption>");
  CHECK(captions ==
        std::vector<std::string>{"<b>\xE2\x9C\x97 dog</b> 87.5\xC2\xA0%<br />is " + nasty + " 12.5\xC2\xA0%<br />row 7",
                                 "<b>\xE2\x9C\x93 dog</b> 50.0\xC2\xA0%<br />row 9"});
  CHECK(xml::between(page, "<figure class=\"", "\"") == std::vector<std::string>{"wrong", "right"});
  CHECK(pictures(page).empty());
}

TEST_CASE("inputs that are no images are shown as their first 12 numbers") {
  nn::Report report{.title = "a"};
  report.samples = {{0, tensor({0.25, -1}), 2, 1, 0.75, 0.125}};
  CHECK(
      has_row(report.html(), {"\xE2\x9C\x97 wrong", "1", "2", "0", "75.0\xC2\xA0%", "12.5\xC2\xA0%", "0.25", "-1"}, 3));
  report.samples = {{3, arange(13), 1, 1, 1, 1}};
  const std::string page = report.html();
  CHECK(contains(page, ">11 \xE2\x80\xA6</td>"));
  CHECK_FALSE(contains(page, ">12"));
  CHECK(contains(page, "\xE2\x9C\x93 right"));
}

TEST_CASE("diagnostics are curves over epochs and the tables of the last") {
  nn::Report report{.title = "a"};
  report.diagnostics = diagnoses();
  const std::string page = report.html();
  CHECK(contains(page, "<h3>After epoch 2</h3>"));
  const auto drawn = pictures(page);
  REQUIRE(drawn.size() == 6);
  const std::vector<std::vector<std::string>> expected = {{"Mean of the outputs", "hidden", "output"},
                                                          {"Spread of the outputs", "standard deviation"},
                                                          {"Dead and saturated", "share / %"},
                                                          {"Gradients of the outputs", "norm of the gradient"},
                                                          {"Gradients of the parameters", "hidden.weight"},
                                                          {"Updates of the parameters", "output.bias"}};
  for (std::size_t i = 0; i < drawn.size(); ++i)
    for (const std::string& text : expected[i]) CHECK(contains(drawn[i], "<text>" + text + "</text>"));
  const auto points = [](const std::string& svg) {
    return xml::between(svg, "' transform='translate(", ") scale").size();
  };
  CHECK(points(drawn[0]) == 9);                    // three layers in two epochs and in the legend
  CHECK(contains(drawn[5], "<text>0.01</text>"));  // 0.001 to 1: no linear axis has it
  report.diagnostics[0].layers[0].name = "other";
  CHECK(points(pictures(report.html())[0]) == 8);
  report.diagnostics[0].layers = {};
  CHECK(points(pictures(report.html())[0]) == 6);  // an epoch that lacks a layer has a gap there
}

TEST_CASE("class names that do not fit are refused") {
  nn::Report report{.title = "a", .classes = {"cat", "dog", "bird"}};
  report.confusion = matrix_of({{3, 1}, {2, 4}});
  CHECK(error_of([&] { report.html(); }) ==
        "ValueError: report: 3 class names for a confusion matrix of 2 classes; need one for each");
  report.confusion.reset();
  report.samples = images();
  report.classes = {"cat"};
  CHECK(error_of([&] { report.html(); }) ==
        "ValueError: report: class 1 has no name; there are 1, need one for each class");
}

TEST_CASE("a page is written whole or not at all") {
  const Folder folder;
  nn::Report report{.title = "a", .summary = "b"};
  const std::string path = folder.file("a.html");
  report.write(path);
  const std::string page = report.html();
  CHECK(content_of(path) == page);
  {
    report.history = history();
    const ProgramPath without_gnuplot(folder.path);
    CHECK(error_of([&] { report.write(path); }) ==
          "FileError: picture: gnuplot is not installed; apt-get install gnuplot-nox");
  }
  CHECK(content_of(path) == page);
  CHECK(folder.entries() == 1);
  CHECK(error_of([&] { report.write(folder.file("missing/a.html")); }) ==
        "FileError: " + folder.file("missing/a.html") + ": cannot be written: No such file or directory");
}

TEST_CASE("a page begins with the results, then says when and where it ran") {
  const nn::Report report{.title = "a",
                          .results = {{"test accuracy", "0.9023"}, {"<b>", "&"}},
                          .environment = {{"date", "2024-05-31"}, {"threads in use", "2"}},
                          .configuration = {{"epochs", "2"}}};
  const std::string page = report.html();
  CHECK(xml::fault(page) == "");
  CHECK(xml::between(page, "<h2>", "</h2>") == std::vector<std::string>{"Run", "Configuration"});
  CHECK(contains(page,
                 "<h1>a</h1>\n<p class=\"result\">test accuracy <b>0.9023</b></p>\n"
                 "<p class=\"result\">&lt;b&gt; <b>&amp;</b></p>\n<section>"));
  CHECK(has_row(page, {"date", "2024-05-31"}, 2));
  CHECK(has_row(page, {"threads in use", "2"}, 2));
}

TEST_CASE("diagnostics stand beside what is healthy, and a curve without a number to show is left out") {
  nn::Report report{.title = "a"};
  report.diagnostics = diagnoses();
  const std::string page = report.html();
  CHECK(has_row(page, {"dead units", "less than 50 %", "a smaller learning rate, or LeakyReLU"}, 3));
  const std::size_t all = pictures(page).size();
  for (nn::Diagnosis& epoch : report.diagnostics) {
    for (nn::LayerDiagnostics& layer : epoch.layers) layer.gradient_norm = 0;  // on a logarithmic scale
    for (nn::ParameterDiagnostics& parameter : epoch.parameters) parameter.gradient_norm = 0;
  }
  CHECK(pictures(report.html()).size() == all - 2);
  for (nn::Diagnosis& epoch : report.diagnostics)
    for (nn::LayerDiagnostics& layer : epoch.layers) layer.mean = std::numeric_limits<double>::infinity();
  CHECK(pictures(report.html()).size() == all - 3);
}

TEST_CASE("no number of a page, a JSON text or an error depends on the locale") {
  /// 1.234.567,5 in every stream from here on, and in C's functions where Debian's locale is installed.
  struct German {
    struct Marks : std::numpunct<char> {
      char do_decimal_point() const override { return ','; }
      char do_thousands_sep() const override { return '.'; }
      std::string do_grouping() const override { return "\3"; }
    };
    std::locale before = std::locale::global(std::locale(std::locale::classic(), new Marks));
    std::string c_before = std::setlocale(LC_ALL, nullptr);
    German() { std::setlocale(LC_ALL, "de_DE.UTF-8"); }
    ~German() {
      std::setlocale(LC_ALL, c_before.c_str());
      std::locale::global(before);
    }
  };
  const auto texts = [] {
    const nn::Report report = full_report();
    std::vector<std::string> all = {report.html(), report.doctor->json(), report.diagnostics[1].json()};
    all.push_back(error_of([] { nn::cross_entropy(zeros({1, 2}), zeros({1}, int64), {.label_smoothing = 1.5}); }));
    all.push_back(error_of([] { nn::Scaler({1.5}, {0}); }));
    all.push_back(error_of([] { nn::parse_csv("x,y\n1.5,2\n", "a", {}).number_column("x", int64); }));
    all.push_back(std::to_string(nn::parse_csv("x,y\n1e-400,2.5\n", "a", {}).number_column("y").item({0}) == 2.5));
    return all;
  };
  const std::vector<std::string> expected = texts();
  const German scope;
  CHECK(texts() == expected);
  CHECK(contains(expected[3], "smoothing 1.5;"));
}
