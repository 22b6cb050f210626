#include <autograd/kernels/update.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/ops/update.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/tensor/memory.hpp>

#include <algorithm>
#include <bit>
#include <vector>

namespace xgrad {

namespace {

// Serial steps after parallel products would fetch every line from the other cores, so the threshold is low.
constexpr std::size_t parallel_elements = 32768;
constexpr std::size_t part_elements = 8192;
constexpr std::size_t max_parts = 64;
constexpr std::size_t line_elements = 16;  // boundaries between parts are boundaries of cache lines

/// Calls body(term, at_first, first, count) for parts of the terms' parameters, those of all in one parallel region.
/// Long terms are cut in the same proportions, as products cut their results: a thread then finds in its cache the
/// gradients that it has made. at_first is what prepare(term) gives, which is called before, once for each.
template <class Term, class Prepare, class Body>
void for_parts(std::span<const Term> terms, const Prepare& prepare, const Body& body) {
  std::size_t total = 0;
  for (const Term& term : terms) total += term.parameter.size();
  if (total < parallel_elements) {
    for (const Term& term : terms) body(term, prepare(term), std::size_t{0}, term.parameter.size());
    return;
  }
  constexpr std::size_t all_parts = max_parts;
  struct Place {
    std::size_t count;
    std::size_t part;  // the one of a short term, which is not cut, or all_parts
    bool at_first;
  };
  const std::size_t parts = std::min(max_parts, std::bit_ceil(total / part_elements));
  std::vector<Place, CachedAllocator<Place>> places;
  places.reserve(terms.size());
  std::size_t before = 0;
  for (const Term& term : terms) {
    const std::size_t count = term.parameter.size();
    places.push_back({count, count < part_elements ? before * parts / total : all_parts, prepare(term)});
    before += count;
  }
  kernels::parallel_blocks(parts, [&](std::size_t part) {
    for (std::size_t k = 0; k < terms.size(); ++k) {
      const Place& place = places[k];
      if (place.part == part) {
        body(terms[k], place.at_first, std::size_t{0}, place.count);
      } else if (place.part == all_parts) {
        const std::size_t lines = kernels::divide_up(place.count, line_elements);
        const std::size_t first = lines * part / parts * line_elements;
        const std::size_t last = std::min(place.count, lines * (part + 1) / parts * line_elements);
        if (first < last) body(terms[k], place.at_first, first, last - first);
      }
    }
  });
}

[[noreturn]] void throw_misfit(const char* operation, const char* what, const Tensor& x, const Tensor& reference) {
  if (x.shape() != reference.shape())
    throw_as<ShapeError>("{}: the {} is {}, the target is {}; need equal shapes", operation, what, x.shape(),
                         reference.shape());
  throw_as<TypeError>("{}: the {} is {}, the target is {}; need equal floating dtypes", operation, what, x.dtype(),
                      reference.dtype());
}

void check_fits(const char* operation, const char* what, const Tensor& x, const Tensor& reference) {
  if (x.shape() != reference.shape() || x.dtype() != reference.dtype() || !is_floating(x.dtype())) [[unlikely]]
    throw_misfit(operation, what, x, reference);
}

/// Raises the version of what an optimizer keeps for a parameter, or makes it; whether it was missing.
bool begin_write(Tensor& kept, const Tensor& parameter) {
  const bool missing = !kept.defined();
  if (missing) kept = Tensor::uninitialized(parameter.shape(), parameter.dtype());
  kept.begin_write();
  return missing;
}

/// The values from one on of a tensor whose version has been raised.
template <class T>
T* begun(Tensor& x, std::size_t first) {
  return x.fresh_data<T>() + first;
}

}  // namespace

void sgd_update(std::span<const SgdTerm> terms) {
  for (const SgdTerm& term : terms) {
    check_fits("sgd_update", "gradient", term.gradient, term.parameter);
    if (term.rule.momentum != 0 && term.velocity.defined())
      check_fits("sgd_update", "velocity", term.velocity, term.parameter);
  }
  const auto prepare = [](const SgdTerm& term) {
    term.parameter.begin_write();
    return term.rule.momentum != 0 && begin_write(term.velocity, term.parameter);
  };
  for_parts(terms, prepare, [](const SgdTerm& term, bool at_first, std::size_t first, std::size_t count) {
    visit_floating(term.parameter.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* const velocity = term.rule.momentum != 0 ? begun<T>(term.velocity, first) : nullptr;
      kernels::sgd_update(term.rule, at_first, count, term.gradient.data<T>() + first, velocity,
                          begun<T>(term.parameter, first));
    });
  });
}

void adam_update(std::span<const AdamTerm> terms) {
  for (const AdamTerm& term : terms) {
    check_fits("adam_update", "gradient", term.gradient, term.parameter);
    if (term.first_moment.defined() != term.second_moment.defined())
      throw_as<ValueError>("adam_update: one moment of a parameter {} is there without the other; need both or none",
                           term.parameter.shape());
    if (term.first_moment.defined()) {
      check_fits("adam_update", "first moment", term.first_moment, term.parameter);
      check_fits("adam_update", "second moment", term.second_moment, term.parameter);
    }
    if (term.update < 1) throw_as<ValueError>("adam_update: update {}; need update >= 1", term.update);
  }
  const auto prepare = [](const AdamTerm& term) {
    term.parameter.begin_write();
    begin_write(term.second_moment, term.parameter);
    return begin_write(term.first_moment, term.parameter);
  };
  for_parts(terms, prepare, [](const AdamTerm& term, bool at_first, std::size_t first, std::size_t count) {
    visit_floating(term.parameter.dtype(), [&](auto zero) {
      using T = decltype(zero);
      kernels::adam_update(term.rule, term.update, at_first, count, term.gradient.data<T>() + first,
                           begun<T>(term.first_moment, first), begun<T>(term.second_moment, first),
                           begun<T>(term.parameter, first));
    });
  });
}

void add_in_order(Tensor& sum, std::span<const Tensor* const> terms) {
  for (const Tensor* term : terms) check_fits("add_in_order", "term", *term, sum);
  if (terms.empty()) return;
  sum.begin_write();
  kernels::add_in_order(sum, terms);
}

}  // namespace xgrad
