#include <autograd/text/words.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace xgrad {

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string counted(std::size_t count, std::string_view noun, std::string_view plural) {
  if (count != 1 && plural.empty()) return fmt::format("{} {}s", count, noun);
  return fmt::format("{} {}", count, count == 1 ? noun : plural);
}

std::string ordinal(std::int64_t n) {
  constexpr const char* words[] = {"first", "second", "third"};
  return n >= 1 && n <= 3 ? words[n - 1] : fmt::format("{}th", n);
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  std::string nearest;
  std::size_t smallest = 2 + word.size() / 3;  // what differs by as many letters was not meant
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= smallest) continue;
    smallest = distance;
    nearest = candidate;
  }
  return nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest);
}

std::vector<std::string> nearest_words(std::string_view word, const std::vector<std::string>& known,
                                       std::size_t count) {
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const std::string& candidate : known)
    ranked.emplace_back(candidate.find(word) != std::string::npos ? 0 : edit_distance(word, candidate), candidate);
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> nearest;
  for (std::size_t i = 0; i < std::min(count, ranked.size()); ++i) nearest.push_back(std::move(ranked[i].second));
  return nearest;
}

}  // namespace xgrad
