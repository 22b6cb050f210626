#pragma once

#ifdef XGRAD_EXCHANGE
#include <nn/exchange/tensorboard.hpp>
#endif
#include <nn/inspection/diagnostics.hpp>
#include <nn/inspection/summary.hpp>
#include <nn/report/report.hpp>
#include <nn/saving/model_file.hpp>
#include <nn/training/nonfinite.hpp>
#include <nn/training/save_checkpoint.hpp>
#include <nn/training/training.hpp>

#include "command_line.hpp"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace examples {

/// Where a program keeps what it takes to go on with its trainings, to the same bits: --checkpoint FILE,
/// --checkpoint-every and --resume FILE.
class Checkpoints {
 public:
  explicit Checkpoints(CommandLine& line);
  /// Whether a file was named.
  bool wanted() const { return !saved_.empty() || !resumed_.empty(); }

  /// The options of a training, saved to FILE, every so many steps and where it ends, and gone on with from there;
  /// interruptible. A program that makes several gives each a name, `seed-3`, for FILE-seed-3; those that the one that
  /// was interrupted had not begun begin anew. FileError for a file that an older run left under such a name.
  xgrad::nn::FitOptions of(xgrad::nn::FitOptions options, const std::string& name = {});

  /// step(0), step(1), ... step(times - 1) of a training loop of one's own, which change nothing but the parts and
  /// default_generator; saved, gone on with and interruptible in the same way. How many there were this time.
  std::int64_t repeat(std::int64_t times, std::vector<xgrad::nn::CheckpointPart> parts,
                      const std::function<void(std::int64_t)>& step, const std::string& name = {});

 private:
  struct Files {
    std::string saved, resumed;  // none: empty
  };
  Files files_of(const std::string& name);
  xgrad::nn::SavedState same_run(const std::string& resumed);

  std::string saved_, resumed_;
  std::string run_;  // which one its files are of
  std::int64_t every_ = 100;
  bool any_ = false;
};

/// What a test gave: accuracy or R², and the predictions of all rows.
struct Tested {
  double score = 0;
  xgrad::Tensor predictions;
};

/// A training as the programs show it: Ctrl-C and SIGTERM end it after the step, its figures stand in the JSON file,
/// with --report FILE it makes a page with curves and what every layer did, with --checkpoint FILE it saves itself,
/// every so many steps and where it ends, with --resume FILE it goes on from there, to the same bits, with --save FILE
/// it keeps the model for `predict` and `convert`, and with --log DIR it is written down for TensorBoard.
class Training {
 public:
  /// Declares --report, --checkpoint, --checkpoint-every, --resume, --save and --log.
  Training(CommandLine& line, const std::string& title);

  /// Of the program's other trainings, too.
  Checkpoints checkpoints;
  /// What else is to stand on the page.
  xgrad::nn::Report page;
  /// What is saved with the model; its names of classes stand on the page.
  xgrad::nn::Preparation preparation = {};
  /// Whether there is to be one.
  bool has_page() const { return !path_.empty(); }
  /// Writes the page, if there is to be one, as far as it is known.
  void write_page() const;

  /// How the model does on rows that it has not seen: of a classifier (targets int64 (n,)) the accuracy, else R² and,
  /// in the units of the targets, the mean absolute error. It is printed, and kept as the result `<kind>_accuracy` or
  /// `<kind>_r2`, and on the page, with a confusion matrix and rows worth a look, in the shape of an image if there is
  /// one. Of several ranks the first one tells, and the others get nothing.
  template <std::derived_from<xgrad::nn::Module> M, xgrad::nn::TrainingLoss L>
  Tested test(M& model, const L& loss, const xgrad::nn::Dataset& rows, const std::string& kind = "test",
              const xgrad::Shape& image = {}) {
    xgrad::Tensor predictions;
    const auto keep = [&](const xgrad::Tensor& all, const xgrad::Tensor&) {
      predictions = all;
      return 0.0;
    };
    xgrad::nn::evaluate(model, loss, rows, {.metrics = {{"predictions", keep}}, .ranks = line_.ranks()});
    if (!line_.first()) return {};
    return {tell(predictions, rows, kind, image), predictions};
  }

  /// nn::fit, with a summary of the model on the page. The results "train_loss", "seconds_per_epoch" and
  /// "parameters_digest" and the page are kept also where the loss stops being finite.
  template <std::derived_from<xgrad::nn::Module> M, xgrad::nn::TrainingLoss L>
  void fit(M& model, const L& loss, xgrad::nn::Optimizer& optimizer, const xgrad::nn::Dataset& train,
           xgrad::nn::FitOptions options) {
    options = checkpoints.of(std::move(options));
    options.ranks = line_.ranks();
    xgrad::Shape example = train.inputs().shape();
    example.erase(0);
    std::optional<xgrad::nn::Diagnostics> diagnostics;
    if (has_page()) {
      page.summary = xgrad::nn::summary(model, example);
      begin_page();
      diagnostics.emplace(model, loss, train.subset(0, std::min<std::int64_t>(1000, train.size())).all(), 100);
      options = diagnostics->watch(options);
    }
#ifdef XGRAD_EXCHANGE
    std::optional<xgrad::nn::TensorBoard> board;
    if (!log_.empty() && line_.first()) {
      xgrad::nn::TensorBoardOptions figures;
      for (const auto& [name, value] : line_.configuration()) figures.hyperparameters[name] = value;
      figures.probe = train.subset(0, std::min<std::int64_t>(1000, train.size())).all();
      board.emplace(log_, model, loss, figures);
      options = board->watch(options);
    }
#endif
    const auto keep = [&](const xgrad::nn::History& history) {
      page.history = history;
      if (diagnostics) page.diagnostics = diagnostics->history();
      keep_results(model);
    };
    try {
      keep(xgrad::nn::fit(model, loss, optimizer, train, options));
      if (!saved_.empty() && line_.first())
        xgrad::nn::save(model, saved_, {.graph = xgrad::nn::trace(model, example), .preparation = preparation});
    } catch (const xgrad::nn::NonFiniteLoss& failure) {
      keep(failure.history);
      write_page();
      throw;
    }
  }

 private:
  void begin_page();
  double tell(const xgrad::Tensor& predictions, const xgrad::nn::Dataset& rows, const std::string& kind,
              const xgrad::Shape& image);
  void keep_results(const xgrad::nn::Module& model);

  CommandLine& line_;
  std::string path_;
  std::string saved_, log_;
};

}  // namespace examples
