#pragma once

#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <string>

/// An empty folder that goes with its scope.
struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("xgrad_test_" + std::to_string(getpid()));
  Folder() { std::filesystem::create_directory(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path / name; }
  std::string file(const std::string& name) const { return (path / name).string(); }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path), {}));
  }
};
