#include "training.hpp"

#include <nn/report/picture.hpp>
#include <nn/training/digest.hpp>

#include <vector>

namespace examples {

using namespace xgrad;

Training::Training(CommandLine& line, const std::string& title) : page{.title = title}, line_(line) {
  line.flag("report", path_, "write a page of the run, with pictures by gnuplot, to this HTML file");
  line.flag("checkpoint", checkpoint_, "save the training to this file, and the one before to FILE.1");
  line.flag("checkpoint-every", checkpoint_every_, "steps between checkpoints", {1, 1e9});
  line.flag("resume", resume_, "go on from this checkpoint");
#ifdef XGRAD_EXCHANGE
  line.flag("log", log_, "write losses, metrics, weights and gradients for TensorBoard to this folder");
#endif
  line.flag("save", saved_, "save the model to this .safetensors file");
}

void Training::write_page() const {
  if (has_page()) page.write(path_);
}

/// A page that cannot be made is to fail now rather than after the training.
void Training::begin_page() {
  page.configuration = line_.configuration();
  nn::require_gnuplot();
  write_page();
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
