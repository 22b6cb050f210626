#include <nn/ranks/ranks.hpp>

#include <cstring>

namespace xgrad::nn {

std::vector<std::string> Ranks::gather(std::string_view own) {
  const auto ranks = static_cast<std::size_t>(size()), here = static_cast<std::size_t>(rank());
  std::vector<std::uint64_t> lengths(ranks);
  lengths[here] = own.size();
  share(std::as_writable_bytes(std::span(lengths)), std::vector<std::size_t>(ranks, sizeof lengths[0]));
  const std::vector<std::size_t> sizes(lengths.begin(), lengths.end());
  std::size_t total = 0, before = 0;
  for (std::size_t r = 0; r < ranks; ++r) {
    if (r == here) before = total;
    total += sizes[r];
  }
  std::string bytes(total, '\0');
  own.copy(bytes.data() + before, own.size());
  if (total > 0) share(std::as_writable_bytes(std::span(bytes)), sizes);
  std::vector<std::string> all;
  std::size_t at = 0;
  for (const std::size_t length : sizes) {
    all.push_back(bytes.substr(at, length));
    at += length;
  }
  return all;
}

}  // namespace xgrad::nn
