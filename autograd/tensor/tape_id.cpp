#include <autograd/tensor/format.hpp>
#include <autograd/tensor/tape_id.hpp>

namespace xgrad {

constinit std::array<std::atomic<std::uint64_t>, tape_slots> living_tapes{};

std::uint64_t new_tape_id() {
  static constinit std::atomic<std::uint64_t> last_id{0};
  for (std::size_t attempts = 0; attempts < 2 * tape_slots; ++attempts) {
    const std::uint64_t id = last_id.fetch_add(1, std::memory_order_relaxed) + 1;
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
