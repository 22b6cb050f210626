/// A page in the browser on which a network learns, trained by xgrad: what TensorFlow Playground shows, and more.

#include <autograd/text/numbers.hpp>
#include <nn/files/whole_file.hpp>

#include <fmt/core.h>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "command_line.hpp"
#include "playground/as_cpp.hpp"
#include "playground/server.hpp"
#include "playground/trainer.hpp"
#include "training.hpp"

namespace {

/// The training of an address, without a page: the same bits.
void train(examples::CommandLine& line, const std::string& address, std::int64_t steps, const std::string& program,
           examples::Checkpoints& checkpoints) {
  playground::Trainer trainer(playground::from_address(address));
  if (!program.empty()) xgrad::nn::WholeFile(program).write(playground::as_cpp(trainer, steps));
  bool finite = true;
  checkpoints.repeat(steps, trainer.checkpoint_parts(), [&](std::int64_t) { finite = finite && trainer.step(); });
  const double train = trainer.score(trainer.data().train).loss, test = trainer.score(trainer.data().test).loss;
  line.out() << "training loss " << xgrad::short_number(train, 6) << "\ntest loss " << xgrad::short_number(test, 6)
             << "\nweights " << trainer.digest() << '\n';
  if (!finite) {
    line.out() << "the loss is not finite; first at " << trainer.explanation() << '\n';
    line.fail();
  }
  line.result("training_loss", train);
  line.result("test_loss", test);
  line.result("parameters_digest", trainer.digest());
}

void serve(examples::CommandLine& line, const playground::ServerOptions& options, const std::string& address) {
  const playground::Server server(options);
  line.out() << server.address() << (address.empty() ? "" : "#" + address) << "\nCtrl-C ends it" << std::endl;
  while (!examples::interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

}  // namespace

int main(int argc, char** argv) {
  playground::ServerOptions options;
  bool headless = false;
  std::string address, program;
  std::int64_t steps = 1000;
  examples::CommandLine line("playground", "a page in the browser on which a network learns");
  line.flag("host", options.host, "address to listen on; others than 127.0.0.1 let other machines in");
  line.flag("port", options.port, "port to listen on; 0 for a free one", {0, 65535});
  line.flag("sessions", options.sessions, "tabs at once", {1, 256});
  line.flag("idle", options.idle_seconds, "seconds after which a tab's session ends that is not used", {1, 1e6});
  line.flag("address", address, "what the page's address has behind the #: all controls");
  line.flag("headless", headless, "train without a page, print losses and the digest of the weights");
  line.flag("steps", steps, "with --headless: steps of the optimizer", {1, 1e9});
  line.flag("program", program, "with --headless: write the C++ program of this training to this file");
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    if (headless) return train(line, address, steps, program, checkpoints);
    if (checkpoints.wanted())
      throw examples::UsageError("--checkpoint and --resume need --headless; the page saves and loads models itself");
    serve(line, options, address);
  });
}
