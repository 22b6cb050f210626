#include "tests/support/folder.hpp"
#include "tests/support/table_loop.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/pointwise.hpp>
#include <autograd/tensor/creation.hpp>
#include <nn/layers/linear.hpp>
#include <nn/table/module_table.hpp>

#include <cctype>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

using namespace table_loop;
using nn::layer_case;
using nn::loss_case;
using nn::MakeCase;
using nn::module_table;
using nn::ModuleCase;
using nn::ModuleRow;

namespace {

/// Classes of layers and function objects that are losses, as headers declare them.
std::set<std::string> declared_modules(const std::string& source) {
  static const std::regex layer(
      "(?:^|\n)(?:class|struct) (\\w+)(?: final)? : (?:public )?(?:Module|Activation<\\w+, \"\\w+\">) \\{");
  static const std::regex function("(?:^|\n)using (\\w+) = (?:Function|Axis)Layer<");
  static const std::regex loss("(?:^|\n)inline constexpr \\w+ (\\w+)\\{");
  std::set<std::string> names;
  for (const std::regex* declaration : {&layer, &function, &loss})
    for (std::sregex_iterator match(source.begin(), source.end(), *declaration), end; match != end; ++match)
      names.insert((*match)[1]);
  return names;
}

std::set<std::string> declared_modules() {
  std::set<std::string> names;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(std::filesystem::path(XGRAD_SOURCE_DIR) / "nn")) {
    if (entry.path().extension() != ".hpp") continue;
    names.merge(declared_modules(content_of(entry.path())));
  }
  return names;
}

/// The lists of a row whose cases are looked at in every way.
std::vector<MakeCase> all_cases(const ModuleRow& row) {
  std::vector<MakeCase> cases = row.samples;
  for (const auto* list : {&row.known, &row.kinks}) cases.insert(cases.end(), list->begin(), list->end());
  return cases;
}

OpInputs tensors_of(const ModuleCase& example) {
  OpInputs list;
  for (const auto& [name, tensor] : example.tensors) list.push_back(tensor);
  return list;
}

/// Constants that share the inputs' values, the floating ones marked as leaves.
OpInputs leaves_of(const OpInputs& inputs) { return table_loop::leaves_of(OpRow("", "", nullptr), inputs); }

/// Value and gradients of all tensors, which become leaves.
Outcome evaluate(
    const ModuleCase& example,
    const MakeCotangent& make_cotangent = [](const Tensor& y) { return cotangent_like(y); }) {
  OpInputs leaves = tensors_of(example);
  for (Tensor& x : leaves) x.requires_gradient();
  Tape tape;
  const Tensor y = example.f();
  Outcome outcome{y.clone(), {}};
  // A layer may hand out its input.
  const Gradients gradients = tape.backward(y.is_leaf() ? outcome.value : y, make_cotangent(y));
  for (const Tensor& x : leaves) {
    const Tensor* gradient = gradients.find(x);
    outcome.gradients.push_back(gradient != nullptr ? gradient->clone() : zeros(x.shape(), x.dtype()));
  }
  return outcome;
}

void convert(const ModuleCase& example, DType dtype) {
  for (Tensor& x : tensors_of(example)) x.assign(x.to(dtype));
  for (Tensor x : example.companions) x.assign(x.to(dtype));
}

Findings check_point(const std::string& name, const ModuleCase& point, DType dtype) {
  constexpr double bound = 2;  // roundings
  convert(point, dtype);
  Findings findings;
  const std::string where =
      text(name, " in ", name_of(dtype), " of ", shapes_of(tensors_of(point)), " [", point.source, "]");
  if (!point.gradients.empty() && point.gradients.size() != point.tensors.size())
    return {text(where, ": ", point.gradients.size(), " gradients of ", point.tensors.size(), " tensors")};
  const Outcome outcome = evaluate(point, ones_like);
  compare(findings, where + ": value", outcome.value, point.value, bound);
  for (std::size_t i = 0; i < point.gradients.size(); ++i)
    compare(findings, text(where, ": gradient of ", point.tensors[i].first), outcome.gradients[i], point.gradients[i],
            bound);
  return findings;
}

/// Gradients (order 1), or the gradients of those below, against differences: every tensor must prove something.
Findings check_smooth(const std::string& name, const ModuleCase& example, int order) {
  Findings findings;
  const GradientReport checked = check_table_gradients(example, order, {.mode = compared});
  for (const GradientRow& row : checked.rows)
    if (row.verdict != GradientVerdict::ok)
      findings.push_back(text(name, ", order ", order, ", ", row.name, "\n", checked));
  return findings;
}

/// float32 results against those of the same numbers in float64, with the largest error in roundings of the largest
/// element.
Findings check_float32(const std::string& name, const ModuleCase& example, double& worst) {
  constexpr double bound = 8;
  convert(example, float32);
  const ModuleCase same = example.copy();
  convert(same, float64);
  const Outcome single = evaluate(example);
  const Outcome exact = evaluate(same);
  Findings findings;
  const auto look = [&](const std::string& what, const Tensor& value, const Tensor& expected) {
    if (value.dtype() != float32 || value.shape() != expected.shape())
      return findings.push_back(text(name, ": ", what, " is ", name_of(value.dtype()), " ", to_string(value.shape())));
    double error = 0, largest = 0;
    for (std::size_t k = 0; k < value.size(); ++k) {
      error = std::max(error, std::abs(at(value, k) - at(expected, k)));
      largest = std::max(largest, std::abs(at(expected, k)));
    }
    const double roundings = error == 0 ? 0 : error / (largest * epsilon(float32));
    worst = std::max(worst, roundings);
    if (!(roundings <= bound)) findings.push_back(text(name, ": ", what, " is off by ", roundings, " roundings"));
  };
  look("the value", single.value, exact.value);
  for (std::size_t i = 0; i < example.tensors.size(); ++i)
    look("the gradient of " + example.tensors[i].first, single.gradients[i], exact.gradients[i]);
  return findings;
}

/// A copy gives the same bits and shares nothing.
Findings check_copy(const std::string& name, const ModuleCase& example) {
  const ModuleCase copy = example.copy();
  Findings findings;
  const Tensor before = example.f().clone();
  if (!same_bits(copy.f(), before)) findings.push_back(name + ": a copy gives another value");
  if (copy.tensors.size() != example.tensors.size()) return {name + ": a copy has other tensors"};
  for (std::size_t i = 0; i < copy.tensors.size(); ++i) {
    Tensor other = copy.tensors[i].second;
    if (copy.tensors[i].first != example.tensors[i].first || !same_bits(other, example.tensors[i].second))
      findings.push_back(name + ": a copy has another " + example.tensors[i].first);
    other.assign(zeros(other.shape(), float64));
  }
  if (!same_bits(example.f(), before)) findings.push_back(name + ": a copy shares what it computes with");
  return findings;
}

std::vector<Outcome> run_big(const ModuleRow& row, DType dtype) {
  std::vector<Outcome> outcomes;
  for (const MakeCase& make : row.big) {
    const ModuleCase example = make(0);
    convert(example, dtype);
    outcomes.push_back(evaluate(example));
  }
  return outcomes;
}

}  // namespace

TEST_CASE("every layer and loss that a header declares has a row, and every row a layer or loss") {
  const std::map<std::string, std::string> excluded = {
      {"Activation", "what the activations derive from"},
      {"GraphModel", "runs what was traced of another: tests/nn/saving"}};
  std::set<std::string> rows;
  for (const ModuleRow& row : module_table()) {
    INFO("row ", row.name);
    CHECK(rows.insert(row.name).second);
    CHECK((row.kind == ModuleRow::Kind::layer) == (std::isupper(row.name[0]) != 0));
    CHECK(!row.formula.empty());
    CHECK(!row.samples.empty());
    CHECK(!row.big.empty());
    CHECK(!row.known.empty());
    CHECK(!row.bad.empty());
    CHECK((row.order == 3 || row.name == "Step"));
  }
  const std::set<std::string> declared = declared_modules();
  REQUIRE(declared.size() > 20);
  for (const std::string& name : declared) {
    INFO("layer or loss ", name);
    CHECK(rows.contains(name) != excluded.contains(name));
  }
  for (const std::string& name : rows) {
    INFO("row ", name);
    CHECK(declared.contains(name));
  }
  for (const auto& [name, reason] : excluded) CHECK(declared.contains(name));
  CHECK(nn::module_row("mse").formula == "(p - t)²");
  CHECK_THROWS_AS(nn::module_row("nothing"), ValueError);
}

TEST_CASE("the names of layers and losses are found in a header") {
  CHECK(declared_modules("struct Net : nn::Module {\nclass A : public Module {\nstruct B : Activation<B, \"B\"> {\n"
                         "using C = FunctionLayer<\"C\", c>;\ninline constexpr Hinge hinge{};\n"
                         "struct Other : Thing {\n/// struct D : Module {\n") ==
        std::set<std::string>{"A", "B", "C", "hinge"});
}

TEST_CASE("values and gradients of layers and losses are those of the named sources, at kinks the declared ones") {
  for (const ModuleRow& row : module_table())
    for (const auto* list : {&row.known, &row.kinks})
      for (const MakeCase& make : *list)
        for (const DType dtype : {float64, float32}) {
          const ModuleCase point = make(0);
          CHECK(!point.source.empty());
          report(check_point(row.name, point, dtype));
        }
}

TEST_CASE("a check of gradients passes every kink of a layer or loss, and says so") {
  for (const ModuleRow& row : module_table())
    for (const MakeCase& make : row.kinks) {
      GradientReport checked = check_table_gradients(make(0), 1);
      checked.allow_zero = true;  // of a slope that is not used
      INFO(row.name, "\n", checked.text());
      CHECK(checked.ok());
      // huber has a slope where its parts meet.
      const auto is_kink = [](const GradientRow& tensor) { return tensor.verdict == GradientVerdict::kink; };
      CHECK((row.name == "huber" || std::any_of(checked.rows.begin(), checked.rows.end(), is_kink)));
    }
}

TEST_CASE("bad inputs of layers and losses throw the right error, with the layer's path") {
  for (const ModuleRow& row : module_table())
    for (const BadCall& bad : row.bad) report(check_refused(bad, leaves_of(bad.inputs), bad.text));
}

TEST_CASE("gradients of layers and losses agree with differences") {
  for (const ModuleRow& row : module_table())
    for (const MakeCase& make : row.samples)
      for (const std::uint64_t seed : {0u, 1u, 2u})
        for (int order = 1; order <= row.order; ++order)
          report(check_smooth(text(row.name, ", seed ", seed), make(seed), order));
}

TEST_CASE("cases are the same for the same seed, others for others, and draw nothing from the default generator") {
  const Generator::State before = default_generator().state();
  for (const ModuleRow& row : module_table()) {
    for (const MakeCase& make : row.samples) {
      std::set<std::vector<double>> different;
      for (const std::uint64_t seed : {0u, 1u, 2u}) {
        const ModuleCase example = make(seed);
        const ModuleCase again = make(seed);
        INFO(row.name, " of ", shapes_of(tensors_of(example)), ", seed ", seed);
        CHECK(same_bits(example.f(), again.f()));
        CHECK(same_bits(example.f(), example.f()));
        const Tensor& x = example.tensors.back().second;
        different.insert(std::vector<double>(x.data<double>(), x.data<double>() + x.size()));
        const Outcome outcome = evaluate(example);
        for (std::size_t i = 0; i < example.tensors.size(); ++i) {
          CAPTURE(example.tensors[i].first);
          CHECK(same_bits(example.tensors[i].second, again.tensors[i].second));
          CHECK_FALSE(example.tensors[i].second.is(again.tensors[i].second));
          double largest = 0;
          for (std::size_t k = 0; k < outcome.gradients[i].size(); ++k)
            largest = std::max(largest, std::abs(at(outcome.gradients[i], k)));
          CHECK((row.order == 0 ? largest == 0 : largest > 0.01));
          CHECK(largest < 10);
        }
      }
      CHECK(different.size() == 3);
    }
  }
  const Generator::State after = default_generator().state();
  CHECK(after.position == before.position);
}

TEST_CASE("layers and losses in float32 err by a few roundings of those in float64") {
  double worst = 0;
  for (const ModuleRow& row : module_table())
    for (const MakeCase& make : row.samples) report(check_float32(row.name, make(0), worst));
  CHECK(worst > 0);
}

TEST_CASE("clones of layers give the same bits and share nothing") {
  for (const ModuleRow& row : module_table())
    for (const MakeCase& make : all_cases(row)) report(check_copy(row.name, make(0)));
}

TEST_CASE("layers and losses have the same bits for 1, 2, 3 and 8 threads") {
  for (const ModuleRow& row : module_table())
    for (const DType dtype : {float32, float64}) {
      const std::vector<Outcome> alone = with_threads(1, [&] { return run_big(row, dtype); });
      for (const int threads : {2, 3, 8}) {
        const std::vector<Outcome> together = with_threads(threads, [&] { return run_big(row, dtype); });
        INFO(row.name, " in ", name_of(dtype), ", ", threads, " threads");
        for (std::size_t s = 0; s < alone.size(); ++s) {
          CHECK(same_bits(alone[s].value, together[s].value));
          for (std::size_t i = 0; i < alone[s].gradients.size(); ++i)
            CHECK(same_bits(alone[s].gradients[i], together[s].gradients[i]));
        }
      }
    }
}

namespace {

/// Linear with a weight that the tape does not see.
struct CutLinear : nn::Module {
  explicit CutLinear(Generator& generator) : inner(add("inner", nn::Linear(3, 2, {}, generator))) { to(float64); }
  Tensor operator()(const Tensor& x) const { return linear(x, detach(inner.weight), inner.bias); }
  nn::Linear inner;
};

/// Half of (p - t)² with a slope along p that is wrong by a factor.
OpCall planted_loss(double factor) {
  return [factor](const OpInputs& in) {
    const auto loss = [factor](auto p, auto t) {
      const auto value = [](auto r) { return 0.5 * r * r; };
      return with_derivative(
          value, [factor](auto r) { return factor * r; }, p - t);
    };
    return sum(pointwise("planted", loss, in[0], in[1]));
  };
}

}  // namespace

TEST_CASE("planted errors in a layer and a loss are found") {
  Generator generator(1);
  const ModuleCase cut = layer_case(CutLinear(generator), tensor({{1, -2, 3}}, float64));
  const GradientReport checked = check_table_gradients(cut, 1);
  CHECK(checked["inner.weight"].verdict == GradientVerdict::unreachable);
  CHECK(checked["inner.bias"].verdict == GradientVerdict::ok);
  CHECK(check_smooth("planted", cut, 1).size() == 1);

  const OpInputs inputs = {tensor({1, 2}, float64), tensor({0.5, 3}, float64)};
  CHECK(check_smooth("planted", loss_case(planted_loss(1), inputs), 1).empty());
  CHECK(check_smooth("planted", loss_case(planted_loss(1.0005), inputs), 1).size() == 2);

  ModuleRow row("planted", ModuleRow::Kind::loss, "½(p - t)²");
  row.point(loss_case(planted_loss(1), inputs), tensor(0.625, float64),
            {tensor({0.5, -1}, float64), tensor({-0.5, 1}, float64)}, "by hand")
      .point(loss_case(planted_loss(1), inputs), tensor(0.6251, float64), {tensor({0.5, 1}, float64), Tensor()},
             "wrong");
  CHECK(check_point("planted", row.known[0](0), float64).empty());
  CHECK(check_point("planted", row.known[1](0), float64).size() == 2);

  const double off = 1 + 100 * epsilon(float32);
  const auto rough = [=](const OpInputs& in) { return in[0].dtype() == float32 ? in[0] * in[1] * off : in[0] * in[1]; };
  double worst = 0;
  CHECK(check_float32("planted", loss_case(rough, inputs), worst).size() == 3);
  const Tensor shared = inputs[0].clone();
  CHECK(check_copy("planted", {{[=] { return shared * 2.0; }, {{"input", shared}}},
                               [=] {
                                 return ModuleCase{{[=] { return shared * 2.0; }, {{"input", shared}}}, nullptr};
                               }})
            .size() == 1);
}
