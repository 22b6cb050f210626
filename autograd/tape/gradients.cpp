#include <autograd/kernels/rows.hpp>
#include <autograd/kernels/sum.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/tape/gradients.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>

#include <cmath>
#include <string>

namespace xgrad {

namespace {

std::string describe(const Tensor& x) {
  return fmt::format("{} of shape {}", x.label().empty() ? "a tensor" : x.label(), x.shape());
}

void check_dtypes(const Tensor& x, const Tensor& gradient) {
  check_defined("gradients", "the tensor", x);
  check_defined("gradients", "the gradient", gradient);
  if (!is_floating(x.dtype()))
    throw_as<TypeError>("gradients: {} is {} and has none; need float32 or float64", describe(x), x.dtype());
  if (gradient.dtype() != x.dtype())
    throw_as<TypeError>("gradients: {} is {}, the gradient is {}; need equal dtypes", describe(x), x.dtype(),
                        gradient.dtype());
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

struct Gradients::Entry::Rows {
  explicit Rows(RowGradient given) : gradient(std::move(given)) {}
  RowGradient gradient;
  std::mutex making_dense;
};

Gradients::Entry::Entry(Tensor x, RowGradient rows) : tensor_(std::move(x)) { set(std::move(rows)); }

Gradients::Entry::Entry(const Entry& other) : tensor_(other.tensor_), rows_(other.rows_) {
  std::unique_lock<std::mutex> lock;
  if (rows_ != nullptr) lock = std::unique_lock(rows_->making_dense);
  dense_ = other.dense_;
}

void Gradients::Entry::set(RowGradient rows) {
  rows_ = std::allocate_shared<Rows>(CachedAllocator<Rows>(), std::move(rows));
  if (std::exchange(dense_, Tensor()).defined()) static_cast<void>(gradient());  // for those who look at it
}

void Gradients::Entry::make_dense() const {
  const std::scoped_lock lock(rows_->making_dense);
  if (dense_.defined()) return;
  const RowGradient& few = rows_->gradient;
  Tensor dense = zeros(tensor_.shape(), few.values.dtype());
  const kernels::RowTerm term{few.rows, few.values};
  kernels::add_rows(dense, {&term, 1});
  dense_ = std::move(dense);
}

const RowGradient* Gradients::Entry::unwritten_rows() const {
  const std::scoped_lock lock(rows_->making_dense);
  return dense_.defined() && dense_.version() > 0 ? nullptr : &rows_->gradient;
}

Tensor Gradients::Entry::numbers() const {
  const RowGradient* const few = rows();
  return few != nullptr ? few->values : gradient();
}

template <class Change>
void Gradients::Entry::modify(const Change& change) {
  const RowGradient* const few = rows();
  if (few == nullptr) return change(own_dense());
  Tensor values = kernels::copy(few->values);
  change(values);
  set({few->rows, std::move(values)});
}

Tensor& Gradients::Entry::own_dense() {
  static_cast<void>(gradient());
  rows_.reset();
  if (!dense_.unique()) dense_ = kernels::copy(dense_);
  return dense_;
}

void Gradients::Entry::add(const Entry& other, double factor) {
  if (!tensor_.is(other.tensor_))
    throw_as<ValueError>("gradients: that of {} is added to that of {}; need entries of one tensor",
                         describe(other.tensor_), describe(tensor_));
  const RowGradient *const own = rows(), *const more = other.rows();
  if (more == nullptr) return kernels::add_scaled(own_dense(), other.gradient(), factor);
  const kernels::RowTerm added{more->rows, more->values, factor};
  if (own == nullptr) return kernels::add_rows(own_dense(), {&added, 1});
  const kernels::RowTerm terms[] = {{own->rows, own->values}, added};
  set(kernels::sum_rows(terms, tensor_.shape()));
}

const Gradients::Entry* Gradients::entry(const Tensor& x) const& {
  const std::uint32_t position = index_.find(&x.body("gradients"));
  return position == TensorIndex::none ? nullptr : &entries_[position];
}

const Tensor* Gradients::find(const Tensor& x) const& {
  const Entry* const found = entry(x);
  return found == nullptr ? nullptr : &found->gradient();
}

const RowGradient* Gradients::rows(const Tensor& x) const& {
  const Entry* const found = entry(x);
  return found == nullptr ? nullptr : found->rows();
}

const Tensor& Gradients::operator[](const Tensor& x) const& {
  if (const Tensor* gradient = find(x)) return *gradient;
  throw_as<TapeError>(
      "gradients: the output did not depend on {}; was it used on the tape, marked by requires_gradient, and not "
      "detached?",
      describe(x));
}

void Gradients::append(Entry&& entry) {
  index_.insert(&entry.tensor().body(), static_cast<std::uint32_t>(entries_.size()));
  entries_.push_back(std::move(entry));
}

void Gradients::set(const Tensor& x, Tensor gradient) {
  check_dtypes(x, gradient);
  if (gradient.shape() != x.shape())
    throw_as<ShapeError>("gradients: {} cannot have a gradient of shape {}; need equal shapes", describe(x),
                         gradient.shape());
  set(Entry(x, std::move(gradient)));
}

void Gradients::set(const Tensor& x, RowGradient gradient) {
  check_dtypes(x, gradient.values);
  const Tensor& rows = gradient.rows;
  check_defined("gradients", "the rows", rows);
  if (rows.dtype() != int64) throw_as<TypeError>("gradients: rows are {}; need int64", rows.dtype());
  Shape expected = x.shape();
  if (rows.rank() == 1 && x.rank() > 0) expected[0] = rows.shape(0);
  if (rows.rank() != 1 || x.rank() == 0 || gradient.values.shape() != expected)
    throw_as<ShapeError>("gradients: {} cannot have a gradient of rows {} and values {}; need (k,) and (k, ...)",
                         describe(x), rows.shape(), gradient.values.shape());
  std::int64_t least = 0;
  for (const std::int64_t row : rows.values<std::int64_t>()) {
    if (row < least || row >= x.shape(0))
      throw_as<ValueError>("gradients: row {} of {}; need rows that rise, from 0 to {}", row, describe(x),
                           x.shape(0) - 1);
    least = row + 1;
  }
  set(Entry(x, std::move(gradient)));
}

void Gradients::set(Entry entry) {
  const std::uint32_t position = index_.find(&entry.tensor().body());
  if (position == TensorIndex::none)
    append(std::move(entry));
  else
    entries_[position] = std::move(entry);
}

Gradients& Gradients::add(const Gradients& other, double factor) {
  for (const Entry& theirs : other) {
    const std::uint32_t position = index_.find(&theirs.tensor().body());
    if (position != TensorIndex::none) {
      entries_[position].add(theirs, factor);
      continue;
    }
    Entry copy = theirs;
    copy.modify([factor](Tensor& x) {
      if (factor != 1.0) kernels::scale(x, factor);
    });
    append(std::move(copy));
  }
  return *this;
}

Gradients& Gradients::operator*=(double factor) {
  for (Entry& entry : entries_) entry.modify([factor](Tensor& x) { kernels::scale(x, factor); });
  return *this;
}

double Gradients::norm() const {
  double squares = 0;
  for (const Entry& entry : entries_) squares += kernels::sum_of_squares(entry.numbers());
  if (std::isnan(squares) || (squares > 1e-270 && squares < 1e300)) return std::sqrt(squares);
  // Squares of float64 may have overflowed or vanished, though the numbers did not.
  double norm = 0;
  for (const Entry& entry : entries_) {
    const Tensor& gradient = entry.numbers();
    double own = std::sqrt(kernels::sum_of_squares(gradient));
    if (gradient.dtype() == float64) kernels::norm(1, gradient.size(), 1, gradient.data<double>(), &own);
    norm = std::hypot(norm, own);
  }
  return norm;
}

bool Gradients::finite(const char* operation, double limit, NonFinite policy) const {
  if (!(limit > 0)) throw_as<ValueError>("{}: limit {}; need limit > 0", operation, limit);
  for (const Entry& entry : entries_) {
    if (kernels::count_nonfinite(entry.numbers()) == 0) continue;
    if (policy == NonFinite::skip) return false;
    throw_as<ValueError>(
        "{}: the gradient of {} is not finite; find where it came from with Tape({{.trace_nonfinite = true}})",
        operation, describe(entry.tensor()));
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
  for (Entry& entry : entries_) entry.modify([limit](Tensor& x) { kernels::clamp(x, -limit, limit); });
}

}  // namespace xgrad
