#pragma once

#include <autograd/tensor/error.hpp>

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad::nn {

enum class Severity : bool {
  warning,  ///< may be intended
  error,
};

/// Something that the doctor objects to.
struct DoctorFinding {
  std::string check;  ///< one of the report's
  Severity severity = Severity::error;
  /// The layer at fault by its path; `input`, `targets` or `loss` for what is not a layer.
  std::string layer;
  double measured = 0;
  std::string rule;  ///< what the measured value should be: `at most 10`
  std::string text;  ///< what is the matter, and what to do about it
};

/// A check that was made, with or without findings, or that could not be made.
struct DoctorCheck {
  std::string name;
  std::string skipped = {};   ///< why, if it was
  std::string measured = {};  ///< in words, for the table
};

/// What `doctor` found. Findings stand in the order of causes: begin with the first, others may follow from it.
class DoctorReport {
 public:
  std::vector<DoctorCheck> checks;
  std::vector<DoctorFinding> findings;

  /// No finding is an error.
  bool ok() const;
  /// ValueError with the text unless ok.
  void require() const;
  /// An aligned table of the checks, then the findings in words.
  std::string text() const;
  /// {"ok", "checks": [{"name", "verdict", "measured", "skipped"}], "findings": [{"check", "severity", "layer",
  /// "measured", "rule", "text"}]}; numbers as json_text writes them.
  std::string json() const;
  friend std::ostream& operator<<(std::ostream& stream, const DoctorReport& report);

 private:
  std::string verdict(const DoctorCheck& check) const;
};

}  // namespace xgrad::nn
