#include <autograd/tape/broadcasting.hpp>
#include <autograd/tape/call.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tape/sweep.hpp>
#include <autograd/tensor/format.hpp>

namespace xgrad {

std::size_t Node::saved_bytes() const {
  std::size_t bytes = 0;
  for (std::size_t k = 0; saved != nullptr && k < saved_count; ++k)
    if (saved[k].owned) bytes += saved[k].tensor.bytes();
  return bytes;
}

const Tensor& Call::cotangent(std::size_t i) const {
  Tensor& g = cotangent_slot(i);
  if (!(g.shape() == output_shape(i))) g = broadcast_to(g, output_shape(i));
  return g;
}

std::uint32_t Call::number_of_output(std::size_t i) const {
  if (i >= node_.output_count) throw_missing("output", i, node_.output_count);
  return number_ - node_.output_count + 1 + static_cast<std::uint32_t>(i);
}

Node& Call::earlier_output_node(std::size_t i) const { return sweep_.node(number_of_output(i)); }
Tensor& Call::cotangent_of(std::uint32_t number) const { return sweep_.cotangent(number); }

Tensor& Call::absent_cotangent(std::size_t i) const {
  return sweep_.absent_cotangent(i, node_.output_count, output_node(i));
}

void Call::add_rows(std::size_t i, const Tensor& rows, const Tensor& values) const {
  if (needs(i)) sweep_.add_rows(node_, number_, i, rows, values);
}

bool Call::tells_rows(std::size_t i) const { return needs(i) && sweep_.tells_rows(node_, number_, i); }
void Call::tell_rows(std::size_t i, const Tensor& gradient, std::size_t rows) const {
  if (tells_rows(i)) sweep_.tell_rows(node_, i, gradient, rows);
}

bool Call::tracing() const { return sweep_.tracing(); }
void Call::report_masked(std::size_t count) const { sweep_.report_masked(count); }

void Call::throw_not_saved(const char* kind, std::size_t i) const {
  throw_as<TapeError>("backward: the vjp of {} asks for {} {}, which its traits do not save", node_.operation->name(),
                      kind, i);
}

void Call::throw_missing(const char* kind, std::size_t i, std::size_t count) const {
  throw_as<ValueError>("backward: the vjp of {} asks for {} {}; need {} < {}", node_.operation->name(), kind, i, kind,
                       count);
}

}  // namespace xgrad
