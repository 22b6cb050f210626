#include <autograd/kernels/simd/simd.hpp>
#include <autograd/ops/update.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/memory.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace xgrad {

namespace {

using kernels::Vec;

// Serial steps after parallel products would fetch every line from the other cores, so the threshold is low.
constexpr std::size_t parallel_elements = 32768;
constexpr std::size_t part_elements = 8192;
constexpr std::size_t max_parts = 64;
constexpr std::size_t line_elements = 16;  // boundaries between parts are boundaries of cache lines

/// Calls body(term, at_first, first, count) for parts of [0, elements(term)), those of all terms in one parallel
/// region. Long terms are cut in the same proportions, as products cut their results: a thread then finds in its cache
/// the gradients that it has made. at_first is what prepare(term) gives, which is called before, once for each.
template <class Term, class Elements, class Prepare, class Body>
void for_parts(std::span<const Term> terms, const Elements& elements, const Prepare& prepare, const Body& body) {
  std::size_t total = 0;
  for (const Term& term : terms) total += elements(term);
  if (total < parallel_elements) {
    for (const Term& term : terms) body(term, prepare(term), std::size_t{0}, elements(term));
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
    const std::size_t count = elements(term);
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

/// Calls body(load, store, k) for vectors of [0, count), with the tail as a part of one; load(p) gives the vector at p
/// + k.
template <class T, class Body>
[[gnu::always_inline]] inline void for_vectors(std::size_t count, const Body& body) {
  constexpr std::size_t width = Vec<T>::width;
  const std::size_t tail = count % width;
  std::size_t k = 0;
  const auto load = [&k](const T* source) { return Vec<T>::load(source + k); };
  const auto store = [&k](T* target, Vec<T> value) { value.store(target + k); };
  for (; k < count - tail; k += width) body(load, store);
  if (tail == 0) return;
  const auto load_tail = [&k, tail](const T* source) { return Vec<T>::load_part(source + k, tail); };
  const auto store_tail = [&k, tail](T* target, Vec<T> value) { value.store_part(target + k, tail); };
  body(load_tail, store_tail);
}

template <class T>
void descend(T* parameter, const T* gradient, std::size_t count, const SgdRule& rule) {
  const Vec<T> rate(rule.learning_rate), decay(rule.weight_decay);
  const bool decays = rule.weight_decay != 0;
  for_vectors<T>(count, [=](const auto& load, const auto& store) {
    const Vec<T> x = load(parameter);
    Vec<T> d = load(gradient);
    if (decays) d = d + decay * x;
    store(parameter, x - rate * d);
  });
}

template <class T>
void descend_with_momentum(T* parameter, const T* gradient, T* velocity, bool at_first, std::size_t count,
                           const SgdRule& rule) {
  const Vec<T> rate(rule.learning_rate), decay(rule.weight_decay), momentum(rule.momentum), gain(1 - rule.dampening);
  const bool decays = rule.weight_decay != 0, nesterov = rule.nesterov;
  for_vectors<T>(count, [=](const auto& load, const auto& store) {
    const Vec<T> x = load(parameter);
    Vec<T> d = load(gradient);
    if (decays) d = d + decay * x;
    const Vec<T> v = at_first ? d : momentum * load(velocity) + gain * d;
    store(velocity, v);
    store(parameter, x - rate * (nesterov ? d + momentum * v : v));
  });
}

template <class T>
void descend_by_moments(T* parameter, const T* gradient, T* first_moment, T* second_moment, bool at_first,
                        std::size_t count, std::int64_t update, const AdamRule& rule) {
  const auto t = static_cast<double>(update);
  const Vec<T> beta1(rule.beta1), rest1(1 - rule.beta1), beta2(rule.beta2), rest2(1 - rule.beta2);
  const Vec<T> rate(rule.learning_rate / (1 - std::pow(rule.beta1, t)));
  const Vec<T> scale(1 / std::sqrt(1 - std::pow(rule.beta2, t))), epsilon(rule.epsilon);
  const bool shrinks = rule.weight_decay != 0 && rule.decoupled_decay;
  const bool decays = rule.weight_decay != 0 && !rule.decoupled_decay;
  const Vec<T> decay(rule.weight_decay), kept(1 - rule.learning_rate * rule.weight_decay);
  for_vectors<T>(count, [=](const auto& load, const auto& store) {
    Vec<T> x = load(parameter);
    Vec<T> g = load(gradient);
    if (shrinks) x = kept * x;
    if (decays) g = g + decay * x;
    Vec<T> m = rest1 * g;
    Vec<T> v = rest2 * g * g;
    if (!at_first) {
      m = beta1 * load(first_moment) + m;
      v = beta2 * load(second_moment) + v;
    }
    store(first_moment, m);
    store(second_moment, v);
    store(parameter, x - rate * m / (sqrt(v) * scale + epsilon));
  });
}

[[noreturn]] void throw_misfit(const char* operation, const char* what, const Tensor& x, const Tensor& reference) {
  if (x.shape() != reference.shape())
    throw ShapeError(std::string(operation) + ": the " + what + " is " + to_string(x.shape()) + ", the target is " +
                     to_string(reference.shape()) + "; need equal shapes");
  throw TypeError(std::string(operation) + ": the " + what + " is " + std::string(name_of(x.dtype())) +
                  ", the target is " + std::string(name_of(reference.dtype())) + "; need equal floating dtypes");
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

template <class T>
T* data(const Tensor& x, std::size_t first) {
  return static_cast<T*>(x.mutable_data()) + first;
}

}  // namespace

void sgd_update(std::span<const SgdTerm> terms) {
  for (const SgdTerm& term : terms) {
    check_fits("sgd_update", "gradient", term.gradient, term.parameter);
    if (term.rule.momentum != 0 && term.velocity.defined())
      check_fits("sgd_update", "velocity", term.velocity, term.parameter);
  }
  const auto elements = [](const SgdTerm& term) { return term.parameter.size(); };
  const auto prepare = [](const SgdTerm& term) {
    term.parameter.begin_write();
    return term.rule.momentum != 0 && begin_write(term.velocity, term.parameter);
  };
  for_parts(terms, elements, prepare, [](const SgdTerm& term, bool at_first, std::size_t first, std::size_t count) {
    visit_floating(term.parameter.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* const x = data<T>(term.parameter, first);
      const T* const d = data<T>(term.gradient, first);
      if (term.rule.momentum == 0)
        descend(x, d, count, term.rule);
      else
        descend_with_momentum(x, d, data<T>(term.velocity, first), at_first, count, term.rule);
    });
  });
}

void adam_update(std::span<const AdamTerm> terms) {
  for (const AdamTerm& term : terms) {
    check_fits("adam_update", "gradient", term.gradient, term.parameter);
    if (term.first_moment.defined() != term.second_moment.defined())
      throw ValueError("adam_update: one moment of a parameter " + to_string(term.parameter.shape()) +
                       " is there without the other; need both or none");
    if (term.first_moment.defined()) {
      check_fits("adam_update", "first moment", term.first_moment, term.parameter);
      check_fits("adam_update", "second moment", term.second_moment, term.parameter);
    }
    if (term.update < 1) throw ValueError("adam_update: update " + std::to_string(term.update) + "; need update >= 1");
  }
  const auto elements = [](const AdamTerm& term) { return term.parameter.size(); };
  const auto prepare = [](const AdamTerm& term) {
    term.parameter.begin_write();
    begin_write(term.second_moment, term.parameter);
    return begin_write(term.first_moment, term.parameter);
  };
  for_parts(terms, elements, prepare, [](const AdamTerm& term, bool at_first, std::size_t first, std::size_t count) {
    visit_floating(term.parameter.dtype(), [&](auto zero) {
      using T = decltype(zero);
      descend_by_moments(data<T>(term.parameter, first), data<T>(term.gradient, first),
                         data<T>(term.first_moment, first), data<T>(term.second_moment, first), at_first, count,
                         term.update, term.rule);
    });
  });
}

void add_in_order(Tensor& sum, std::span<const Tensor* const> terms) {
  for (const Tensor* term : terms) check_fits("add_in_order", "term", *term, sum);
  if (terms.empty()) return;
  Tensor* const sums[] = {&sum};
  const auto elements = [](Tensor* target) { return target->size(); };
  const auto prepare = [](Tensor* target) { return target->begin_write() == nullptr; };
  const auto add = [&](Tensor* target, bool, std::size_t first, std::size_t count) {
    visit_floating(target->dtype(), [&](auto zero) {
      using T = decltype(zero);
      for_vectors<T>(count, [=](const auto& load, const auto& store) {
        Vec<T> total = load(data<T>(*target, first));
        for (const Tensor* term : terms) total = total + load(data<T>(*term, first));
        store(data<T>(*target, first), total);
      });
    });
  };
  for_parts(std::span<Tensor* const>(sums), elements, prepare, add);
}

}  // namespace xgrad
