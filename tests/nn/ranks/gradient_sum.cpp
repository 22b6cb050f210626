#include "tests/nn/ranks/thread_ranks.hpp"
#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/ops/random.hpp>
#include <autograd/ops/update.hpp>
#include <nn/ranks/gradient_sum.hpp>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <thread>
#include <vector>

using namespace xgrad;
using nn::PartTree;
using nn::Run;

namespace {

/// Leaves of both dtypes, some smaller than a cache line, one without elements.
std::vector<Tensor> some_leaves() {
  return {zeros({37, 11}), zeros({5}), zeros({3, 7}, float64), zeros({0}), zeros({1}), zeros({999})};
}

/// Of so many parts; every third part lacks every second leaf, and all are of sizes at which the order of sums shows.
std::vector<Gradients> some_gradients(const std::vector<Tensor>& leaves, std::int64_t parts) {
  Generator numbers(7);
  std::vector<Gradients> gradients(static_cast<std::size_t>(parts));
  for (std::size_t part = 0; part < gradients.size(); ++part)
    for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf)
      if (part % 3 != 1 || leaf % 2 == 0)
        gradients[part].set(leaves[leaf], normal(leaves[leaf].shape(), 0, 1, leaves[leaf].dtype(), numbers));
  return gradients;
}

std::vector<nn::SharedLeaf> dense(const std::vector<Tensor>& leaves) {
  std::vector<nn::SharedLeaf> list;
  for (const Tensor& leaf : leaves) list.push_back({leaf, false});
  return list;
}

/// All parts by one process, straight from the tree.
Tensor sum_of(const Tensor& leaf, const std::vector<Gradients>& gradients) {
  std::vector<Run> parts;
  std::vector<ValuesFrom> terms;
  for (std::size_t part = 0; part < gradients.size(); ++part)
    if (const Tensor* const gradient = gradients[part].find(leaf)) {
      parts.push_back({static_cast<std::int64_t>(part), static_cast<std::int64_t>(part) + 1});
      terms.push_back({*gradient});
    }
  Tensor sum = zeros(leaf.shape(), leaf.dtype());
  sum_in_tree(sum, 0, sum.size(), terms, PartTree(std::ssize(gradients)).closings(parts));
  return sum;
}

/// That add_up(ranks, the parts that it has, gradients of all parts, bucket_bytes) gives every rank the bits that one
/// process gets, in buckets of every size.
template <class AddUp>
void check_bits(std::initializer_list<std::int64_t> numbers_of_parts, std::initializer_list<std::int64_t> counts,
                const std::vector<Tensor>& leaves, const AddUp& add_up) {
  for (const std::int64_t parts : numbers_of_parts) {
    const std::vector<Gradients> gradients = some_gradients(leaves, parts);
    std::vector<std::vector<double>> expected;
    for (const Tensor& leaf : leaves) expected.push_back(expect::values(sum_of(leaf, gradients)));
    for (const std::int64_t count : counts)
      for (const std::size_t bucket_bytes : {64u, 1000u, 1u << 20}) {
        CAPTURE(parts);
        CAPTURE(count);
        CAPTURE(bucket_bytes);
        std::vector<std::vector<std::vector<double>>> found(static_cast<std::size_t>(count));
        const auto errors = ThreadRanks::run(count, [&](nn::Ranks& ranks) {
          const Run own = nn::share_of(parts, count, ranks.rank());
          const Gradients sum = add_up(ranks, parts, own, gradients, bucket_bytes);
          for (const Tensor& leaf : leaves)
            found[static_cast<std::size_t>(ranks.rank())].push_back(expect::values(sum[leaf]));
        });
        for (std::size_t rank = 0; rank < found.size(); ++rank) {
          CHECK(errors[rank] == nullptr);
          CHECK(found[rank] == expected);
        }
      }
  }
}

}  // namespace

TEST_CASE("every number of ranks gets the bits that one process gets, in buckets of every size") {
  const std::vector<Tensor> leaves = some_leaves();
  check_bits({1, 2, 5, 8, 16}, {1, 2, 3, 4, 8, 16}, leaves,
             [&](nn::Ranks& ranks, std::int64_t parts, const Run& run, const std::vector<Gradients>& gradients,
                 std::size_t bucket_bytes) {
               std::vector<const Gradients*> own;
               for (std::int64_t part = run.first; part < run.last; ++part)
                 own.push_back(&gradients[static_cast<std::size_t>(part)]);
               return nn::sum_over_ranks(ranks, PartTree(parts), own, dense(leaves), bucket_bytes);
             });
}

TEST_CASE("gradients of rows are added up as rows where all parts have them") {
  const Tensor table = zeros({10, 3}), mixed = zeros({10, 3});
  constexpr std::int64_t parts = 6;
  Generator numbers(3);
  std::vector<Gradients> gradients(parts);
  for (std::size_t part = 0; part < parts; ++part) {
    if (part == 2) continue;
    const auto row = static_cast<double>(part);
    const auto some = [&] {
      return RowGradient{tensor({row, row + 3}, int64), normal({2, 3}, 0, 1, float32, numbers)};
    };
    gradients[part].set(table, some());
    if (part == 4)
      gradients[part].set(mixed, normal({10, 3}, 0, 1, float32, numbers));
    else
      gradients[part].set(mixed, some());
  }
  const std::vector<double> of_table = expect::values(sum_of(table, gradients)),
                            of_mixed = expect::values(sum_of(mixed, gradients));
  for (const std::int64_t count : {1, 2, 3, 4, 6}) {
    CAPTURE(count);
    std::vector<std::vector<std::vector<double>>> found(static_cast<std::size_t>(count));
    std::vector<std::vector<double>> rows(static_cast<std::size_t>(count));
    const auto errors = ThreadRanks::run(count, [&](nn::Ranks& ranks) {
      std::vector<const Gradients*> own;
      const Run run = nn::share_of(parts, count, ranks.rank());
      for (std::int64_t part = run.first; part < run.last; ++part)
        own.push_back(&gradients[static_cast<std::size_t>(part)]);
      const std::vector<nn::SharedLeaf> leaves = {{table, true}, {mixed, false}};
      const Gradients sum = nn::sum_over_ranks(ranks, PartTree(parts), own, leaves, 1 << 20);
      const auto here = static_cast<std::size_t>(ranks.rank());
      if (sum.rows(table) != nullptr) rows[here] = expect::values(sum.rows(table)->rows);
      found[here] = {expect::values(sum[table]), expect::values(sum[mixed])};
    });
    for (std::size_t rank = 0; rank < errors.size(); ++rank) {
      CHECK(errors[rank] == nullptr);
      CHECK(found[rank] == std::vector{of_table, of_mixed});
      CHECK(rows[rank] == std::vector<double>{0, 1, 3, 4, 5, 6, 7, 8});
    }
  }
}

TEST_CASE("a power of two of ranks sends each gradient's bytes twice at most, less a rank's own share") {
  const Tensor leaf = zeros({1 << 20});
  const std::vector<Tensor> leaves = {leaf};
  std::vector<Gradients> gradients(16);
  for (Gradients& gradient : gradients) gradient.set(leaf, ones({1 << 20}));
  for (const std::int64_t count : {2, 4, 8, 16}) {
    std::vector<std::uint64_t> sent(static_cast<std::size_t>(count));
    ThreadRanks::run(count, [&](nn::Ranks& ranks) {
      std::vector<const Gradients*> own;
      const Run run = nn::share_of(16, count, ranks.rank());
      for (std::int64_t part = run.first; part < run.last; ++part)
        own.push_back(&gradients[static_cast<std::size_t>(part)]);
      nn::sum_over_ranks(ranks, PartTree(16), own, dense(leaves), 1 << 20);
      sent[static_cast<std::size_t>(ranks.rank())] = ranks.sent_bytes();
    });
    const std::uint64_t bytes = 4u << 20, all = static_cast<std::uint64_t>(count);
    for (const std::uint64_t of_rank : sent) CHECK(of_rank == 2 * bytes * (all - 1) / all);
  }
}

TEST_CASE("sums that leave while parts still tell of leaves, in any order and from any thread, have the same bits") {
  const std::vector<Tensor> leaves = some_leaves();
  check_bits({3, 16}, {1, 2, 3, 8}, leaves,
             [&](nn::Ranks& ranks, std::int64_t parts, const Run& run, const std::vector<Gradients>& gradients,
                 std::size_t bucket_bytes) {
               nn::GradientSum sum(ranks, PartTree(parts), leaves, bucket_bytes);
               sum.begin();
               sum.add(0, *some_gradients({zeros({2})}, 1)[0].begin());  // no leaf of these
               std::vector<std::thread> threads;  // one a part; every second one begins at the last leaf
               for (std::int64_t part = run.first; part < run.last; ++part)
                 threads.emplace_back([&, part] {
                   for (std::size_t i = 0; i < leaves.size(); ++i) {
                     const Tensor& leaf = leaves[part % 2 == 0 ? i : leaves.size() - 1 - i];
                     if (const auto* entry = gradients[static_cast<std::size_t>(part)].entry(leaf)) {
                       sum.add(part, *entry);
                       sum.add(part, *entry);  // what has been told is not told again
                     }
                   }
                   sum.end(part);
                 });
               for (std::thread& thread : threads) thread.join();
               return sum.take();
             });
}

TEST_CASE("a bucket is on its way before the next leaf is told of") {
  const std::vector<Tensor> leaves = {zeros({1000}), zeros({1000})};
  std::vector<Gradients> gradients(2);
  for (Gradients& part : gradients)
    for (const Tensor& leaf : leaves) part.set(leaf, ones({1000}));
  for (const auto& error : ThreadRanks::run(2, [&](nn::Ranks& ranks) {
         nn::GradientSum sum(ranks, PartTree(2), leaves, 4000);
         sum.begin();
         const Gradients& own = gradients[static_cast<std::size_t>(ranks.rank())];
         sum.add(ranks.rank(), *own.entry(leaves[0]));
         while (ranks.sent_bytes() < 4000) std::this_thread::yield();  // half of it to the owner, half of its sum back
         if (ranks.sent_bytes() != 4000) throw ValueError("more than one bucket");
         sum.add(ranks.rank(), *own.entry(leaves[1]));
         sum.end(ranks.rank());
         const Gradients all = sum.take();
         for (const Tensor& leaf : leaves)
           if (expect::values(all[leaf]) != std::vector<double>(1000, 2.0)) throw ValueError("another sum");
       }))
    CHECK(thrown(error) == "no error");
}

TEST_CASE("a bucket is on its way before the rest of its leaf's gradient is there, and leaves from where it stands") {
  const std::vector<Tensor> leaves = {zeros({4, 1000})};
  for (const auto& error : ThreadRanks::run(2, [&](nn::Ranks& ranks) {
         nn::GradientSum sum(ranks, PartTree(2), leaves, 4000);
         sum.begin();
         Tensor own = Tensor::uninitialized({4, 1000}, float32);
         float* const values = own.fresh_data<float>();
         for (std::int64_t row = 0; row < 4; ++row) {
           std::fill(values + 1000 * row, values + 1000 * (row + 1), static_cast<float>(row + 1 + ranks.rank()));
           sum.add(ranks.rank(), leaves[0], own, row + 1);
           const auto expected = static_cast<std::uint64_t>(4000 * (row + 1));
           while (row < 3 && ranks.sent_bytes() < expected) std::this_thread::yield();
           if (row < 3 && ranks.sent_bytes() != expected) throw ValueError("more than one bucket");
         }
         sum.end(ranks.rank());
         const std::vector<double> all = expect::values(sum.take()[leaves[0]]);
         for (std::size_t i = 0; i < all.size(); ++i)
           if (all[i] != static_cast<double>(2 * (i / 1000) + 3)) throw ValueError("another sum");
       }))
    CHECK(thrown(error) == "no error");
}

TEST_CASE("a rank that gives up in the middle sends what others wait for, and leaves nothing on its way") {
  const std::vector<Tensor> leaves = some_leaves();
  const std::vector<Gradients> gradients = some_gradients(leaves, 8);
  for (const std::size_t bucket_bytes : {64u, 1u << 20}) {
    const auto errors = ThreadRanks::run(4, [&](nn::Ranks& ranks) {
      nn::GradientSum sum(ranks, PartTree(8), leaves, bucket_bytes);
      sum.begin();
      const Run run = nn::share_of(8, 4, ranks.rank());
      for (std::int64_t part = run.first; part < run.last; ++part) {
        for (const auto& entry : gradients[static_cast<std::size_t>(part)]) {
          sum.add(part, entry);
          if (ranks.rank() == 2) throw ValueError("in the middle");
        }
        sum.end(part);
      }
      if (sum.take().size() != leaves.size()) throw ValueError("fewer sums");
    });
    for (std::size_t rank = 0; rank < 4; ++rank) CHECK((errors[rank] != nullptr) == (rank == 2));
  }
}
