#include "tests/support/expect.hpp"

#include <nn/doctor/doctor_report.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sstream>

using namespace xgrad;

namespace {

nn::DoctorReport two_findings() {
  nn::DoctorReport report;
  report.checks = {{"frozen", "", "1 layer"}, {"saturation", "", ""}, {"labels", "fewer than 50 rows", ""}, {"rows"}};
  report.findings.push_back({"frozen", nn::Severity::warning, "middle", NAN, "all learn", "it is frozen"});
  report.findings.push_back({"saturation", nn::Severity::error, "hidden", 0.75, "less than 50 %", "it is saturated"});
  return report;
}

}  // namespace

TEST_CASE("a doctor's report is a table of checks and a list of findings") {
  const nn::DoctorReport report = two_findings();
  CHECK(report.text() ==
        "frozen      warning  1 layer\n"
        "saturation  error\n"
        "labels      skipped  fewer than 50 rows\n"
        "rows        ok\n"
        "1. warning in middle (frozen): it is frozen [rule: all learn]\n"
        "2. error in hidden (saturation): it is saturated [rule: less than 50 %]\n"
        "begin with the first: those below may follow from it\n");
  std::ostringstream stream;
  stream << report;
  CHECK(stream.str() == report.text());
  CHECK(nn::DoctorReport().text() == "nothing to object to\n");
}

TEST_CASE("a doctor's report is ok without errors, and throws on request otherwise") {
  nn::DoctorReport report = two_findings();
  CHECK_FALSE(report.ok());
  CHECK(expect::error_of([&] { report.require(); }) == "ValueError: doctor:\n" + report.text());
  report.findings.pop_back();
  CHECK(report.ok());  // a warning
  CHECK_NOTHROW(report.require());
}

TEST_CASE("a doctor's report is JSON with the same findings") {
  const auto json = nlohmann::json::parse(two_findings().json());
  CHECK_FALSE(json["ok"].get<bool>());
  CHECK(json["checks"][2]["verdict"] == "skipped");
  CHECK(json["checks"][2]["skipped"] == "fewer than 50 rows");
  CHECK(json["findings"][0]["layer"] == "middle");
  CHECK(json["findings"][0]["severity"] == "warning");
  CHECK(json["findings"][0]["measured"].is_null());
  CHECK(json["findings"][1]["measured"] == 0.75);
}
