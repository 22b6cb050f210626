/// Your own table: a network for any column of a CSV file, checked by the doctor, with a report, saved for predict.

#include <autograd/autograd.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/words.hpp>
#include <nn/doctor/doctor.hpp>
#include <nn/nn.hpp>

#include <examples/command_line.hpp>
#include <examples/csv_flags.hpp>
#include <examples/drawing.hpp>
#include <examples/pieces.hpp>
#include <examples/training.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

struct Settings {
  std::string csv, target, ignore, task = "guess", missing = "fill";
  std::uint64_t seed = 1;
  std::int64_t epochs = 100, batch = 32, units = 64, layers = 1, categories = 50, cross_validate = 0;
  double learning_rate = 0.001, weight_decay = 0, test = 0.2;
  bool force = false;
};

void declare_flags(examples::CommandLine& line, Settings& settings) {
  line.flag("csv", settings.csv, "the table; without, the irises of tabular_data.sh");
  line.flag("target", settings.target, "the column to predict from the others");
  line.flag("ignore", settings.ignore, "columns to leave out, with commas between: numbers of rows, names");
  line.flag("task", settings.task, "what the target is; a guess takes text and up to 20 whole numbers for classes",
            {"guess", "classification", "regression"});
  line.flag("missing", settings.missing, "fill in the mean (no category, of a text), drop the row, or refuse the file",
            {"fill", "drop", "error"});
  line.flag("categories", settings.categories, "a text with more different values is left out", {2, 100000});
  line.seed(settings.seed);
  line.epochs(settings.epochs, 20);
  line.batch(settings.batch);
  line.learning_rate(settings.learning_rate);
  line.flag("weight-decay", settings.weight_decay, "weight decay, as AdamW has it", {0, 10});
  line.flag("units", settings.units, "units of each hidden layer", {1, 65536});
  line.flag("layers", settings.layers, "hidden layers of relu; 0 for a linear model", {0, 100});
  line.flag("test", settings.test, "share of the rows to test on", {0.01, 0.9});
  line.flag("cross-validate", settings.cross_validate, "cross-validate in 5 folds, this many times", {0, 1000});
  line.flag("force", settings.force, "train in spite of what the doctor finds");
}

/// The rows that have a target, before scaling: missing numbers are NaN.
struct Table {
  nn::Preparation preparation;
  std::vector<std::string> names;  // of the inputs
  nn::Dataset rows;
  bool classification;

  std::int64_t outputs() const { return classification ? static_cast<std::int64_t>(preparation.classes.size()) : 1; }
};

/// The different values of a column, without those that are missing.
std::set<std::string> values_of(const nn::CsvTable& table, const std::string& column) {
  const std::vector<std::string> texts = table.text(column);
  const std::vector<bool> gaps = table.missing(column);
  std::set<std::string> values;
  for (std::size_t row = 0; row < texts.size(); ++row)
    if (!gaps[row]) values.insert(texts[row]);
  return values;
}

/// Whether a target is one of classes: text, or few whole numbers.
bool is_class(const nn::CsvTable& table, const std::string& target) {
  if (!table.is_numeric(target)) return true;
  const Tensor numbers = table.number_column(target, float64);
  return mean(ne(numbers, floor(numbers))).item() == 0 && values_of(table, target).size() <= 20;
}

/// The columns that are inputs; prints what becomes of each.
std::vector<std::string> choose_columns(const nn::CsvTable& table, const Settings& settings,
                                        examples::CommandLine& line) {
  std::vector<std::string> left_out = {settings.target}, columns;
  for (const std::string_view name : examples::pieces(settings.ignore, ',')) left_out.emplace_back(name);
  TextTable text = {{"column", "values", "missing", "used as"}};
  for (const std::string& column : table.columns_except(left_out)) {
    const std::vector<bool> gaps = table.missing(column);
    const std::int64_t missing = std::count(gaps.begin(), gaps.end(), true);
    const auto values = static_cast<std::int64_t>(values_of(table, column).size());
    const bool numeric = table.is_numeric(column);
    const bool used = values > 1 && (numeric || values <= settings.categories);
    if (used) columns.push_back(column);
    text.push_back({column, std::to_string(values), std::to_string(missing),
                    values <= 1   ? "nothing: it is constant"
                    : !used       ? "nothing: a text of more than --categories"
                    : numeric     ? (missing > 0 ? "a number; the mean where it is missing" : "a number")
                    : missing > 0 ? "one-hot; zeros where it is missing"
                                  : "one-hot"});
  }
  line.table(text, 4);
  if (columns.empty()) throw_as<ValueError>("{}: no column is left as an input; need one", settings.csv);
  return columns;
}

/// Columns of numbers end in the table above; what is dropped or left out stands below.
Table read(const Settings& settings, const examples::CsvFlags& csv, examples::CommandLine& line) {
  nn::CsvOptions options = csv.options();
  options.missing = settings.missing == "fill"   ? nn::CsvMissing::keep
                    : settings.missing == "drop" ? nn::CsvMissing::drop_row
                                                 : nn::CsvMissing::error;
  const nn::CsvTable table = nn::read_csv(settings.csv, options);
  const nn::Features features = nn::Features::fit(table, choose_columns(table, settings, line));
  nn::Preparation preparation{.columns = features.columns, .encoders = features.encoders};

  const std::vector<bool> gaps = table.missing(settings.target);
  std::vector<std::int64_t> known;
  for (std::size_t row = 0; row < gaps.size(); ++row)
    if (!gaps[row]) known.push_back(static_cast<std::int64_t>(row));
  const bool classification =
      settings.task == "guess" ? is_class(table, settings.target) : settings.task == "classification";
  Tensor targets;
  if (classification) {
    const nn::OrdinalEncoder classes = table.categories(settings.target);
    preparation.classes = classes.categories();
    targets = table.codes(settings.target, classes);
  } else {
    targets = table.numbers({settings.target});
  }
  const nn::Dataset rows = nn::Dataset(features.apply(table), targets).select(known);
  line.out() << fmt::format("{}: {} rows, {} inputs, {} of '{}'", settings.csv, rows.size(), features.names().size(),
                            classification ? counted(preparation.classes.size(), "class", "classes") : "regression",
                            settings.target);
  if (table.dropped_rows() > 0) line.out() << fmt::format("; {} with a missing value dropped", table.dropped_rows());
  if (const std::int64_t without = table.rows() - rows.size(); without > 0)
    line.out() << fmt::format("; {} without a target left out", without);
  line.out() << '\n';
  return {preparation, features.names(), rows, classification};
}

/// Hidden layers of relu.
struct Net : nn::Module {
  std::vector<nn::Linear> layers;

  Net(std::int64_t inputs, std::int64_t outputs, const Settings& settings) {
    for (std::int64_t layer = 0; layer <= settings.layers; ++layer)
      layers.push_back(
          add(layer == settings.layers ? "output" : fmt::format("hidden{}", layer + 1),
              nn::Linear(layer == 0 ? inputs : settings.units, layer == settings.layers ? outputs : settings.units)));
  }
  Tensor operator()(Tensor x) const {
    for (std::size_t i = 0; i + 1 < layers.size(); ++i) x = relu(layers[i](x));
    return layers.back()(x);
  }
};

/// Training and test rows by scalers that know the training rows alone, which are added to the preparation.
struct Scaled {
  nn::Preparation preparation;
  nn::Dataset train, test;

  Scaled(const Table& table, const nn::Dataset& to_train, const nn::Dataset& to_test)
      : preparation(table.preparation), train(to_train), test(to_test) {
    const nn::Scaler inputs =
        nn::Scaler::standard(train.inputs().all(), table.names, {.missing = true, .constant = true});
    preparation.scalers.emplace("inputs", inputs);
    if (!table.classification)
      preparation.scalers.emplace("targets",
                                  nn::Scaler::standard(train.targets().all(), std::vector<std::string>{"the target"}));
    for (nn::Dataset* part : {&train, &test}) {
      const Tensor x = part->inputs().all(), y = part->targets().all();
      *part = {inputs.apply(inputs.fill(x)), table.classification ? y : preparation.scalers.at("targets").apply(y)};
    }
  }
};

/// How often each class was taken for which, or predictions over targets in their own units.
nn::Picture picture_of(const Table& table, const Scaled& rows, const examples::Tested& tested,
                       const std::string& target) {
  const Tensor targets = rows.test.targets().all();
  if (table.classification) {
    const std::vector<std::string>& classes = table.preparation.classes;
    return nn::HeatMap{.title = fmt::format("Test rows by class: accuracy {:.3f}", tested.score),
                       .x_label = "predicted " + target,
                       .y_label = target,
                       .columns = classes,
                       .rows = classes,
                       .values = examples::numbers(nn::ConfusionMatrix(tested.predictions, targets).counts())};
  }
  const nn::Scaler& scaler = rows.preparation.scalers.at("targets");
  const Tensor wanted = scaler.invert(targets), predicted = scaler.invert(tested.predictions);
  const double least = min(wanted).item(), largest = max(wanted).item();
  nn::Panel panel = {
      .title = fmt::format("Test rows: R² {:.3f}", tested.score), .x_label = target, .y_label = "predicted " + target};
  panel.traces = {examples::trace("test rows", wanted, predicted, nn::Mark::points),
                  {.name = "exactly right", .x = {least, largest}, .y = {least, largest}, .colour = "#000000"}};
  return nn::Chart{.panels = {panel}, .width = 360, .height = 300};
}

nn::AdamW optimizer_of(const Net& net, const Settings& settings) {
  return {net.parameters(), {.learning_rate = settings.learning_rate, .weight_decay = settings.weight_decay}};
}

/// Accuracy or R² on the test rows of 5 folds, so many times; the mean with its standard error.
template <class Loss>
void cross_validate(const Table& table, const Settings& settings, const Loss& loss, examples::CommandLine& line,
                    examples::Checkpoints& checkpoints) {
  std::vector<double> scores;
  nn::Progress progress(5 * settings.cross_validate, "trainings", line.quiet());
  examples::repeat(settings.cross_validate, [&](std::int64_t time) {
    const std::uint64_t first_seed = settings.seed + static_cast<std::uint64_t>(time);
    for (const nn::Fold& fold : nn::folds(table.rows, {.seed = first_seed, .stratify = table.classification})) {
      if (examples::interrupted()) return;
      const Scaled rows(table, table.rows.select(fold.train), table.rows.select(fold.test));
      Net net(rows.train.inputs().shape()[1], table.outputs(), settings);
      nn::AdamW optimizer = optimizer_of(net, settings);
      nn::fit(net, loss, optimizer, rows.train,
              checkpoints.of(
                  {.epochs = settings.epochs, .batches = {.size = settings.batch, .shuffle = true, .seed = first_seed}},
                  fmt::format("fold-{}", scores.size() + 1)));
      const nn::Metric metric =
          table.classification ? nn::Metric{"accuracy", nn::accuracy} : nn::Metric{"R²", nn::r2_score};
      scores.push_back(nn::evaluate(net, loss, rows.test, {.metrics = {metric}}).metrics[0]);
      progress.update(static_cast<std::int64_t>(scores.size()), "");
    }
  });
  if (scores.size() < 2) return;
  const auto n = static_cast<double>(scores.size());
  const double average = std::accumulate(scores.begin(), scores.end(), 0.0) / n;
  double squares = 0;
  for (const double score : scores) squares += (score - average) * (score - average);
  const double error = std::sqrt(squares / (n - 1) / n);
  progress.print(fmt::format("cross-validation, {} × 5 folds: {} {:.4f} ± {:.4f} (standard error)",
                             settings.cross_validate, table.classification ? "accuracy" : "R²", average, error));
  line.result("cross_validation_scores", scores);
  line.result("cross_validation_mean", average);
  line.result("cross_validation_standard_error", error);
}

template <class Loss>
void train_and_test(const Table& table, const Settings& settings, const Loss& loss, examples::CommandLine& line,
                    examples::Training& training) {
  const nn::DatasetParts parts =
      nn::split(table.rows, {.test = settings.test, .seed = settings.seed, .stratify = table.classification});
  const Scaled rows(table, parts.train, parts.test);
  Net net(rows.train.inputs().shape()[1], table.outputs(), settings);
  nn::AdamW optimizer = optimizer_of(net, settings);

  const nn::DoctorReport doctor = nn::doctor(net, loss, optimizer, rows.train);
  line.out() << "\ndoctor\n" << doctor << '\n';
  if (!doctor.ok() && !settings.force) {
    const nn::DoctorFinding& first = *std::find_if(doctor.findings.begin(), doctor.findings.end(),
                                                   [](const auto& f) { return f.severity == nn::Severity::error; });
    throw_as<ValueError>("doctor: {}: {} (--force trains in spite of it)", first.layer, first.text);
  }

  nn::Progress progress(line.quiet());
  training.page.doctor = doctor;
  training.preparation = rows.preparation;
  training.fit(net, loss, optimizer, rows.train,
               {.epochs = settings.epochs,
                .batches = {.size = settings.batch, .shuffle = true, .seed = settings.seed},
                .progress = &progress});
  const examples::Tested tested = training.test(net, loss, rows.test);
  line.draw("predictions", picture_of(table, rows, tested, settings.target));
  if (settings.cross_validate > 0) cross_validate(table, settings, loss, line, training.checkpoints);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  examples::CommandLine line("tabular", "trains a network on a table of your own");
  declare_flags(line, settings);
  line.draws();
  const examples::CsvFlags csv(line);
  examples::Training training(line, "A table");
  return line.run(argc, argv, [&] {
    if (settings.csv.empty()) {
      settings.csv = "build/data/tabular/iris.csv";
      if (!std::filesystem::exists(settings.csv))
        throw FileError(settings.csv +
                        " is missing; `bash examples/lectures/tabular_data.sh build/data/tabular` makes it");
      if (settings.target.empty()) settings.target = "species";
    }
    if (settings.target.empty()) throw examples::UsageError("--target is missing: which column of the table?");
    const Table table = read(settings, csv, line);
    line.result("rows", table.rows.size());
    line.result("inputs", static_cast<std::int64_t>(table.names.size()));
    line.result("task", std::string(table.classification ? "classification" : "regression"));
    if (table.classification)
      train_and_test(table, settings, nn::cross_entropy, line, training);
    else
      train_and_test(table, settings, nn::mse, line, training);
  });
}
