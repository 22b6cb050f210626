#include "tests/benchmark/operations.hpp"
#include "tests/benchmark/workloads.hpp"

#include <doctest/doctest.h>

#include <autograd/table/op_table.hpp>
#include <autograd/tensor/creation.hpp>

#include <set>
#include <string>

using namespace xgrad;

TEST_CASE("the benchmark has a row for every operation through which gradients flow, and for no other") {
  const std::set<std::string> no_gradient = {"sign", "floor", "step"};  // theirs is zero by definition
  std::set<std::string> expected, present;
  for (const OpRow& row : op_table())
    if (row.order > 0 && !no_gradient.contains(row.name)) expected.insert(row.name);
  for (const benchmark::Workload& workload : benchmark::workloads())
    if (workload.kind == benchmark::Kind::operation && workload.name != "large-square")
      present.insert(workload.operation);
  for (const std::string& name : expected) CHECK_MESSAGE(present.contains(name), name);
  for (const std::string& name : present) CHECK_MESSAGE(expected.contains(name), name);
}

TEST_CASE("every workload of the benchmark has a name of its own that is no table's") {
  std::set<std::string> names, groups;
  for (const benchmark::Workload& workload : benchmark::workloads()) {
    CHECK_MESSAGE(names.insert(workload.name).second, workload.name);
    groups.insert(workload.group);
  }
  for (const std::string& group : groups) CHECK_MESSAGE(!names.contains(group), group);
}

TEST_CASE("every operation of the benchmark runs on its smallest arguments") {
  for (const benchmark::Operation& operation : benchmark::operations()) {
    INFO(operation.name);
    REQUIRE(benchmark::functions().contains(operation.name));
    std::vector<Tensor> inputs;
    for (const benchmark::Argument& argument : operation.arguments({"1", 1, 1}))
      inputs.push_back(zeros(Shape(argument.shape),
                             argument.type == benchmark::Argument::Type::index ? DType::int64 : DType::float32));
    const std::size_t size = benchmark::functions().at(operation.name)(inputs, Axes{}).size();
    CHECK(size == (operation.name == "concatenate" || operation.name == "stack" ? 2U : 1U));
  }
}

TEST_CASE("a step's floating point operations are three products a layer, less the first layer's input gradient") {
  // batch 2, 3-4-5: twice 2·2·3·4 and three times 2·2·4·5
  CHECK(benchmark::product_flop({3, 4, 5}, 2) == 96 + 240);
}

TEST_CASE("an epoch of the benchmark visits every example once, in an order of its own") {
  const auto first = benchmark::epoch_order(100, 0), second = benchmark::epoch_order(100, 1);
  CHECK(std::set<std::int64_t>(first.begin(), first.end()).size() == 100);
  CHECK(first != second);
  CHECK(first == benchmark::epoch_order(100, 0));
}

TEST_CASE("the benchmark's numbers are those of the Mersenne twister of the standard") {
  // C++20 [rand.predef]: the 10000th value of a default-constructed mt19937, whose seed is 5489, is 4123659995.
  CHECK(benchmark::numbers(10000, 0, 4294967296.0, 5489).back() == 4123659995.0F);
}
