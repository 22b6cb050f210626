#pragma once

#include "tests/support/expect.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>

/// What readers of files must do with damaged ones: throw an error of ours, nothing else, or read on.
namespace damaged {

/// Whether read(bytes) throws an xgrad::Error; another exception fails the test.
template <class Read>
bool refused(const std::string& bytes, const Read& read) {
  try {
    read(bytes);
    return false;
  } catch (const xgrad::Error&) {
    return true;
  }
}

/// Cuts the file at every length below its own: an error, unless may_pass(length).
template <class Read, class MayPass>
void truncations(const std::string& bytes, const Read& read, const MayPass& may_pass) {
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    if (!refused(bytes.substr(0, length), read)) CHECK(may_pass(length));
  }
}

/// Turns every single bit; how many of these files were refused.
template <class Read>
std::size_t flips(const std::string& bytes, const Read& read) {
  std::size_t count = 0;
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    CAPTURE(bit);
    std::string damage = bytes;
    damage[bit / 8] = static_cast<char>(damage[bit / 8] ^ (1 << (bit % 8)));
    count += refused(damage, read) ? 1 : 0;
  }
  return count;
}

}  // namespace damaged
