#include <nn/doctor/doctor_report.hpp>

#include <algorithm>
#include <cmath>
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
  std::size_t name_width = 0;
  for (const DoctorCheck& check : checks) name_width = std::max(name_width, check.name.size());
  std::string text;
  for (const DoctorCheck& check : checks) {
    const std::string word = verdict(check);
    std::string line = check.name + std::string(name_width + 2 - check.name.size(), ' ') + word +
                       std::string(9 - word.size(), ' ') + (check.skipped.empty() ? check.measured : check.skipped);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const DoctorFinding& finding = findings[i];
    text += std::to_string(i + 1) + ". " + std::string(name_of(finding.severity)) + " in " + finding.layer + " (" +
            finding.check + "): " + finding.text + " [rule: " + finding.rule + "]\n";
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
    report["findings"].push_back(
        {{"check", finding.check},
         {"severity", name_of(finding.severity)},
         {"layer", finding.layer},
         {"measured", std::isfinite(finding.measured) ? Json(finding.measured) : Json(nullptr)},
         {"rule", finding.rule},
         {"text", finding.text}});
  return report.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::ostream& operator<<(std::ostream& stream, const DoctorReport& report) { return stream << report.text(); }

}  // namespace xgrad::nn
