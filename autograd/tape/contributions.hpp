#pragma once

#include <autograd/kernels/rows.hpp>
#include <autograd/tape/recorder.hpp>
#include <autograd/tensor/memory.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xgrad {

/// What vjps have given as rows (Call::add_rows), until the sweep's end.
class RowContributions {
 public:
  using Terms = std::vector<kernels::RowTerm, CachedAllocator<kernels::RowTerm>>;
  void add(std::uint32_t number, const kernels::RowTerm& term) { all_.push_back({number, term}); }
  bool empty() const { return all_.empty(); }
  /// Those to the node of this number, in their order.
  Terms of(std::uint32_t number) const;

 private:
  struct Contribution {
    std::uint32_t number;
    kernels::RowTerm term;
  };
  std::vector<Contribution, CachedAllocator<Contribution>> all_;
};

/// TypeError or ShapeError for a gradient that a vjp gives an input and that does not fit it.
void check_contribution(const Node& from, std::size_t input, const Node& to, const Tensor& gradient);
/// TypeError, ShapeError or ValueError for rows that do not fit an input of an operation.
void check_rows(const Node& from, std::size_t input, const Node& to, const Tensor& rows, const Tensor& values);

}  // namespace xgrad
