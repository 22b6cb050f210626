#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

// Words of messages.

namespace xgrad {

/// `1 row`, `2 rows`; of a noun with a plural of its own `1 entry`, `2 entries`.
std::string counted(std::size_t count, std::string_view noun, std::string_view plural = "");

/// `first`, `second`, `third`, `4th`, ...
std::string ordinal(std::int64_t n);

/// `a, b, c`. word: what to write of an item, a function or a member such as `&GradientRow::name`.
template <class Items, class Word = std::identity>
std::string joined(const Items& items, const Word& word = {}) {
  std::string text;
  for (const auto& item : items) text.append(text.empty() ? "" : ", ").append(std::invoke(word, item));
  return text;
}

/// `; did you mean epochs?`, the end of a message about an unknown word: the known one with the smallest edit distance
/// (Levenshtein 1966). "" if none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

/// So many of the known words, or all, the nearest first: those of which the word is a part, then by edit distance.
std::vector<std::string> nearest_words(std::string_view word, const std::vector<std::string>& known, std::size_t count);

}  // namespace xgrad
