#pragma once

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <string>

/// Values that another program computed: a section of tests/reference/NAME.json, printed by NAME.py beside it.
inline nlohmann::json reference(const std::string& name, const std::string& section) {
  const std::filesystem::path path = std::filesystem::path(XGRAD_SOURCE_DIR) / "tests" / "reference" / (name + ".json");
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.is_open(), path);
  return nlohmann::json::parse(file).at(section);
}
