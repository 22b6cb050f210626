#include "tests/nn/ranks/thread_ranks.hpp"
#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <nn/ranks/agree.hpp>

#include <string>
#include <vector>

using namespace xgrad;

namespace {

std::string text_of(const std::exception_ptr& error) {
  return expect::error_of([&] {
    if (error != nullptr) std::rethrow_exception(error);
  });
}

bool ends_with(const std::string& text, const std::string& end) { return text.ends_with(end); }

}  // namespace

TEST_CASE("each rank hears what all have written, in the order of ranks") {
  for (const auto& error : ThreadRanks::run(3, [](nn::Ranks& ranks) {
         const auto all = nn::agree(ranks, [&](nn::MessageWriter& message) {
           message << ranks.rank() << std::string(static_cast<std::size_t>(ranks.rank()), 'x');
           if (ranks.rank() == 2) message << tensor({{1, 2}, {3, 4}}) << Tensor();
         });
         for (std::int64_t rank = 0; rank < 3; ++rank) {
           nn::MessageReader message(all[static_cast<std::size_t>(rank)]);
           if (message.read<std::int64_t>() != rank) throw ValueError("another rank's message");
           if (std::ssize(message.read<std::string>()) != rank) throw ValueError("another text");
           if (rank == 2 && expect::values(message.read<Tensor>()) != std::vector<double>{1, 2, 3, 4})
             throw ValueError("another tensor");
           if (rank == 2 && message.read<Tensor>().defined()) throw ValueError("an empty handle has values");
         }
       }))
    CHECK(text_of(error) == "no error");
}

TEST_CASE("the lowest rank that throws throws everywhere, and nobody waits") {
  const auto errors = ThreadRanks::run(4, [](nn::Ranks& ranks) {
    nn::agree(ranks, [&](nn::MessageWriter&) {
      if (ranks.rank() == 1) throw ShapeError("of one");
      if (ranks.rank() == 3) throw ValueError("of three");
    });
  });
  CHECK(text_of(errors[1]) == "ShapeError: of one");
  for (const std::size_t rank : {0u, 2u, 3u}) {
    CHECK(ends_with(text_of(errors[rank]), "rank 1: of one"));
    CHECK_THROWS_AS(std::rethrow_exception(errors[rank]), nn::RankError);
  }
}

TEST_CASE("the first particular that differs is named on every rank") {
  const auto errors = ThreadRanks::run(3, [](nn::Ranks& ranks) {
    const bool odd = ranks.rank() == 1;
    nn::require_same(ranks, "fit", {{"epochs", "3"}, {"batches.size", odd ? "64" : "128"}, {"parts", odd ? "1" : "2"}});
  });
  for (const auto& error : errors)
    CHECK(
        ends_with(text_of(error), "fit: batches.size is 64 on rank 1 and 128 on rank 0; need the same on every rank"));
  for (const auto& error : ThreadRanks::run(2, [](nn::Ranks& ranks) { nn::require_same(ranks, "fit", {{"a", "1"}}); }))
    CHECK(error == nullptr);
  const auto missing = ThreadRanks::run(2, [](nn::Ranks& ranks) {
    std::vector<nn::Particular> list = {{"a", "1"}};
    if (ranks.rank() == 0) list.push_back({"b", "2"});
    nn::require_same(ranks, "fit", list);
  });
  CHECK(ends_with(text_of(missing[0]), "fit: b is missing on rank 1 and 2 on rank 0; need the same on every rank"));
}

TEST_CASE("a message that ends too early is no message") {
  nn::MessageWriter message;
  message << std::uint64_t{9};
  CHECK(ends_with(expect::error_of([&] { nn::MessageReader(message.bytes()).read<std::string>(); }),
                  "ranks: a message ends 9 bytes too early; need ranks of one build"));
}
