#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>

namespace xgrad::kernels {

// Everything that runs in parallel goes through parallel_blocks. The caller cuts its work into blocks by shape alone,
// never by the number of threads, so that the bits of a result do not depend on how many threads there are or on which
// of them runs which block.

/// Non-owning reference to a callable `void(std::size_t)`. The callable must outlive it, as a temporary in the call of
/// parallel_blocks does.
class BlockFunction {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, BlockFunction> && std::is_object_v<std::remove_reference_t<F>> &&
           std::is_invocable_v<F&, std::size_t>)
      // NOLINTNEXTLINE(google-explicit-constructor)
      BlockFunction(F&& callable)
  noexcept
      : callable_(const_cast<void*>(static_cast<const void*>(std::addressof(callable)))),
        call_([](void* object, std::size_t block) { (*static_cast<std::remove_reference_t<F>*>(object))(block); }) {}

  void operator()(std::size_t block) const { call_(callable_, block); }

 private:
  void* callable_;
  void (*call_)(void*, std::size_t);
};

/// Calls block(i) once for every i in [0, count), on any threads and in any order, and returns when all are done. The
/// calling thread takes part. Uses the threads of the caller's tbb::task_arena within tbb::global_control; the blocks
/// see the caller's floating-point environment, and the caller picks up no other task while it waits.
///
/// Serial, in order, for count <= 1 and inside a SerialScope. When blocks throw, the exception of the lowest one that
/// does is rethrown; blocks above it may then be left out.
void parallel_blocks(std::size_t count, BlockFunction block);

/// ⌈a / b⌉
template <class Integer>
constexpr Integer divide_up(Integer a, std::type_identity_t<Integer> b) {
  return (a + b - 1) / b;
}

/// Calls run(unit) for units of so many elements each, in blocks of about block_elements; serially while that is one.
template <class Run>
void for_units(std::size_t units, std::size_t elements, std::size_t block_elements, const Run& run) {
  if (units <= 1 || units * elements <= block_elements) {
    for (std::size_t unit = 0; unit < units; ++unit) run(unit);
    return;
  }
  const std::size_t share = std::max<std::size_t>(1, block_elements / elements);
  parallel_blocks(divide_up(units, share), [&](std::size_t block) {
    const std::size_t end = std::min(units, (block + 1) * share);
    for (std::size_t unit = block * share; unit < end; ++unit) run(unit);
  });
}

/// Hands work to any thread that is free, now or later, and returns at once. With one thread (thread_count() is 1) or
/// in a SerialScope it is not handed out at all. The work may therefore start late or never: whoever needs it done must
/// be able to do it. The work must not throw; it must share ownership of what it refers to.
void offer_work(std::function<void()> work);

/// While one lives, parallel_blocks on this thread runs serially, with the same blocks and hence the same bits: for
/// threads that already work on a part of a parallel batch.
class [[nodiscard]] SerialScope {
 public:
  SerialScope() noexcept;
  ~SerialScope();
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;
};

/// The number of threads that could run blocks of this thread now; 1 inside a SerialScope. For reports, and for
/// choices that do not change results.
std::size_t thread_count();

}  // namespace xgrad::kernels
