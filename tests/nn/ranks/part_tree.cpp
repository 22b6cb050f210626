#include <doctest/doctest.h>
#include <nn/ranks/part_tree.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

using namespace xgrad;
using nn::PartTree;
using nn::Run;

namespace {

using Closings = std::vector<std::uint8_t>;

/// How a run is added up: "(0+1)+2".
std::string as_text(const std::vector<Run>& nodes, const Closings& closings) {
  std::vector<std::string> open;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    open.push_back(std::to_string(nodes[i].first));
    for (int closing = closings[i]; closing > 0; --closing) {
      const std::string last = open.back();
      open.pop_back();
      open.back() = "(" + open.back() + "+" + last + ")";
    }
  }
  REQUIRE(open.size() == 1);
  return open.front();
}

std::string sum_of(std::int64_t parts) {
  const std::vector<Run> all = PartTree::parts_of({0, parts});
  return as_text(all, PartTree(parts).closings(all));
}

}  // namespace

TEST_CASE("parts are halved down to single ones, the lower half being the smaller") {
  CHECK(sum_of(1) == "0");
  CHECK(sum_of(2) == "(0+1)");
  CHECK(sum_of(3) == "(0+(1+2))");
  CHECK(sum_of(4) == "((0+1)+(2+3))");
  CHECK(sum_of(5) == "((0+1)+(2+(3+4)))");
  CHECK(sum_of(6) == "((0+(1+2))+(3+(4+5)))");
  CHECK(sum_of(7) == "((0+(1+2))+((3+4)+(5+6)))");
}

TEST_CASE("shares differ by one at most and follow each other") {
  for (std::int64_t count = 0; count < 40; ++count)
    for (std::int64_t shares = 1; shares < 20; ++shares) {
      std::int64_t next = 0;
      for (std::int64_t i = 0; i < shares; ++i) {
        const Run share = nn::share_of(count, shares, i);
        CHECK(share.first == next);
        CHECK(share.size() >= count / shares);
        CHECK(share.size() <= count / shares + 1);
        next = share.last;
      }
      CHECK(next == count);
    }
}

TEST_CASE("what several add up of their runs makes the sum that one makes of all") {
  for (std::int64_t parts = 1; parts <= 40; ++parts) {
    const PartTree tree(parts);
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < parts; ++i) numbers.push_back(std::sin(1.0 + static_cast<double>(i * i)));
    const double whole = tree.sum(PartTree::parts_of({0, parts}), numbers);
    for (std::int64_t ranks = 1; ranks <= 17; ++ranks) {
      CAPTURE(parts);
      CAPTURE(ranks);
      std::vector<Run> nodes;
      std::vector<double> sums;
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        const Run run = nn::share_of(parts, ranks, rank);
        const std::vector<Run> own = tree.nodes_of(run);
        std::int64_t next = run.first;
        for (const Run& node : own) {
          CHECK(node.first == next);
          next = node.last;
          const auto at = numbers.begin() + node.first;
          sums.push_back(tree.sum(PartTree::parts_of(node), std::vector<double>(at, at + node.size())));
        }
        CHECK(next == run.last);
        if ((ranks & (ranks - 1)) == 0) CHECK(own.size() == (run.size() > 0 ? 1 : 0));
        CHECK(static_cast<double>(own.size()) <= std::max(1.0, 2 * std::log2(static_cast<double>(parts))));
        nodes.insert(nodes.end(), own.begin(), own.end());
      }
      CHECK(tree.sum(nodes, sums) == whole);  // to the bit
    }
  }
}

TEST_CASE("parts without a term add nothing") {
  const PartTree tree(6);
  CHECK(as_text({{1, 2}, {3, 4}, {5, 6}}, tree.closings(std::vector<Run>{{1, 2}, {3, 4}, {5, 6}})) == "(1+(3+5))");
  CHECK(tree.closings(std::vector<Run>{{4, 5}}) == Closings{0});
  CHECK(tree.closings(std::vector<Run>{}).empty());
  CHECK(tree.sum({}, {}) == 0);
}
