#include "tests/support/table_loop.hpp"

#include <doctest/doctest.h>
#include <autograd/pointwise.hpp>
#include <autograd/tensor/creation.hpp>
#include <nn/table/module_table.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// Errors of the kinds that authors of derivatives make, planted mechanically in every operation, layer and loss: the
// gradient check must report each of them, under the name of the right tensor and no other.

using namespace table_loop;

namespace {

using Verdict = GradientVerdict;

/// y, and for x the gradient that a mistaken rule would add to the true one. x's values do not matter.
class Mistake final : public Operation {
 public:
  using Extra = std::function<Tensor(const Tensor& g, const Tensor& x)>;
  explicit Mistake(Extra extra) : extra_(std::move(extra)) {}
  std::string_view name() const override { return "mistake"; }
  OperationTraits traits() const override { return {Which::only(1), Which::none(), Contribution::exact, true}; }
  Tensors forward(const Inputs& inputs) override { return inputs[0]; }
  Tensors vjp(const Call& call) const override {
    Tensors gradients(2);
    gradients[0] = call.cotangent();
    if (call.needs(1)) gradients[1] = extra_(call.cotangent(), call.input(1));
    return gradients;
  }

 private:
  Extra extra_;
};

/// <c, f> of a subject: one number.
GradientSubject as_number(const GradientSubject& subject, int order = 1) {
  GradientSubject number = subject;
  number.f = [f = subject.f, order] {
    const Tensor y = f();
    return sum((order == 1 ? y : y + square(y) * 0.5) * cotangent_like(y));
  };
  return number;
}

/// The gradient with respect to one tensor of a function of one number; zeros if it does not depend on it.
Tensor true_gradient(const std::function<Tensor()>& f, Tensor x) {
  x.requires_gradient();
  Tensor gradient = zeros(x.shape(), float64);
  {
    Tape tape;
    const Tensor y = f();
    if (tape.size() > 0 && y.body().tape != 0) {
      const Gradients gradients = tape.backward(y);
      if (const Tensor* const found = gradients.find(x)) gradient = found->clone();
    }
  }
  x.requires_gradient(false);
  return gradient;
}

/// Whether two gradients differ by so much, somewhere, that a check should see it: 0.05 % of the larger of entry and
/// rms. What does not is no error to speak of.
bool differ(const Tensor& wrong, const Tensor& right) {
  double squares = 0;
  for (const double g : right.values<double>()) squares += g * g;
  const double rms = std::sqrt(squares / std::max(1.0, static_cast<double>(right.size())));
  for (std::size_t i = 0; i < right.size(); ++i)
    if (std::abs(at(wrong, i) - at(right, i)) >= 4.99e-4 * std::max(std::abs(at(right, i)), rms) && rms > 0)
      return true;
  return false;
}

/// A subject with an error in the gradient of one tensor.
struct Planted {
  GradientSubject subject;
  int order = 1;
  Verdict expected = Verdict::wrong;
};

/// The error that a rule makes which gives `wrong` in place of the true gradient.
std::optional<Planted> instead(const GradientSubject& subject, std::size_t t, const Tensor& right,
                               const Tensor& wrong) {
  if (!differ(wrong, right)) return std::nullopt;
  const Pause pause;
  Planted planted{subject};
  planted.subject.f = [f = subject.f, x = subject.tensors[t].second, extra = wrong - right] {
    return apply_operation(Mistake([extra](const Tensor& g, const Tensor&) { return g * extra; }), f(), x);
  };
  return planted;
}

using Plant = std::function<std::optional<Planted>(const GradientSubject&, std::size_t tensor)>;

/// A plant that makes a wrong gradient from the true one.
Plant changing(const std::function<Tensor(const Tensor& g)>& change) {
  return [=](const GradientSubject& subject, std::size_t t) -> std::optional<Planted> {
    const GradientSubject number = as_number(subject);
    const Tensor g = true_gradient(number.f, subject.tensors[t].second);
    const Tensor wrong = change(g);
    return wrong.defined() ? instead(number, t, g, wrong) : std::nullopt;
  };
}

Tensor with_entry(const Tensor& g, std::size_t i, double value) {
  Tensor changed = g.clone();
  changed.modify([&](std::span<double> values) { values[i] = value; });
  return changed;
}

/// The contribution of one element of the result is left out.
std::optional<Planted> dropped_term(const GradientSubject& subject, std::size_t t) {
  const Tensor y = subject.f();
  if (y.size() < 2) return std::nullopt;
  const GradientSubject number = as_number(subject);
  const Tensor x = subject.tensors[t].second;
  const Tensor g = true_gradient(number.f, x);
  for (std::size_t k = 0; k < y.size(); ++k) {
    const Tensor rest = with_entry(cotangent_like(y), k, 0);
    const auto without = [&] { return sum(subject.f() * rest); };
    if (auto planted = instead(number, t, g, true_gradient(without, x))) return planted;
  }
  return std::nullopt;
}

Tensor transposed(const Tensor& g) {
  if (g.rank() < 2 || g.shape(-1) < 2 || g.shape(-2) < 2) return {};
  return reshape(transpose(g), g.shape());
}

/// The tensor is broadcast from its first slice along an axis, and the gradient of that is not summed over the axis:
/// it is the first slice's.
std::optional<Planted> missing_sum(const GradientSubject& subject, std::size_t t) {
  const Tensor whole = subject.tensors[t].second;
  for (std::size_t axis = 0; axis < whole.rank(); ++axis) {
    const auto along = static_cast<std::int64_t>(axis);
    if (whole.shape(along) < 2) continue;
    // The whole tensor is written from the slice before each call, unseen by the tape; its gradient comes through
    // Mistake, summed or not.
    const GradientSubject number = as_number(subject);
    Tensor writable = whole;
    writable.assign(broadcast_to(slice(whole, along, 0, 1), whole.shape()));
    const Tensor g = true_gradient(number.f, whole);
    const Tensor small = slice(whole, along, 0, 1);
    Planted planted{number};
    planted.subject.tensors = {{subject.tensors[t].first, small}};
    const auto function = [f = number.f, writable, small](const Tensor& extra) {
      Tensor target = writable;
      const Tensor values = broadcast_to(detach(small), target.shape());
      if (!same_bits(target, values)) target.assign(values);
      return apply_operation(Mistake([extra](const Tensor& c, const Tensor&) { return c * extra; }), f(), small);
    };
    const Tensor right = sum(g, {along}, true);
    const Tensor wrong = slice(g, along, 0, 1).clone();
    if (!differ(wrong, right)) continue;
    // The control: summed, there is nothing to report.
    planted.subject.f = [=] { return function(right); };
    const GradientReport control = check_gradients_in_place(planted.subject, {.mode = GradientMode::full});
    if (control.rows[0].verdict != Verdict::ok) continue;  // the slice lies on a kink, as max over equal values
    planted.subject.f = [=] { return function(wrong); };
    return planted;
  }
  return std::nullopt;
}

/// The tape does not see the tensor.
std::optional<Planted> cut(const GradientSubject& subject, std::size_t t) {
  Planted planted{as_number(subject)};
  if (!differ(zeros(subject.tensors[t].second.shape(), float64),
              true_gradient(planted.subject.f, subject.tensors[t].second)))
    return std::nullopt;
  planted.subject.f = [f = planted.subject.f, x = subject.tensors[t].second] {
    Tensor handle = x;
    const bool marked = handle.is_leaf();
    handle.requires_gradient(false);
    const Tensor y = f();
    handle.requires_gradient(marked);
    return y;
  };
  planted.expected = Verdict::unreachable;
  return planted;
}

/// A gradient of size 1e-9 that is wrong by 100 %.
std::optional<Planted> tiny(const GradientSubject& subject, std::size_t t) {
  GradientSubject number = as_number(subject);
  number.f = [f = number.f] { return f() * 1e-9; };
  const Tensor g = true_gradient(number.f, subject.tensors[t].second);
  return instead(number, t, g, g * 2.0);
}

/// Each sweep gives another gradient.
std::optional<Planted> nondeterministic(const GradientSubject& subject, std::size_t t) {
  Planted planted{as_number(subject)};
  const Tensor g = true_gradient(planted.subject.f, subject.tensors[t].second);
  if (!differ(zeros(g.shape(), float64), g)) return std::nullopt;
  planted.subject.f = [f = planted.subject.f, x = subject.tensors[t].second, g, count = std::make_shared<int>(0)] {
    return apply_operation(Mistake([=](const Tensor& c, const Tensor&) { return c * g * (1e-12 * ++*count); }), f(), x);
  };
  planted.expected = Verdict::nondeterministic;
  return planted;
}

/// The gradient is right and its own gradient is not, by 0.05 %.
std::optional<Planted> wrong_second(const GradientSubject& subject, std::size_t t) {
  Planted planted{as_number(subject, 2)};
  planted.order = 2;
  const Tensor x = subject.tensors[t].second;
  const GradientReport right = check_gradients_in_place(planted.subject, {.order = 2, .mode = GradientMode::full});
  const GradientRow& row = right[subject.tensors[t].first];
  if (row.verdict != Verdict::ok || !(row.largest > 0)) return std::nullopt;
  // Adds 0 to the gradient: its own gradient is then the factor in place of 0.
  const double factor = 1e-3 * row.largest;
  planted.subject.f = [f = planted.subject.f, x, factor] {
    return apply_operation(
        Mistake([factor](const Tensor& g, const Tensor& at_x) { return g * ((at_x - detach(at_x)) * factor); }), f(),
        x);
  };
  return planted;
}

const std::vector<std::pair<std::string, Plant>>& plants() {
  static const std::vector<std::pair<std::string, Plant>> list = {
      {"factor 1.0005", changing([](const Tensor& g) { return g * 1.0005; })},
      {"sign", changing([](const Tensor& g) { return -g; })},
      {"dropped term", dropped_term},
      {"missing transpose", changing(transposed)},
      {"missing sum over broadcasting", missing_sum},
      {"cut from the tape", cut},
      {"size 1e-9, wrong by 100 %", tiny},
      {"nondeterministic vjp", nondeterministic},
      {"second derivative only", wrong_second},
  };
  return list;
}

/// Empty if a check reports the error under the tensor's name and no other; the report if not. The first order must
/// see nothing of an error that needs the second.
std::string missed(const Planted& planted, const std::string& tensor) {
  const auto is_right = [&](const GradientRow& row) {
    if (row.name != tensor) return row.verdict < Verdict::inconclusive || row.verdict == Verdict::unreachable;
    return row.verdict == planted.expected;
  };
  const GradientReport report =
      check_gradients_in_place(planted.subject, {.order = planted.order, .mode = GradientMode::full});
  if (!std::all_of(report.rows.begin(), report.rows.end(), is_right)) return report.text();
  if (planted.order == 1) return "";
  const GradientReport first = check_gradients_in_place(planted.subject, {.mode = GradientMode::full});
  return first[tensor].verdict == planted.expected ? first.text() : "";
}

struct Count {
  int planted = 0;
  std::set<std::string> places;
};

void plant_all(const std::string& place, const std::function<GradientSubject()>& make, int order,
               std::map<std::string, Count>& counts) {
  const DefaultDType constants(float64);
  const std::size_t tensors = make().tensors.size();
  for (const auto& [name, plant] : plants())
    for (std::size_t t = 0; t < tensors; ++t) {
      const std::string& kind = name;  // clang 14: a structured binding cannot be captured
      if (order < 2 && kind == "second derivative only") continue;
      const GradientSubject subject = make();
      const std::optional<Planted> planted = plant(subject, t);
      if (!planted) continue;
      Count& count = counts[kind];
      ++count.planted;
      count.places.insert(place);
      const std::string report = missed(*planted, subject.tensors[t].first);
      INFO(kind, " in ", place, ", ", subject.tensors[t].first, "\n", report);
      CHECK(report.empty());
    }
}

/// The same call on many copies of one input, stacked in a tensor of 1000 entries or more.
GradientSubject repeated(const OpSample& sample, std::size_t varied) {
  const OpInputs inputs = make_inputs(sample, float64);
  const Tensor input = inputs[varied];
  const auto size = static_cast<std::int64_t>(input.size());
  const std::int64_t copies = (1000 + size - 1) / size;
  Tensor stacked = zeros({copies * size}, float64);
  stacked.modify([&](std::span<double> values) {
    for (std::size_t k = 0; k < values.size(); ++k) values[k] = at(input, k % input.size());
  });
  const auto result_of = [=, call = sample.call](std::int64_t copy) {
    OpInputs one = inputs;
    one[varied] = reshape(slice(stacked, 0, copy * size, (copy + 1) * size), input.shape());
    return flatten(call(one));
  };
  const auto has_moved = [=](std::int64_t copy) {
    return std::memcmp(stacked.data<double>() + copy * size, input.data<double>(), input.bytes()) != 0;
  };
  const Tensor unmoved = result_of(0);
  GradientSubject subject;
  subject.tensors.emplace_back("input " + std::to_string(varied), stacked);
  subject.f = [=] {
    std::vector<Tensor> results;
    // Nothing but the copy that has moved is computed again, unless a tape wants to see it.
    const bool recording = slice(stacked, 0, 0, 1).body().tape != 0;
    for (std::int64_t c = 0; c < copies; ++c) results.push_back(recording || has_moved(c) ? result_of(c) : unmoved);
    return concatenate(results, 0);
  };
  return subject;
}

bool has_gradients(const OpRow& row, const OpSample& sample) {
  if (row.integer_result || row.order == 0) return false;
  const GradientSubject subject = op_subject(row, sample);
  return !subject.tensors.empty() && subject.f().size() > 0;
}

/// The smallest and the largest of the samples with gradients.
std::vector<const OpSample*> extreme_samples(const OpRow& row) {
  std::vector<const OpSample*> list;
  for (const OpSample& sample : row.samples)
    if (has_gradients(row, sample)) list.push_back(&sample);
  const auto entries = [](const OpSample* sample) {
    std::size_t count = 0;
    for (const Argument& argument : sample->arguments) count += argument.shape.elements();
    return count;
  };
  const auto smaller = [&](const OpSample* a, const OpSample* b) { return entries(a) < entries(b); };
  std::stable_sort(list.begin(), list.end(), smaller);
  if (list.size() > 2) list = {list.front(), list[list.size() / 2], list.back()};
  return list;
}

}  // namespace

TEST_CASE("errors planted in every operation, layer and loss are reported under the right tensor's name" *
          doctest::test_suite("slow")) {
  std::map<std::string, Count> counts;
  std::set<std::string> places;
  for (const OpRow& row : op_table())
    for (const OpSample* sample : extreme_samples(row)) {
      places.insert(row.name);
      plant_all(
          row.name, [&] { return op_subject(row, *sample); }, row.order, counts);
    }
  for (const nn::ModuleRow& row : nn::module_table()) {
    if (row.order == 0) continue;
    places.insert(row.name);
    for (const nn::MakeCase& make : row.samples)
      plant_all(
          row.name, [&] { return make(1); }, row.order, counts);
  }
  int all = 0;
  for (const auto& [kind, count] : counts) {
    MESSAGE(kind, ": ", count.planted, " in ", count.places.size(), " operations, layers and losses");
    all += count.planted;
  }
  MESSAGE(all, " errors were planted in ", places.size(), " operations, layers and losses");
  CHECK(counts.size() == plants().size());
  // Each has the errors that fit any gradient that is not zero.
  for (const char* kind : {"factor 1.0005", "sign", "cut from the tape", "nondeterministic vjp"})
    for (const std::string& place : places) {
      INFO(kind, " in ", place);
      CHECK((counts[kind].places.contains(place) || place == "sign" || place == "floor"));
    }
}

TEST_CASE("one wrong entry in 1000 is reported in every operation" * doctest::test_suite("slow")) {
  int planted = 0;
  const DefaultDType constants(float64);
  for (const OpRow& row : op_table())
    for (std::size_t i = 0; i < row.samples.front().arguments.size(); ++i) {
      // The sample in which this input is largest.
      const OpSample* largest = nullptr;
      const auto entries = [&](const OpSample& sample) { return sample.arguments.at(i).shape.elements(); };
      for (const OpSample& sample : row.samples)
        if (i < sample.arguments.size() && has_gradients(row, sample) &&
            takes_gradient(row, make_inputs(sample, float64), i) && entries(sample) > 0 &&
            (largest == nullptr || entries(sample) > entries(*largest)))
          largest = &sample;
      if (largest == nullptr) continue;
      const GradientSubject subject = as_number(repeated(*largest, i));
      const std::string name = subject.tensors.front().first;
      const Tensor x = subject.tensors.front().second;
      const Tensor g = true_gradient(subject.f, x);
      std::optional<Planted> error;
      for (std::size_t k = x.size() / 2; k < x.size() && !error; ++k)
        error = instead(subject, 0, g, with_entry(g, k, 1.001 * at(g, k)));
      if (!error) continue;
      ++planted;
      const std::string report = missed(*error, name);
      INFO(row.name, "\n", report);
      CHECK(report.empty());
    }
  MESSAGE(planted, " single wrong entries");
  CHECK(planted >= 75);
}

TEST_CASE(
    "exactly on a kink the declared gradient is a kink, and a slope outside of the left and right ones is wrong") {
  const std::set<std::string> with_kinks = {"relu",      "abs",      "leaky_relu", "prelu",   "hard_tanh",
                                            "max",       "min",      "clamp",      "maximum", "minimum",
                                            "LeakyReLU", "HardTanh", "ReLU",       "PReLU",   "mae"};
  std::set<std::string> found;
  const auto look = [&](const std::string& name, const GradientSubject& subject) {
    const auto has = [](const GradientReport& report, Verdict verdict) {
      return std::any_of(report.rows.begin(), report.rows.end(),
                         [&](const GradientRow& row) { return row.verdict == verdict; });
    };
    const GradientSubject number{[f = subject.f] { return sum(f()); }, subject.tensors};
    const GradientReport right = check_gradients_in_place(number, {.mode = GradientMode::full, .allow_zero = true});
    INFO(name, "\n", right.text());
    if (has(right, Verdict::non_finite)) return;  // sqrt at 0: a vertical tangent
    CHECK(right.ok());
    if (!has(right, Verdict::kink)) return;
    found.insert(name);
    GradientSubject outside = number;
    for (const auto& [tensor, x] : number.tensors)
      if (right[tensor].verdict == Verdict::kink)
        outside.f = [f = outside.f, x = x] {
          return apply_operation(Mistake([](const Tensor& g, const Tensor& at_x) { return g * (at_x * 0.0 + 10.0); }),
                                 f(), x);
        };
    const GradientReport wrong = check_gradients_in_place(outside, {.mode = GradientMode::full, .allow_zero = true});
    for (const GradientRow& row : right.rows)
      if (row.verdict == Verdict::kink && std::isfinite(row.left) && std::isfinite(row.right))  // no jump
        CHECK(wrong[row.name].verdict == Verdict::wrong);
  };
  const DefaultDType constants(float64);
  for (const OpRow& row : op_table())
    for (const OpPoint& point : row.kinks) {
      GradientSubject subject;
      OpInputs inputs;
      for (const Tensor& x : point.inputs) inputs.push_back(converted(x, float64).clone());
      for (std::size_t i = 0; i < inputs.size(); ++i)
        if (takes_gradient(row, inputs, i)) subject.tensors.emplace_back("input " + std::to_string(i), inputs[i]);
      subject.f = [=] { return point.call(inputs); };
      if (!subject.tensors.empty() && all_finite(inputs)) look(row.name, subject);
    }
  for (const nn::ModuleRow& row : nn::module_table())
    for (const nn::MakeCase& make : row.kinks) look(row.name, make(0));
  for (const std::string& name : with_kinks) {
    INFO(name);
    CHECK(found.contains(name));
  }
}
