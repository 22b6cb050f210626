#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace xgrad {

// A tensor knows the tape that recorded it by a number that is never used again, so that it need not be told when the
// tape ends.

// Ids of living tapes by slot; an id is its slot plus a multiple of the table's size, and never used again.
inline constexpr std::size_t tape_slots = 4096;
extern constinit std::array<std::atomic<std::uint64_t>, tape_slots> living_tapes;

/// TapeError when too many tapes are open.
std::uint64_t new_tape_id();
void end_tape_id(std::uint64_t id) noexcept;
/// Whether the tape is open; 0, of no tape, is not.
inline bool tape_is_alive(std::uint64_t id) noexcept {
  return id != 0 && living_tapes[id % tape_slots].load(std::memory_order_acquire) == id;
}

}  // namespace xgrad
