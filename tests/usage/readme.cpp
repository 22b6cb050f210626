#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/matrix.hpp"

#include <nn/saving/graph_model.hpp>
#include <nn/saving/model_file.hpp>
#include <nn/saving/write_c.hpp>
#ifdef XGRAD_EXCHANGE
#include <nn/exchange/onnx.hpp>
#include <nn/exchange/tensorboard.hpp>
#endif

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

// The README quotes what stands between `README` and `end`.

// README: headers
#include <autograd/autograd.hpp>
#include <autograd/pointwise.hpp>  // own elementwise operations
#include <nn/inspection/gradient_check.hpp>
#include <nn/nn.hpp>
using namespace xgrad;
// end

namespace {

// README: model
struct Net : nn::Module {  // a custom model: members and a function, no macro
  nn::Linear hidden = add("hidden", nn::Linear(784, 256));
  nn::Linear output = add("output", nn::Linear(256, 10));
  Tensor operator()(const Tensor& x) const { return output(relu(hidden(x))); }
};
// end

// README: operation
Tensor quick_gelu(const Tensor& x) {  // a custom operation: one lambda, its derivatives come for free
  return pointwise(
      "quick_gelu", [](auto v) { return v * sigmoid(1.702 * v); }, x);
}
// end

// README: adjoint
struct WrongSquare : Operation {  // its author forgot the factor 2 at one place
  std::string_view name() const override { return "wrong_square"; }
  Tensors forward(const Inputs& inputs) override { return square(inputs[0]); }
  Tensors vjp(const Call& call) const override {
    const Tensor x = call.input(0);
    return call.cotangent() * where(gt(x, 1.0), x, x * 2.0);
  }
};
// end

/// Rows around one point for each of 10 classes, with the label of their class.
nn::Dataset clusters(std::int64_t rows, std::uint64_t seed) {
  const std::vector<double> centres = expect::numbers(10 * 784, 1000, 0, 1);
  std::vector<double> inputs = expect::numbers(static_cast<std::size_t>(rows) * 784, seed, -0.3, 0.3), labels;
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    labels.push_back(static_cast<double>(row % 10));
    for (std::size_t k = 0; k < 784; ++k) inputs[row * 784 + k] += centres[row % 10 * 784 + k];
  }
  return {tensor(inputs, {rows, 784}), tensor(labels, {rows}, int64)};
}

/// log Σ e^x - x_label, averaged over rows, of the network in double.
double cross_entropy_by_hand(const Net& net, const nn::Batch& batch) {
  using expect::Matrix;
  const Matrix hidden = map(add_row(Matrix(batch.inputs) * Matrix(net.hidden.weight), Matrix(net.hidden.bias)),
                            [](double z) { return std::max(z, 0.0); });
  const Matrix logits = add_row(hidden * Matrix(net.output.weight), Matrix(net.output.bias));
  double total = 0;
  for (std::size_t row = 0; row < logits.rows; ++row) {
    double sum = 0;
    for (std::size_t c = 0; c < 10; ++c) sum += std::exp(logits(row, c));
    const double label = batch.targets.item({static_cast<std::int64_t>(row)});
    total += std::log(sum) - logits(row, static_cast<std::size_t>(label));
  }
  return total / static_cast<double>(logits.rows);
}

}  // namespace

TEST_CASE("the README's network learns from batches") {
  const nn::Dataset train = clusters(640, 1), held_out = clusters(100, 2);
  seed(1);

  // README: training
  Net net;
  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.1, .momentum = 0.9});
  nn::Batches batches(train, {.size = 128, .shuffle = true, .seed = 1});
  for (int epoch = 0; epoch < 10; ++epoch)
    for (auto [x, y] : batches) {  // every pass advances the permutation
      Tape tape;                   // records this thread's operations
      Tensor loss = nn::cross_entropy(net(x), y);
      optimizer.step(tape.backward(loss));  // gradients are a value: nothing to zero
    }
  // end

  const nn::Batch test = held_out.all();
  CHECK(nn::accuracy(net(test.inputs), test.targets) == 1);
  const double loss = nn::cross_entropy(net(test.inputs), test.targets).item();
  CHECK(loss < 0.1);
  CHECK(loss == doctest::Approx(cross_entropy_by_hand(net, test)).epsilon(1e-4));

  seed(1);
  const Net fresh;  // before it learned
  CHECK(nn::cross_entropy(fresh(test.inputs), test.targets).item() ==
        doctest::Approx(cross_entropy_by_hand(fresh, test)).epsilon(1e-5));
  CHECK(cross_entropy_by_hand(fresh, test) > 2);  // about log 10
}

TEST_CASE("the README's operation has its value and slope") {
  const Tensor x = expect::leaf(tensor({-30.0, -1.0, 0.0, 0.5, 30.0}, float64));
  Tape tape;
  const Tensor y = quick_gelu(x);
  const Gradients g = tape.backward(sum(y));
  for (std::int64_t k = 0; k < 5; ++k) {
    const double v = x.item({k}), s = 1 / (1 + std::exp(-1.702 * v));
    CHECK(y.item({k}) == doctest::Approx(v * s).epsilon(1e-13));
    CHECK(g[x].item({k}) == doctest::Approx(s + 1.702 * v * s * (1 - s)).epsilon(1e-13));
  }
}

TEST_CASE("the README's gradient check passes, one row for each named parameter and the input") {
  seed(1);
  const Net net;
  const nn::Batch batch = clusters(6, 3).all();
  const auto& [x, y] = batch;

  // README: check
  GradientReport report = check_gradients(net, nn::cross_entropy, x, y);  // one row per named parameter
  // end

  CHECK(report.ok());
  CHECK(report.rows.size() == 5);
  CHECK(report["hidden.weight"].shape == Shape{784, 256});
  CHECK(net.hidden.weight.dtype() == float32);  // the model itself was left alone
  const GradientReport own =
      check_gradients([](const auto& inputs) { return sum(quick_gelu(inputs[0])); }, {tensor({-2.0, -0.3, 0.7, 3.0})});
  CHECK(own.ok());
  const GradientReport wrong = check_gradients([](const auto& inputs) { return sum(inputs[0] * detach(inputs[0])); },
                                               {tensor({-2.0, -0.3, 0.7, 3.0})});
  CHECK_FALSE(wrong.ok());
}

TEST_CASE("the README's table of verdicts has them") {
  // README: verdicts
  const Tensor x = tensor({-0.5, 0.0, 1.5});
  const GradientReport report = check_gradients(
      [](const std::vector<Tensor>& in) {
        return sum(exp(in[0])) + sum(relu(in[1])) + sum(apply_operation(WrongSquare(), in[2])) +
               sum(in[3] * 0.0 + 1.0) + sum(detach(in[4]) * in[0]);
      },
      {{"right", x}, {"relu", x}, {"wrong", x}, {"useless", x}, {"cut", x}});
  std::cout << report;  // report.require() throws a GradientError with this table
  // end
  const std::vector<GradientVerdict> verdicts = {GradientVerdict::ok, GradientVerdict::kink, GradientVerdict::wrong,
                                                 GradientVerdict::zero, GradientVerdict::unreachable};
  for (std::size_t i = 0; i < verdicts.size(); ++i) CHECK(report.rows[i].verdict == verdicts[i]);
}

TEST_CASE("the README's functions of functions give closed forms") {
  const Tensor x = tensor({0.5, -1.0}, float64);
  // README: functional
  const auto f = [](const Tensor& v) { return sum(exp(v)) + prod(v); };
  const Tensor g = gradient(f, x);                    // e^v + (v1, v0)
  const Tensor h = hessian(f, x);                     // diag(e^v) + ((0, 1), (1, 0))
  const Tensor hv = hessian_vector_product(f, x, g);  // h·g, without h
  const Tensor j = jacobian([](const Tensor& v) { return softmax(v); }, x);
  // end
  const double a = std::exp(0.5), b = std::exp(-1.0);
  CHECK(expect::difference(g, std::vector{a - 1, b + 0.5}) < 1e-14);
  CHECK(expect::difference(h, std::vector{a, 1.0, 1.0, b}) < 1e-14);
  CHECK(expect::difference(hv, std::vector{a * (a - 1) + b + 0.5, a - 1 + b * (b + 0.5)}) < 1e-14);
  const double s = a / (a + b);
  CHECK(expect::difference(j, std::vector{s * (1 - s), -s * (1 - s), -s * (1 - s), s * (1 - s)}) < 1e-14);
}

TEST_CASE("the README's code is that of these tests, to the letter") {
  const std::filesystem::path root = XGRAD_SOURCE_DIR;
  const std::string readme = content_of(root / "README.md");
  std::istringstream lines(content_of(root / "tests/usage/readme.cpp"));
  std::vector<std::string> blocks;
  std::string block;
  std::size_t indentation = std::string::npos;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t start = line.find_first_not_of(' ');
    const std::string text = start == std::string::npos ? "" : line.substr(start);
    if (text.starts_with("// README: ")) {
      indentation = start;
      block.clear();
    } else if (indentation != std::string::npos && text == "// end") {
      blocks.push_back("```cpp\n" + block + "```\n");
      CHECK_MESSAGE(expect::contains(readme, blocks.back()), block);
      indentation = std::string::npos;
    } else if (indentation != std::string::npos) {
      block += (text.empty() ? "" : line.substr(indentation)) + "\n";
    }
  }
  for (std::size_t at = readme.find("```cpp\n"); at != std::string::npos; at = readme.find("```cpp\n", at + 1)) {
    const std::string quoted = readme.substr(at, readme.find("```\n", at + 6) + 4 - at);
    CHECK_MESSAGE(std::find(blocks.begin(), blocks.end(), quoted) != blocks.end(), quoted);
  }
}

namespace {

struct Wide : nn::Module {
  nn::Embedding table = add("table", nn::Embedding(3, 2));
  nn::Linear numbers = add("numbers", nn::Linear(1, 2));
  nn::Linear output = add("output", nn::Linear(2, 1));
  Tensor operator()(const Tensor& ids, const Tensor& age) const { return output(table(ids) + numbers(age)); }
};

}  // namespace

TEST_CASE("the README's model of several inputs is trained with weights of rows") {
  seed(1);
  Wide wide;
  nn::SGD optimizer(wide.parameters(), {.learning_rate = 0.1});
  const Tensor ids = tensor({0, 1, 2, 0}, int64), age = tensor({{0.1}, {0.2}, {0.3}, {0.4}});
  const Tensor price = tensor({{1}, {2}, {3}, {1}}), weight = ones({4, 1});
  // README: several inputs
  const nn::Dataset data({{"ids", ids}, {"age", age}}, {{"price", price}, {"weight", weight}});
  nn::fit(
      wide, [](const Tensor& p, const Tensor& t, const Tensor& w) { return mean(square(p - t) * w); }, optimizer, data);
  // end
  CHECK(mean(square(wide(ids, age) - price)).item() < 2);
}

namespace {

nn::Sequential network() {
  seed(1);
  return nn::Sequential(nn::Linear(784, 8), nn::ReLU(), nn::Dropout(0.1), nn::Linear(8, 10));
}

nn::Dataset rows(std::int64_t count, std::uint64_t number) {
  Generator generator(number);
  return {expect::random_tensor({count, 784}, number, float32), integers({count}, 0, 10, generator)};
}

/// Files of relative names are in a folder that goes with the test.
struct InFolder {
  Folder folder;
  std::filesystem::path before = std::filesystem::current_path();
  InFolder() { std::filesystem::current_path(folder.path); }
  ~InFolder() { std::filesystem::current_path(before); }
};

}  // namespace

TEST_CASE("the README's fit trains with validation and a metric") {
  nn::Sequential net = network();
  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.1});
  const nn::Dataset train = rows(256, 1), held_out = rows(50, 2);
  // README: fit
  nn::History history = nn::fit(net, nn::cross_entropy, optimizer, train,
                                {.epochs = 20,
                                 .batches = {.size = 128, .shuffle = true, .seed = 1},
                                 .validation = held_out,
                                 .metrics = {{"accuracy", nn::accuracy}}});
  // end
  CHECK(history.epochs.size() == 20);
  CHECK(history.metrics == std::vector<std::string>{"accuracy"});
  CHECK(history.epochs.back().loss < history.epochs.front().loss);
}

TEST_CASE("the README's model is saved with what its data needs, and loaded") {
  const InFolder here;
  nn::Sequential net = network();
  const nn::Scaler scaler = nn::Scaler::standard(rows(100, 1).inputs().all());
  const std::vector<std::string> names = {"T-shirt", "trouser"};
  // README: save
  nn::save(net, "net.safetensors", {.preparation = {.scalers = {{"inputs", scaler}}, .classes = names}});
  nn::LoadReport report = nn::load(net, "net.safetensors");  // what does not fit is an error with the nearest names
  // end
  CHECK(report.complete());
  CHECK(report.preparation.classes == names);
  CHECK(report.preparation.scalers.at("inputs").centers() == scaler.centers());
}

TEST_CASE("the README's training goes on where it was ended, to the same bits") {
  const InFolder here;
  const nn::Dataset train = rows(256, 1);
  const auto run = [&](std::int64_t epochs, bool interrupted) {
    nn::Sequential net = network();
    nn::Adam optimizer(net.parameters());
    nn::FitOptions options{.epochs = epochs};
    if (interrupted) {
      // README: resume
      options.checkpoint = {.path = "run.ckpt", .every = 100};               // steps
      if (std::filesystem::exists("run.ckpt")) options.resume = "run.ckpt";  // after Ctrl-C, a crash, a loss of power
      nn::fit(net, nn::cross_entropy, optimizer, train, options);
      // end
    } else {
      nn::fit(net, nn::cross_entropy, optimizer, train, options);
    }
    return nn::digest(net.parameters());
  };
  const std::string expected = run(3, false);
  CHECK(run(1, true) != expected);
  CHECK(run(3, true) == expected);
}

TEST_CASE("the README's traced model is loaded without its C++, and written as C") {
  const InFolder here;
  nn::Sequential net = network();
  const Tensor x = expect::random_tensor({5, 784}, 3, float32);
  // README: trace
  const nn::ModelGraph graph = nn::trace(net, {784});  // the operations that it calls on a batch of (784,)
  nn::save(net, "net.safetensors", {.graph = graph});
  nn::SavedModel saved = nn::load_model("net.safetensors");  // without its C++: to be run, checked and trained
  const Tensor y = saved.model(x);
  nn::write_c(graph, "net.c", {.name = "net"});  // one file of C99: int net_predict(const float*, float*)
  // end
  net.eval();
  CHECK(expect::same_bits(expect::values(y), expect::values(net(x))));
  CHECK(std::filesystem::file_size("net.c") > 784 * 8);
}

#ifdef XGRAD_EXCHANGE
TEST_CASE("the README's model goes to ONNX and back, and its training to TensorBoard") {
  const InFolder here;
  nn::Sequential net = network();
  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.1});
  const nn::Dataset train = rows(256, 1);
  const nn::ModelGraph graph = nn::trace(net, {784});
  // README: exchange
  nn::write_onnx(graph, "net.onnx");
  nn::OnnxModel onnx = nn::read_onnx("net.onnx");  // ours, or of another program
  nn::TensorBoard board("runs/1", net, nn::cross_entropy);
  nn::fit(net, nn::cross_entropy, optimizer, train, board.watch({.epochs = 20}));
  // end
  CHECK(onnx.model.parameter_count() == net.parameter_count());
  CHECK(std::filesystem::file_size(board.file().path()) > 1000);
}
#endif
