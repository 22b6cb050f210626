// A training that a test kills: victim PATH. It goes on from the checkpoint at PATH, if there is one, counts its steps
// in PATH.steps, and at the end writes the digest of its weights to PATH.done.

#include <nn/files/whole_file.hpp>
#include <nn/nn.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>

using namespace xgrad;

int main(int, char** arguments) {
  const std::string path = arguments[1];
  try {
    nn::Sequential net(nn::Linear(4, 16), nn::Dropout(0.2), nn::Tanh(), nn::Linear(16, 1));
    nn::Adam optimizer(net.parameters());
    const nn::Dataset data(uniform({40, 4}), uniform({40, 1}));
    const int file = open((path + ".steps").c_str(), O_WRONLY | O_CREAT, 0666);
    nn::FitOptions options{.epochs = 60, .batches = {.size = 8, .shuffle = true}, .checkpoint = {path, 3}};
    if (std::filesystem::exists(path)) options.resume = path;
    options.on_step = [&](const nn::StepRecord& step) {
      const std::string text = std::to_string(step.step + 1) + "\n";
      return pwrite(file, text.data(), text.size(), 0) > 0 ? nn::Next::go_on : nn::Next::stop;
    };
    nn::fit(net, nn::mse, optimizer, data, options);
    nn::WholeFile(path + ".done").write(nn::digest(net.parameters()));
    return 0;
  } catch (const Error& error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
}
