#include "tests/exchange/exported_models.hpp"
#include "tests/exchange/python.hpp"
#include "tests/nn/files/damaged.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <nn/exchange/onnx.hpp>
#include <nn/files/whole_file.hpp>
#include <nn/nn.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

using namespace xgrad;

TEST_CASE("models of all layers come back from ONNX with the same results, for any number of rows") {
  for (const ExportedModel& model : exported_models()) {
    CAPTURE(model.name);
    const nn::OnnxModel back = nn::parse_onnx(nn::onnx_bytes(model.trace(), {.metadata = {{"author", "x"}}}), "x");
    CHECK(back.metadata.at("author") == "x");
    for (const std::int64_t rows : {1, 50}) {
      const Tensor x = model.inputs(rows), expected = model.run(x);
      const Pause pause;
      CHECK(relative_difference(back.model(x), expected) <= 1e-5);
    }
  }
}

TEST_CASE("Debian's checker, shapes included, has nothing to say about our files") {
  if (!python_has("onnx")) return;
  const Folder folder;
  std::string files;
  for (const ExportedModel& model : exported_models()) {
    nn::write_onnx(model.trace(), folder.file(model.name + ".onnx"));
    files += " " + folder.file(model.name + ".onnx");
  }
  CHECK(python("check_onnx.py", files).empty());
}

TEST_CASE("an imported model has the parameters that were learned, under their paths, and is trained") {
  nn::Sequential model(nn::Linear(3, 4), nn::BatchNorm(4), nn::Tanh(), nn::LeakyReLU(0.2), nn::Linear(4, 1));
  nn::OnnxModel back = nn::parse_onnx(nn::onnx_bytes(nn::trace(model, {3})), "x");
  std::set<std::string> parameters, buffers;
  for (const nn::NamedTensor& named : back.model.named_parameters()) parameters.insert(named.path);
  for (const nn::NamedTensor& named : back.model.named_buffers()) buffers.insert(named.path);
  CHECK(parameters == std::set<std::string>{"0.bias", "0.weight", "1.bias", "1.weight", "4.bias", "4.weight"});
  CHECK(buffers.contains("1.running_mean"));
  const Tensor x = expect::random_tensor({16, 3}, 1, float32), y = expect::random_tensor({16, 1}, 2, float32);
  CHECK_NOTHROW(check_gradients(back.model, nn::mse, x, y).require());
  nn::Adam optimizer(back.model.parameters(), {.learning_rate = 0.01});
  const nn::History history =
      nn::fit(back.model, nn::mse, optimizer, nn::Dataset(x, y), {.epochs = 20, .batches = {.size = 4}});
  CHECK(history.epochs.back().loss < history.epochs.front().loss);
  // And goes out again.
  const Tensor expected = back.model(x);
  const nn::OnnxModel again = nn::parse_onnx(nn::onnx_bytes(nn::trace(back.model, {3})), "x");
  CHECK(relative_difference(again.model(x), expected) <= 1e-5);
}

TEST_CASE("files that are no models, truncated or damaged, give an error or a model") {
  nn::Sequential model(nn::Linear(2, 2), nn::Sigmoid(2), nn::Linear(2, 1));
  const std::string bytes = nn::onnx_bytes(nn::trace(model, {2}));
  const auto read = [](const std::string& damage) { nn::parse_onnx(damage, "x"); };
  damaged::truncations(bytes, read, [](std::size_t) { return true; });
  CHECK(damaged::flips(bytes, read) > bytes.size());
  const auto error = [&](const std::string& damage) { return expect::error_of([&] { read(damage); }); };
  CHECK(error("") == "FileError: read_onnx: x: is no ONNX model");
  CHECK(error("text") == "FileError: read_onnx: x: is no ONNX model");
  std::string unknown = bytes;
  unknown.replace(unknown.find("Gemm"), 4, "Hemm");
  CHECK(expect::contains(error(unknown), "(Hemm) is an operator that is not known"));
}
