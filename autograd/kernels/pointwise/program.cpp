#include <autograd/kernels/pointwise/dual.hpp>
#include <autograd/kernels/pointwise/program.hpp>
#include <autograd/tensor/memory.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

namespace xgrad::kernels {

/// A number of the program that is differentiated, in the program of its derivative.
struct Value {
  Symbol plain;
  std::optional<Symbol> derivative;
};

struct Primitive {
  template <class T>
  using Loop = void (*)(T* out, const T* a, const T* b, const T* c, std::size_t count);

  const char* name;
  std::size_t operands;
  Value (*derive)(const Value& a, const Value& b, const Value& c);
  Loop<float> loop_float32;
  Loop<double> loop_float64;

  template <class T>
  Loop<T> loop() const {
    if constexpr (std::is_same_v<T, float>)
      return loop_float32;
    else
      return loop_float64;
  }
};

namespace {

// Tracing.

/// The program that this thread traces. Equal steps are one.
class Builder {
 public:
  Builder() : outer_(std::exchange(current, this)) {}
  ~Builder() { current = outer_; }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  std::uint32_t add(const Step& step) {
    const auto next = static_cast<std::uint32_t>(steps.size());
    if (step.value == step.value) {  // NaN equals nothing
      const auto [place, fresh] = index_.try_emplace(step, next);
      if (!fresh) return place->second;
    }
    steps.push_back(step);
    return next;
  }

  std::vector<Step> steps;
  static constinit thread_local Builder* current;

 private:
  std::map<Step, std::uint32_t> index_;
  Builder* outer_;
};

constinit thread_local Builder* Builder::current = nullptr;

extern const Primitive input;
extern const Primitive constant;

Symbol at(std::uint32_t step) { return Symbol(Symbol::At{step}); }
const Step& step_of(Symbol a) { return Builder::current->steps[a.step]; }
bool is_constant(Symbol a) { return step_of(a).primitive == &constant; }
bool is_constant(Symbol a, double value) { return is_constant(a) && step_of(a).value == value; }

// The language of the primitives: each is one generic function of Vec, Symbol and Dual alike.

template <class T>
Mask<T> truth(Vec<T> x) {
  return x != 0;
}
SymbolMask truth(Symbol x) { return {x.step}; }
template <AnyDual X>
auto truth(X x) {
  return truth(primal(x));
}

template <class T>
Vec<T> as_number(Vec<T> x) {
  return x;
}
template <class T>
Vec<T> as_number(Mask<T> mask) {
  return where(mask, Vec<T>(1), Vec<T>(0));
}
Value as_value(Symbol x) { return {x, std::nullopt}; }
Value as_value(SymbolMask mask) { return {at(mask.step), std::nullopt}; }
Value as_value(const Dual<1, Symbol, Symbol>& x) {
  return {x.value, is_constant(x.derivative, 0) ? std::nullopt : std::optional(x.derivative)};
}

/// Calls f with each value as a dual if it has a derivative, as a plain number if not.
template <class F>
Value derive_with(const F& f) {
  return as_value(f());
}
template <class F, class... Rest>
Value derive_with(const F& f, const Value& first, const Rest&... rest) {
  const auto bind = [&](const auto& x) {
    return derive_with([&](const auto&... others) { return f(x, others...); }, rest...);
  };
  return first.derivative ? bind(dual<1>(first.plain, *first.derivative)) : bind(first.plain);
}

template <class F, class T, std::size_t n>
XGRAD_FLATTEN void loop_of(T* out, const T* a, const T* b, const T* c, std::size_t count) {
  for (std::size_t i = 0; i < count; i += Vec<T>::width) {
    const auto load = [i](const T* x) { return Vec<T>::load(x + i); };
    if constexpr (n == 1)
      as_number(F()(load(a))).store(out + i);
    else if constexpr (n == 2)
      as_number(F()(load(a), load(b))).store(out + i);
    else
      as_number(F()(load(a), load(b), load(c))).store(out + i);
  }
}

/// Text as a template argument.
template <std::size_t size>
struct Name {
  constexpr Name(const char (&literal)[size]) { std::copy_n(literal, size, text); }
  char text[size];
};

template <Name name, class F, std::size_t n>
constexpr Primitive make_primitive() {
  return {name.text, n,
          [](const Value& a, [[maybe_unused]] const Value& b, [[maybe_unused]] const Value& c) {
            if constexpr (n == 1)
              return derive_with(F(), a);
            else if constexpr (n == 2)
              return derive_with(F(), a, b);
            else
              return derive_with(F(), a, b, c);
          },
          &loop_of<F, float, n>, &loop_of<F, double, n>};
}
template <Name name, class F, std::size_t n>
constexpr Primitive primitive = make_primitive<name, F, n>();

/// Notes f of the operands, f being a lambda without captures.
template <Name name, class F, class... Operands>
std::uint32_t note(F, Operands... operands) {
  return Builder::current->add({&primitive<name, F, sizeof...(Operands)>, {operands.step...}, 0});
}

/// Steps that the operations below look for.
constexpr auto negate = [](auto x) { return -x; };
constexpr auto invert = [](auto x) { return !truth(x); };
template <Name name, class F>
bool is_a(const F&, Symbol x) {
  return step_of(x).primitive == &primitive<name, F, 1>;
}
Symbol operand_of(Symbol x) { return at(step_of(x).operands[0]); }

const Primitive input{"input", 0, nullptr, nullptr, nullptr};
const Primitive constant{"constant", 0, nullptr, nullptr, nullptr};

/// value, derivative, x: the derivative of this step is the second operand, whatever the first one's would be.
const Primitive known_derivative{
    "known_derivative", 3,
    [](const Value& value, const Value& derivative, const Value& x) -> Value {
      const Symbol same = with_known_derivative(value.plain, derivative.plain, x.plain);
      return {same, x.derivative ? std::optional(*x.derivative * derivative.plain) : std::nullopt};
    },
    [](float* out, const float* a, const float*, const float*, std::size_t n) { std::copy_n(a, n, out); },
    [](double* out, const double* a, const double*, const double*, std::size_t n) { std::copy_n(a, n, out); }};

/// The last step of each program: g · f(x) as in the chain rule.
template <class T>
XGRAD_FLATTEN void masked_products(T* out, const T* g, const T* f, const T*, std::size_t count) {
  for (std::size_t i = 0; i < count; i += Vec<T>::width)
    masked_product<T>(Vec<T>::load(g + i), Vec<T>::load(f + i)).store(out + i);
}
const Primitive masked_product_of_inputs{"masked_product", 2, nullptr, &masked_products<float>,
                                         &masked_products<double>};

}  // namespace

std::uint32_t Symbol::literal(double x) { return Builder::current->add({&constant, {}, x}); }

// Steps that are known beforehand are not noted.

Symbol operator-(Symbol a) {
  if (is_constant(a)) return -step_of(a).value;
  return is_a<"neg">(negate, a) ? operand_of(a) : at(note<"neg">(negate, a));
}

Symbol operator+(Symbol a, Symbol b) {
  if (is_constant(a) && is_constant(b)) return step_of(a).value + step_of(b).value;
  if (is_a<"neg">(negate, b)) return a - operand_of(b);
  if (is_a<"neg">(negate, a)) return b - operand_of(a);
  return at(
      note<"add">([](auto x, auto y) { return x + y; }, at(std::min(a.step, b.step)), at(std::max(a.step, b.step))));
}

Symbol operator-(Symbol a, Symbol b) {
  if (is_constant(a) && is_constant(b)) return step_of(a).value - step_of(b).value;
  if (is_a<"neg">(negate, b)) return a + operand_of(b);
  return at(note<"sub">([](auto x, auto y) { return x - y; }, a, b));
}

Symbol operator*(Symbol a, Symbol b) {
  if (is_constant(a) && is_constant(b)) return step_of(a).value * step_of(b).value;
  if (is_constant(b)) std::swap(a, b);
  if (is_constant(a, 1)) return b;
  if (is_constant(a, -1)) return -b;
  if (is_a<"neg">(negate, a)) return -(operand_of(a) * b);
  if (is_a<"neg">(negate, b)) return -(a * operand_of(b));
  return at(
      note<"mul">([](auto x, auto y) { return x * y; }, at(std::min(a.step, b.step)), at(std::max(a.step, b.step))));
}

Symbol operator/(Symbol a, Symbol b) {
  if (is_constant(a) && is_constant(b)) return step_of(a).value / step_of(b).value;
  return is_constant(b, 1) ? a : at(note<"div">([](auto x, auto y) { return x / y; }, a, b));
}

SymbolMask operator<(Symbol a, Symbol b) {
  return {note<"lt">([](auto x, auto y) { return x < y; }, a, b)};
}
SymbolMask operator<=(Symbol a, Symbol b) {
  return {note<"le">([](auto x, auto y) { return x <= y; }, a, b)};
}
SymbolMask operator==(Symbol a, Symbol b) {
  return {note<"eq">([](auto x, auto y) { return x == y; }, a, b)};
}
SymbolMask operator&(SymbolMask a, SymbolMask b) {
  return {note<"and">([](auto x, auto y) { return truth(x) & truth(y); }, a, b)};
}
SymbolMask operator|(SymbolMask a, SymbolMask b) {
  return {note<"or">([](auto x, auto y) { return truth(x) | truth(y); }, a, b)};
}
SymbolMask operator!(SymbolMask a) {
  return is_a<"not">(invert, at(a.step)) ? SymbolMask{operand_of(at(a.step)).step} : SymbolMask{note<"not">(invert, a)};
}
Symbol where(SymbolMask mask, Symbol a, Symbol b) {
  return a.step == b.step ? a
                          : at(note<"where">([](auto m, auto x, auto y) { return where(truth(m), x, y); }, mask, a, b));
}

Symbol exp(Symbol a) {
  return at(note<"exp">([](auto x) { return exp(x); }, a));
}
Symbol expm1(Symbol a) {
  return at(note<"expm1">([](auto x) { return expm1(x); }, a));
}
Symbol log(Symbol a) {
  return at(note<"log">([](auto x) { return log(x); }, a));
}
Symbol log1p(Symbol a) {
  return at(note<"log1p">([](auto x) { return log1p(x); }, a));
}
Symbol sqrt(Symbol a) {
  return at(note<"sqrt">([](auto x) { return sqrt(x); }, a));
}
Symbol sin(Symbol a) {
  return at(note<"sin">([](auto x) { return sin(x); }, a));
}
Symbol cos(Symbol a) {
  return at(note<"cos">([](auto x) { return cos(x); }, a));
}
Symbol tanh(Symbol a) {
  return at(note<"tanh">([](auto x) { return tanh(x); }, a));
}
Symbol abs(Symbol a) {
  return at(note<"abs">([](auto x) { return abs(x); }, a));
}
Symbol sign(Symbol a) {
  return at(note<"sign">([](auto x) { return sign(x); }, a));
}
Symbol floor(Symbol a) {
  return at(note<"floor">([](auto x) { return floor(x); }, a));
}
Symbol sigmoid(Symbol a) {
  return at(note<"sigmoid">([](auto x) { return sigmoid(x); }, a));
}
Symbol sigmoid_derivative(Symbol a) {
  return at(note<"sigmoid_derivative">([](auto x) { return sigmoid_derivative(x); }, a));
}
Symbol tanh_derivative(Symbol a) {
  return at(note<"tanh_derivative">([](auto x) { return tanh_derivative(x); }, a));
}
Symbol swish(Symbol a) {
  return at(note<"swish">([](auto x) { return swish(x); }, a));
}
Symbol swish_derivative(Symbol a) {
  return at(note<"swish_derivative">([](auto x) { return swish_derivative(x); }, a));
}
Symbol mish(Symbol a) {
  return at(note<"mish">([](auto x) { return mish(x); }, a));
}
Symbol mish_derivative(Symbol a) {
  return at(note<"mish_derivative">([](auto x) { return mish_derivative(x); }, a));
}
Symbol power_derivative_by_base(Symbol a, Symbol b) {
  return at(note<"power_derivative_by_base">([](auto x, auto y) { return power_derivative_by_base(x, y); }, a, b));
}
Symbol power_derivative_by_exponent(Symbol a, Symbol b) {
  return at(
      note<"power_derivative_by_exponent">([](auto x, auto y) { return power_derivative_by_exponent(x, y); }, a, b));
}
Symbol softplus(Symbol a) {
  return at(note<"softplus">([](auto x) { return softplus(x); }, a));
}
Symbol pow(Symbol a, Symbol b) {
  return at(note<"pow">([](auto x, auto y) { return pow(x, y); }, a, b));
}
Symbol tie(Symbol a, Symbol b) {
  return at(note<"tie">([](auto x, auto y) { return tie(x, y); }, a, b));
}

Symbol with_known_derivative(Symbol value, Symbol derivative, Symbol x) {
  return at(Builder::current->add({&known_derivative, {value.step, derivative.step, x.step}, 0}));
}

std::shared_ptr<const Program> Program::trace(const PointwiseRule& rule, const void* closure) {
  Builder builder;
  std::array<Symbol, max_pointwise_arity> x{at(0), at(0), at(0), at(0)};
  for (std::uint32_t i = 0; i < rule.arity; ++i) x[i] = at(builder.add({&input, {i, 0, 0}, 0}));
  const std::uint32_t result = rule.trace(closure, x.data()).step;
  // Closures are compared by what they do: their bytes have padding, and addresses of rules are used again.
  static constexpr std::size_t max_programs = 256;
  static std::mutex mutex;
  static std::map<std::pair<std::vector<Step>, std::uint32_t>, std::shared_ptr<const Program>> known;
  const std::lock_guard lock(mutex);
  auto [place, fresh] = known.try_emplace({builder.steps, result});
  if (!fresh) return place->second;
  const auto program = place->second = std::make_shared<const Program>(rule.arity, std::move(builder.steps), result);
  if (known.size() > max_programs) known.clear();
  return program;
}

Program::Listing Program::listing() const {
  Listing list;
  for (const Step& step : steps_) list.push_back({step.primitive->name, step.operands, step.value});
  return list;
}

const std::shared_ptr<const Program>& Program::along(std::size_t k) const {
  std::call_once(known_[k], [&] { along_[k] = differentiate(k); });
  return along_[k];
}

/// Replays the steps on duals of symbols, and keeps what the derivative of the result needs.
std::shared_ptr<const Program> Program::differentiate(std::size_t k) const {
  Builder builder;
  std::vector<Value> values;
  values.reserve(steps_.size());
  for (const Step& step : steps_) {
    const auto& [a, b, c] = step.operands;
    if (step.primitive == &input)
      values.push_back({at(builder.add(step)), a == k ? std::optional(Symbol(1)) : std::nullopt});
    else if (step.primitive == &constant)
      values.push_back({at(builder.add(step)), std::nullopt});
    else
      values.push_back(step.primitive->derive(values[a], values[b], values[c]));
  }
  const std::optional<Symbol> derivative = values[result_].derivative;
  return derivative ? std::make_shared<const Program>(arity_, std::move(builder.steps), derivative->step) : nullptr;
}

Program::Program(std::size_t arity, std::vector<Step> steps, std::uint32_t result) : arity_(arity) {
  // Inputs, and what the result needs, in order.
  std::vector<bool> live(steps.size());
  live[result] = true;
  for (std::size_t i = steps.size(); i-- > 0;)
    for (std::size_t o = 0; live[i] && o < steps[i].primitive->operands; ++o) live[steps[i].operands[o]] = true;
  std::vector<std::uint32_t> place(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!live[i] && steps[i].primitive != &input) continue;
    Step step = steps[i];
    for (std::size_t o = 0; o < step.primitive->operands; ++o) step.operands[o] = place[step.operands[o]];
    place[i] = static_cast<std::uint32_t>(steps_.size());
    steps_.push_back(step);
  }
  result_ = place[result];
  compile();
}

namespace {

constexpr std::uint32_t input_flag = 0x8000'0000;  // an operand that is an input of the kernel: g, x...

}  // namespace

/// Gives each step a slot, used again after the last step that reads it.
void Program::compile() {
  const std::size_t n = steps_.size();
  std::vector<std::size_t> last_use(n, 0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t o = 0; o < steps_[i].primitive->operands; ++o) last_use[steps_[i].operands[o]] = i;
  last_use[result_] = n;
  std::vector<std::uint32_t> slot(n), unused;
  const auto take_slot = [&] {
    if (unused.empty()) return slots_++;
    const std::uint32_t free = unused.back();
    unused.pop_back();
    return free;
  };
  for (std::size_t i = 0; i < n; ++i)  // constants are filled in once
    if (steps_[i].primitive == &constant) constants_.push_back({slot[i] = take_slot(), steps_[i].value});
  for (std::size_t i = 0; i < n; ++i) {
    const Step& step = steps_[i];
    if (step.primitive == &constant) continue;
    if (step.primitive == &input) {
      slot[i] = input_flag | (step.operands[0] + 1);
      continue;
    }
    Instruction instruction{step.primitive, 0, {}};
    for (std::size_t o = 0; o < step.primitive->operands; ++o) {
      const std::uint32_t x = step.operands[o];
      instruction.operands[o] = slot[x];
      const bool plain = steps_[x].primitive != &input && steps_[x].primitive != &constant;
      if (plain && std::exchange(last_use[x], last_use[x] == i ? n + 1 : last_use[x]) == i) unused.push_back(slot[x]);
    }
    instruction.out = slot[i] = take_slot();  // may be an operand's: loops read before they write
    code_.push_back(instruction);
  }
  code_.push_back({&masked_product_of_inputs, 0, {input_flag, slot[result_], 0}});
}

/// Block by block, so that the slots stay in the cache.
template <class T>
void Program::run(const void* closure, const void* const* inputs, const bool* splat, void* output, std::size_t count,
                  std::size_t room) {
  constexpr std::size_t block = 2048 / sizeof(T);
  const Program& program = *static_cast<const Program*>(closure);
  const std::size_t operands = program.arity_ + 1;
  const std::size_t bytes = (program.slots_ + operands + 1) * block * sizeof(T);
  T* const memory = static_cast<T*>(allocate(bytes));
  const auto slot = [memory](std::size_t i) { return memory + i * block; };
  T* const spare = slot(program.slots_ + operands);

  const auto whole_vectors = [](std::size_t n) { return (n + Vec<T>::width - 1) / Vec<T>::width * Vec<T>::width; };
  const std::size_t used = std::min(block, whole_vectors(count));
  for (const auto& [place, value] : program.constants_) std::fill_n(slot(place), used, static_cast<T>(value));
  std::array<const T*, max_pointwise_arity + 1> source;
  for (std::size_t i = 0; i < operands; ++i)
    if (splat[i]) std::fill_n(slot(program.slots_ + i), used, *static_cast<const T*>(inputs[i]));

  for (std::size_t begin = 0; begin < count; begin += block) {
    const std::size_t length = std::min(block, count - begin), whole = whole_vectors(length);
    for (std::size_t i = 0; i < operands; ++i) {
      T* const own = slot(program.slots_ + i);
      source[i] = splat[i] ? own : static_cast<const T*>(inputs[i]) + begin;
      if (splat[i] || whole == length) continue;
      std::copy_n(source[i], length, own);
      std::fill(own + length, own + whole, T(1));  // a number on which no function takes its rare way
      source[i] = own;
    }
    const auto operand = [&](std::uint32_t o) -> const T* {
      return (o & input_flag) != 0 ? source[o & ~input_flag] : slot(o);
    };
    T* const target = static_cast<T*>(output) + begin;
    const bool direct = room - begin >= whole;
    for (const Instruction& i : program.code_) {
      T* const out = &i != &program.code_.back() ? slot(i.out) : direct ? target : spare;
      i.primitive->loop<T>()(out, operand(i.operands[0]), operand(i.operands[1]), operand(i.operands[2]), whole);
    }
    if (!direct) std::copy_n(spare, length, target);
  }
  deallocate(memory, bytes);
}

const KernelByDType Program::kernels = {&Program::run<float>, &Program::run<double>, nullptr};

}  // namespace xgrad::kernels
