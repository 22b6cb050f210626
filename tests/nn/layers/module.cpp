#include "tests/support/expect.hpp"
#include "tests/support/small_stack.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/layers/activations.hpp>
#include <nn/layers/linear.hpp>
#include <nn/layers/module.hpp>

#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace xgrad;

namespace {

struct Encoder : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(3, 4));
  Tensor operator()(const Tensor& x) const { return relu(hidden(x)); }
};

struct Nested : nn::Module {
  Encoder encoder = add("encoder", Encoder());
  Tensor scale = parameter("scale", tensor({2.0}));
  nn::Linear output = add("output", nn::Linear(4, 2));
  Tensor seen = buffer("seen", zeros({2}, int64));
  Tensor operator()(const Tensor& x) const { return output(encoder(x)) * scale; }
};

/// Layers in a vector, and one module under two names.
struct Stack : nn::Module {
  std::vector<nn::Linear> layers;
  nn::Linear shared = add("shared", nn::Linear(3, 3));
  nn::Linear again = add("again", shared);
  Stack() {
    for (int i = 0; i < 3; ++i) layers.push_back(add("layer" + std::to_string(i), nn::Linear(3, 3)));
  }
  Tensor operator()(const Tensor& x) const {
    Tensor y = shared(x);
    for (const nn::Linear& layer : layers) y = tanh(layer(y));
    return again(y);
  }
};

std::vector<std::string> paths(const std::vector<nn::NamedTensor>& list) {
  std::vector<std::string> result;
  for (const auto& [path, tensor] : list) result.push_back(path);
  return result;
}

const Tensor two_rows = tensor({{1, -2, 3}, {0.5, 0, -1}});

}  // namespace

TEST_CASE("parameters and buffers have the path of the modules that hold them, in order of registration") {
  const Nested net;
  CHECK(paths(net.named_parameters()) == std::vector<std::string>{"encoder.hidden.weight", "encoder.hidden.bias",
                                                                  "scale", "output.weight", "output.bias"});
  CHECK(paths(net.named_buffers()) == std::vector<std::string>{"seen"});
  CHECK(paths(net.encoder.named_parameters()) == std::vector<std::string>{"hidden.weight", "hidden.bias"});
  CHECK(net.encoder.hidden.weight.label() == "encoder.hidden.weight");
  CHECK(net.seen.label() == "seen");
  CHECK(net.encoder.hidden.path() == "encoder.hidden");
  CHECK(net.path().empty());
  CHECK(net.parameter_count() == 3 * 4 + 4 + 1 + 4 * 2 + 2);
  const std::vector<Tensor> parameters = net.parameters();
  REQUIRE(parameters.size() == 5);
  CHECK(parameters[0].is(net.encoder.hidden.weight));
  CHECK(parameters[2].is(net.scale));
  CHECK(net.scale.is_leaf());
  CHECK_FALSE(net.seen.is_leaf());
}

TEST_CASE("names that are empty, dotted or taken, and modules that contain themselves, are refused") {
  struct Open : nn::Module {};
  Open module;
  module.parameter("weight", zeros({2}));
  CHECK(expect::error_of([&] { module.parameter("", zeros({2})); }) ==
        "ValueError: module: parameter ''; need a name that is not empty and has no dot");
  CHECK(expect::error_of([&] { module.add("a.b", nn::ReLU()); }) ==
        "ValueError: module: child 'a.b'; need a name that is not empty and has no dot");
  CHECK(expect::error_of([&] { module.buffer("weight", zeros({2})); }) ==
        "ValueError: module: buffer 'weight': the name is taken; need one that is new in this module");
  CHECK(expect::error_of([&] { module.add("weight", nn::ReLU()); }) ==
        "ValueError: module: child 'weight': the name is taken; need one that is new in this module");
  CHECK(expect::error_of([&] { module.add("self", module); }) ==
        "ValueError: module: child 'self' contains its parent");
  Open inner;
  const Open child = module.add("child", inner);
  CHECK(expect::error_of([&] { inner.add("up", module); }) == "ValueError: module: child 'up' contains its parent");
  CHECK(expect::error_of([&] { inner.parameter("", zeros({1})); }) ==
        "ValueError: child: parameter ''; need a name that is not empty and has no dot");
  CHECK(expect::contains(expect::error_of([&] { module.parameter("labels", zeros({2}, int64)); }), "TypeError: "));
  CHECK(module.parameters().size() == 1);
}

TEST_CASE("an error of a layer carries its path and both shapes, and leaves the tape as it was") {
  struct Image : nn::Module {
    struct Inside : nn::Module {
      nn::Linear hidden = add("hidden", nn::Linear(784, 256));
    } encoder = add("encoder", Inside());
  };
  const Image image;
  const Tensor batch = zeros({128, 28, 28});
  const Tape tape;
  CHECK(expect::error_of([&] { image.encoder.hidden(batch); }) ==
        "ShapeError: encoder.hidden: linear expects (…, 784), got (128, 28, 28)");
  CHECK(
      expect::error_of([&] {
        image.encoder.hidden(zeros({128, 784}, float64));
      }) ==
      "TypeError: encoder.hidden: linear: input 0 is float64, input 1 is float32; dtypes do not mix, convert one with "
      "to(...) (a tensor captured by a function under a float64 check: pass it as an argument)");
  CHECK(tape.size() == 0);
}

TEST_CASE("a listing of the tape names the layers") {
  const Nested net;
  Tape tape;
  net(two_rows);
  std::ostringstream listing;
  listing << tape;
  CHECK(expect::contains(listing.str(), "in encoder.hidden\n"));
  CHECK(expect::contains(listing.str(), "in output\n"));
}

TEST_CASE("copies of a module share its parameters, its children and its mode") {
  Nested net;
  Nested copy = net;
  CHECK(copy.encoder.hidden.weight.is(net.encoder.hidden.weight));
  copy.scale.modify([](std::span<float> values) { values[0] = 7; });
  CHECK(net.scale.item() == 7);
  copy.eval();
  CHECK_FALSE(net.training());
  CHECK_FALSE(net.encoder.hidden.training());
  net.encoder.train();
  CHECK(copy.encoder.hidden.training());
  CHECK_FALSE(copy.output.training());
  copy.parameter("extra", zeros({1}));
  CHECK(net.parameters().size() == 6);
}

TEST_CASE("a module that was moved from still works") {
  Nested net;
  const Tensor before = net.output.weight;
  const nn::Linear moved = std::move(net.output);
  CHECK(moved.weight.is(before));
  CHECK(net.parameters().size() == 5);
  net.eval();
  CHECK_FALSE(moved.training());
}

TEST_CASE("a module under two names, and a tensor in two modules, are one") {
  const Stack stack;
  CHECK(stack.again.weight.is(stack.shared.weight));
  CHECK(stack.again.path() == "shared");
  CHECK(stack.parameters().size() == 8);
  CHECK(paths(stack.named_parameters())[0] == "shared.weight");

  struct Tied : nn::Module {
    nn::Linear there = add("there", nn::Linear(3, 3));
    Tensor back = parameter("back", there.weight);
  };
  const Tied tied;
  CHECK(tied.parameters().size() == 2);
  CHECK(tied.back.label() == "there.weight");

  // y = w·(w·x) for 1x1 weights without bias: dy/dw = 2·w·x.
  struct Twice : nn::Module {
    nn::Linear a = add("a", nn::Linear(1, 1, {.bias = false}));
    nn::Linear b = add("b", a);
  };
  Twice twice;
  twice.a.weight.modify([](std::span<float> values) { values[0] = 3; });
  Tape tape;
  const Gradients gradients = tape.backward(twice.b(twice.a(tensor({{5}}))));
  CHECK(gradients.size() == 1);
  CHECK(gradients[twice.b.weight].item() == 2 * 3 * 5);
}

TEST_CASE("a module that is added to a second parent keeps its first path and is listed in both") {
  Nested net;
  struct Other : nn::Module {
    explicit Other(const nn::Linear& layer) { add("borrowed", layer); }
  };
  Other other(net.output);
  CHECK(net.output.path() == "output");
  CHECK(paths(other.named_parameters()) == std::vector<std::string>{"borrowed.weight", "borrowed.bias"});
  CHECK(other.parameters()[0].is(net.output.weight));
  other.eval();
  CHECK_FALSE(net.output.training());
  CHECK(net.encoder.training());
}

TEST_CASE("a clone is equal, has tensors of its own and keeps what is tied") {
  Nested net;
  net.encoder.freeze();
  net.eval();
  Nested copy = nn::clone(net);
  CHECK(expect::values(copy(two_rows)) == expect::values(net(two_rows)));
  CHECK(paths(copy.named_parameters()) == paths(net.named_parameters()));
  for (std::size_t i = 0; i < 5; ++i) CHECK_FALSE(copy.parameters()[i].is(net.parameters()[i]));
  CHECK_FALSE(copy.named_buffers()[0].tensor.is(net.seen));
  CHECK(copy.seen.is(copy.named_buffers()[0].tensor));
  CHECK(copy.output.weight.is(copy.parameters()[3]));
  CHECK(copy.output.weight.label() == "output.weight");
  CHECK_FALSE(copy.encoder.hidden.weight.is_leaf());
  CHECK(copy.output.weight.is_leaf());
  CHECK_FALSE(copy.training());

  copy.train();
  copy.scale.modify([](std::span<float> values) { values[0] = 5; });
  CHECK_FALSE(net.training());
  CHECK(net.scale.item() == 2);

  const Stack stack;
  const Stack other = nn::clone(stack);
  CHECK(expect::values(other(two_rows)) == expect::values(stack(two_rows)));
  CHECK(other.again.weight.is(other.shared.weight));
  CHECK_FALSE(other.shared.weight.is(stack.shared.weight));
  REQUIRE(other.layers.size() == 3);
  CHECK_FALSE(other.layers[1].weight.is(stack.layers[1].weight));
  CHECK(other.layers[1].weight.is(other.parameters()[4]));
  CHECK(other.parameters().size() == 8);
}

TEST_CASE("a clone of a child is an outermost module that can be added anew") {
  Nested net;
  nn::Linear copy = nn::clone(net.encoder.hidden);
  CHECK(copy.path().empty());
  CHECK(copy.weight.label() == "weight");
  struct Other : nn::Module {};
  Other other;
  other.add("mine", copy);
  CHECK(copy.path() == "mine");
  CHECK(copy.weight.label() == "mine.weight");
  CHECK(net.encoder.hidden.path() == "encoder.hidden");
  CHECK(net.encoder.hidden.weight.label() == "encoder.hidden.weight");
}

TEST_CASE("a clone can be assigned, a new layer in the place of an added one cannot") {
  Nested net;
  Nested best = nn::clone(net);
  net.scale.modify([](std::span<float> values) { values[0] = 9; });
  best = nn::clone(net);
  CHECK(best.scale.item() == 9);
  CHECK(best.output.weight.is(best.parameters()[3]));
  const Tensor before = net.output.weight;
  CHECK(
      expect::contains(expect::error_of([&] { net.output = nn::Linear(4, 2); }), "ValueError: output: another module"));
  CHECK(expect::contains(expect::error_of([&] { net.output = best.output; }), "ValueError: output: another module"));
  CHECK(expect::contains(expect::error_of([&] { net.encoder = best.encoder; }), "ValueError: encoder: another module"));
  CHECK(expect::contains(expect::error_of([&] {
                           net.output.weight = ones({4, 2});
                         }),
                         "ValueError: output.weight: another tensor is assigned to the handle of a registered one"));
  const std::string refused = "ValueError: output.weight: another tensor is assigned to the handle of a registered one";
  const nn::Linear constant(4, 2);
  for (const std::string& error : {expect::error_of([&] { net.output.weight = best.output.weight; }),
                                   expect::error_of([&] { net.output.weight = constant.weight; }),
                                   expect::error_of([&] { net.output.weight = nn::Linear(4, 2).weight; })}) {
    CHECK(expect::contains(error, refused));
    CHECK(expect::contains(error, "assign(...)"));
  }
  CHECK(net.output.weight.is(before));
  net.output.weight = net.output.weight;
  net.output.weight.assign(ones(before.shape()));
  CHECK(before.item({0, 0}) == 1);
  const Nested same = net;
  net = best;  // as a whole, members and all
  CHECK(net.output.weight.is(best.output.weight));
  CHECK(same.output.weight.is(before));
}

TEST_CASE("to converts parameters and floating buffers in place, for every handle") {
  struct WithTable : nn::Module {
    nn::Linear hidden = add("hidden", nn::Linear(3, 2));
    Tensor table = buffer("table", tensor({0.1, 0.2}));
    Tensor labels = buffer("labels", arange(3));
  };
  WithTable module;
  const Tensor handle = module.hidden.weight;
  const std::vector<double> before = expect::values(handle);
  module.to(float64);
  CHECK(handle.dtype() == float64);
  CHECK(handle.is_leaf());
  CHECK(handle.label() == "hidden.weight");
  CHECK(expect::values(handle) == before);  // float32 numbers are float64 numbers
  CHECK(module.table.dtype() == float64);
  CHECK(module.table.item({0}) == static_cast<double>(0.1f));
  CHECK(module.labels.dtype() == int64);
  CHECK(module.hidden(two_rows.to(float64)).dtype() == float64);
  module.to(float32);
  CHECK(expect::values(handle) == before);
  CHECK(expect::error_of([&] { module.to(int64); }) ==
        "TypeError: module: to(int64); parameters are float32 or float64");
}

TEST_CASE("to inside a recorded region is not recorded") {
  Nested net;
  Tape tape;
  net.to(float64);
  CHECK(tape.size() == 0);
  CHECK(net.scale.is_leaf());
}

TEST_CASE("frozen parameters get no gradients until they are thawed") {
  Nested net;
  net.encoder.freeze();
  {
    Tape tape;
    const Gradients gradients = tape.backward(sum(net(two_rows)));
    CHECK(gradients.size() == 3);
    CHECK_FALSE(gradients.contains(net.encoder.hidden.weight));
    CHECK(gradients.contains(net.output.weight));
  }
  net.requires_gradient(true);
  Tape tape;
  CHECK(tape.backward(sum(net(two_rows))).size() == 5);
}

TEST_CASE("threads share a module") {
  const Stack stack;
  const std::vector<double> expected = expect::values(stack(two_rows));
  std::vector<std::vector<double>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        Tape tape;
        const Tensor y = stack(two_rows);
        result = expect::values(y);
        tape.backward(sum(y));
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) CHECK(result == expected);
}

namespace {

/// A user's own names beside the module's.
struct State {
  int count = 0;
};

struct Residual : nn::Module {
  nn::Linear a = add("a", nn::Linear(2, 2));
  State state = {.count = 1};
  Tensor operator()(const Tensor& in) const {
    const State own = state;
    return add(add(a(in), in), static_cast<double>(own.count));
  }
};

}  // namespace

TEST_CASE("a module's author may call add of tensors, and have a State") {
  const Residual net;
  const Tensor in = ones({1, 2});
  CHECK(expect::values(net(in)) == expect::values(net.a(in) + in + 1.0));
}

TEST_CASE("modules nested 1,000 deep are built, listed, switched, converted, cloned and ended in a 256 KiB stack") {
  static constexpr std::size_t depth = 1000;
  struct Level : nn::Module {
    Tensor weight = parameter("w", tensor({1.0}));
  };
  small_stack::run([] {
    auto outermost = std::make_unique<Level>();
    std::vector<nn::Module> levels = {*outermost};
    while (levels.size() < depth) levels.push_back(levels.back().add("x", Level()));
    const nn::Module innermost = levels.back();
    levels.clear();
    CHECK(outermost->parameter_count() == depth);
    CHECK(outermost->named_parameters().back().path.size() == 2 * (depth - 1) + 1);  // x.x. ... .w
    CHECK(innermost.path().size() == 2 * (depth - 1) - 1);
    outermost->eval();
    CHECK_FALSE(innermost.training());
    outermost->to(float64);
    outermost->freeze();
    const Level copy = nn::clone(*outermost);
    CHECK(copy.parameter_count() == depth);
    CHECK(copy.named_parameters().back().tensor.dtype() == float64);
    CHECK_FALSE(copy.named_parameters().back().tensor.is(outermost->named_parameters().back().tensor));
    outermost.reset();
    CHECK(innermost.parameter_count() == 1);
  });
}
