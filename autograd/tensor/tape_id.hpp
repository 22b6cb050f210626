#pragma once

#include <cstdint>

namespace xgrad {

// A tensor knows the tape that recorded it by a number that is never used again, so that it need not be told when the
// tape ends.

/// TapeError when too many tapes are open.
std::uint64_t new_tape_id();
void end_tape_id(std::uint64_t id) noexcept;
/// Whether the tape is open; 0, of no tape, is not.
bool tape_is_alive(std::uint64_t id) noexcept;

}  // namespace xgrad
