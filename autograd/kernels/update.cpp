#include <autograd/kernels/simd/lanes.hpp>
#include <autograd/kernels/update.hpp>

#include <cmath>

namespace xgrad::kernels {

namespace {

template <class T>
void descend(const SgdRule& rule, std::size_t count, const T* gradient, T* parameter) {
  const Vec<T> rate(rule.learning_rate), decay(rule.weight_decay);
  const bool decays = rule.weight_decay != 0;
  for_vectors<T>(0, count, [=](std::size_t k, auto lanes) {
    const Vec<T> x = load(parameter + k, lanes);
    Vec<T> d = load(gradient + k, lanes);
    if (decays) d = d + decay * x;
    store(x - rate * d, parameter + k, lanes);
  });
}

}  // namespace

template <class T>
void sgd_update(const SgdRule& rule, bool at_first, std::size_t count, const T* gradient, T* velocity, T* parameter) {
  if (rule.momentum == 0) return descend(rule, count, gradient, parameter);
  const Vec<T> rate(rule.learning_rate), decay(rule.weight_decay), momentum(rule.momentum), gain(1 - rule.dampening);
  const bool decays = rule.weight_decay != 0, nesterov = rule.nesterov;
  for_vectors<T>(0, count, [=](std::size_t k, auto lanes) {
    const Vec<T> x = load(parameter + k, lanes);
    Vec<T> d = load(gradient + k, lanes);
    if (decays) d = d + decay * x;
    const Vec<T> v = at_first ? d : momentum * load(velocity + k, lanes) + gain * d;
    store(v, velocity + k, lanes);
    store(x - rate * (nesterov ? d + momentum * v : v), parameter + k, lanes);
  });
}

template <class T>
void adam_update(const AdamRule& rule, std::int64_t t, bool at_first, std::size_t count, const T* gradient, T* m, T* v,
                 T* parameter) {
  const auto power = static_cast<double>(t);
  const Vec<T> beta1(rule.beta1), rest1(1 - rule.beta1), beta2(rule.beta2), rest2(1 - rule.beta2);
  const Vec<T> rate(rule.learning_rate / (1 - std::pow(rule.beta1, power)));
  const Vec<T> scale(1 / std::sqrt(1 - std::pow(rule.beta2, power))), epsilon(rule.epsilon);
  const bool shrinks = rule.weight_decay != 0 && rule.decoupled_decay;
  const bool decays = rule.weight_decay != 0 && !rule.decoupled_decay;
  const bool may_divide_by_zero = static_cast<T>(rule.epsilon) == 0;
  const Vec<T> decay(rule.weight_decay), kept(1 - rule.learning_rate * rule.weight_decay);
  for_vectors<T>(0, count, [=](std::size_t k, auto lanes) {
    Vec<T> x = load(parameter + k, lanes);
    Vec<T> g = load(gradient + k, lanes);
    if (shrinks) x = kept * x;
    if (decays) g = g + decay * x;
    Vec<T> first = rest1 * g;
    Vec<T> second = rest2 * g * g;
    if (!at_first) {
      first = beta1 * load(m + k, lanes) + first;
      second = beta2 * load(v + k, lanes) + second;
    }
    store(first, m + k, lanes);
    store(second, v + k, lanes);
    const Vec<T> size = sqrt(second) * scale + epsilon;
    Vec<T> step = rate * first / size;
    if (may_divide_by_zero) step = where(size == 0, Vec<T>(0), step);
    store(x - step, parameter + k, lanes);
  });
}

template void sgd_update(const SgdRule&, bool, std::size_t, const float*, float*, float*);
template void sgd_update(const SgdRule&, bool, std::size_t, const double*, double*, double*);
template void adam_update(const AdamRule&, std::int64_t, bool, std::size_t, const float*, float*, float*, float*);
template void adam_update(const AdamRule&, std::int64_t, bool, std::size_t, const double*, double*, double*, double*);

}  // namespace xgrad::kernels
