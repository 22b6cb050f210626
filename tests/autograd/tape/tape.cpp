#include "tests/support/expect.hpp"
#include "tests/support/small_stack.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>

#include <array>
#include <chrono>
#include <cmath>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace xgrad;
using expect::contains;
using expect::leaf;

namespace {

/// 2x, told apart from the library's operations; its vjp can be told to misbehave.
struct Twice : Operation {
  enum class Fault { none, count, shape, dtype, unsaved } fault = Fault::none;
  bool recorded = true;
  std::string_view name() const override { return "twice"; }
  OperationTraits traits() const override { return {Which::none(), Which::none(), Contribution::exact, recorded}; }
  Tensors forward(const Inputs& inputs) override { return inputs[0] + inputs[0]; }
  Tensors vjp(const Call& call) const override {
    const Tensor g = call.cotangent();
    switch (fault) {
      case Fault::count:
        return {g, g};
      case Fault::shape:
        return reshape(g, {1, -1});
      case Fault::dtype:
        return g.to(float64);
      case Fault::unsaved:
        return call.input(0);
      case Fault::none:
        break;
    }
    return g + g;
  }
};

/// x -> (2x, 3x): an operation of two outputs.
struct TwiceAndThrice : Operation {
  std::string_view name() const override { return "twice_and_thrice"; }
  OperationTraits traits() const override { return {Which::none(), Which::none(), Contribution::exact, true}; }
  Tensors forward(const Inputs& inputs) override { return {inputs[0] * 2.0, inputs[0] * 3.0}; }
  Tensors vjp(const Call& call) const override { return call.cotangent(0) * 2.0 + call.cotangent(1) * 3.0; }
};

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("backward of a product gives the other factor") {
  const Tensor a = leaf(tensor({2.0, 3.0}));
  const Tensor b = leaf(tensor({5.0, 7.0}));
  Tape tape;
  const Gradients g = tape.backward(sum(a * b));
  CHECK(g[a].values<float>()[0] == 5);
  CHECK(g[a].values<float>()[1] == 7);
  CHECK(g[b].values<float>()[0] == 2);
  CHECK(g[b].values<float>()[1] == 3);
  CHECK(g.size() == 2);
}

TEST_CASE("without a tape nothing is recorded, and a constant costs no entry") {
  const Tensor a = leaf(tensor({2.0}));
  const Tensor y = a * a;
  CHECK(y.body().tape == 0);
  Tape tape;
  const Tensor z = tensor({1.0}) * tensor({2.0});
  CHECK(tape.size() == 0);
  CHECK(z.body().tape == 0);
  const Tensor w = y * 2.0;  // y was made before the tape: a constant
  CHECK(tape.size() == 0);
}

TEST_CASE("the innermost tape records, Pause stops it, and a tape inside a Pause records again") {
  const Tensor a = leaf(tensor({2.0}));
  Tape outer;
  {
    Tape inner;
    const Tensor y = a * a;
    CHECK(inner.size() == 2);
    CHECK(outer.size() == 0);
  }
  const Pause pause;
  const Tensor y = a * a;
  CHECK(outer.size() == 0);
  Tape again;
  const Tensor z = a * a;
  CHECK(again.size() == 2);
}

TEST_CASE("tapes may end in any order") {
  const Tensor a = leaf(tensor({2.0}));
  auto first = std::make_unique<Tape>();
  auto second = std::make_unique<Tape>();
  first.reset();
  const Tensor y = a * a;
  CHECK(second->size() == 2);
  second.reset();
  CHECK((a * a).body().tape == 0);
}

TEST_CASE("a tape that ends on another thread leaves its own thread in order") {
  const Tensor a = leaf(tensor({2.0}));
  auto tape = std::make_unique<Tape>();
  const Tensor y = a * a;
  std::thread([&] { tape.reset(); }).join();
  const Tensor z = y * a;
  CHECK(z.body().tape == 0);
  Tape next;
  const Tensor w = a * a;
  CHECK(next.size() == 2);
}

TEST_CASE("an operation on a tensor of another living tape throws, on a thread without a tape too") {
  const Tensor a = leaf(tensor({2.0}));
  Tape outer;
  const Tensor y = a * a;
  {
    Tape inner;
    CHECK_THROWS_AS(y * 2.0, TapeError);
    CHECK_NOTHROW(detach(y) * 2.0);
  }
  std::thread([&] {
    CHECK_THROWS_AS(y * 2.0, TapeError);
    const Pause pause;
    CHECK_NOTHROW(y * 2.0);
  }).join();
}

TEST_CASE("tensors of a tape that is gone are constants") {
  const Tensor a = leaf(tensor({2.0}));
  Tensor y;
  {
    Tape tape;
    y = a * a;
  }
  Tape tape;
  const Gradients g = tape.backward(sum(y * a));
  CHECK(g[a].item() == 4);
}

TEST_CASE("a second backward throws, after a throw as well; keep allows it") {
  const Tensor a = leaf(tensor({2.0}));
  {
    Tape tape;
    const Tensor y = sum(a * a);
    tape.backward(y);
    CHECK(!tape.open());
    CHECK(contains(message_of([&] { tape.backward(y); }), "closed already"));
  }
  {
    Tape tape;
    CHECK_THROWS_AS(tape.backward(tensor(1.0)), TapeError);
    CHECK(!tape.open());
  }
  Tape tape;
  const Tensor y = sum(a * a);
  CHECK(tape.backward(y, {.keep = true})[a].item() == 4);
  CHECK(tape.backward(y, {.keep = true})[a].item() == 4);
  CHECK(tape.backward(y)[a].item() == 4);
}

TEST_CASE("a non-scalar output needs a cotangent of its shape and dtype") {
  const Tensor a = leaf(tensor({2.0, 3.0}));
  {
    Tape tape;
    CHECK_THROWS_AS(tape.backward(a * a), ShapeError);
    CHECK(!tape.open());
  }
  {
    Tape tape;
    CHECK_THROWS_AS(tape.backward(a * a, tensor({1.0})), ShapeError);
  }
  {
    Tape tape;
    CHECK_THROWS_AS(tape.backward(a * a, tensor({1.0, 1.0}, float64)), TypeError);
  }
  Tape tape;
  const Gradients g = tape.backward(a * a, tensor({10.0, 100.0}));
  CHECK(g[a].values<float>()[0] == 40);
  CHECK(g[a].values<float>()[1] == 600);
}

TEST_CASE("several outputs with their cotangents add up") {
  const Tensor a = leaf(tensor(3.0));
  Tape tape;
  const Tensor y = a * a;
  const Tensor z = a * 5.0;
  CHECK(tape.backward({y, z}, {tensor(1.0), tensor(2.0)})[a].item() == 6 + 10);
}

TEST_CASE("an operation of two outputs gets both cotangents, zeros for one that is not used") {
  const Tensor a = leaf(tensor(3.0));
  const Tensor* const inputs[] = {&a};
  {
    Tape tape;
    const Tensors both = apply_all(TwiceAndThrice(), Inputs(inputs, 1));
    CHECK(tape.backward(both[0] * both[1])[a].item() == 36);  // d(6a²) = 12a
  }
  Tape tape;
  const Tensors both = apply_all(TwiceAndThrice(), Inputs(inputs, 1));
  CHECK(tape.backward(both[0])[a].item() == 2);
}

TEST_CASE("gradients of intermediate tensors come when asked for") {
  const Tensor a = leaf(tensor(3.0));
  Tape tape;
  const Tensor h = a * a;
  const Gradients g = tape.backward(h * h, {.also = {h}});
  CHECK(g[h].item() == 18);
  CHECK(g[a].item() == 108);
  CHECK(!g.contains(tensor(1.0)));
}

TEST_CASE("modifying a saved value throws at backward and names operation, shape and versions") {
  Tensor a = leaf(tensor({2.0, 3.0}));
  Tape tape;
  const Tensor y = sum(a * a);
  a.modify([](auto values) { values[0] = 1; });
  const std::string text = message_of([&] { tape.backward(y); });
  CHECK(contains(text, "mul"));
  CHECK(contains(text, "(2,)"));
  CHECK(contains(text, "version 0"));
  CHECK(contains(text, "version 1"));
}

TEST_CASE("modifying a value that nobody saved is allowed") {
  Tensor a = leaf(tensor({2.0, 3.0}));
  Tape tape;
  const Tensor y = sum(a + a);
  a.modify([](auto values) { values[0] = 1; });
  CHECK(expect::values(tape.backward(y)[a])[0] == 2);
}

TEST_CASE("a result that is written is refused where it is used on, by name") {
  const Tensor x = leaf(tensor({-1.0, 2.0}));
  Tape tape;
  Tensor h = x * 2.0;
  const Tensor before = sum(h);
  SUBCASE("by modify") {
    h.modify([](auto values) { values[0] = 0; });
  }
  SUBCASE("by assign") { h.assign(tensor({0.0, 4.0})); }
  SUBCASE("by assign of another dtype") { h.assign(tensor({0.0, 4.0}, float64)); }
  SUBCASE("through a detached handle") {
    detach(h).modify([](auto values) { values[0] = 0; });
  }
  SUBCASE("while paused") {
    const Pause pause;
    h.modify([](auto values) { values[0] = 0; });
  }
  const std::size_t size = tape.size();
  const std::string text = expect::error_of([&] { static_cast<void>(h * 3.0); });
  CHECK(text ==
        "TapeError: mul: input 0, of shape (2,), is entry 1 of the tape, a result of mul, and was written since: it is "
        "at version 1, was recorded at 0, and its gradient would not know of the write; compute a new tensor in place "
        "of writing");
  CHECK(tape.size() == size);
  CHECK(contains(expect::error_of([&] { tape.backward(h, ones({2}, h.dtype()), {.keep = true}); }),
                 "TapeError: backward: the output, of shape (2,), is entry 1"));
  CHECK_NOTHROW(static_cast<void>(detach(h) + 1.0));        // its values, as a constant
  CHECK(expect::values(tape.backward(before)[x])[1] == 2);  // what was computed before the write
}

TEST_CASE("a reshape of a written result keeps the values that were recorded") {
  const Tensor x = leaf(tensor({1.0, 2.0}));
  Tape tape;
  Tensor h = x * 2.0;
  const Tensor column = reshape(h, {2, 1});
  h.modify([](auto values) { values[0] = 100; });
  CHECK(expect::values(column) == std::vector<double>{2, 4});
  CHECK(expect::values(tape.backward(sum(square(column)))[x])[0] == 8);  // d(2x)²/dx = 8x
}

TEST_CASE("a vjp of the wrong number, shape or dtype, or that reads what was not saved, is named") {
  const Tensor a = leaf(tensor({2.0, 3.0}));
  const auto fault = [&](Twice::Fault which) {
    Tape tape;
    Twice twice;
    twice.fault = which;
    const Tensor y = sum(apply_operation(twice, a));
    return message_of([&] { tape.backward(y); });
  };
  CHECK(fault(Twice::Fault::none) == "no error");
  CHECK(contains(fault(Twice::Fault::count), "twice gives 2 gradients for 1 inputs"));
  CHECK(contains(fault(Twice::Fault::shape), "twice gives input 0 of shape (2,)"));
  CHECK(contains(fault(Twice::Fault::dtype), "float64"));
  CHECK(contains(fault(Twice::Fault::unsaved), "twice asks for input 0"));
}

TEST_CASE("a differentiable backward records its gradients, which can be differentiated again") {
  const Tensor a = leaf(tensor(3.0, float64));
  Tape tape;
  const Tensor y = a * a * a;
  const Tensor g = tape.backward(y, {.differentiable = true})[a];
  CHECK(g.item() == 27);  // 3a²
  const Gradients second = tape.backward(g);
  CHECK(second[a].item() == 18);  // 6a
}

TEST_CASE("an operation whose vjp is not recorded refuses a differentiable backward by name") {
  const Tensor a = leaf(tensor(3.0));
  Tape tape;
  Twice twice;
  twice.recorded = false;
  const Tensor y = apply_operation(twice, a);
  CHECK(contains(message_of([&] { tape.backward(y, {.differentiable = true}); }),
                 "twice cannot be differentiated twice"));
}

TEST_CASE("an operation that throws leaves the tape and its operands as they were") {
  const Tensor a = leaf(tensor({2.0, 3.0}));
  const Tensor b = leaf(tensor({1.0, 2.0, 3.0}));
  Tape tape;
  const Tensor y = sum(a * a);
  const std::size_t before = tape.size();
  CHECK_THROWS_AS(a * b, ShapeError);
  CHECK_THROWS_AS(a * tensor(1.0, float64), TypeError);
  CHECK(tape.size() == before);
  CHECK(expect::values(tape.backward(y)[a])[0] == 4);
}

TEST_CASE("backward on another thread throws") {
  const Tensor a = leaf(tensor(3.0));
  Tape tape;
  const Tensor y = a * a;
  std::thread([&] { CHECK_THROWS_AS(tape.backward(y), TapeError); }).join();
}

TEST_CASE("saved values are released when backward passes them") {
  const Tensor a = leaf(full({1000}, 2.0));
  Tape tape;
  const Tensor y = sum(exp(a) * exp(a));
  CHECK(tape.saved_bytes() > 0);
  tape.backward(y);
  CHECK(tape.saved_bytes() == 0);
}

TEST_CASE("the listing has a line for each entry with operation, inputs, shape, dtype, bytes and path") {
  Tensor a = leaf(tensor({{1.0, 2.0}, {3.0, 4.0}}));
  a.label("net.weight");
  Tape tape;
  Tensor h;
  {
    const PathScope path("net.hidden");
    h = matmul(a, a);
  }
  const Tensor y = sum(exp(h));
  std::ostringstream text;
  text << tape;
  const std::string listing = text.str();
  CHECK(contains(listing, "%0     leaf net.weight"));
  CHECK(contains(listing, "%1     matmul(%0, %0)"));
  CHECK(contains(listing, "(2, 2)"));
  CHECK(contains(listing, "float32"));
  CHECK(contains(listing, "in net.hidden"));
  CHECK(contains(listing, "%2     exp(%1)"));
  CHECK(contains(listing, "saves 16 B"));
  CHECK(contains(listing, "%3     sum(%2)"));
}

TEST_CASE("NaN tracing names the first operation whose value is not finite, with shapes and path") {
  const Tensor a = leaf(tensor({0.0, 1.0}));
  Tape tape({.trace_nonfinite = true});
  {
    const PathScope path("net.layer");
    const Tensor y = sum(log(a * 2.0) * 3.0);
  }
  REQUIRE(tape.nonfinite() != nullptr);
  CHECK(tape.nonfinite()->operation == "log");
  CHECK(tape.nonfinite()->path == "net.layer");
  CHECK(!tape.nonfinite()->in_gradient);
  CHECK(contains(tape.nonfinite()->text(), "net.layer: log"));
  CHECK(contains(tape.nonfinite()->text(), "(2,)"));
}

TEST_CASE("NaN tracing finds a gradient that is not finite behind a finite value") {
  const Tensor a = leaf(tensor({0.0, 1.0}));
  Tape tape({.trace_nonfinite = true});
  const Tensor y = sum(sqrt(a));
  CHECK(tape.nonfinite() == nullptr);
  tape.backward(y);
  REQUIRE(tape.nonfinite() != nullptr);
  CHECK(tape.nonfinite()->operation == "sqrt");
  CHECK(tape.nonfinite()->in_gradient);
}

TEST_CASE("NaN tracing counts slopes that a zero cotangent masked") {
  const Tensor a = leaf(tensor({0.0, 4.0}));
  Tape tape({.trace_nonfinite = true});
  const Tensor y = sum(where(gt(a, 1.0), sqrt(a), 0.0));
  const Gradients g = tape.backward(y);
  CHECK(g[a].values<float>()[0] == 0);
  CHECK(g[a].values<float>()[1] == 0.25);
  CHECK(tape.nonfinite() == nullptr);
  CHECK(tape.masked_derivatives() == 1);
}

namespace {

/// Records, sweeps and frees a chain of n additions; gives the seconds that it took.
double run_chain(int n) {
  const auto start = std::chrono::steady_clock::now();
  {
    const Tensor a = leaf(tensor(1.0));
    Tape tape;
    Tensor x = a;
    for (int i = 0; i < n; ++i) x = sin(x);
    CHECK(tape.backward(x)[a].item() >= 0);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("record, backward and free of 1,000,000 operations work in a 256 KiB stack" * doctest::test_suite("slow")) {
  double one = 0, two = 0;
  small_stack::run([&] {
    one = run_chain(1'000'000);
    two = run_chain(2'000'000);
  });
  MESSAGE("1,000,000 operations: " << one << " s; 2,000,000: " << two << " s, ratio " << two / one);
}

TEST_CASE("an observer hears of every recorded operation, in order, and what it computes is not recorded") {
  struct Listener : TapeObserver {
    std::string heard;
    void recorded(const RecordedOperation& operation) override {
      heard += std::string(operation.operation) + "@" + std::to_string(operation.index) + " ";
      static_cast<void>(sum(operation.outputs[0]));
    }
  } listener;
  const Tensor x = expect::leaf(tensor({1, 2}));
  Tape tape({.observer = &listener});
  const Tensor loss = sum(square(x));
  {
    const Pause pause;
    static_cast<void>(exp(x));
  }
  static_cast<void>(exp(tensor({1, 2})));
  CHECK(listener.heard == "square@1 sum@2 ");
  CHECK(tape.size() == 3);
  CHECK(expect::values(tape.backward(loss)[x]) == std::vector<double>{2, 4});
}

TEST_CASE("with `only` these gradients come alone, and no vjp runs for the others") {
  const Tensor x = leaf(tensor({1.0, 2.0}, float64)), w = leaf(tensor({3.0, 4.0}, float64));
  std::vector<std::string> asked;
  const auto times = [&asked](const char* name, const Tensor& a, const Tensor& b) {
    return custom(
        name, [](const Tensor& p, const Tensor& q) { return p * q; },
        [&asked, name](const Call& call) {
          asked.push_back(std::string(name) + (call.needs(0) ? " 0" : "") + (call.needs(1) ? " 1" : ""));
          Tensors gradients(2);
          if (call.needs(0)) gradients[0] = call.cotangent() * call.input(1);
          if (call.needs(1)) gradients[1] = call.cotangent() * call.input(0);
          return gradients;
        },
        a, b);
  };
  // L = Σ (x·w)·x + (w·w): ∂L/∂x = 2·x·w.
  const auto loss = [&](Tensor& middle) {
    middle = times("first", x, w);
    return sum(times("second", middle, x)) + sum(times("third", w, w));
  };
  Tensor middle;
  {
    Tape tape;
    const Tensor y = loss(middle);
    const Gradients gradients = tape.backward(y, {.only = {x}});
    CHECK(expect::values(gradients[x]) == std::vector<double>{6, 16});
    CHECK(gradients.size() == 1);
    CHECK(asked == std::vector<std::string>{"second 0 1", "first 0"});
  }
  asked.clear();
  {
    Tape tape;
    const Tensor y = loss(middle);
    const Gradients gradients = tape.backward(y, {.only = {middle}});
    CHECK(expect::values(gradients[middle]) == std::vector<double>{1, 2});
    CHECK(gradients.size() == 1);
    CHECK(asked == std::vector<std::string>{"second 0"});
  }
  Tape tape;
  const Tensor y = loss(middle);
  const Tensor stranger = leaf(tensor({1.0}));
  CHECK(contains(message_of([&] { tape.backward(y, {.only = {stranger}}); }),
                 "a tensor of `only`, of shape (1,), is not on this tape"));
}

TEST_CASE("a Pause may end on another thread, and after its own: its thread records again") {
  const Tensor a = leaf(tensor({2.0}));
  Tape tape;
  auto pause = std::make_unique<Pause>();
  static_cast<void>(a * a);
  CHECK(tape.size() == 0);
  std::thread([&] {
    const Pause other;  // whose place in its own list nobody touches
    pause.reset();
    static_cast<void>(a * a);
  }).join();
  const Tensor y = a * a;
  CHECK(tape.size() == 2);
  CHECK(tape.backward(y)[a].item() == 4);

  std::unique_ptr<Pause> left;
  std::thread([&] { left = std::make_unique<Pause>(); }).join();
  left.reset();
  std::thread([&] { pause = std::make_unique<Pause>(); }).join();
  std::thread([&] { pause.reset(); }).join();
}

TEST_CASE("a default dtype and a path that end on another thread leave that thread's alone") {
  std::unique_ptr<DefaultDType> dtype;
  std::unique_ptr<PathScope> path;
  std::thread([&] {
    dtype = std::make_unique<DefaultDType>(float64);
    path = std::make_unique<PathScope>("outer");
    std::thread([&] {
      dtype.reset();
      path.reset();
      CHECK(default_dtype() == float32);
      CHECK(PathScope::current().empty());
    }).join();
    CHECK(default_dtype() == float64);
    CHECK(PathScope::current() == "outer");
  }).join();
}

TEST_CASE("a tape outlives its thread, and is a value to look at and to end") {
  const Tensor a = leaf(tensor({2.0}));
  std::unique_ptr<Tape> tape;
  Tensor y;
  std::thread([&] {
    tape = std::make_unique<Tape>();
    y = a * a;
  }).join();
  CHECK(tape->open());
  CHECK(tape->size() == 2);
  CHECK(contains(expect::error_of([&] { static_cast<void>(y * a); }), "TapeError: mul: an input of shape (1,)"));
  tape.reset();
  CHECK_FALSE(is_recorded(y));
  CHECK((y * a).item() == 8);
}

TEST_CASE("as many tapes as there may be are open at once; one more is an error, and then room again") {
  const auto in_use = [] { return memory_statistics().system_allocations; };
  std::vector<std::unique_ptr<Tape>> tapes;
  std::string text;
  while (text.empty() && tapes.size() < 5000) {
    const std::string found = expect::error_of([&] { tapes.push_back(std::make_unique<Tape>()); });
    if (found != "no error") text = found;
  }
  CHECK(text == "TapeError: tape: 4096 tapes are open already; close or destroy some");
  const std::size_t before = in_use();
  for (int i = 0; i < 1000; ++i) CHECK_THROWS_AS(Tape(), TapeError);
  if (expect::memory_is_cached()) CHECK(in_use() - before < 100);  // what is refused leaves nothing behind
  tapes.pop_back();
  CHECK_NOTHROW(Tape());
  tapes.clear();
  const Tensor a = leaf(tensor(3.0));
  Tape tape;
  CHECK(tape.backward(a * a)[a].item() == 6);
}

namespace {

/// 2x, whose vjp runs a function of the test's before it answers.
template <class F>
Tensor twice_with(F in_vjp, const Tensor& x) {
  return custom(
      "intruder", [](const Tensor& a) { return a * 2.0; },
      [in_vjp](const Call& call) {
        in_vjp();
        return call.cotangent() * 2.0;
      },
      x);
}

}  // namespace

TEST_CASE("a vjp that ends its tape gets an error, and so does one that sweeps it again") {
  const Tensor a = leaf(tensor({2.0}));
  for (const bool differentiable : {false, true}) {
    auto tape = std::make_unique<Tape>();
    const Tensor y = custom_with(
        {.recorded_vjp = true}, "intruder", [](const Tensor& x) { return x * 2.0; },
        [&](const Call& call) {
          tape.reset();
          return call.cotangent() * 2.0;
        },
        sin(a));
    Tape* const swept = tape.get();
    CHECK(expect::error_of([&] { swept->backward(y, ones({1}), {.differentiable = differentiable}); }) ==
          "TapeError: backward: the vjp of intruder ended the tape that calls it");
    CHECK(tape == nullptr);
  }
  Tape tape;
  std::string text;
  const Tensor h = sin(a);
  const Tensor y = twice_with([&] { text = expect::error_of([&] { tape.backward(h); }); }, h);
  CHECK(tape.backward(y)[a].item() == doctest::Approx(2 * std::cos(2.0)));
  CHECK(text == "TapeError: backward: the tape is being swept already; a vjp cannot sweep the tape that calls it");
}

TEST_CASE("a forward that ends or closes the tape that records it gets an error") {
  const Tensor a = leaf(tensor({2.0}));
  auto tape = std::make_unique<Tape>();
  const auto back = [](const Call& call) { return call.cotangent(); };
  CHECK(expect::error_of([&] {
          custom(
              "closer",
              [&](const Tensor& x) {
                tape.reset();
                return x * 1.0;
              },
              back, a);
        }) == "TapeError: closer: forward ended the tape that records it");
  CHECK((a * a).body().tape == 0);
}

TEST_CASE("a vjp that throws leaves no cotangent behind on a tape that is kept") {
  const Tensor a = leaf(tensor({2.0}));
  Tape tape;
  bool throws = true;
  struct TwoOutputs : Operation {
    bool* throws;
    std::string_view name() const override { return "moody"; }
    Tensors forward(const Inputs& inputs) override { return {inputs[0] * 2.0, inputs[0] * 3.0}; }
    Tensors vjp(const Call& call) const override {
      const Tensor g = call.cotangent(0) * 2.0 + call.cotangent(1) * 3.0;
      if (*throws) throw ValueError("moody: not now");
      return g;
    }
  } operation;
  operation.throws = &throws;
  const Tensor* const inputs[] = {&a};
  const Tensors both = apply_all(operation, Inputs(inputs, 1));
  const Tensor y = both[0] * 5.0 + both[1] * 7.0;
  CHECK(expect::error_of([&] { tape.backward(y, {.keep = true}); }) == "ValueError: moody: not now");
  throws = false;
  CHECK(tape.backward(y, {.keep = true})[a].item() == 31);  // 5·2 + 7·3
  CHECK(tape.backward(both[0], {.keep = true})[a].item() == 2);
}

TEST_CASE("an operation may have more outputs than 16 bits count") {
  struct Many : Operation {
    std::string_view name() const override { return "many"; }
    OperationTraits traits() const override { return {Which::none(), Which::none()}; }
    Tensors forward(const Inputs& inputs) override {
      Tensors outputs(65'537);
      for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = inputs[0] * static_cast<double>(i % 7);
      return outputs;
    }
    Tensors vjp(const Call& call) const override {
      return call.cotangent(1) * 1.0 + call.cotangent(65'536) * static_cast<double>(65'536 % 7);
    }
  };
  const Tensor a = leaf(tensor(2.0));
  Tape tape;
  const Tensor* const inputs[] = {&a};
  const Tensors outputs = apply_all(Many(), Inputs(inputs, 1));
  CHECK(outputs.size() == 65'537);
  CHECK(tape.backward(outputs[1] * 10.0 + outputs[65'536])[a].item() == 12);  // 10·1 + 65536 mod 7 = 2
}

TEST_CASE("empty handles are refused where they are given, by operation and argument") {
  const Tensor a = leaf(tensor({2.0}));
  const Tensor none;
  const std::string rule = " is an empty handle; assign a tensor first";
  CHECK(expect::error_of([&] { static_cast<void>(a + none); }) == "ValueError: add: input 1" + rule);
  CHECK(expect::error_of([&] { static_cast<void>(none * 2.0); }) == "ValueError: mul: the tensor" + rule);
  CHECK(expect::error_of([&] { sum(none); }) == "ValueError: sum: input 0" + rule);
  CHECK(expect::error_of([&] { matmul(a, none); }) == "ValueError: matmul: input 1" + rule);
  CHECK(expect::error_of([&] { take(a, none); }) == "ValueError: take: the tensor of indices" + rule);
  CHECK(expect::error_of([&] { reshape(none, {1}); }) == "ValueError: reshape: x" + rule);
  CHECK(expect::error_of([&] { concatenate({a, none}); }) == "ValueError: concatenate: input 1" + rule);
  {
    const Pause pause;
    CHECK(expect::error_of([&] { exp(none); }) == "ValueError: exp: input 0" + rule);
  }
  Tape tape;
  const Tensor y = a * a;
  CHECK(expect::error_of([&] { tape.backward(none, {.keep = true}); }) == "ValueError: backward: output 0" + rule);
  CHECK(expect::error_of([&] { tape.backward(y, {.keep = true, .only = {none}}); }) ==
        "ValueError: backward: a tensor of `only` is an empty handle");
  CHECK(tape.backward(y)[a].item() == 4);
}

TEST_CASE("a leaf's gradient is told as soon as nothing more can come to it, and is what backward gives") {
  const Tensor first = leaf(tensor({2.0, 3.0})), second = leaf(tensor({5.0, 7.0})), broadcast = leaf(tensor(1.5)),
               table = leaf(tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}})), unused = leaf(tensor({1.0}));
  std::vector<std::string> order;  // vjps and leaves, as the sweep meets them
  const auto traced = [&](const char* name, const Tensor& x) {
    return custom(
        name, [](const Tensor& a) { return a.clone(); },
        [&order, name](const Call& call) {
          order.push_back(name);
          return Tensors{call.cotangent()};
        },
        x);
  };
  const auto record = [&] {
    const Tensor a = traced("a", first * second);
    const Tensor b = traced("b", a + take(table, tensor({2.0, 0.0}, int64), 0) * broadcast);
    static_cast<void>(unused * 2.0);  // of which the output does not depend
    return sum(b * first);
  };
  const auto name_of = [&](const Tensor& x) {
    return x.is(first)       ? "first"
           : x.is(second)    ? "second"
           : x.is(table)     ? "table"
           : x.is(broadcast) ? "broadcast"
                             : "?";
  };
  Gradients expected, told;
  {
    Tape tape;
    expected = tape.backward(record());
  }
  order.clear();
  Tape tape;
  const Gradients gradients = tape.backward(record(), {.on_final = [&](const Gradients::Entry& entry) {
                                              order.push_back(name_of(entry.tensor()));
                                              told.set(entry);
                                            }});
  CHECK(order == std::vector<std::string>{"b", "broadcast", "table", "a", "second", "first"});
  CHECK(gradients.size() == expected.size());
  CHECK(gradients.rows(table) != nullptr);
  auto same = expected.begin();
  for (const auto& [x, gradient] : gradients) {
    CHECK(x.is(same->tensor()));
    CHECK(expect::values(gradient) == expect::values(expected[x]));
    CHECK(expect::values(told[x]) == expect::values(expected[x]));
    ++same;
  }
  CHECK_FALSE(told.contains(unused));
}

TEST_CASE("rows of a weight's gradient are told while it is computed, before what the layer passes on") {
  Generator numbers(3);
  const Tensor x = normal({256, 512}, 0, 1, float32, numbers),
               first = leaf(normal({512, 64}, 0, 0.1, float32, numbers)), bias = leaf(zeros({64})),
               twice = leaf(normal({64, 64}, 0, 0.1, float32, numbers));
  std::vector<std::string> order;
  const auto loss = [&] {
    const Tensor hidden = custom(
        "heard", [](const Tensor& a) { return a.clone(); },
        [&order](const Call& call) {
          order.emplace_back("passed on");
          return Tensors{call.cotangent()};
        },
        linear(x, first, bias));
    return sum(square(linear(linear(hidden, twice), twice)));
  };
  const auto name_of = [&](const Tensor& weight) {
    return weight.is(first) ? "first" : weight.is(bias) ? "bias" : "twice";
  };
  Tape plain;
  const Gradients expected = plain.backward(loss());
  order.clear();
  std::int64_t rows_before = 0;
  std::vector<double> seen;
  Tensor told;
  Tape tape;
  const Gradients gradients = tape.backward(
      loss(), {.on_final = [&](const Gradients::Entry& entry) { order.emplace_back(name_of(entry.tensor())); },
               .on_final_rows =
                   [&](const Tensor& weight, const Tensor& gradient, std::int64_t rows) {
                     order.push_back(std::string("rows of ") + name_of(weight));
                     if (!weight.is(first)) return;
                     CHECK(rows > rows_before);
                     const float* const values = gradient.data<float>();
                     seen.insert(seen.end(), values + 64 * rows_before, values + 64 * rows);
                     rows_before = rows;
                     told = gradient;
                   }});
  // What two calls use is told as a whole: both add to it.
  REQUIRE(order.size() > 6);
  CHECK(order[0] == "twice");
  CHECK(order[1] == "passed on");
  CHECK(order[2] == "rows of bias");
  for (std::size_t i = 3; i + 2 < order.size(); ++i) CHECK(order[i] == "rows of first");
  CHECK(order[order.size() - 2] == "bias");
  CHECK(order.back() == "first");
  CHECK(rows_before == 512);
  CHECK(seen == expect::values(expected[first]));
  CHECK(gradients[first].is(told));  // it is not copied
  for (const Tensor& weight : {first, bias, twice})
    CHECK(expect::values(gradients[weight]) == expect::values(expected[weight]));
}

TEST_CASE("a vjp that tells of rows which it does not give gets an error") {
  const Tensor x = leaf(ones({3}));
  const auto error_of_telling = [&](const Tensor& told, std::size_t rows) {
    Tape tape;
    const Tensor y = custom(
        "talkative", [](const Tensor& a) { return a * 2.0; },
        [&](const Call& call) {
          CHECK(call.tells_rows(0));
          call.tell_rows(0, told, rows);
          return call.cotangent() * 2.0;
        },
        x);
    return expect::error_of([&] {
      tape.backward(sum(y), {.on_final = [](const auto&) {}, .on_final_rows = [](const auto&, const auto&, auto) {}});
    });
  };
  CHECK(
      expect::contains(error_of_telling(ones({3}), 1), "TapeError: backward: a vjp told of rows of another gradient"));
  CHECK(error_of_telling(ones({3}), 4) ==
        "ValueError: backward: the vjp of talkative tells of 4 rows of the gradient of input 0, whose shape is (3,)");
  CHECK(expect::contains(error_of_telling(ones({4}), 4), "ShapeError: backward: "));
  CHECK(expect::contains(error_of_telling(ones({3}, float64), 1), "TypeError: backward: "));
}

TEST_CASE("what is thrown when a gradient is told passes through backward, and only wanted leaves are told") {
  const Tensor x = leaf(tensor(2.0)), y = leaf(tensor(3.0));
  Tape tape;
  CHECK(expect::error_of([&] {
          tape.backward(x * y, {.on_final = [](const Gradients::Entry&) { throw ValueError("stop"); }});
        }) == "ValueError: stop");
  CHECK_FALSE(tape.open());
  Tape other;
  int told = 0;
  other.backward(x * y,
                 {.only = {y}, .on_final = [&](const Gradients::Entry& entry) { told += entry.tensor().is(y); }});
  CHECK(told == 1);
}
