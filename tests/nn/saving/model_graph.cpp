#include "tests/exchange/exported_models.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <nn/nn.hpp>
#include <nn/saving/graph_model.hpp>
#include <nn/saving/model_file.hpp>
#include <nn/saving/model_graph.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

template <class F>
std::string refusal(const F& f, const Shape& shape = {3}) {
  struct Function : nn::Module {
    const F* f;
    Tensor operator()(const Tensor& x) const { return (*f)(x); }
  } model;
  model.f = &f;
  return expect::error_of([&] { nn::trace(model, shape); });
}

}  // namespace

TEST_CASE("a traced model has its operations, and the paths of its parameters") {
  nn::Sequential model(nn::Linear(4, 3), nn::ReLU(), nn::BatchNorm(3));
  model.train();
  const nn::ModelGraph graph = nn::trace(model, {4});
  CHECK(model.training());
  std::vector<std::string> operations;
  for (const nn::ModelGraph::Node& node : graph.nodes) operations.push_back(node.path + " " + node.operation);
  CHECK(operations == std::vector<std::string>{"0 linear", "1 relu", "2 batch_norm", "2 batch_norm"});
  std::set<std::string> parameters, buffers;
  for (const nn::ModelGraph::Value& value : graph.values)
    if (value.constant.defined()) (value.learned ? parameters : buffers).insert(value.name);
  CHECK(parameters == std::set<std::string>{"0.bias", "0.weight", "2.bias", "2.weight"});
  CHECK(buffers == std::set<std::string>{"2.running_mean", "2.running_var"});
  CHECK(graph.values[graph.input].shape == Shape{-1, 4});
  CHECK(graph.values[graph.output].shape == Shape{-1, 3});
  CHECK(graph.values[graph.input].name == "input");
  CHECK(graph.values[graph.output].name == "output");
}

TEST_CASE("a graph computes what its model does, for any number of rows") {
  const std::vector<ExportedModel> models = exported_models();
  CHECK(models.size() >= 25);
  for (const ExportedModel& model : models) {
    CAPTURE(model.name);
    const nn::GraphModel graph(model.trace());
    for (const std::int64_t rows : {1, 5, 64}) {
      const Tensor x = model.inputs(rows), expected = model.run(x);
      const Pause pause;
      const Tensor found = graph(x);
      CHECK(found.shape() == expected.shape());
      CHECK(relative_difference(found, expected) <= 1e-6);
    }
  }
}

TEST_CASE("a model is saved with its graph, and comes back without its C++") {
  for (const ExportedModel& model : exported_models()) {
    CAPTURE(model.name);
    const Folder folder;
    const nn::ModelGraph graph = model.trace();
    nn::save(nn::GraphModel(graph), folder.file("m"), {.graph = graph, .preparation = {.classes = {"a", "b"}}});
    const nn::SavedModel saved = nn::load_model(folder.file("m"));
    CHECK(saved.preparation.classes.size() == 2);
    const Tensor x = model.inputs(9);
    const Pause pause;
    CHECK(expect::same_bits(expect::values(saved.model(x)), expect::values(nn::GraphModel(graph)(x))));
  }
}

TEST_CASE("a model that comes from a graph is checked and trained as any other") {
  nn::Sequential model(nn::Linear(3, 5), nn::Tanh(), nn::Linear(5, 1));
  nn::GraphModel copy(nn::trace(model, {3}));
  const Tensor x = expect::random_tensor({16, 3}, 1, float32), y = expect::random_tensor({16, 1}, 2, float32);
  CHECK_NOTHROW(check_gradients(copy, nn::mse, x, y).require());
  nn::SGD ours(model.parameters(), {.learning_rate = 0.1}), theirs(copy.parameters(), {.learning_rate = 0.1});
  const nn::FitOptions options{.epochs = 3, .batches = {.size = 4}};
  const nn::Dataset data(x, y);
  const double loss = nn::fit(model, nn::mse, ours, data, options).epochs.back().loss;
  CHECK(nn::fit(copy, nn::mse, theirs, data, options).epochs.back().loss == doctest::Approx(loss));
  std::vector<std::string> paths;
  for (const nn::NamedTensor& parameter : copy.named_parameters()) paths.push_back(parameter.path);
  CHECK(paths == std::vector<std::string>{"0.weight", "0.bias", "2.weight", "2.bias"});
  CHECK(nn::clone(copy).parameters()[0].is_leaf());
  CHECK_FALSE(nn::clone(copy).parameters()[0].is(copy.parameters()[0]));
}

TEST_CASE("what cannot be written down is refused") {
  CHECK(expect::contains(refusal([](const Tensor& x) { return sum(x); }), "need a row for each row of the input"));
  CHECK(refusal([](const Tensor&) { return ones({2}); }) ==
        "ValueError: trace: the result does not depend on the input");
  CHECK(expect::contains(refusal([](const Tensor& x) { return x * static_cast<double>(x.shape(0)); }),
                         "a constant () depends on the number of rows"));
  CHECK(expect::contains(refusal([](const Tensor& x) { return slice(x, 0, 0, x.shape(0)); }),
                         "slice depends by its count"));
  const auto own = [](const Tensor& x) {
    return custom(
        "own", [](const Tensor& a) { return a.clone(); }, [](const Call& call) { return call.cotangent(); }, x);
  };
  CHECK(refusal(own) == "ValueError: trace: own is an operation that no other program knows; need those of xgrad");
}

TEST_CASE("graphs that do not fit together are refused") {
  const nn::ModelGraph good = nn::trace(*std::make_unique<nn::Linear>(2, 1), {2});
  const auto error = [](nn::ModelGraph graph) { return expect::error_of([&] { nn::GraphModel model(graph); }); };
  CHECK(error(good) == "no error");
  nn::ModelGraph graph = good;
  graph.nodes[0].operation = "convolution";
  CHECK(error(graph) == "ValueError: graph: the operation 'convolution' is not known");
  graph = good;
  graph.nodes[0].inputs.push_back(99);
  CHECK(error(graph) == "ValueError: graph: linear uses what is not computed before it");
  graph = good;
  graph.nodes[0].inputs.resize(1);
  CHECK(error(graph) == "ValueError: graph: linear has 1 inputs");
  graph = good;
  graph.nodes.clear();
  CHECK(error(graph) == "ValueError: graph: the output is not computed");
  graph = good;
  graph.nodes[0].formula.steps = {{"frobnicate", {0, 0, 0}, 0}};
  CHECK(error(graph) == "ValueError: graph: linear: its formula has the step 'frobnicate', which is not known");
  const nn::GraphModel model(good);
  CHECK(expect::error_of([&] {
          model(ones({4, 3}));
        }) == "ShapeError: graph expects float32 rows of (2,), got float32 (4, 3)");
  CHECK(expect::contains(expect::error_of([] { nn::graph_of("{", {}, "f"); }), "FileError: load: f: its graph is not"));
  CHECK(
      expect::contains(expect::error_of([&] { nn::graph_of(nn::json_of(good), {}, "f"); }), "the file has no tensor"));
}
