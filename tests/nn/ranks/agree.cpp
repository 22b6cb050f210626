#include "tests/nn/ranks/thread_ranks.hpp"
#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <nn/ranks/agree.hpp>

#include <string>
#include <vector>

using namespace xgrad;

namespace {

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
    CHECK(thrown(error) == "no error");
}

TEST_CASE("messages of every length come whole: of none, of one call, of two") {
  const auto text = [](std::int64_t rank, std::size_t longest) {
    return std::string(rank == 1 ? longest : static_cast<std::size_t>(rank), static_cast<char>('a' + rank));
  };
  for (const std::size_t longest : {0u, 247u, 248u, 249u, 100'000u})
    for (const auto& error : ThreadRanks::run(3, [&](nn::Ranks& ranks) {
           const std::vector<std::string> all = ranks.gather(text(ranks.rank(), longest));
           if (all != std::vector{text(0, longest), text(1, longest), text(2, longest)})
             throw ValueError("another message");
         }))
      CHECK(thrown(error) == "no error");
}

TEST_CASE("what some ranks throw ends all: they with their own error, the others with the lowest one's") {
  // before a message, in one, after the last one
  for (const int when : {0, 1, 2}) {
    CAPTURE(when);
    const auto errors = ThreadRanks::run(4, [when](nn::Ranks& all) {
      nn::together(&all, [when](nn::Ranks* ranks) {
        const auto fail = [&](int now) {
          if (now != when) return;
          if (ranks->rank() == 1) throw ShapeError("of one");
          if (ranks->rank() == 3) throw 3;
        };
        nn::agree(*ranks, [](nn::MessageWriter&) {});
        fail(0);
        nn::agree(*ranks, [&](nn::MessageWriter&) { fail(1); });
        fail(2);
      });
    });
    CHECK(thrown(errors[1]) == "ShapeError: of one");
    CHECK_THROWS_AS(std::rethrow_exception(errors[3]), int);
    for (const std::size_t rank : {0u, 2u}) {
      CHECK(ends_with(thrown(errors[rank]), "rank 1: of one"));
      CHECK_THROWS_AS(std::rethrow_exception(errors[rank]), nn::RankError);
    }
  }
}

TEST_CASE("one rank, or none, works by itself") {
  int alone = 0;
  nn::together(nullptr, [&](nn::Ranks* ranks) { alone += ranks == nullptr; });
  ThreadRanks::run(1,
                   [&](nn::Ranks& one) { nn::together(&one, [&](nn::Ranks* ranks) { alone += ranks == nullptr; }); });
  CHECK(alone == 2);
}

TEST_CASE("what the first rank writes is heard by all") {
  for (const auto& error : ThreadRanks::run(3, [](nn::Ranks& ranks) {
         const std::string found =
             nn::of_first(ranks, [&](nn::MessageWriter& message) { message << ranks.rank() + 40; });
         if (nn::MessageReader(found).read<std::int64_t>() != 40) throw ValueError("another rank's");
       }))
    CHECK(error == nullptr);
}

TEST_CASE("the first particular that differs is named on every rank") {
  const auto require = [](nn::Ranks& ranks, const std::vector<nn::Particular>& list) {
    nn::require_same(ranks, "fit", "need the same on every rank", list);
  };
  const auto errors = ThreadRanks::run(3, [&](nn::Ranks& ranks) {
    const bool odd = ranks.rank() == 1;
    require(ranks, {{"epochs", "3"}, {"batches.size", odd ? "64" : "128"}, {"parts", odd ? "1" : "2"}});
  });
  for (const auto& error : errors)
    CHECK(ends_with(thrown(error), "fit: batches.size is 64 on rank 1 and 128 on rank 0; need the same on every rank"));
  for (const auto& error : ThreadRanks::run(2, [&](nn::Ranks& ranks) { require(ranks, {{"a", "1"}}); }))
    CHECK(error == nullptr);
  const auto missing = ThreadRanks::run(2, [&](nn::Ranks& ranks) {
    std::vector<nn::Particular> list = {{"a", "1"}};
    if (ranks.rank() == 0) list.push_back({"b", "2"});
    require(ranks, list);
  });
  CHECK(ends_with(thrown(missing[0]), "fit: b is missing on rank 1 and 2 on rank 0; need the same on every rank"));
  const auto renamed = ThreadRanks::run(2, [&](nn::Ranks& ranks) {
    require(ranks, {{ranks.rank() == 0 ? "parameter a" : "parameter b", "float32 (3,)"}});
  });
  CHECK(ends_with(thrown(renamed[1]),
                  "fit: rank 1 has parameter b where rank 0 has parameter a; need the same on every rank"));
}

TEST_CASE("a message that ends too early is no message") {
  nn::MessageWriter message;
  message << std::uint64_t{9};
  CHECK(ends_with(expect::error_of([&] { nn::MessageReader(message.bytes()).read<std::string>(); }),
                  "ranks: a message ends 9 bytes too early; need ranks of one build"));
}
