#include "tests/support/expect.hpp"

#include <autograd/autograd.hpp>
#include <autograd/check/gradient_check.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
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
  CHECK(expect::contains(report.text(), ", 3 tensors, " + std::to_string(report.evaluations)));
  CHECK(expect::contains(report.text(), "first order, every entry, "));
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

TEST_CASE("colours mark verdicts, and are not for streams that are no terminal") {
  GradientReport report = check_gradients(
      [](const std::vector<Tensor>& in) { return sum(relu(in[0])) + sum(detach(in[1])) + sum(exp(in[2])); },
      {{"kinked", tensor({0.0, 1.0})}, {"cut", tensor({0.3})}, {"smooth", tensor({1.5})}});
  const std::string plain = report.text();
  const std::string coloured = report.text(true);
  CHECK_FALSE(expect::contains(plain, "\x1b["));
  CHECK(expect::contains(coloured, "\x1b[33mkink\x1b[0m"));
  CHECK(expect::contains(coloured, "\x1b[31munreachable\x1b[0m"));
  CHECK(expect::contains(coloured, "\x1b[32mok\x1b[0m"));
  std::string stripped;
  for (std::size_t i = 0; i < coloured.size(); ++i) {
    if (coloured[i] == '\x1b') i = coloured.find('m', i) + 1;
    stripped += coloured[i];
  }
  CHECK(stripped == plain);  // colours do not move columns
}

TEST_CASE("a failing tensor lists its next worst entries") {
  GradientRow row;
  row.name = "weight";
  row.shape = {4};
  row.entries = 4;
  row.failed = 3;
  row.verdict = GradientVerdict::wrong;
  row.index = {2};
  row.numerical = 1;
  row.analytical = 2;
  row.relative_error = 0.5;
  GradientEntry other = row;
  other.index = {0};
  other.analytical = 1.5;
  other.tolerance = 1e-6;
  other.noise = 1e-9;
  other.left = 1;
  other.right = 1.25;
  row.others = {other};
  GradientReport report;
  report.rows = {row};
  CHECK(expect::contains(report.text(), "weight: 3 of 4 entries off by more than the tolerance"));
  CHECK(expect::contains(report.text(),
                         "also at (0,): numerical 1, analytical 1.5, relative error 5.0e-01, slopes 1 "
                         "on the left and 1.25 on the right"));
}

TEST_CASE("a report as JSON says what its members say") {
  GradientReport report = check_gradients(
      [](const std::vector<Tensor>& in) { return sum(relu(in[0])) + sum(detach(in[1])); },
      {{"kinked \"one\"", tensor({{0.0, 1.0}})}, {"cut", tensor({0.3})}}, {.order = 1, .tolerance = 1e-5});
  report.rows[1].left = -std::numeric_limits<double>::infinity();
  const nlohmann::json json = nlohmann::json::parse(report.json());
  CHECK(json["ok"] == false);
  CHECK(json["order"] == 1);
  CHECK(json["dtype"] == "float64");
  CHECK(json["evaluations"] == report.evaluations);
  REQUIRE(json["rows"].size() == 2);
  const auto& kinked = json["rows"][0];
  CHECK(kinked["name"] == "kinked \"one\"");
  CHECK(kinked["shape"] == nlohmann::json({1, 2}));
  CHECK(kinked["verdict"] == "kink");
  CHECK(kinked["passed"] == true);
  CHECK(kinked["index"] == nlohmann::json({0, 0}));
  CHECK(kinked["left"].get<double>() == report.rows[0].left);
  CHECK(kinked["right"].get<double>() == report.rows[0].right);
  CHECK(kinked["numerical"].get<double>() == report.rows[0].numerical);
  CHECK(json["rows"][1]["verdict"] == "unreachable");
  CHECK(json["rows"][1]["right"].is_null());
  CHECK(json["rows"][1]["left"] == "-inf");
}
