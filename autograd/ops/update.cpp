#include <autograd/kernels/update.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/ops/update.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/creation.hpp>
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

/// Calls body(term, at_first, from, to, count) for parts of the terms' gradients that begin at `from` and belong to the
/// parameter from `to` on, those of all in one parallel region. Long terms are cut in the same proportions, as products
/// cut their results: a thread then finds in its cache the gradients that it has made. at_first is what prepare(term)
/// gives, which is called before, once for each.
template <class Term, class Prepare, class Body>
void for_parts(std::span<const Term> terms, const Prepare& prepare, const Body& body) {
  std::size_t total = 0;
  for (const Term& term : terms) total += term.gradient.size();
  // A gradient of rows is cut between them.
  const auto unit_of = [](const Term& term) {
    if (term.rows == nullptr || term.rows->size() == 0) return line_elements;
    return std::max<std::size_t>(1, term.gradient.size() / term.rows->size());
  };
  const auto run = [&](const Term& term, bool at_first, std::size_t first, std::size_t count) {
    if (term.rows == nullptr) return body(term, at_first, first, first, count);
    const std::int64_t* const rows = term.rows->template data<std::int64_t>();
    const std::size_t width = unit_of(term);
    for (std::size_t from = first; from < first + count; from += width)
      body(term, at_first, from, static_cast<std::size_t>(rows[from / width]) * width, width);
  };
  if (total < parallel_elements) {
    for (const Term& term : terms) {
      const bool at_first = prepare(term);
      run(term, at_first, 0, term.gradient.size());
    }
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
    const std::size_t count = term.gradient.size();
    places.push_back({count, count < part_elements ? before * parts / total : all_parts, prepare(term)});
    before += count;
  }
  kernels::parallel_blocks(parts, [&](std::size_t part) {
    for (std::size_t k = 0; k < terms.size(); ++k) {
      const Place& place = places[k];
      if (place.part == part) {
        run(terms[k], place.at_first, 0, place.count);
      } else if (place.part == all_parts) {
        const std::size_t unit = unit_of(terms[k]), units = kernels::divide_up(place.count, unit);
        const std::size_t first = units * part / parts * unit;
        const std::size_t last = std::min(place.count, units * (part + 1) / parts * unit);
        if (first < last) run(terms[k], place.at_first, first, last - first);
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

/// The gradient of a term, and its rows if it has them.
template <class Term>
void check_gradient(const char* operation, const Term& term) {
  if (term.rows == nullptr) return check_fits(operation, "gradient", term.gradient, term.parameter);
  const Tensor& rows = *term.rows;
  Shape shape = term.parameter.shape();
  if (rows.dtype() != DType::int64 || term.gradient.dtype() != term.parameter.dtype())
    throw_as<TypeError>("{}: a gradient of {} rows that are {}, the target is {}; need int64 rows, equal dtypes",
                        operation, term.gradient.dtype(), rows.dtype(), term.parameter.dtype());
  if (rows.rank() != 1 || shape.rank() == 0)
    throw_as<ShapeError>("{}: the gradient has rows {}, the target is {}; need rows (k,) and a target of rows",
                         operation, rows.shape(), shape);
  std::int64_t end = 0;
  for (const std::int64_t row : rows.template values<std::int64_t>()) {
    if (row < end || row >= shape[0])
      throw_as<ValueError>("{}: row {} of the gradient; need rows that rise and are below {}", operation, row,
                           shape[0]);
    end = row + 1;
  }
  shape[0] = rows.shape(0);
  if (term.gradient.shape() != shape)
    throw_as<ShapeError>("{}: the gradient of {} rows is {}, the target is {}; need {}", operation, rows.shape(0),
                         term.gradient.shape(), term.parameter.shape(), shape);
}

/// Raises the version of what an optimizer keeps for a parameter, or makes it, zeros for a gradient of rows; whether it
/// was missing.
template <class Term>
bool begin_write(Tensor& kept, const Term& term) {
  const bool missing = !kept.defined();
  const Tensor& parameter = term.parameter;
  if (missing)
    kept = term.rows != nullptr ? zeros(parameter.shape(), parameter.dtype())
                                : Tensor::uninitialized(parameter.shape(), parameter.dtype());
  kept.begin_write();
  return missing;
}

/// The values from one on of a tensor whose version has been raised.
template <class T>
T* begun(Tensor& x, std::size_t first) {
  return x.fresh_data<T>() + first;
}

void check_closings(std::size_t terms, std::span<const std::uint8_t> closings) {
  bool right = terms > 0 && closings.size() == terms;
  std::size_t open = 0, most = 0;
  for (std::size_t i = 0; right && i < terms; ++i) {
    most = std::max(most, ++open);
    right = closings[i] < open && most <= kernels::max_open_sums;
    open -= closings[i];
  }
  if (!right || open != 1)
    throw_as<ValueError>("sum_in_tree: {} closings for {} terms; need one for each that leave one sum, at most {} open",
                         closings.size(), terms, kernels::max_open_sums);
}

}  // namespace

void sgd_update(std::span<const SgdTerm> terms) {
  for (const SgdTerm& term : terms) {
    check_gradient("sgd_update", term);
    if (term.rule.momentum != 0 && term.velocity.defined())
      check_fits("sgd_update", "velocity", term.velocity, term.parameter);
  }
  const auto prepare = [](const SgdTerm& term) {
    term.parameter.begin_write();
    return term.rule.momentum != 0 && begin_write(term.velocity, term);
  };
  const auto move = [](const SgdTerm& term, bool at_first, std::size_t from, std::size_t to, std::size_t count) {
    visit_floating(term.parameter.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* const velocity = term.rule.momentum != 0 ? begun<T>(term.velocity, to) : nullptr;
      kernels::sgd_update(term.rule, at_first, count, term.gradient.data<T>() + from, velocity,
                          begun<T>(term.parameter, to));
    });
  };
  for_parts(terms, prepare, move);
}

void adam_update(std::span<const AdamTerm> terms) {
  for (const AdamTerm& term : terms) {
    check_gradient("adam_update", term);
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
    begin_write(term.second_moment, term);
    return begin_write(term.first_moment, term);
  };
  const auto move = [](const AdamTerm& term, bool at_first, std::size_t from, std::size_t to, std::size_t count) {
    visit_floating(term.parameter.dtype(), [&](auto zero) {
      using T = decltype(zero);
      kernels::adam_update(term.rule, term.update, at_first, count, term.gradient.data<T>() + from,
                           begun<T>(term.first_moment, to), begun<T>(term.second_moment, to),
                           begun<T>(term.parameter, to));
    });
  };
  for_parts(terms, prepare, move);
}

void sum_in_tree(Tensor& sum, std::size_t first, std::size_t count, std::span<const ValuesFrom> terms,
                 std::span<const std::uint8_t> closings) {
  const auto check_values = [&](const char* what, const Tensor& x, std::size_t from) {
    if (x.dtype() != sum.dtype() || !is_floating(x.dtype()))
      throw_as<TypeError>("sum_in_tree: the {} is {}, the sum is {}; need equal floating dtypes", what, x.dtype(),
                          sum.dtype());
    if (from > x.size() || count > x.size() - from)
      throw_as<ShapeError>("sum_in_tree: the {} is {}; need elements {} to {}", what, x.shape(), from, from + count);
  };
  check_values("sum", sum, first);
  for (const ValuesFrom& term : terms) check_values("term", term.tensor, term.first);
  check_closings(terms.size(), closings);
  sum.begin_write();
  visit_floating(sum.dtype(), [&](auto zero) {
    using T = decltype(zero);
    std::vector<const T*, CachedAllocator<const T*>> values;
    for (const ValuesFrom& term : terms) values.push_back(term.tensor.data<T>() + term.first);
    kernels::sum_in_tree<T>(begun<T>(sum, first), count, values, closings);
  });
}

}  // namespace xgrad
