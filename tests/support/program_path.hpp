#pragma once

#include "tests/support/variable.hpp"

#include <filesystem>

/// The folder in which programs are looked for, for a scope.
struct ProgramPath : Variable {
  explicit ProgramPath(const std::filesystem::path& folder) : Variable("PATH", folder.c_str()) {}
};
