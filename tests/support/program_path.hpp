#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

/// The folder in which programs are looked for, for a scope.
class ProgramPath {
 public:
  explicit ProgramPath(const std::filesystem::path& folder) {
    if (const char* before = std::getenv("PATH")) before_ = before;
    setenv("PATH", folder.c_str(), 1);
  }
  ~ProgramPath() { setenv("PATH", before_.c_str(), 1); }
  ProgramPath(const ProgramPath&) = delete;
  ProgramPath& operator=(const ProgramPath&) = delete;

 private:
  std::string before_;
};
