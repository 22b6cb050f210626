#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace xgrad {

/// Base of every error that xgrad throws. The text names the operation (with its module path, if it ran in a library
/// layer), the shapes or values that clash, and the rule that they break.
class Error : public std::runtime_error {
 public:
  /// what() is the whole text: a zero byte in it, which would end it, is shown as \0.
  explicit Error(std::string text) : std::runtime_error(whole(std::move(text))) {}

 private:
  static std::string whole(std::string text) {
    for (std::size_t at; (at = text.find('\0')) != std::string::npos;) text.replace(at, 1, "\\0");
    return text;
  }
};

/// Shapes or axes that do not fit an operation.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// A dtype that an operation does not take, or two that do not mix.
class TypeError : public Error {
 public:
  using Error::Error;
};

/// A tape, its tensors or its gradients used against their lifetime or order.
class TapeError : public Error {
 public:
  using Error::Error;
};

/// A value outside the domain of a function or option.
class ValueError : public Error {
 public:
  using Error::Error;
};

/// A tensor that takes more memory than there is. The text begins with the operation that asked.
class MemoryError : public ValueError {
 public:
  MemoryError(std::string_view operation, std::string problem)
      : ValueError(std::string(operation) + ": " + problem), problem_(std::move(problem)) {}
  /// The text without the operation, for one that says it in its own name.
  std::string problem() const { return problem_; }

 private:
  std::string problem_;
};

/// A file that is missing, unreadable, or not what it claims to be.
class FileError : public Error {
 public:
  using Error::Error;
};

}  // namespace xgrad
