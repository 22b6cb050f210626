#pragma once

#include "tests/project/declarations.hpp"
#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

// Abusive calls: every argument of a function in turn, and every two of them, are replaced by every value of one list
// of hostile ones. Whatever they are, a call ends in an xgrad::Error that names the function, or in a well-formed
// result.
namespace hostile {

using namespace xgrad;
using Int = std::int64_t;
using Texts = std::vector<std::string>;

// The list, by type. The first value is one that most functions take. Numbers of elements lie below 10,000 or beyond
// what any machine can address: no call takes memory worth mentioning.

template <class T>
struct Type {};

/// list(Type<T>()), made once.
template <class T>
const std::vector<T>& values() {
  static const std::vector<T> made = list(Type<T>());
  return made;
}

inline std::vector<Int> list(Type<Int>) {
  using Limits = std::numeric_limits<Int>;
  const Int huge = Int{1} << 50, wraps_to_four = (Int{1} << 62) + 1;
  return {1, 0, -1, 2, 3, -3, 8, 9, 65, -100, huge, -huge, wraps_to_four, Limits::max(), Limits::min()};
}
inline std::vector<std::size_t> list(Type<std::size_t>) { return {values<Int>().begin(), values<Int>().end()}; }
inline std::vector<double> list(Type<double>) {
  using Limits = std::numeric_limits<double>;
  return {0.5,
          0.0,
          -0.0,
          1.0,
          -1.0,
          1.5,
          -2.0,
          Limits::denorm_min(),
          1e30,
          -1e308,
          Limits::infinity(),
          -Limits::infinity(),
          Limits::quiet_NaN()};
}
inline std::vector<bool> list(Type<bool>) { return {false, true}; }
inline std::vector<DType> list(Type<DType>) { return {float32, float64, int64}; }
inline std::vector<NonFinite> list(Type<NonFinite>) { return {NonFinite::reject, NonFinite::skip}; }
inline Texts list(Type<std::string>) {
  return {"a", "", " ", "a.b", "a/b", "two\nlines", "\xff\xfe", std::string(10'000, 'x'), "NaN"};
}

/// Empty, of one value, of two, of many.
template <class T>
std::vector<std::vector<T>> list(Type<std::vector<T>>) {
  const T& first = values<T>().front();
  std::vector<std::vector<T>> lists = {{first}, {}, std::vector<T>(100, first)};
  for (const T& value : values<T>()) lists.insert(lists.end(), {{value}, {first, value}, {value, value}});
  return lists;
}
template <class T>
std::vector<std::optional<T>> list(Type<std::optional<T>>) {
  std::vector<std::optional<T>> lists = {std::nullopt};
  lists.insert(lists.end(), values<T>().begin(), values<T>().end());
  return lists;
}
template <class Signature>
std::vector<std::function<Signature>> list(Type<std::function<Signature>>) {
  return {nullptr};
}

template <class List>
std::vector<List> small_lists(List first) {
  const Int wraps = Int{1} << 32;  // 2^32 · 2^32 = 2^64
  std::vector<List> lists = {std::move(first), {}, {1, 1, 1, 1, 1, 1, 1, 1}, {wraps, wraps}, {0, wraps, wraps}};
  for (const Int n : values<Int>()) lists.insert(lists.end(), {List{n}, List{n, n}, List{0, n}, List{2, n}});
  return lists;
}
inline std::vector<Shape> list(Type<Shape>) { return small_lists(Shape{2, 3}); }
inline std::vector<Axes> list(Type<Axes>) { return small_lists(Axes{-1}); }

/// A result of a tape of another thread, which stays open.
inline const Tensor& foreign_tensor() {
  struct Foreign {
    std::unique_ptr<Tape> tape;
    Tensor result;
    Foreign() {
      std::thread([this] {
        const Tensor w = expect::leaf(tensor({1.0, 2.0, 3.0}));
        tape = std::make_unique<Tape>();
        result = w * 2.0;
      }).join();
    }
  };
  static const Foreign foreign;
  return foreign.result;
}
inline Tensor tensor_of_dead_tape() {
  const Tensor w = expect::leaf(tensor({1.0, 2.0}));
  const Tape tape;
  return w * 2.0;
}
inline std::vector<Tensor> list(Type<Tensor>) {
  using Limits = std::numeric_limits<Int>;
  const Int huge = Int{1} << 50;
  const Tensor matrix = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.5}});
  Tensor moved_from = tensor({1.0});
  static_cast<void>(Tensor(std::move(moved_from)));
  Tensor extremes = zeros({3}, int64);
  extremes.modify([](std::span<Int> x) { x[0] = Limits::min(), x[1] = Limits::max(), x[2] = -1; });
  return {expect::leaf(matrix),
          Tensor(),
          moved_from,
          matrix.to(float64),
          detach(transpose(matrix)),
          expect::leaf(tensor({1.0, 2.0, 3.0})),
          expect::leaf(tensor({2.0, 3.0})),
          tensor({1.0, -1.0, 0.0}),
          tensor(2.0),
          tensor(list(Type<double>()), float32),
          tensor(list(Type<double>()), float64),
          arange(2),
          reshape(arange(4), {2, 2}),
          arange(3),
          extremes,
          zeros({}, int64),
          zeros({0}),
          zeros({2, 0}),
          zeros({0, huge}),
          zeros({huge, 0}),
          ones({1, 1, 1, 1, 1, 1, 1, 1}),
          foreign_tensor(),
          tensor_of_dead_tape()};
}

// What is wrong with a result, whose values are all read, or "".

template <class T>
std::string fault_of(const T&) {
  return "";
}
inline std::string fault_of(const Tensor& x) {
  if (!x.defined()) return "gave an empty handle";
  return expect::values(x).size() == x.shape().elements() ? "" : "gave a tensor of another size";
}
inline std::string fault_of(const Gradients& gradients) {
  for (const auto& [x, g] : gradients)
    if (x.shape() != g.shape()) return "gave a gradient of another shape";
  return "";
}
template <class T>
std::string fault_of(const std::vector<T>& list) {
  for (const T& one : list)
    if (std::string fault = fault_of(one); !fault.empty()) return fault;
  return "";
}

/// What a result on a tape must allow: its own backward.
template <class T>
void use(Tape& tape, const T& x) {
  if constexpr (std::is_same_v<T, Tensor>)
    if (x.defined() && tape.open() && !x.is(foreign_tensor()) && is_recorded(x) && is_floating(x.dtype()))
      static_cast<void>(tape.backward(x, ones(x.shape(), x.dtype())));
}

/// Takes results that a row has no use for.
template <class... T>
void seen(const T&...) {}

template <class... T>
std::tuple<T...> good(const T&... arguments) {
  return {arguments...};
}

/// Runs calls and collects what is wrong.
class Abuse {
 public:
  std::size_t calls = 0;
  std::set<std::string> names;
  std::vector<std::string> findings;

  /// f of good arguments, which must succeed, and with hostile values in place of one and of two of them. Without good
  /// ones those are the first of each type. words: what the row stands for, as declarations calls it, and others that
  /// messages may begin with.
  template <class F>
  void operator()(const char* words, const F& f) {
    row(words, std::tuple(), std::function(f), 2);
  }
  template <class Good, class F>
  void operator()(const char* words, const Good& good, const F& f) {
    row(words, good, std::function(f), 2);
  }
  /// With one hostile value alone, for calls that take long.
  template <class Good, class F>
  void slow(const char* words, const Good& good, const F& f) {
    row(words, good, std::function(f), 1);
  }
  /// Of overloaded functions the one of this signature: `abuse.of<Tensor(const Tensor&)>()("exp", exp)`.
  template <class Signature>
  auto of() {
    return [this](const char* words, Signature* f) { (*this)(words, f); };
  }

 private:
  template <class Good, class R, class... A>
  void row(const char* words, const Good& good, const std::function<R(A...)>& f, int changes) {
    std::istringstream stream(words);
    words_.assign(std::istream_iterator<std::string>(stream), {});
    names.insert(words_.begin(), words_.end());
    found_in_row_ = 0;
    std::tuple<std::remove_cvref_t<A>...> arguments;
    if constexpr (std::tuple_size_v<Good> == 0)
      arguments = {values<std::remove_cvref_t<A>>().front()...};
    else
      arguments = good;
    if (!run(f, arguments, "good arguments")) find("good arguments: " + last_error_);
    change<0>(f, arguments, "", changes);
  }

  /// Each of the arguments from `first` on replaced, and then `changes` - 1 of those behind it.
  template <std::size_t first, class F, class Arguments>
  void change(const F& f, const Arguments& arguments, const std::string& what, int changes) {
    if constexpr (first < std::tuple_size_v<Arguments>) {
      if (changes == 0) return;
      std::size_t number = 0;
      for (const auto& value : values<std::tuple_element_t<first, Arguments>>()) {
        Arguments changed = arguments;
        std::get<first>(changed) = value;
        const std::string more =
            what + " argument " + std::to_string(first) + " = hostile value " + std::to_string(number++);
        run(f, changed, more);
        change<first + 1>(f, changed, more, changes - 1);
      }
      change<first + 1>(f, arguments, what, changes);
    }
  }

  template <class F, class Arguments>
  bool run(const F& f, const Arguments& arguments, const std::string& what) {
    ++calls;
    try {
      Tape tape;
      if constexpr (std::is_void_v<decltype(std::apply(f, arguments))>) {
        std::apply(f, arguments);
      } else {
        const auto result = std::apply(f, arguments);
        if (const std::string fault = fault_of(result); !fault.empty()) find(what + ": " + fault);
        use(tape, result);
      }
      return true;
    } catch (const Error& error) {
      last_error_ = error.what();
      // Of a composition, the step that a tape refused to record or that found no memory is named.
      const bool of_step = dynamic_cast<const TapeError*>(&error) || dynamic_cast<const MemoryError*>(&error);
      if (!of_step && !names_row(last_error_)) find(what + ": an error that does not name it: " + last_error_);
    } catch (const std::exception& error) {
      last_error_ = error.what();
      find(what + ": a foreign exception, " + typeid(error).name() + ": " + last_error_);
    }
    return false;
  }

  /// Whether a text holds one of the row's words, or the class or the function of one.
  bool names_row(const std::string& text) const {
    const auto same = [](char a, char b) { return std::tolower(a) == std::tolower(b); };
    const auto holds = [&](const std::string& word) {
      return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
    };
    return std::any_of(words_.begin(), words_.end(), [&](const std::string& word) {
      const std::size_t colons = word.find("::");
      return holds(word.substr(0, colons)) || (colons != std::string::npos && holds(word.substr(colons + 2)));
    });
  }

  void find(const std::string& text) {
    constexpr std::size_t enough = 3;  // of a row, to go on with
    if (found_in_row_++ < enough) findings.push_back(words_.front() + ", " + text);
  }

  Texts words_;
  std::size_t found_in_row_ = 0;
  std::string last_error_;
};

/// Fails for each finding; tells the number of calls, which must be 3,000 or more; and fails if a function that is
/// declared has no row, nor is among those without one: words under a reason, a class standing for its members.
inline void check(const Abuse& abuse, const std::set<std::string>& declared,
                  const std::vector<std::pair<const char*, const char*>>& without_rows) {
  for (const std::string& finding : abuse.findings) FAIL_CHECK(finding);
  MESSAGE(abuse.calls << " calls");
  CHECK(abuse.calls >= 3000);
  std::set<std::string> without;
  for (const auto& one : without_rows) {
    const char* const reason = one.first;
    std::istringstream stream(one.second);
    for (std::string word; stream >> word;) {
      std::size_t meant = 0;
      for (const std::string& name : declared) {
        if (name != word && !name.starts_with(word + "::")) continue;
        ++meant;
        without.insert(name);
        INFO(name, " needs no row: ", reason);
        CHECK_FALSE(abuse.names.contains(name));
      }
      INFO(word, " has no row, and is not declared");
      CHECK(meant > 0);
    }
  }
  for (const std::string& name : declared)
    if (!abuse.names.contains(name) && !without.contains(name)) FAIL_CHECK(name << " has no row of abusive calls");
  for (const std::string& name : abuse.names)
    if (name.find("::") != std::string::npos && !declared.contains(name))
      FAIL_CHECK("a row is called " << name << ", which no header declares");
}

}  // namespace hostile
