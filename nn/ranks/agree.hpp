#pragma once

#include <nn/ranks/message.hpp>
#include <nn/ranks/ranks.hpp>

#include <functional>
#include <string>
#include <vector>

namespace xgrad::nn {

// What one rank throws ends the work of all, so that no rank waits for one that is gone. Ranks work inside of
// `together`, and hear of each other by `agree`; between two calls of that any of them may throw. The one that does
// tells the others in place of its next message, and they throw a RankError when they read it.

/// Runs work(ranks), which agrees with the other ranks. What it throws here is told to them. One rank is no team:
/// there, and without ranks, work gets nullptr.
void together(Ranks* ranks, const std::function<void(Ranks* others)>& work);

/// What `own` writes here and on the other ranks, in the order of ranks. RankError, with the text and the number of the
/// lowest rank that threw instead.
std::vector<std::string> agree(Ranks& ranks, const std::function<void(MessageWriter& message)>& own);

/// What `own` writes on the first rank, on all of them.
std::string of_first(Ranks& ranks, const std::function<void(MessageWriter& message)>& own);

/// A property that all ranks have to have in common, in words.
struct Particular {
  std::string name;
  std::string value;
};
/// RankError, on all ranks, that names the first particular in which a rank differs from the first one. who: the
/// operation that asks; need: the rule, and the way out.
void require_same(Ranks& ranks, const std::string& who, const std::string& need, const std::vector<Particular>& own);

}  // namespace xgrad::nn
