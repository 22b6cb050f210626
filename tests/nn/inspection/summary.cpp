#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/inspection/summary.hpp>
#include <nn/layers/dropout.hpp>
#include <nn/layers/linear.hpp>
#include <nn/layers/sequential.hpp>

#include <thread>

using namespace xgrad;

namespace {

/// One module under two names.
struct Twice : nn::Module {
  nn::Linear shared = add("shared", nn::Linear(3, 3));
  nn::Linear again = add("again", shared);
  Tensor operator()(const Tensor& x) const { return again(tanh(shared(x))); }
};

}  // namespace

TEST_CASE("a summary lists the layers that ran, with shapes and numbers worked out by hand") {
  struct Mlp : nn::Module {
    nn::Linear hidden = add("hidden", nn::Linear(784, 256));
    nn::Dropout dropout = add("dropout", nn::Dropout(0.5));
    nn::Linear output = add("output", nn::Linear(256, 10));
    Tensor operator()(const Tensor& input) const { return output(dropout(relu(hidden(nn::Flatten()(input))))); }
  };
  Mlp net;
  net.hidden.freeze();
  // 784·256 + 256 = 200,960 and 256·10 + 10 = 2,570; 2·784·256 = 401,408 and 2·256·10 = 5,120 operations; 4 bytes a
  // number: (784 + 256 + 256 + 10)·4 = 5,224.
  CHECK(nn::summary(net, {28, 28}) ==
        "layer    kind     output    parameters    flops  bytes\n"
        "-        Flatten  (1, 784)           0        0  3,136\n"
        "hidden   Linear   (1, 256)     200,960  401,408  1,024\n"
        "dropout  Dropout  (1, 256)           0        0  1,024\n"
        "output   Linear   (1, 10)        2,570    5,120     40\n"
        "total             (1, 10)      203,530  406,528  5,224\n"
        "parameters take 814,120 bytes; 200,960 parameters are frozen\n");
  CHECK(net.training());
  CHECK(net.dropout.stream.calls() == 0);

  net.to(float64);
  Tape tape;
  CHECK(expect::contains(nn::summary(net, {784}), "parameters take 1,628,240 bytes"));
  CHECK(tape.size() == 0);
  CHECK(expect::contains(nn::summary(Twice(), {3}), "shared  Linear  (1, 3)           0     18     12\n"));
  CHECK(expect::contains(expect::error_of([&] { nn::summary(net, {5}); }),
                         "hidden: linear expects (…, 784), got (1, 5)"));
}

TEST_CASE("of nested observers the one made last hears of calls, and only on its thread") {
  struct Count : nn::LayerObserver {
    void called(const nn::Module&, const char*, const Tensor&, double) override { ++calls; }
    int calls = 0;
  };
  const nn::Linear layer(3, 2);
  Count outer;
  layer(ones({1, 3}));
  {
    Count inner;
    layer(ones({1, 3}));
    std::thread([&] { layer(ones({1, 3})); }).join();
    CHECK(inner.calls == 1);
  }
  layer(ones({1, 3}));
  CHECK(outer.calls == 2);
  CHECK(nn::summary(layer, {3}).starts_with("layer"));
  CHECK(outer.calls == 2);
}
