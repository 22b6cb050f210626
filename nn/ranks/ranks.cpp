#include <nn/ranks/ranks.hpp>

#include <algorithm>

namespace xgrad::nn {

namespace {

/// What every message begins with: most are no longer, and take one call.
struct Head {
  static constexpr std::size_t capacity = 256 - sizeof(std::uint64_t);
  std::uint64_t length = 0;
  char bytes[capacity] = {};
};

}  // namespace

std::vector<std::string> Ranks::gather(std::string_view own) {
  const auto ranks = static_cast<std::size_t>(size()), here = static_cast<std::size_t>(rank());
  std::vector<Head> heads(ranks);
  heads[here].length = own.size();
  own.copy(heads[here].bytes, Head::capacity);
  share(std::as_writable_bytes(std::span(heads)), std::vector<std::size_t>(ranks, sizeof heads[0]));

  std::vector<std::size_t> sizes;
  std::size_t total = 0, before = 0;  // of what is left of them
  for (std::size_t r = 0; r < ranks; ++r) {
    if (r == here) before = total;
    sizes.push_back(heads[r].length - std::min<std::size_t>(heads[r].length, Head::capacity));
    total += sizes[r];
  }
  std::string rest(total, '\0');
  if (total > 0) {
    if (sizes[here] > 0) own.substr(Head::capacity).copy(rest.data() + before, sizes[here]);
    share(std::as_writable_bytes(std::span(rest)), sizes);
  }
  std::vector<std::string> all;
  std::size_t at = 0;
  for (std::size_t r = 0; r < ranks; ++r) {
    all.push_back(std::string(heads[r].bytes, heads[r].length - sizes[r]) + rest.substr(at, sizes[r]));
    at += sizes[r];
  }
  return all;
}

}  // namespace xgrad::nn
