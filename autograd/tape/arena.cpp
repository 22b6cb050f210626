#include <autograd/tape/arena.hpp>
#include <autograd/tensor/memory.hpp>

#include <algorithm>

namespace xgrad {

void Arena::grow(std::size_t bytes) {
  const std::size_t block_bytes = std::max<std::size_t>(bytes + sizeof(Block), 64 << 10);
  auto* block = new (allocate(block_bytes)) Block{last_, block_bytes};
  last_ = block;
  next_ = reinterpret_cast<char*>(block) + sizeof(Block);
  left_ = block_bytes - sizeof(Block);
}

void Arena::clear() noexcept {
  while (last_ != nullptr) {
    Block* const block = std::exchange(last_, last_->previous);
    deallocate(block, block->bytes);
  }
  next_ = nullptr;
  left_ = 0;
}

}  // namespace xgrad
