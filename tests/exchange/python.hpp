#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

/// Debian's Python with a package, for tests that compare with independent readers.
inline bool python_has(const std::string& package) {
  return std::system(("/usr/bin/python3 -c 'import " + package + "' >/dev/null 2>&1").c_str()) == 0;
}

/// What a script of this folder prints.
inline std::string python(const std::string& script, const std::string& arguments) {
  const std::string command =
      "/usr/bin/python3 " XGRAD_SOURCE_DIR "/tests/exchange/" + script + " " + arguments + " 2>&1";
  std::string text;
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "no pipe";
  std::array<char, 4096> buffer;
  while (const std::size_t got = fread(buffer.data(), 1, buffer.size(), pipe)) text.append(buffer.data(), got);
  const int status = pclose(pipe);
  return status == 0 ? text : "failed: " + text;
}
