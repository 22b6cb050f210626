#include "tests/support/expect.hpp"

#include <autograd/autograd.hpp>
#include <autograd/pointwise.hpp>
#include <nn/doctor/doctor.hpp>
#include <nn/layers/activations.hpp>
#include <nn/layers/dropout.hpp>
#include <nn/layers/init.hpp>
#include <nn/layers/linear.hpp>
#include <nn/layers/normalization.hpp>
#include <nn/layers/sequential.hpp>
#include <nn/losses/losses.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

constexpr std::int64_t examples = 300, features = 6, classes = 4;

/// Labels 0, 1, 2, 3, 0, ...; inputs are noise around a centre of each class, of size about 1.
nn::Dataset blobs(double scale = 1) {
  const std::vector<double> centres = expect::numbers(classes * features, 7, -1.5, 1.5);
  std::vector<double> x = expect::numbers(examples * features, 8, -0.7, 0.7);
  Tensor labels = arange(examples);
  labels.modify([&](std::span<std::int64_t> values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] %= classes;
      for (std::size_t j = 0; j < features; ++j) {
        double& number = x[i * features + j];
        number = scale * (number + centres[static_cast<std::size_t>(values[i]) * features + j]);
      }
    }
  });
  return {tensor(x, Shape{examples, features}, float32), labels};
}

nn::Dataset shuffled_blobs() {
  const nn::Dataset all = blobs();
  Generator generator(5);
  const Tensor order = permutation(examples, generator);
  return {all.all().inputs, take(all.all().targets, order)};
}

/// One smooth number of two inputs in [-1, 1].
nn::Dataset curve() {
  const std::vector<double> x = expect::numbers(2 * examples, 9);
  std::vector<double> y;
  for (std::size_t i = 0; i < x.size(); i += 2) y.push_back(std::sin(2 * x[i]) + x[i] * x[i + 1]);
  return {tensor(x, Shape{examples, 2}, float32), tensor(y, Shape{examples, 1}, float32)};
}

/// 1 where the sum of two inputs is positive.
nn::Dataset sides() {
  const std::vector<double> x = expect::numbers(2 * examples, 10);
  std::vector<double> y;
  for (std::size_t i = 0; i < x.size(); i += 2) y.push_back(x[i] + x[i + 1] > 0 ? 1 : 0);
  return {tensor(x, Shape{examples, 2}, float32), tensor(y, Shape{examples, 1}, float32)};
}

using Function = std::function<Tensor(const Tensor&)>;

struct Net : nn::Module {
  nn::Linear hidden, middle, output;
  Function activation = [](const Tensor& x) { return relu(x); };
  Function second = [](const Tensor& x) { return relu(x); };
  Function last = [](const Tensor& x) { return x; };
  explicit Net(std::int64_t in = features, std::int64_t out = classes)
      : hidden(add("hidden", nn::Linear(in, 24))),
        middle(add("middle", nn::Linear(24, 24))),
        output(add("output", nn::Linear(24, out))) {
    for (nn::Linear* layer : {&hidden, &middle}) nn::init::he_normal(layer->weight);
    for (nn::Linear* layer : {&hidden, &middle, &output}) nn::init::zero(layer->bias);
    nn::init::xavier_normal(output.weight);
  }
  Tensor operator()(const Tensor& x) const { return last(output(second(middle(activation(hidden(x)))))); }
};

Tensor sigmoid_of(const Tensor& x) { return sigmoid(x); }
Tensor tanh_of(const Tensor& x) { return tanh(x); }

struct Normalised : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(features, 16));
  nn::BatchNorm norm = add("norm", nn::BatchNorm(16));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.3));
  nn::Linear output = add("output", nn::Linear(16, classes));
  Tensor operator()(const Tensor& x) const { return output(dropout(relu(norm(hidden(x))))); }
};

struct Residual : nn::Module {
  nn::Linear input = add("input_layer", nn::Linear(features, 16));
  nn::LayerNorm norm = add("norm", nn::LayerNorm(16));
  nn::Linear inside = add("inside", nn::Linear(16, 16));
  nn::Linear output = add("output", nn::Linear(16, classes));
  Tensor operator()(const Tensor& x) const {
    const Tensor h = tanh(input(x));
    return output(h + swish(inside(norm(h))));
  }
};

struct Factored : nn::Module {  // 6 x 3 times 3 x 16 has fewer weights than 6 x 16, on purpose
  nn::Linear down = add("down", nn::Linear(features, 3));
  nn::Linear up = add("up", nn::Linear(3, 16));
  nn::Linear output = add("output", nn::Linear(16, classes));
  Tensor operator()(const Tensor& x) const { return output(elu(up(down(x)))); }
};

/// check and layer of the first finding, or "nothing".
std::string diagnosis(const nn::DoctorReport& report) {
  return report.findings.empty() ? "nothing" : report.findings.front().check + " in " + report.findings.front().layer;
}

template <class M, class L>
nn::DoctorReport examine(M& model, const L& loss, const nn::Dataset& data, double rate = 0.05,
                         const nn::DoctorOptions& options = {}) {
  nn::SGD optimizer(model.parameters(), {.learning_rate = rate, .momentum = 0.5});
  nn::DoctorReport report = nn::doctor(model, loss, optimizer, data, options);
  INFO(report.text());
  CHECK(report.findings.empty() == (report.text().find("nothing to object to") != std::string::npos));
  return report;
}

#define CHECK_DIAGNOSIS(report, expected)  \
  do {                                     \
    const nn::DoctorReport found = report; \
    INFO(found.text());                    \
    CHECK(diagnosis(found) == expected);   \
  } while (false)

}  // namespace

TEST_CASE("of 12 broken models the doctor names fault and layer") {
  seed(1);
  Net net;
  SUBCASE("wrong initialisation") {
    nn::init::normal(net.middle.weight, 0, 2);
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "initialisation in middle");
  }
  SUBCASE("wrong initialisation: all alike") {
    nn::init::constant(net.hidden.weight, 0.1);
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "initialisation in hidden");
  }
  SUBCASE("wrong initialisation: too small") {
    nn::init::normal(net.middle.weight, 0, 1e-3);
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "initialisation in middle");
  }
  SUBCASE("learning rate 100") {
    const nn::DoctorReport report = examine(net, nn::cross_entropy, blobs(), 100);
    INFO(report.text());
    REQUIRE(report.findings.size() == 1);
    CHECK(report.findings[0].check == "learning rate");
    CHECK(report.findings[0].measured == 100);
    CHECK(report.findings[0].layer == "output");  // of the steepest gradient for its weights
  }
  SUBCASE("dead relus") {
    nn::init::constant(net.middle.bias, -20);
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "dead units in middle");
  }
  SUBCASE("cut gradient") {
    net.second = [](const Tensor& x) { return detach(relu(x)); };
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "gradient flow in middle");
  }
  SUBCASE("shuffled labels") {
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, shuffled_blobs()), "labels in targets");
  }
  SUBCASE("softmax twice") {
    net.last = [](const Tensor& x) { return softmax(x); };
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "output in output");
  }
  SUBCASE("an activation that bounds the logits") {
    net.last = [](const Tensor& x) { return softplus(x); };
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "output in output");
  }
  SUBCASE("missing non-linearity") {
    net.activation = [](const Tensor& x) { return x; };
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "non-linearity in hidden");
  }
  SUBCASE("wrong reduction") {
    const auto summed = [](const Tensor& p, const Tensor& t) {
      return nn::cross_entropy(p, t, {.reduction = nn::Reduction::sum});
    };
    CHECK_DIAGNOSIS(examine(net, summed, blobs()), "reduction in loss");
  }
  SUBCASE("wrong axis") {
    net.activation = [](const Tensor& x) { return softmax(x, 0); };
    const nn::DoctorReport report = examine(net, nn::cross_entropy, blobs());
    CHECK(diagnosis(report) == "rows in hidden");
    CHECK(expect::contains(report.text(), "softmax mixes the rows of a batch"));
  }
  SUBCASE("frozen layer") {
    net.middle.freeze();
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "frozen in middle");
  }
  SUBCASE("a layer that the optimizer does not have") {
    nn::SGD optimizer(net.output.parameters(), {.learning_rate = 0.05});
    CHECK_DIAGNOSIS(nn::doctor(net, nn::cross_entropy, optimizer, blobs()), "frozen in hidden");
  }
  SUBCASE("saturated sigmoids") {
    net.second = [](const Tensor& x) { return sigmoid(40.0 * x); };
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "saturation in middle");
  }
  SUBCASE("unscaled inputs") { CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs(100)), "inputs in input"); }
}

TEST_CASE("an activation of one's own is examined by the bounds that it states") {
  const auto softsign = [](double slope) {  // Turian et al. 2009
    return [slope](const Tensor& x) {
      return pointwise_with(
          {.bounds = {-1, 1}}, "softsign", [slope](auto a) { return slope * a / (1 + abs(slope * a)); }, x);
    };
  };
  seed(1);
  Net net;
  SUBCASE("healthy") {
    net.second = softsign(1);
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "nothing");
  }
  SUBCASE("saturated") {
    net.second = softsign(1e4);
    const nn::DoctorReport report = examine(net, nn::cross_entropy, blobs());
    CHECK(diagnosis(report) == "saturation in middle");
    CHECK(expect::contains(report.text(), "middle → softsign"));
  }
  SUBCASE("before a loss that takes logits") {
    net.last = softsign(1);
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "output in output");
  }
}

TEST_CASE("in 12 healthy models the doctor finds nothing") {
  seed(2);
  SUBCASE("relu with He's initialisation") {
    Net net;
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "nothing");
  }
  SUBCASE("Linear's own initialisation") {
    nn::Sequential net(nn::Linear(features, 16), nn::ReLU(), nn::Linear(16, classes));
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "nothing");
  }
  SUBCASE("no hidden layer") {
    nn::Linear net(features, classes);
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "nothing");
  }
  SUBCASE("tanh on a curve") {
    Net net(2, 1);
    net.activation = net.second = tanh_of;
    CHECK_DIAGNOSIS(examine(net, nn::mse, curve()), "nothing");
  }
  SUBCASE("sigmoids on a curve, by Adam") {
    Net net(2, 1);
    net.activation = net.second = sigmoid_of;
    nn::Adam optimizer(net.parameters(), {.learning_rate = 1e-3});
    CHECK_DIAGNOSIS(nn::doctor(net, nn::huber, optimizer, curve()), "nothing");
  }
  SUBCASE("batch norm and dropout") {
    Normalised net;
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "nothing");
  }
  SUBCASE("layer norm and a residual connection") {
    Residual net;
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "nothing");
  }
  SUBCASE("a bottleneck without a function") {
    Factored net;
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "nothing");
  }
  SUBCASE("logits of two classes") {
    Net net(2, 1);
    CHECK_DIAGNOSIS(examine(net, nn::binary_cross_entropy_with_logits, sides()), "nothing");
  }
  SUBCASE("probabilities of two classes") {
    Net net(2, 1);
    net.last = sigmoid_of;
    const nn::DoctorReport report = examine(net, nn::binary_cross_entropy, sides());
    CHECK(diagnosis(report) == "nothing");
    CHECK(expect::contains(report.text(), "prefer nothing 0.693"));  // ln 2
  }
  SUBCASE("probabilities and a loss of one's own") {
    Net net;
    net.last = [](const Tensor& x) { return softmax(x); };
    const auto loss = [](const Tensor& p, const Tensor& t) {
      return -1.0 * mean(sum(log(p + 1e-7) * one_hot(t, classes, p.dtype()), {1}));
    };
    CHECK_DIAGNOSIS(examine(net, loss, blobs()), "nothing");
  }
  SUBCASE("a loss that is a sum on purpose, and a frozen layer") {
    Net net(2, 1);
    net.middle.freeze();
    CHECK_DIAGNOSIS(examine(net, nn::sse, curve(), 1e-4, {.reduction = nn::Reduction::sum, .allow_frozen = true}),
                    "nothing");
  }
  SUBCASE("an output layer of zeros") {
    Net net;
    nn::init::zero(net.output.weight);
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "nothing");
  }
}

TEST_CASE("model and optimizer are left alone, bit by bit") {
  seed(3);
  Normalised net;
  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.1, .momentum = 0.9});
  const auto state = [&] {
    std::vector<double> values;
    const auto add = [&](const Tensor& x) {
      if (x.defined())
        for (const double value : expect::values(x)) values.push_back(value);
    };
    for (const Tensor& x : net.parameters()) add(x);
    for (const nn::NamedTensor& x : net.named_buffers()) add(x.tensor);
    const nn::OptimizerState saved = optimizer.state();
    for (const Tensor& x : saved.moments[0]) add(x);
    values.push_back(static_cast<double>(optimizer.steps()));
    values.push_back(static_cast<double>(net.dropout.stream.calls()));
    return values;
  };
  const auto [x, y] = blobs().subset(0, 16).all();
  Tape tape;
  optimizer.step(tape.backward(nn::cross_entropy(net(x), y)));
  net.eval();
  const std::vector<double> before = state();
  nn::doctor(net, nn::cross_entropy, optimizer, blobs()).require();
  CHECK(state() == before);
  CHECK_FALSE(net.training());
  CHECK(net.hidden.weight.is_leaf());
}

TEST_CASE("a learning rate alone stands for plain gradient descent") {
  seed(4);
  Net net;
  CHECK(nn::doctor(net, nn::cross_entropy, 0.05, blobs()).ok());
  const nn::DoctorReport report = nn::doctor(net, nn::cross_entropy, 100.0, blobs());
  CHECK_FALSE(report.ok());
  CHECK(diagnosis(report).starts_with("learning rate in "));
}

TEST_CASE("a rate whose first step is longer than the weights is too large even where the loss falls") {
  nn::Linear net(features, classes);
  nn::init::normal(net.weight, 0, 0.02);  // a first step of rate 1 is longer
  const nn::DoctorReport report = nn::doctor(net, nn::cross_entropy, 1.0, blobs());
  CHECK(diagnosis(report) == "learning rate in model");
}

TEST_CASE("a rate whose steps are short but raise the loss is too large") {
  nn::Linear net(2, 1);
  net.weight.assign(tensor({{1.3}, {0.1}}));  // almost right, so that the first step is short
  net.bias.assign(ones({1}));
  // The squared error's curvature along the bias is 2: gradient descent diverges for rates above 2/2.
  CHECK(diagnosis(nn::doctor(net, nn::mse, 1.2, curve())) == "learning rate in model");
  CHECK(nn::doctor(net, nn::mse, 0.6, curve()).ok());
}

TEST_CASE("a batch that cannot be memorised is a finding about the output") {
  std::vector<double> x;  // two different rows with all four labels
  for (std::int64_t i = 0; i < examples; ++i)
    for (std::int64_t j = 0; j < features; ++j) x.push_back((i / 4) % 2 == j % 2 ? 1 : -1);
  seed(11);
  Net net;
  net.activation = net.second = tanh_of;
  CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, {tensor(x, Shape{examples, features}, float32), blobs().targets()}),
                  "overfit in output");
}

TEST_CASE("the loss at initialisation is compared with ln C") {
  seed(5);
  Net net;
  nn::init::constant(net.output.bias, 0);
  net.output.bias.modify([](std::span<float> values) { values[0] = 30; });
  const nn::DoctorReport report = examine(net, nn::cross_entropy, blobs());
  CHECK(diagnosis(report) == "initial loss in output");
  CHECK(expect::contains(report.text(), "ln 4 = 1.39"));
}

TEST_CASE("the loss at initialisation of a regression is compared with that of zeros") {
  seed(9);
  Net net(2, 1);
  const Tensor far = tensor({30}, float32);  // the targets are at most 2: 900 is far more than 16 times their square
  net.output.bias.assign(far);
  CHECK(diagnosis(examine(net, nn::mse, curve())) == "initial loss in output");
}

TEST_CASE("parameters that no layer owns, and layers in a Sequential, are named too") {
  struct ByHand : nn::Module {
    Tensor first = parameter("first", normal({features, 16}, 0, 0.5));
    nn::Sequential rest =
        add("rest", nn::Sequential(nn::ReLU(), nn::Linear(16, 16), nn::ReLU(), nn::Linear(16, classes)));
    Tensor operator()(const Tensor& x) const { return rest(matmul(x, first)); }
  };
  seed(10);
  ByHand net;
  SUBCASE("healthy") { CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "nothing"); }
  SUBCASE("its own parameter") {
    net.first.assign(full({features, 16}, 0.3));
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "initialisation in model");
  }
  SUBCASE("dead units behind an activation that is a module") {
    Tensor bias = net.rest.at<nn::Linear>(1).bias;
    nn::init::constant(bias, -20);
    CHECK_DIAGNOSIS(examine(net, nn::cross_entropy, blobs()), "dead units in rest.1");
  }
  SUBCASE("a mean over the batch, subtracted") {
    struct Centred : nn::Module {
      nn::Linear hidden = add("hidden", nn::Linear(features, 16)), output = add("output", nn::Linear(16, classes));
      Tensor operator()(const Tensor& x) const {
        const Tensor h = hidden(x);
        return output(relu(h - mean(h, {0}, true)));
      }
    } centred;
    CHECK_DIAGNOSIS(examine(centred, nn::cross_entropy, blobs()), "rows in hidden");
  }
}

TEST_CASE("shapes, missing numbers and single classes are findings and not exceptions") {
  seed(6);
  SUBCASE("an input that does not fit") {
    Net net(features + 1);
    const nn::DoctorReport report = examine(net, nn::cross_entropy, blobs());
    CHECK(diagnosis(report) == "shapes in hidden");
    CHECK(expect::contains(report.text(), "linear expects (…, 7), got (64, 6)"));
  }
  SUBCASE("a loss of each row") {
    Net net;
    const auto loss = [](const Tensor& p, const Tensor& t) {
      return nn::cross_entropy(p, t, {.reduction = nn::Reduction::none});
    };
    CHECK(diagnosis(examine(net, loss, blobs())) == "shapes in loss");
  }
  SUBCASE("a missing number") {
    Net net;
    nn::Batch all = blobs().all();
    all.inputs = all.inputs.clone();
    all.inputs.modify([](std::span<float> values) {
      for (std::size_t i = 0; i < values.size(); i += 60) values[i] = NAN;
    });
    CHECK(diagnosis(examine(net, nn::cross_entropy, {all.inputs, all.targets})) == "inputs in input");
  }
  SUBCASE("one class") {
    Net net;
    const nn::Batch all = blobs().all();
    CHECK(diagnosis(examine(net, nn::cross_entropy, {all.inputs, zeros({examples}, int64)})) == "targets in targets");
  }
  SUBCASE("one row") {
    Net net;
    CHECK_NOTHROW(examine(net, nn::cross_entropy, blobs().subset(0, 1)));
  }
  SUBCASE("a layer that is not called") {
    struct Forgetful : Net {
      nn::Linear spare = add("spare", nn::Linear(3, 3));
    } net;
    const nn::DoctorReport report = examine(net, nn::cross_entropy, blobs());
    CHECK(diagnosis(report) == "gradient flow in spare");
    CHECK(report.ok());  // a warning
  }
  SUBCASE("nothing to learn") {
    Net net;
    net.freeze();
    const nn::DoctorReport report = examine(net, nn::cross_entropy, blobs(), 0.1, {.allow_frozen = true});
    CHECK(diagnosis(report) == "learning rate in model");
    CHECK(expect::contains(report.text(), "does not depend on any tensor that requires a gradient"));
  }
  SUBCASE("options") {
    Net net;
    CHECK(expect::error_of([&] { examine(net, nn::cross_entropy, blobs(), 0.1, {.rows = 0}); }) ==
          "ValueError: doctor: rows 0; need at least 1");
  }
}

TEST_CASE("an operation with a wrong gradient is found at the layer whose gradient it spoils") {
  struct Wrong : Operation {
    std::string_view name() const override { return "wrong"; }
    Tensors forward(const Inputs& x) override { return square(x[0]); }
    Tensors vjp(const Call& call) const override { return call.cotangent() * call.input(0) * 1.9; }
  };
  seed(7);
  Net net;
  net.last = [](const Tensor& x) { return apply_operation(Wrong(), x); };
  CHECK(expect::contains(examine(net, nn::cross_entropy, blobs()).text(), "the gradient of hidden.weight is wrong"));
}

TEST_CASE("whatever a model or a transform throws becomes a finding") {
  struct Throwing : nn::Module {
    nn::Linear layer = add("layer", nn::Linear(2, 2));
    Tensor operator()(const Tensor& x) const {
      if (x.shape(0) > 0) throw std::out_of_range("no such table");
      return layer(x);
    }
  } model;
  const nn::Dataset data(expect::random_tensor({60, 2}, 1, float32), zeros({60}, int64));
  const nn::DoctorReport report = nn::doctor(model, nn::cross_entropy, 0.1, data);
  CHECK_FALSE(report.ok());
  CHECK(report.findings.front().check == "shapes");
  CHECK(expect::contains(report.findings.front().text, "no such table"));

  nn::Linear right(2, 2);
  nn::DoctorOptions options;
  options.transform = [](const nn::Batch&) -> nn::Batch { throw std::runtime_error("no such picture"); };
  const nn::DoctorReport of_transform = nn::doctor(right, nn::cross_entropy, 0.1, data, options);
  REQUIRE(of_transform.findings.size() == 1);
  CHECK(of_transform.findings[0].layer == "input");
  CHECK(of_transform.findings[0].text == "no such picture");

  // Only when it is in another mode than at first, in a check in the middle.
  struct InEval : Throwing {
    Tensor operator()(const Tensor& x) const {
      if (!training()) throw std::runtime_error("not made for this");
      return layer(x);
    }
  } in_eval;
  CHECK(expect::contains(nn::doctor(in_eval, nn::cross_entropy, 0.1, data).text(), "not made for this"));
}
