#include "tests/support/table_loop.hpp"

#include <cmath>
#include <string>
#include <vector>

// What operations say of themselves to those who listen to a tape, against their rows.

using namespace table_loop;

namespace {

/// The traits of the operations that a call records, and its value.
struct Heard : TapeObserver {
  Heard(const OpRow& row, const OpCall& call, const OpInputs& inputs) {
    Tape tape({.observer = this});
    value = call(leaves_of(row, inputs));
  }
  void recorded(const RecordedOperation& operation) override {
    names.emplace_back(operation.operation);
    traits.push_back(operation.traits);
  }
  std::vector<std::string> names;
  std::vector<OperationTraits> traits;
  Tensor value;
};

}  // namespace

TEST_CASE("an operation is linear or an arrangement of values if its row is linear") {
  for (const OpRow& row : op_table()) {
    const OpSample& sample = row.samples.front();
    const Heard heard(row, sample.call, make_inputs(sample, float64));
    if (heard.names != std::vector{row.name}) continue;  // a composition, or none
    const OperationKind kind = heard.traits.front().kind;
    INFO(row.name);
    CHECK(row.linear == (kind == OperationKind::linear || kind == OperationKind::arrangement));
    if (kind == OperationKind::product) CHECK(row.samples.front().arguments.size() == 2);
  }
}

TEST_CASE("results lie between the bounds that an operation states, and come close to them") {
  std::size_t bounds = 0;
  for (const OpRow& row : op_table()) {
    double least = INFINITY, greatest = -INFINITY;
    Bounds stated;
    const auto look = [&](const OpCall& call, const OpInputs& inputs) {
      const Heard heard(row, call, inputs);
      if (heard.traits.size() != 1) return;
      stated = heard.traits.front().bounds;
      for (std::size_t k = 0; k < heard.value.size(); ++k) {
        const double y = at(heard.value, k);
        if (std::isnan(y)) continue;
        least = std::min(least, y);
        greatest = std::max(greatest, y);
        INFO(row.name, " gives ", y);
        CHECK(y >= stated.low);
        CHECK(y <= stated.high);
      }
    };
    for (const auto* points : {&row.known, &row.kinks, &row.extremes})
      for (const OpPoint& point : *points)
        if (point.value.defined()) look(point.call, point.inputs);
    INFO(row.name, " from ", least, " to ", greatest);
    bounds += std::isfinite(stated.low) + std::isfinite(stated.high);
    if (std::isfinite(stated.low)) CHECK(least < stated.low + 0.01);
    if (std::isfinite(stated.high)) CHECK(greatest > stated.high - 0.01);
  }
  CHECK(bounds >= 12);  // sigmoid, tanh, hard_tanh and step have two, relu, softplus, elu and log_sigmoid one
}
