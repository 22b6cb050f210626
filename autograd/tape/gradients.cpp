#include <autograd/kernels/sum.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/tape/gradients.hpp>
#include <autograd/tensor/format.hpp>

#include <cmath>
#include <string>

namespace xgrad {

namespace {

std::string describe(const Tensor& x) {
  return fmt::format("{} of shape {}", x.label().empty() ? "a tensor" : x.label(), x.shape());
}

}  // namespace

std::uint32_t TensorIndex::find(const TensorBody* body) const {
  const std::span<const Slot> all = slots();
  const std::size_t mask = all.size() - 1;
  for (std::size_t i = hash(body) & mask; all[i].body != nullptr; i = (i + 1) & mask)
    if (all[i].body == body) return all[i].position;
  return none;
}

void TensorIndex::insert(const TensorBody* body, std::uint32_t position) {
  if (2 * (used_ + 1) > slots().size()) {
    decltype(many_) larger(slots().size() * 2);
    for (const Slot& slot : slots())
      if (slot.body != nullptr) place(larger, slot);
    many_ = std::move(larger);
  }
  place(many_.empty() ? std::span<Slot>(few_) : std::span<Slot>(many_), {body, position});
  ++used_;
}

void TensorIndex::place(std::span<Slot> slots, const Slot& slot) {
  const std::size_t mask = slots.size() - 1;
  std::size_t i = hash(slot.body) & mask;
  while (slots[i].body != nullptr) i = (i + 1) & mask;
  slots[i] = slot;
}

const Tensor* Gradients::find(const Tensor& x) const& {
  const std::uint32_t position = index_.find(&x.body("gradients"));
  return position == TensorIndex::none ? nullptr : &entries_[position].second;
}

const Tensor& Gradients::operator[](const Tensor& x) const& {
  if (const Tensor* gradient = find(x)) return *gradient;
  throw_as<TapeError>(
      "gradients: the output did not depend on {}; was it used on the tape, marked by requires_gradient, and not "
      "detached?",
      describe(x));
}

void Gradients::append(const Tensor& x, Tensor gradient) {
  index_.insert(&x.body(), static_cast<std::uint32_t>(entries_.size()));
  entries_.emplace_back(x, std::move(gradient));
}

void Gradients::set(const Tensor& x, Tensor gradient) {
  check_defined("gradients", "the tensor", x);
  check_defined("gradients", "the gradient", gradient);
  if (!is_floating(x.dtype()))
    throw_as<TypeError>("gradients: {} is {} and has none; need float32 or float64", describe(x), x.dtype());
  if (gradient.shape() != x.shape())
    throw_as<ShapeError>("gradients: {} cannot have a gradient of shape {}; need equal shapes", describe(x),
                         gradient.shape());
  if (gradient.dtype() != x.dtype())
    throw_as<TypeError>("gradients: {} is {}, the gradient is {}; need equal dtypes", describe(x), x.dtype(),
                        gradient.dtype());
  const std::uint32_t position = index_.find(&x.body());
  if (position == TensorIndex::none)
    append(x, std::move(gradient));
  else
    entries_[position].second = std::move(gradient);
}

Gradients& Gradients::add(const Gradients& other, double factor) {
  for (const auto& [x, gradient] : other) {
    const std::uint32_t position = index_.find(&x.body());
    if (position != TensorIndex::none) {
      Tensor& own = entries_[position].second;
      if (!own.unique()) own = kernels::copy(own);
      kernels::add_scaled(own, gradient, factor);
    } else {
      Tensor copy = kernels::copy(gradient);
      if (factor != 1.0) kernels::scale(copy, factor);
      append(x, std::move(copy));
    }
  }
  return *this;
}

Gradients& Gradients::operator*=(double factor) {
  for (Entry& entry : entries_) {
    if (!entry.second.unique()) entry.second = kernels::copy(entry.second);
    kernels::scale(entry.second, factor);
  }
  return *this;
}

double Gradients::norm() const {
  double squares = 0;
  for (const Entry& entry : entries_) squares += kernels::sum_of_squares(entry.second);
  if (std::isnan(squares) || (squares > 1e-270 && squares < 1e300)) return std::sqrt(squares);
  // Squares of float64 may have overflowed or vanished, though the numbers did not.
  double norm = 0;
  for (const auto& [x, gradient] : entries_) {
    double own = std::sqrt(kernels::sum_of_squares(gradient));
    if (gradient.dtype() == float64) kernels::norm(1, gradient.size(), 1, gradient.data<double>(), &own);
    norm = std::hypot(norm, own);
  }
  return norm;
}

bool Gradients::finite(const char* operation, double limit, NonFinite policy) const {
  if (!(limit > 0)) throw_as<ValueError>("{}: limit {}; need limit > 0", operation, limit);
  for (const Entry& entry : entries_) {
    if (kernels::count_nonfinite(entry.second) == 0) continue;
    if (policy == NonFinite::skip) return false;
    throw_as<ValueError>(
        "{}: the gradient of {} is not finite; find where it came from with Tape({{.trace_nonfinite = true}})",
        operation, describe(entry.first));
  }
  return true;
}

double Gradients::clip_norm(double limit, NonFinite policy) {
  const double before = norm();
  if (finite("clip_norm", limit, policy) && before > limit) *this *= limit / before;
  return before;
}

void Gradients::clip_value(double limit, NonFinite policy) {
  if (!finite("clip_value", limit, policy)) return;
  for (Entry& entry : entries_) {
    if (!entry.second.unique()) entry.second = kernels::copy(entry.second);
    kernels::clamp(entry.second, -limit, limit);
  }
}

}  // namespace xgrad
