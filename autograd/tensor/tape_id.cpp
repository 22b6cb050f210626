#include <autograd/tensor/format.hpp>
#include <autograd/tensor/tape_id.hpp>

namespace xgrad {

constinit std::array<std::atomic<std::uint64_t>, tape_slots> living_tapes{};

std::uint64_t new_tape_id() {
  constexpr std::uint64_t at_once = 64;  // that a thread takes, so that most tapes open without a word to the others
  static constinit std::atomic<std::uint64_t> last_id{0};
  static constinit thread_local std::uint64_t own_last = 0;
  for (std::size_t attempts = 0; attempts < 2 * tape_slots; ++attempts) {
    if (own_last % at_once == 0) own_last = last_id.fetch_add(at_once, std::memory_order_relaxed);
    const std::uint64_t id = ++own_last;
    std::uint64_t vacant = 0;
    if (living_tapes[id % tape_slots].compare_exchange_strong(vacant, id, std::memory_order_acq_rel)) return id;
  }
  throw_as<TapeError>("tape: {} tapes are open already; close or destroy some", tape_slots);
}

void end_tape_id(std::uint64_t id) noexcept {
  // Nobody else writes the slot of a living tape.
  if (tape_is_alive(id)) living_tapes[id % tape_slots].store(0, std::memory_order_release);
}

}  // namespace xgrad
