#include <autograd/text/json.hpp>
#include <autograd/text/table.hpp>
#include <nn/doctor/doctor_report.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

namespace xgrad::nn {

namespace {

std::string_view name_of(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

}  // namespace

bool DoctorReport::ok() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const DoctorFinding& finding) { return finding.severity == Severity::error; });
}

void DoctorReport::require() const {
  if (!ok()) throw ValueError("doctor:\n" + text());
}

std::string DoctorReport::verdict(const DoctorCheck& check) const {
  std::string_view worst = check.skipped.empty() ? "ok" : "skipped";
  for (const DoctorFinding& finding : findings)
    if (finding.check == check.name && worst != "error") worst = name_of(finding.severity);
  return std::string(worst);
}

std::string DoctorReport::text() const {
  TextTable table;
  for (const DoctorCheck& check : checks)
    table.push_back({check.name, verdict(check), check.skipped.empty() ? check.measured : check.skipped});
  std::string text = table.empty() ? "" : aligned(table, 3);
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const auto& [check, severity, layer, measured, rule, what] = findings[i];
    text += fmt::format("{}. {} in {} ({}): {} [rule: {}]\n", i + 1, name_of(severity), layer, check, what, rule);
  }
  if (findings.empty()) return text + "nothing to object to\n";
  if (findings.size() > 1) text += "begin with the first: those below may follow from it\n";
  return text;
}

std::string DoctorReport::json() const {
  using Json = nlohmann::ordered_json;
  Json report = {{"ok", ok()}, {"checks", Json::array()}, {"findings", Json::array()}};
  for (const DoctorCheck& check : checks)
    report["checks"].push_back(
        {{"name", check.name}, {"verdict", verdict(check)}, {"measured", check.measured}, {"skipped", check.skipped}});
  for (const DoctorFinding& finding : findings)
    report["findings"].push_back({{"check", finding.check},
                                  {"severity", name_of(finding.severity)},
                                  {"layer", finding.layer},
                                  {"measured", finding.measured},
                                  {"rule", finding.rule},
                                  {"text", finding.text}});
  return json_text(report);
}

std::ostream& operator<<(std::ostream& stream, const DoctorReport& report) { return stream << report.text(); }

}  // namespace xgrad::nn
