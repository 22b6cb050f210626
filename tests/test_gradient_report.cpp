#include <autograd/autograd.hpp>
#include <autograd/gradient_check.hpp>
#include <tests/expect.hpp>

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

using namespace xgrad;

TEST_CASE("a report is a table with aligned columns and says the same at every run") {
  const auto make = [] {
    return check_gradients(
        [](const std::vector<Tensor>& in) { return sum(relu(in[0])) + sum(detach(in[1])) + sum(exp(in[2])); },
        {{"hidden.weight", tensor({0.0, 1.0})},
         {"cut", tensor({0.3, -1.2, 0.7})},
         {"bias", tensor({{1.5, 2}, {0.2, 0.1}})}});
  };
  const GradientReport report = make();
  CHECK(report.text() == make().text());
  std::ostringstream stream;
  stream << report;
  CHECK(stream.str() == report.text());
  std::istringstream lines(report.text());
  std::string header, line;
  std::getline(lines, header);
  for (const char* verdict : {"kink", "unreachable", "ok"}) {
    std::getline(lines, line);
    CHECK(line.find(verdict) == header.find("verdict"));
    CHECK(line.size() == header.size());
  }
  CHECK(expect::contains(report.text(), "first order, 3 tensors, " + std::to_string(report.evaluations)));
  try {
    report.require();
    FAIL("nothing was thrown");
  } catch (const GradientError& error) {
    CHECK(expect::contains(error.what(), report.text()));
  }
  CHECK(expect::contains(expect::error_of([&] { static_cast<void>(report["weight"]); }),
                         "no row 'weight'; there are: hidden.weight, cut, bias"));
  CHECK_FALSE(GradientReport().ok());
}
