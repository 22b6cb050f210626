#pragma once

#include <autograd/tape/recorder.hpp>
#include <autograd/tensor/memory.hpp>

#include <cstdint>
#include <vector>

namespace xgrad {

/// The entries of a tape whose gradients a sweep works out: all, or with BackwardOptions::only its tensors and what is
/// made from them.
class Wanted {
 public:
  /// All until then. ValueError or TapeError for tensors of `also` and `only` that are empty handles or not on the
  /// tape.
  void choose(const Recorder& recorder, const BackwardOptions& options);
  bool all() const { return marks_.empty(); }
  bool contains(std::uint32_t number) const { return number != Node::none && (all() || marks_[number] != 0); }
  bool contains_input_of(const Node& entry) const;
  /// The first of them.
  std::uint32_t lowest() const { return lowest_; }
  /// By number, or nullptr for all.
  const char* marks() const { return all() ? nullptr : marks_.data(); }

 private:
  std::vector<char, CachedAllocator<char>> marks_;
  std::uint32_t lowest_ = 0;
};

}  // namespace xgrad
