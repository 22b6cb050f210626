#include "training.hpp"

#include <autograd/ops/softmax.hpp>
#include <autograd/text/numbers.hpp>
#include <nn/report/picture.hpp>
#include <nn/report/samples.hpp>
#include <nn/training/digest.hpp>
#include <nn/training/metrics.hpp>

#include <fmt/core.h>
#include <sys/utsname.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace examples {

using namespace xgrad;

namespace {

/// The options with the end that Ctrl-C and SIGTERM ask for.
nn::FitOptions interruptible(nn::FitOptions options) {
  options.on_step = [on_step = options.on_step](const nn::StepRecord& record) {
    const nn::Next next = on_step ? on_step(record) : nn::Next::go_on;
    return interrupted() ? nn::Next::stop : next;
  };
  return options;
}

}  // namespace

Checkpoints::Checkpoints(CommandLine& line) {
  line.output_flag("checkpoint", saved_, "save the training to this file, and the one before to FILE.1");
  line.flag("checkpoint-every", every_, "steps between checkpoints", {1, 1e9});
  line.flag("resume", resumed_, "go on from this checkpoint");
}

Checkpoints::Files Checkpoints::files_of(const std::string& name) {
  const auto file = [&name](const std::string& path) {
    return path.empty() || name.empty() ? path : path + "-" + name;
  };
  Files files{file(saved_), file(resumed_)};
  // The first one must be there: a wrong name is an error. One that begins after Ctrl-C may stand on what an earlier
  // one did not come to, and leaves nothing.
  if (std::exchange(any_, true)) {
    if (!std::filesystem::exists(files.resumed)) files.resumed.clear();
    if (interrupted()) files.saved.clear();
  }
  if (resumed_.empty() && run_.empty())
    run_ = fmt::format("{:08x}{:08x}", std::random_device()(), std::random_device()());
  return files;
}

nn::SavedState Checkpoints::same_run(const std::string& resumed) {
  const auto load = [this, resumed](const std::string& run) {
    if (!run.empty() && !run_.empty() && run != run_)
      throw FileError(resumed + " is of another run than the first training; remove it, then this one begins anew");
    run_ = run;
  };
  return {[this] { return run_; }, load};
}

nn::FitOptions Checkpoints::of(nn::FitOptions options, const std::string& name) {
  options = interruptible(std::move(options));
  const Files files = files_of(name);
  options.checkpoint.path = files.saved;
  options.checkpoint.every = every_;
  if (!name.empty()) options.checkpoint.also["run"] = same_run(files.resumed);
  options.resume = files.resumed;
  return options;
}

std::int64_t Checkpoints::repeat(std::int64_t times, std::vector<nn::CheckpointPart> parts,
                                 const std::function<void(std::int64_t)>& step, const std::string& name) {
  const Files files = files_of(name);
  if (!name.empty()) parts.emplace_back("run", same_run(files.resumed));
  const std::int64_t first = files.resumed.empty() ? 0 : nn::load_checkpoint(files.resumed, parts);
  std::int64_t done = first;
  const auto save = [&] {
    if (!files.saved.empty()) nn::save_checkpoint(files.saved, parts, done);
  };
  while (done < times && !interrupted()) {
    step(done++);
    if (done % every_ == 0 && done < times) save();
  }
  save();
  return done - first;
}

Training::Training(CommandLine& line, const std::string& title) : checkpoints(line), page{.title = title}, line_(line) {
  line.output_flag("report", path_, "write a page of the run, with pictures by gnuplot, to this HTML file");
#ifdef XGRAD_EXCHANGE
  line.flag("log", log_, "write losses, metrics, weights and gradients for TensorBoard to this folder");
#endif
  line.flag("save", saved_, "save the model to this .safetensors file");
}

void Training::write_page() const {
  if (!has_page() || !line_.first()) return;
  page.write(path_);
  line_.out() << "report written to " << path_ << '\n';
}

double Training::tell(const Tensor& predictions, const nn::Dataset& rows, const std::string& kind, const Shape& image) {
  const Tensor targets = rows.targets().all();
  const bool classifier = targets.dtype() == DType::int64;
  const double score = classifier ? nn::accuracy(predictions, targets) : nn::r2_score(predictions, targets);
  const std::string name = classifier ? "accuracy" : "R²";
  line_.out() << kind << ' ' << name << ' ' << fixed_number(score) << '\n';
  page.results.emplace_back(kind + ' ' + name, fixed_number(score));
  std::string key = kind + (classifier ? "_accuracy" : "_r2");
  std::replace(key.begin(), key.end(), '-', '_');
  line_.result(key, score);
  if (!classifier) {
    const auto scaler = preparation.scalers.find("targets");
    const auto in_units = [&](const Tensor& y) {
      return scaler == preparation.scalers.end() ? y : scaler->second.invert(y);
    };
    const double error = nn::mean_absolute_error(in_units(predictions), in_units(targets));
    line_.out() << fmt::format("mean absolute error {:.4g}\n", error);
    page.results.emplace_back("mean absolute error", fmt::format("{:.4g}", error));
    line_.result("mean_absolute_error", error);
  } else if (has_page()) {
    const Tensor probabilities = softmax(predictions);
    const nn::Dataset shown = image.rank() == 0 ? rows : nn::Dataset(rows.inputs().reshape_rows(image), rows.targets());
    page.confusion = nn::ConfusionMatrix(predictions, targets);
    page.samples = nn::samples_of(shown, probabilities, nn::pick_rows(probabilities, targets));
  }
  write_page();
  return score;
}

namespace {

/// The processor, as the system calls it.
std::string processor() {
  std::ifstream about("/proc/cpuinfo");
  for (std::string line; std::getline(about, line);)
    if (line.starts_with("model name") && line.find(": ") != std::string::npos) return line.substr(line.find(": ") + 2);
  utsname system = {};
  return uname(&system) == 0 ? system.machine : "unknown";
}

/// `2024-05-31 17:04:59 UTC` (ISO 8601).
std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace

/// A page that cannot be made is to fail now rather than after the training.
void Training::begin_page() {
  if (!line_.first()) return;
  page.environment = {{"date", now()},
                      {"machine", fmt::format("{}, {} cores", processor(), std::thread::hardware_concurrency())},
                      {"threads in use", fmt::format("{}", line_.threads())}};
  page.configuration = line_.configuration();
  page.classes = preparation.classes;
  nn::require_gnuplot();
  page.write(path_);
}

void Training::keep_results(const nn::Module& model) {
  std::vector<double> losses, seconds;
  for (const nn::EpochRecord& epoch : page.history->epochs) {
    losses.push_back(epoch.loss);
    seconds.push_back(epoch.seconds);
  }
  line_.result("train_loss", losses);
  line_.result("seconds_per_epoch", seconds);
  line_.result("parameters_digest", nn::digest(model.parameters()));
}

}  // namespace examples
