#include "tests/exchange/exported_models.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <nn/files/elements.hpp>
#include <nn/files/whole_file.hpp>
#include <nn/nn.hpp>
#include <nn/saving/write_c.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <string>

using namespace xgrad;

namespace {

/// Reads inputs from the standard input and writes outputs to the standard output, as they stand in memory.
const char* const main_text = R"(#include <stdint.h>
#include <stdio.h>
int model_predict(const INPUT* input, OUTPUT* output);
int main(void) {
  static INPUT input[INPUTS];
  static OUTPUT output[OUTPUTS];
  while (fread(input, sizeof input, 1, stdin) == 1) {
    if (model_predict(input, output) != 0) return 1;
    if (fwrite(output, sizeof output, 1, stdout) != 1) return 1;
  }
  return 0;
}
)";

bool runs(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }

std::string c_type(DType dtype) { return dtype == float32 ? "float" : dtype == float64 ? "double" : "int64_t"; }

/// Compiles the file and its main for a test, and runs it on the inputs.
Tensor run_c(const Folder& folder, const std::string& compiler, const Tensor& x, const Shape& row, DType dtype) {
  nn::WholeFile(folder.file("main.c")).write(main_text);
  const std::size_t inputs = x.size() / x.extent(0), outputs = row.elements();
  const std::string command = "cd " + folder.path.string() + " && " + compiler +
                              " -std=c99 -O2 -Wall -Wextra -Werror -pedantic -DINPUT=" + c_type(x.dtype()) +
                              " -DOUTPUT=" + c_type(dtype) + " -DINPUTS=" + std::to_string(inputs) +
                              " -DOUTPUTS=" + std::to_string(outputs) + " model.c main.c -o program -lm 2>errors";
  REQUIRE_MESSAGE(std::system(command.c_str()) == 0, content_of(folder.file("errors")));
  nn::WholeFile(folder.file("inputs")).write(nn::bytes_of(x));
  REQUIRE(runs("true"));
  REQUIRE(std::system(("cd " + folder.path.string() + " && ./program <inputs >outputs").c_str()) == 0);
  Shape shape = row;
  shape.insert(0, x.shape(0));
  nn::InputFile file("test", folder.file("outputs"));
  return nn::read_values(file, "outputs", nn::kind_of(dtype), shape);
}

/// Code and data of the compiled program.
std::size_t program_bytes(const Folder& folder) {
  REQUIRE(std::system(("cd " + folder.path.string() + " && size program >sizes").c_str()) == 0);
  std::ifstream sizes(folder.file("sizes"));
  std::string heading;
  std::size_t code = 0, data = 0;
  std::getline(sizes, heading);
  sizes >> code >> data;
  REQUIRE(code > 0);
  return code + data;
}

std::size_t constant_bytes(const nn::ModelGraph& graph) {
  std::size_t bytes = 0;
  for (const nn::ModelGraph::Value& value : graph.values)
    if (value.constant.defined()) bytes += value.constant.bytes();
  return bytes;
}

Shape row_of(const nn::ModelGraph& graph) {
  Shape row = graph.values[graph.output].shape;
  row.erase(0);
  return row;
}

}  // namespace

TEST_CASE("C of models of all layers compiles without a warning and computes the same on 1000 inputs") {
  for (const char* const compiler : {"gcc", "clang"}) {
    if (!runs(std::string(compiler) + " --version")) continue;
    for (const ExportedModel& model : exported_models()) {
      CAPTURE(compiler);
      CAPTURE(model.name);
      const Folder folder;
      const nn::ModelGraph graph = model.trace();
      nn::write_c(graph, folder.file("model.c"));
      const Tensor x = model.inputs(1000), expected = model.run(x);
      const Tensor found = run_c(folder, compiler, x, row_of(graph), expected.dtype());
      CHECK(relative_difference(found, expected) <= 1e-5);
      CHECK(program_bytes(folder) < 20'000 + constant_bytes(graph));
    }
  }
}

TEST_CASE("a model in float64 keeps its digits") {
  const Folder folder;
  nn::Sequential model(nn::Linear(20, 30), nn::Tanh(), nn::BatchNorm(30), nn::Linear(30, 5), nn::LogSoftmax());
  model.to(float64);
  const nn::ModelGraph graph = nn::trace(model, {20}, float64);
  nn::write_c(graph, folder.file("model.c"));
  model.eval();
  const Tensor x = expect::random_tensor({100, 20}, 1);
  CHECK(relative_difference(run_c(folder, "gcc", x, {5}, float64), model(x)) <= 1e-13);
}

TEST_CASE("scalers and names of classes go into the file") {
  const Folder folder;
  nn::Linear model(2, 2);
  const nn::Scaler inputs({1, 2}, {3, 4}), targets({10, 20}, {2, 5});
  const nn::ModelGraph graph = nn::trace(model, {2});
  const nn::Preparation preparation{.scalers = {{"inputs", inputs}, {"targets", targets}}, .classes = {"no?", "j\"ä"}};
  nn::write_c(graph, folder.file("model.c"), {.preparation = preparation});
  const Tensor x = expect::random_tensor({50, 2}, 1, float32, -9, 9);
  CHECK(relative_difference(run_c(folder, "gcc", x, {2}, float32), targets.invert(model(inputs.apply(x)))) <= 1e-6);
  CHECK(expect::contains(content_of(folder.file("model.c")), R"(model_classes[] = {"no\?", "j\"\303\244", 0};)"));
}

TEST_CASE("an index outside of its table makes the function return 1") {
  const Folder folder;
  nn::Embedding model(3, 2);
  const nn::ModelGraph graph = nn::trace(model, {1}, int64);
  nn::write_c(graph, folder.file("model.c"));
  run_c(folder, "gcc", tensor({{0}, {2}}, int64), {1, 2}, float32);
  nn::WholeFile(folder.file("inputs")).write(nn::bytes_of(tensor({{3}}, int64)));
  CHECK_FALSE(runs("cd " + folder.path.string() + " && ./program <inputs"));
}

TEST_CASE("what has no C is refused") {
  nn::Linear model(2, 2);
  const nn::ModelGraph graph = nn::trace(model, {2});
  for (const char* const name : {"", "1a", "a-b", "a b"})
    CHECK(expect::contains(expect::error_of([&] { nn::c_text(graph, {.name = name}); }), "is no identifier of C"));
  const nn::Preparation preparation{.scalers = {{"inputs", nn::Scaler({1}, {1})}}};
  CHECK(expect::error_of([&] { nn::c_text(graph, {.preparation = preparation}); }) ==
        "ValueError: write_c: the scaler of the inputs has 1 columns for 2 inputs");
}
