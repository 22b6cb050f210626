#include <autograd/check/experiment.hpp>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/random.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>

namespace xgrad {

namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// f refused moved values.
struct OutsideDomain {
  std::string text;
};

}  // namespace

Extents index_of(std::size_t entry, const Shape& shape) {
  Extents index = repeated(shape.rank(), 0);
  for (std::size_t axis = shape.rank(); axis-- > 0;) {
    index[axis] = static_cast<std::int64_t>(entry % shape.extent(axis));
    entry /= shape.extent(axis);
  }
  return index;
}

Scale scale_of(const Tensor& x) {
  if (!x.defined()) return {};
  double largest = 0;
  for (const double value : x.values<double>())
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  if (largest == 0) return {};
  double squares = 0;  // of what cannot overflow or underflow
  for (const double value : x.values<double>())
    if (std::isfinite(value)) squares += (value / largest) * (value / largest);
  return {largest * std::sqrt(squares / static_cast<double>(x.size())), largest};
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.bytes() == 0 || std::memcmp(a.untyped_data(), b.untyped_data(), a.bytes()) == 0);
}

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensor& x, const Tensor& y) { return same_bits(x, y); });
}

Experiment::Experiment(GradientSubject subject, const GradientCheckOptions& options, DType dtype)
    : subject_(std::move(subject)), options_(options), dtype_(dtype) {
  mark_tensors();
}

Experiment::Experiment(GradientSubject subject, const Experiment& like)
    : subject_(std::move(subject)),
      options_(like.options_),
      dtype_(like.dtype_),
      result_shape_(like.result_shape_),
      cotangent_(like.cotangent_),
      weights_(like.weights_),
      takes_extremes_(like.takes_extremes_) {
  mark_tensors();
}

void Experiment::mark_tensors() {
  const Pause pause;
  for (const auto& [name, tensor] : subject_.tensors) {
    handles_.push_back(tensor);
    originals_.push_back(tensor.clone());
    marked_.push_back(tensor.is_leaf());
    versions_.push_back(tensor.version());
  }
  for (Tensor& tensor : handles_) tensor.requires_gradient();
}

Experiment::~Experiment() {
  const Pause pause;
  for (std::size_t t = 0; t < handles_.size(); ++t) {
    if (!same_bits(handles_[t], originals_[t])) handles_[t].assign(originals_[t]);
    handles_[t].requires_gradient(marked_[t]);
  }
}

void Experiment::check_tensors_unchanged() const {
  for (std::size_t t = 0; t < handles_.size(); ++t)
    if (handles_[t].version() != versions_[t] || handles_[t].dtype() != dtype_)
      throw_as<GradientError>(
          "check_gradients: the function changed the values of {}, of shape {}; it must only read its tensors (their "
          "values are put back)",
          subject_.tensors[t].first, handles_[t].shape());
}

Tensor Experiment::call() {
  Tensor y;
  try {
    y = subject_.f();
  } catch (const ValueError& error) {
    check_tensors_unchanged();
    if (step_ == 0) throw;
    throw OutsideDomain{error.what()};
  } catch (const std::exception& error) {
    if (step_ == 0) throw;
    std::throw_with_nested(
        GradientError("check_gradients: the function broke off while " + what_moved() + ": " + error.what()));
  } catch (...) {
    if (step_ == 0) throw;
    std::throw_with_nested(GradientError("check_gradients: the function broke off while " + what_moved()));
  }
  check_tensors_unchanged();
  if (!y.defined()) throw ValueError("check_gradients: the function returned an empty handle; need a tensor");
  if (y.dtype() != dtype_)
    throw_as<TypeError>(
        "check_gradients: the function returned {} for {} tensors; need {}: do not convert inside, and make constants "
        "in the default dtype",
        y.dtype(), dtype_, dtype_);
  if (!cotangent_.defined())
    set_up_weights(y);
  else if (y.shape() != result_shape_)
    throw_as<ShapeError>("check_gradients: the function returned shape {} at first, then {}{}; need one shape",
                         result_shape_, y.shape(), step_ == 0 ? "" : " while " + what_moved());
  return y;
}

void Experiment::set_up_weights(const Tensor& y) {
  const Pause pause;
  if (options_.cotangent.defined()) {
    if (options_.cotangent.shape() != y.shape())
      throw_as<ShapeError>("check_gradients: the function returned shape {}, the cotangent is {}; need equal shapes",
                           y.shape(), options_.cotangent.shape());
    if (!is_floating(options_.cotangent.dtype()))
      throw TypeError("check_gradients: the cotangent is int64; need float32 or float64");
    cotangent_ = options_.cotangent.to(dtype_);
  } else {
    if (y.size() != 1)
      throw_as<ShapeError>(
          "check_gradients: the function returned shape {}, not one number; give a cotangent of that shape in the "
          "options, or reduce with sum or mean",
          y.shape());
    cotangent_ = ones(y.shape(), dtype_);
  }
  result_shape_ = y.shape();
  if (options_.order == 1) {
    weights_ = {cotangent_};
  } else {
    // Entries in [½, 3/2): none of them drops what it multiplies.
    Generator generator(options_.seed, 1);
    for (const Tensor& tensor : handles_) weights_.push_back(uniform(tensor.shape(), 0.5, 1.5, dtype_, generator));
  }
}

/// The gradients of the results' sum, each times its weight and the factor; an empty handle for a tensor that they do
/// not depend on.
std::vector<Tensor> Experiment::sweep(Tape& tape, const std::vector<Tensor>& results,
                                      const std::vector<Tensor>& weights, double factor, bool differentiable) const {
  std::vector<Tensor> list(handles_.size()), outputs, cotangents;
  for (std::size_t k = 0; k < results.size(); ++k) {
    if (!results[k].defined()) continue;
    const Tensor output = results[k].is_leaf() ? results[k].clone() : results[k];  // a function may hand out its input
    if (!is_recorded(output)) continue;
    const Pause pause;
    outputs.push_back(output);
    cotangents.push_back(factor == 1 ? weights[k] : mul(weights[k], factor));
  }
  if (outputs.empty()) return list;
  const Gradients gradients = tape.backward(outputs, cotangents, {.differentiable = differentiable});
  for (std::size_t t = 0; t < handles_.size(); ++t)
    if (const Tensor* gradient = gradients.find(handles_[t])) list[t] = *gradient;
  return list;
}

/// What is compared: f's value, or the gradients of order 1 below.
std::vector<Tensor> Experiment::derived(Tape& tape, bool differentiable) {
  std::vector<Tensor> results = {call()};
  for (int order = 2; order <= options_.order; ++order)
    results = sweep(tape, results, order == 2 ? std::vector<Tensor>{cotangent_} : weights_, 1,
                    differentiable || order < options_.order);
  return results;
}

namespace {

/// Listens for maxima and minima.
struct ExtremeObserver : TapeObserver {
  bool heard = false;
  void recorded(const RecordedOperation& operation) override {
    for (const char* const name : {"max", "min", "maximum", "minimum"}) heard = heard || operation.operation == name;
  }
};

}  // namespace

std::vector<Tensor> Experiment::analytical(double factor) {
  ExtremeObserver observer;
  Tape tape({.observer = &observer});
  const std::vector<Tensor> results = derived(tape, true);  // sets the weights up
  takes_extremes_ = observer.heard;
  return sweep(tape, results, weights_, factor);
}

std::vector<Tensor> Experiment::analytical_of_two_calls() {
  Tape tape;
  const Tensor first = call(), second = call();
  return sweep(tape, {first, second}, {cotangent_, cotangent_});
}

std::vector<Tensor> Experiment::outputs() {
  ++evaluations_;
  if (options_.order > 1) {
    Tape tape;
    return derived(tape, false);
  }
  const Pause pause;
  Tensor y = call();
  if (!y.unique()) y = y.clone();  // its values may be an input's, or written again at the next call
  return {y};
}

double Experiment::moved(std::size_t i, double step) const {
  const double x = originals_[move_.tensor].data<double>()[i];
  return x + (move_.along_direction() ? step * move_.direction.data<double>()[i] : step);
}

void Experiment::write(double step) {
  step_ = step;
  handles_[move_.tensor].modify([&](std::span<double> values) {
    if (!move_.along_direction()) {
      values[move_.entry] = moved(move_.entry, step);
      return;
    }
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = moved(i, step);
  });
  versions_[move_.tensor] = handles_[move_.tensor].version();
}

/// `entry (2,) of x was moved up`
std::string Experiment::what_moved() const {
  const std::string& name = subject_.tensors[move_.tensor].first;
  const char* const direction = step_ < 0 ? "down" : "up";
  if (move_.along_direction()) return fmt::format("all entries of {} were moved {}", name, direction);
  return fmt::format("entry {} of {} was moved {}", index_of(move_.entry, originals_[move_.tensor].shape()), name,
                     direction);
}

/// Empty where f refuses the values.
std::vector<Tensor> Experiment::outputs_at(double step) {
  if (!move_.along_direction() &&
      (!std::isfinite(moved(move_.entry, step)) || moved(move_.entry, step) == moved(move_.entry, 0)))
    return {};
  write(step);
  std::vector<Tensor> list;
  try {
    list = outputs();
  } catch (const OutsideDomain& refused) {
    ++refusals_;
    refusal_ = refused.text;
  }
  write(0);
  return list;
}

double Experiment::analytical_at(double step) {
  write(step);
  double along = nan;
  try {
    const Tensor gradient = analytical()[move_.tensor];
    along = 0;
    for (std::size_t i = 0; gradient.defined() && i < gradient.size(); ++i)
      if (move_.along_direction())
        along += gradient.data<double>()[i] * move_.direction.data<double>()[i];
      else if (i == move_.entry)
        along = gradient.data<double>()[i];
  } catch (const OutsideDomain&) {
  }
  write(0);
  return along;
}

long double Experiment::weighted_sum(const std::vector<Tensor>& outputs) const {
  long double sum = 0;
  for (std::size_t k = 0; k < outputs.size(); ++k)
    for (std::size_t j = 0; outputs[k].defined() && j < outputs[k].size(); ++j)
      if (affected_[k][j])
        sum += static_cast<long double>(weights_[k].data<double>()[j]) * outputs[k].data<double>()[j];
  return sum;
}

double Experiment::stair_height(double step) {
  // No powers of two, whose multiples have few digits of their own.
  constexpr std::array places = {0.7310585786, -0.5235987756, 0.3678794412, -0.8414709848, 0.1415926536, -0.2718281828};
  constexpr double nearby = 0.77 * 0x1p-26;
  constexpr std::size_t many = 5;  // different heights
  std::vector<long double> heights;
  std::size_t flat = 0;
  double unit = std::numeric_limits<double>::infinity(), largest = 0, scatter = 0;
  for (const double place : places) {
    const std::vector<Tensor> at = outputs_at(place * step), beside = outputs_at((place + nearby) * step);
    if (at.empty() || beside.empty()) return 0;
    const long double height = weighted_sum(at), change = weighted_sum(beside) - height;
    if (std::find(heights.begin(), heights.end(), height) == heights.end()) heights.push_back(height);
    flat += change == 0;
    scatter = std::max(scatter, static_cast<double>(std::abs(change)));
    for (std::size_t k = 0; k < at.size(); ++k)
      for (std::size_t j = 0; at[k].defined() && j < at[k].size(); ++j) {
        const double value = std::abs(at[k].data<double>()[j]);
        if (!affected_[k][j] || value == 0 || !std::isfinite(value)) continue;
        const auto digits = static_cast<std::uint64_t>(std::scalbn(value, 52 - std::ilogb(value)));
        unit = std::min(unit, value / static_cast<double>(digits >> std::countr_zero(digits)));
        largest = std::max(largest, value);
      }
  }
  if (heights.size() < many) return 0;
  // All values are multiples of a unit that is far above their own: what is left of terms that cancel, each of which is
  // rounded to it.
  constexpr double roundings = 4;
  if (std::isfinite(unit) && unit > 0x1p8 * epsilon * largest) return std::max(roundings * unit, scatter);
  if (flat + 1 < places.size()) return 0;
  double width = nearby * step;
  const long double here = weighted_sum(*here_);
  while (width < step && weighted_sum(outputs_at(width)) == here) width *= 2;
  const auto rise = std::abs(weighted_sum(outputs_at(step)) - weighted_sum(outputs_at(-step)));
  const auto jump = std::abs(weighted_sum(outputs_at(width)) - here);
  return static_cast<double>(std::max(rise / step * width, jump));
}

void Experiment::begin(const Move& move, const std::vector<Tensor>& here, double gradient) {
  move_ = move;
  here_ = &here;
  affected_.clear();
  for (const Tensor& output : here) affected_.emplace_back(output.defined() ? output.size() : 0);
  any_affected_ = false;
  rounding_of_moves_ = 0;
  if (!move.along_direction()) return;
  // Moved values are rounded, each to epsilon/2 of its size: as if the direction were a little different.
  double largest = 0;
  for (const double x : originals_[move.tensor].values<double>()) largest = std::max(largest, std::abs(x));
  rounding_of_moves_ = epsilon * largest * gradient;
}

/// Notes which outputs the move has changed.
void Experiment::note_affected(const std::vector<Tensor>& moved) {
  for (std::size_t k = 0; k < moved.size(); ++k) {
    if (!moved[k].defined() || affected_[k].empty()) continue;
    const double* const values = moved[k].data<double>();
    const double* const center = (*here_)[k].data<double>();
    const double* const weights = weights_[k].data<double>();
    for (std::size_t j = 0; j < affected_[k].size(); ++j)
      if (values[j] != center[j] && weights[j] != 0 && !std::isnan(center[j])) {
        affected_[k][j] = 1;
        any_affected_ = true;
      }
  }
}

/// Differences are taken output by output. Outputs that the move has never changed bring no rounding error; one that
/// it does change may stay the same when the step is small, by rounding.
Quotient Experiment::quotient(const std::vector<Tensor>& low, const std::vector<Tensor>& high, double nominal,
                              double distance) const {
  if (low.empty() || high.empty()) return {nominal, nan, 0};
  long double difference = 0;
  long double squares = 0;  // the range of long double holds the square of any double
  for (std::size_t k = 0; k < affected_.size(); ++k) {
    if (!low[k].defined() || !high[k].defined()) continue;
    const double* const a = low[k].data<double>();
    const double* const b = high[k].data<double>();
    const double* const weights = weights_[k].data<double>();
    for (std::size_t j = 0; j < affected_[k].size(); ++j) {
      if (any_affected_ && !affected_[k][j]) continue;
      const auto weight = static_cast<long double>(weights[j]);
      const long double rounding = weight * std::max(std::abs(a[j]), std::abs(b[j]));
      if (std::isfinite(rounding)) squares += rounding * rounding;
      if (any_affected_ && a[j] != b[j]) difference += weight * (static_cast<long double>(b[j]) - a[j]);
    }
  }
  return {nominal, static_cast<double>(difference / distance),
          (2 * epsilon * static_cast<double>(std::sqrt(squares)) + rounding_of_moves_) / distance};
}

Quotients Experiment::quotients(double step) {
  const bool entry = !move_.along_direction();
  // The distances that are left after rounding.
  const double below_by = entry ? moved(move_.entry, 0) - moved(move_.entry, -step) : step;
  const double above_by = entry ? moved(move_.entry, step) - moved(move_.entry, 0) : step;
  const std::vector<Tensor> below = outputs_at(-step);
  const std::vector<Tensor> above = outputs_at(step);
  note_affected(below);
  note_affected(above);
  return {quotient(below, *here_, step, below_by), quotient(*here_, above, step, above_by),
          quotient(below, above, step, entry ? moved(move_.entry, step) - moved(move_.entry, -step) : 2 * step)};
}

bool Experiment::any_finite(const std::vector<Tensor>& outputs) const {
  bool weighted = false;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    if (!outputs[k].defined()) continue;
    const auto values = outputs[k].values<double>();
    const double* const weights = weights_[k].data<double>();
    for (std::size_t j = 0; j < values.size(); ++j) {
      if (weights[j] == 0) continue;
      if (std::isfinite(values[j])) return true;
      weighted = true;
    }
  }
  return !weighted;
}

}  // namespace xgrad
