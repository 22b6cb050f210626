#pragma once

#include <autograd/tape/recorder.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace xgrad {

/// The gradients of leaves that are final while the sweep goes on, for those who want to hear of them:
/// BackwardOptions::on_final and on_final_rows.
class FinalGradients {
 public:
  explicit FinalGradients(const BackwardOptions& options) : options_(options) {}

  /// Whether on_final_rows may hear of what an operation gives an input: a leaf that no operation has used before it.
  bool is_first_use(const Recorder& recorder, const Node& from, std::uint32_t from_number, std::size_t input) const;
  void tell_rows(const Node& from, std::size_t input, const Node& to, const Tensor& gradient, std::size_t rows);
  /// Whether on_final_rows has heard of this gradient of a leaf. TapeError if it has heard of another.
  bool is_told(std::uint32_t leaf, const Tensor& gradient) const;
  Gradients passed;  // of leaves that the sweep has passed, with on_final

 private:
  const BackwardOptions& options_;
  std::vector<std::pair<std::uint32_t, Tensor>> told_;
};

}  // namespace xgrad
