#include "tests/exchange/exported_models.hpp"
#include "tests/exchange/python.hpp"
#include "tests/nn/files/damaged.hpp"
#include "tests/nn/files/memory_peak.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <nn/exchange/onnx.hpp>
#include <nn/files/elements.hpp>
#include <nn/nn.hpp>
#include <nn/saving/write_c.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
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

TEST_CASE("models in forms that other programs write give what numpy computes by ONNX's definitions") {
  if (!python_has("onnx")) return;
  const Folder folder;
  REQUIRE(python("make_onnx.py", folder.path.string()).empty());
  const auto numbers = [&](const std::string& name, const Shape& shape) {
    nn::InputFile file("test", folder.file(name));
    return nn::read_values(file, name, nn::ElementKind::float32, shape);
  };
  int models = 0;
  std::ifstream list(folder.file("list"));
  for (std::string line; std::getline(list, line); ++models) {
    CAPTURE(line);
    std::istringstream words(line);
    std::string name, dtype;
    words >> name >> dtype;
    Shape shape;
    for (std::int64_t extent = 0; words >> extent;) shape.push_back(extent);
    const nn::OnnxModel model = nn::read_onnx(folder.file(name + ".onnx"));
    const Pause pause;
    const Tensor found = model.model(numbers(name + ".inputs", shape));
    const Tensor expected = numbers(name + ".outputs", found.shape());
    CHECK(std::filesystem::file_size(folder / (name + ".outputs")) == expected.bytes());
    CHECK(relative_difference(found, expected) <= 1e-6);
  }
  CHECK(models >= 19);
}

TEST_CASE("a reshape with rows behind another axis comes back, and an import is traced for C and for ONNX") {
  struct Turned : nn::Module {
    nn::Linear layer = add("layer", nn::Linear(6, 4));
    Tensor operator()(const Tensor& x) const {
      const Tensor columns = permute(reshape(x, {-1, 2, 3}), {1, 0, 2});  // (2, rows, 3)
      return layer(reshape(permute(reshape(columns, {2, -1, 3, 1}), {1, 0, 2, 3}), {-1, 6}));
    }
  } net;
  const Tensor x = expect::random_tensor({5, 6}, 1, float32);
  nn::OnnxModel back = nn::parse_onnx(nn::onnx_bytes(nn::trace(net, {6})), "x");
  CHECK(relative_difference(back.model(x), net(x)) <= 1e-6);
  const auto error = expect::error_of([&] { nn::onnx_bytes(back.model.graph()); });
  CHECK(error ==
        "ValueError: write_onnx: the graph was read from ONNX and has no shapes; need nn::trace(model, shape) of its "
        "model");
  CHECK(
      expect::error_of([&] { nn::c_text(back.model.graph()); }) ==
      "ValueError: write_c: the graph was read from ONNX and has no shapes; need nn::trace(model, shape) of its model");
  CHECK_FALSE(nn::c_text(nn::trace(back.model, {6})).empty());
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

TEST_CASE("a tensor that claims more than there is takes no memory for it") {
  // Protobuf's wire format, and the numbers of onnx.proto.
  const auto varint = [](std::uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
    return bytes + static_cast<char>(value);
  };
  const auto number = [&](std::uint64_t field, std::uint64_t value) { return varint(field << 3) + varint(value); };
  const auto part = [&](std::uint64_t field, const std::string& bytes) {
    return varint(field << 3 | 2) + varint(bytes.size()) + bytes;
  };
  const MemoryPeak peak;
  for (const auto& extents : std::vector<std::vector<std::uint64_t>>{
           {std::uint64_t{1} << 61}, {25'000'000'000}, {std::uint64_t{1} << 61, 0}, {~std::uint64_t{0}}}) {
    std::string tensor;
    for (const std::uint64_t extent : extents) tensor += number(1, extent);
    tensor += number(2, 1) + part(8, "w") + part(9, "1234");
    const std::string model = number(1, 7) + part(8, number(2, 13)) + part(7, part(5, tensor));
    const std::string error = expect::error_of([&] { nn::parse_onnx(model, "x"); });
    CHECK_MESSAGE(error.starts_with("FileError: read_onnx: x: tensor 'w' "), error);
  }
  CHECK(peak.risen() < 64);
}
