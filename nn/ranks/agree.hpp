#pragma once

#include <nn/ranks/message.hpp>
#include <nn/ranks/ranks.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// What `own` writes here and on the other ranks, in the order of ranks. If it throws on any of them, all throw: the
/// lowest rank of those what it threw, the others a RankError with its text, so that no rank waits for one that is
/// gone.
std::vector<std::string> agree(Ranks& ranks, const std::function<void(MessageWriter& message)>& own);

/// A property that all ranks have to have in common, in words.
struct Particular {
  std::string name;
  std::string value;
};
/// RankError, on all ranks, that names the first particular in which a rank differs from the first one, and the way
/// out. who: the operation that asks.
void require_same(Ranks& ranks, const char* who, const std::vector<Particular>& own);

}  // namespace xgrad::nn
