#pragma once

#include <nn/doctor/doctor_report.hpp>
#include <nn/inspection/diagnostics.hpp>
#include <nn/report/samples.hpp>
#include <nn/training/metrics.hpp>
#include <nn/training/training.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// What there is to tell about a run, as one page. Set what you have; the rest leaves no trace:
///
///     nn::Report report{.title = "Iris", .configuration = {{"epochs", "20"}}};
///     report.history = nn::fit(net, nn::cross_entropy, optimizer, train, diagnostics.watch({.epochs = 20}));
///     report.diagnostics = diagnostics.history();
///     report.write("iris.html");
struct Report {
  std::string title;
  using Facts = std::vector<std::pair<std::string, std::string>>;  ///< names and values
  Facts results = {};      ///< what a reader wants to know first, such as the accuracy: the page begins with them
  Facts environment = {};  ///< when and where it ran: date, machine, threads
  Facts configuration = {};
  std::string summary = {};  ///< nn::summary of the model
  std::optional<DoctorReport> doctor = std::nullopt;
  /// Curves: loss in training and validation, every metric, learning rate, seconds; and their numbers.
  std::optional<History> history = std::nullopt;
  /// A heat map, and precision, recall and F1 of every class.
  std::optional<ConfusionMatrix> confusion = std::nullopt;
  std::vector<std::string> classes = {};  ///< names, of the confusion matrix and the samples; without, their numbers
  /// Inputs (h, w) are shown as images, from black for the least number of all of them to white for the largest; others
  /// as their first 12 numbers.
  std::vector<Sample> samples = {};
  /// An epoch each: curves, the ranges of healthy figures, and the tables of the last.
  std::vector<Diagnosis> diagnostics = {};

  /// One HTML5 page, well-formed XML too, that needs nothing else: no script, no file, no network; for light and dark
  /// screens and for paper. The same report gives the same bytes. ValueError for a report of a title alone, fewer or
  /// more class names than the matrix has classes, or a sample of a class without a name; FileError if there are curves
  /// or a matrix and gnuplot cannot draw them (see Picture). A curve that has nothing to show is left out.
  std::string html() const;
  /// The page as a file, whole or not at all. FileError if it cannot be written.
  void write(const std::string& path) const;
};

}  // namespace xgrad::nn
