#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <array>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace xgrad;
using expect::contains;
using expect::error_of;
using expect::random_tensor;

// Models of several inputs and outputs: a table of ids beside numbers, a price and a class, weights of rows.

namespace {

struct Wide : nn::Module {
  nn::Embedding table = add("table", nn::Embedding(5, 3));
  nn::Linear numbers = add("numbers", nn::Linear(2, 3));
  nn::Linear price = add("price", nn::Linear(3, 1));
  nn::Linear kind = add("kind", nn::Linear(3, 4));
  std::pair<Tensor, Tensor> operator()(const Tensor& ids, const Tensor& x) const {
    const Tensor h = tanh(table(ids) + numbers(x));
    return {price(h), kind(h)};
  }
};

/// Takes a tensor for each output, then for each target.
Tensor loss_of_all(const Tensor& price, const Tensor& kind, const Tensor& paid, const Tensor& label,
                   const Tensor& weight) {
  return mean(square(price - paid) * weight) + nn::cross_entropy(kind, label);
}

const Tensor ids = tensor({0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1}, int64);
const Tensor x = random_tensor({12, 2}, 1, float32), paid = random_tensor({12, 1}, 2, float32);
const Tensor labels = tensor({0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}, int64);
const Tensor weights = random_tensor({12, 1}, 3, float32, 0.5, 1.5);

nn::Dataset data() {
  return nn::Dataset({{"ids", ids}, {"x", x}}, {{"paid", paid}, {"kind", labels}, {"weight", weights}});
}

std::vector<double> numbers_of(const nn::Module& model) {
  std::vector<double> all;
  for (const Tensor& parameter : model.parameters())
    for (const double value : expect::values(parameter)) all.push_back(value);
  return all;
}

}  // namespace

TEST_CASE("fit of several inputs, outputs and targets is the loop that one would write by hand, bit by bit") {
  seed(1);
  Wide fitted;
  Wide looped = nn::clone(fitted);
  nn::SGD one(fitted.parameters(), {.learning_rate = 0.1}), other(looped.parameters(), {.learning_rate = 0.1});
  const nn::BatchesOptions options = {.size = 5, .shuffle = true, .seed = 7};
  const nn::History history = nn::fit(fitted, loss_of_all, one, data(), {.epochs = 3, .batches = options});
  nn::Batches batches(data(), options);
  for (int epoch = 0; epoch < 3; ++epoch)
    for (auto [in, out] : batches) {
      Tape tape;
      const auto [price, kind] = looped(in["ids"], in["x"]);
      other.step(tape.backward(loss_of_all(price, kind, out[0], out[1], out["weight"])));
    }
  CHECK(numbers_of(fitted) == numbers_of(looped));
  CHECK(history.epochs.back().loss < history.epochs.front().loss);
}

TEST_CASE("losses and metrics of lists, evaluation, parallel parts and prefetch see the same columns") {
  seed(2);
  Wide model;
  const auto loss = [](const std::vector<Tensor>& outputs, const std::vector<Tensor>& targets) {
    return loss_of_all(outputs[0], outputs[1], targets[0], targets[1], targets[2]);
  };
  const nn::Metric metric = {.name = "accuracy", .of_lists = [](const auto& outputs, const auto& targets) {
                               return nn::accuracy(outputs[1], targets[1]);
                             }};
  const nn::Evaluation found = nn::evaluate(model, loss, data(), {.metrics = {metric}, .size = 12});
  const auto [price, kind] = model(ids, x);
  CHECK(found.loss == doctest::Approx(loss_of_all(price, kind, paid, labels, weights).item()));
  CHECK(found.metrics[0] == nn::accuracy(kind, labels));
  CHECK(contains(error_of([&] {
                   nn::evaluate(model, loss, data(), {.metrics = {{"accuracy", nn::accuracy}}});
                 }),
                 "metric 'accuracy' takes one prediction and one target, there are 2 and 3"));

  nn::Adam optimizer(model.parameters(), {.learning_rate = 0.01});
  const nn::History history = nn::fit(
      model, loss, optimizer, data(),
      {.epochs = 2, .batches = {.size = 6, .prefetch = true}, .validation = data(), .metrics = {metric}, .parts = 2});
  CHECK(history.epochs.size() == 2);

  const auto whole = nn::batch_gradients(
      [&](const Tensor& i, const Tensor& v, const Tensor& p, const Tensor& k, const Tensor& w) {
        const auto [a, b] = model(i, v);
        return loss_of_all(a, b, p, k, w);
      },
      std::vector<Tensor>{ids, x}, std::vector<Tensor>{paid, labels, weights}, {.parts = 3});
  Tape tape;
  const auto [a, b] = model(ids, x);
  const Gradients expected = tape.backward(loss_of_all(a, b, paid, labels, weights));
  for (const Tensor& parameter : model.parameters())
    CHECK(expect::difference(whole.gradients[parameter], expect::values(expected[parameter])) < 1e-6);
}

TEST_CASE("gradient check, doctor, diagnosis and summary take several inputs and outputs") {
  seed(3);
  Wide model;
  const std::vector<Tensor> inputs = {ids, x}, targets = {paid, labels, weights};
  const GradientReport report = nn::check_gradients(model, loss_of_all, inputs, targets);
  CHECK(report.ok());
  CHECK(report.rows.back().name == "input 1");
  const GradientReport of_lists = nn::check_gradients(model, loss_of_all, {ids, x}, {paid, labels, weights});
  CHECK(of_lists.json() == report.json());
  CHECK(nn::summary(model, ids, x).find("price") != std::string::npos);
  CHECK(nn::diagnose(model, loss_of_all, data().all()).loss > 0);
  const nn::DoctorReport health = nn::doctor(model, loss_of_all, 0.1, data());
  INFO(health.text());
  for (const auto& finding : health.findings) CHECK(finding.severity != nn::Severity::error);
}

TEST_CASE("what is checked of a model can be chosen") {
  const Wide model;
  const std::vector<Tensor> inputs = {ids, x}, targets = {paid, labels, weights};
  const auto names = [&](const nn::CheckedTensors& checked) {
    std::string all;
    for (const GradientRow& row : nn::check_gradients(model, loss_of_all, inputs, targets, {}, checked).rows)
      all += row.name + " ";
    return all;
  };
  CHECK(names({.inputs = false, .parameters = {"price"}}) == "price.weight price.bias ");
  CHECK(names({.parameters = {"kind.bias", "table"}}) == "table.weight kind.bias input 1 ");
  CHECK(contains(error_of([&] { names({.parameters = {"prize"}}); }),
                 "ValueError: check_gradients: the model has no parameter or module 'prize'"));
  CHECK(contains(error_of([&] {
                   nn::check_gradients(model, loss_of_all, std::vector<Tensor>{ids, Tensor()}, targets);
                 }),
                 "ValueError: check_gradients: inputs 1 is an empty handle"));
}

TEST_CASE("a wrong number of inputs or targets is named") {
  Wide model;
  nn::SGD optimizer(model.parameters(), {.learning_rate = 0.1});
  CHECK(contains(error_of([&] { nn::fit(model, loss_of_all, optimizer, nn::Dataset(x, paid)); }),
                 "ShapeError: model: inputs: 1 tensors are given, its call takes 2"));
  const nn::Dataset few({ids, x}, {paid, labels});
  CHECK(contains(error_of([&] { nn::fit(model, loss_of_all, optimizer, few); }),
                 "ShapeError: loss: outputs and targets together: 4 tensors are given, its call takes 5"));
}

TEST_CASE("columns are found by place and name, and are no tensor when they are several") {
  const nn::Batch batch = data().take(std::vector<std::int64_t>{3, 0});
  CHECK(batch.rows() == 2);
  CHECK(batch.inputs.count() == 2);
  CHECK(batch.inputs.names() == std::vector<std::string>{"ids", "x"});
  CHECK(expect::values(batch.inputs["ids"]) == std::vector<double>{3, 0});
  CHECK(batch.targets[2].is(batch.targets["weight"]));
  CHECK(contains(error_of([&] { sum(batch.inputs); }), "ValueError"));
  CHECK(contains(error_of([&] { batch.inputs["idz"]; }),
                 "ValueError: batch: no column 'idz' among ids, x; did you mean"));
  CHECK(contains(error_of([&] { batch.inputs[2]; }), "ValueError: batch: column 2 of 2"));
  const nn::Batch plain = nn::Dataset(x, paid).all();
  CHECK(plain.inputs.shape() == Shape{12, 2});
  CHECK(plain.inputs.count() == 1);
  CHECK(plain.inputs[0].is(plain.inputs));

  const nn::Dataset set = data();
  CHECK(contains(error_of([&] { set.inputs(); }), "ValueError: Dataset: it has 2 inputs, and one was asked for"));
  CHECK(set.subset(2, 5).target_columns()[1].rows.rows() == 3);
  CHECK(set.subset(2, 5).input_columns()[0].name == "ids");
  CHECK(expect::values(set.select(std::vector<std::int64_t>{4}).all().inputs["ids"]) == std::vector<double>{4});
  CHECK(contains(error_of([&] { nn::Dataset({{"a", x}, {"a", x}}, {paid}); }), "two inputs are called 'a'"));
  CHECK(contains(error_of([&] { nn::Dataset({{"a", x}, x}, {paid}); }), "name all or none"));
  CHECK(contains(error_of([&] {
                   nn::Dataset({ids, slice(x, 0, 0, 3)}, {paid});
                 }),
                 "ShapeError: Dataset: inputs are (12,), (3, 2), targets are (12, 1)"));
}

namespace {

struct Forgetful : nn::Module {
  nn::Linear a = add("a", nn::Linear(2, 3));
  nn::Linear b{3, 1};  // not added
  Tensor operator()(const Tensor& in) const { return b(tanh(a(in))); }
};

struct ForgetsTensor : nn::Module {
  nn::Linear a = add("a", nn::Linear(2, 1));
  Tensor w = expect::leaf(ones({1}));  // not registered
  Tensor operator()(const Tensor& in) const { return a(in) * w; }
};

}  // namespace

TEST_CASE("a tensor of one's own that was not registered is named by fit, doctor and the gradient check") {
  ForgetsTensor model;
  const std::string words =
      "the loss depends on tensors that require gradients and are no parameters of the model: a tensor of shape (1,); "
      "register members where they are initialised";
  nn::SGD optimizer(model.parameters(), {.learning_rate = 0.1});
  const std::string of_fit = error_of([&] { nn::fit(model, nn::mse, optimizer, nn::Dataset(x, paid)); });
  CHECK(contains(of_fit, "ValueError: fit: " + words));
  CHECK(contains(of_fit, "`nn::Registered w = parameter(\"w\", ...);`"));
  CHECK(contains(error_of([&] { nn::check_gradients(model, nn::mse, x, paid); }),
                 "ValueError: check_gradients: " + words));
  CHECK(contains(nn::doctor(model, nn::mse, 0.1, nn::Dataset(x, paid)).text(), "a tensor of shape (1,)"));
}

TEST_CASE("a member that was not registered is named by the derivatives of a model") {
  const Forgetful model;
  const std::string words =
      ": the loss depends on tensors that require gradients and are no parameters of the model: weight of shape (3, "
      "1), bias of shape (1,); register members";
  const std::vector<Tensor> v = {ones({2, 3}), ones({3})};
  CHECK(contains(error_of([&] { nn::gradient(model, nn::mse, x, paid); }), "ValueError: gradient" + words));
  CHECK(contains(error_of([&] { nn::hessian(model, nn::mse, x, paid); }), "ValueError: hessian" + words));
  CHECK(contains(error_of([&] { nn::hessian_vector_product(model, nn::mse, x, paid, v); }),
                 "ValueError: hessian_vector_product" + words));
  CHECK(contains(error_of([&] { nn::per_example_gradients(model, nn::mse, x, paid); }),
                 "ValueError: per_example_gradients" + words));
  // Whoever records may mean such tensors, and inputs and targets are no members.
  Tape tape;
  CHECK(error_of([&] { nn::gradient(model, nn::mse, x, paid); }) == "no error");
  const Pause pause;
  const nn::Linear line(2, 1);
  const Tensor input = expect::leaf(ones({3, 2})), target = expect::leaf(ones({3, 1}));
  CHECK(error_of([&] { nn::gradient(line, nn::mse, input, target); }) == "no error");
  CHECK(error_of([&] { nn::per_example_gradients(line, nn::mse, input, target); }) == "no error");
}

TEST_CASE("a member that was not registered is named by fit, doctor and the gradient check") {
  Forgetful model;
  const std::string words =
      "the loss depends on tensors that require gradients and are no parameters of the model: weight of shape (3, 1), "
      "bias of shape (1,); register members where they are initialised, `nn::Linear b = add(\"b\"";
  nn::SGD optimizer(model.parameters(), {.learning_rate = 0.1});
  CHECK(contains(error_of([&] { nn::fit(model, nn::mse, optimizer, nn::Dataset(x, paid)); }),
                 "ValueError: fit: " + words));
  CHECK(contains(error_of([&] { nn::check_gradients(model, nn::mse, x, paid); }),
                 "ValueError: check_gradients: " + words));
  const nn::DoctorReport report = nn::doctor(model, nn::mse, 0.1, nn::Dataset(x, paid));
  CHECK(contains(report.text(), "weight of shape (3, 1), bias of shape (1,)"));
  // An optimizer that has them trains them.
  nn::SGD both({{.parameters = {model.a.weight, model.a.bias, model.b.weight, model.b.bias}}}, {.learning_rate = 0.1});
  CHECK(error_of([&] { nn::fit(model, nn::mse, both, nn::Dataset(x, paid)); }) == "no error");
}
