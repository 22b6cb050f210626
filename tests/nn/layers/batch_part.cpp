#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/training/batch_gradients.hpp>

#include <memory>
#include <stdexcept>
#include <vector>

using namespace xgrad;

namespace {

/// Remembers the rows of each call; a batch counts as the list of those of all parts.
struct Rows final : nn::LayerMemory {
  std::vector<std::int64_t> seen;
  void remember(const nn::LayerNote& call) override { seen.push_back(call.rows); }
  nn::LayerNotes merge(const std::vector<nn::LayerNotes>& parts) const override {
    nn::LayerNotes all;
    for (const nn::LayerNotes& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  }
};

using Seen = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a call outside of any part is remembered at once") {
  const auto memory = std::make_shared<Rows>();
  CHECK(nn::BatchPart::current() == nullptr);
  nn::BatchPart::note(memory, {.rows = 3});
  CHECK(memory->seen == Seen{3});
}

TEST_CASE("a call in a part is remembered when the batch is merged, and never if nobody merges") {
  const auto memory = std::make_shared<Rows>();
  {
    nn::BatchPart part(0, nullptr);
    CHECK(nn::BatchPart::current() == &part);
    nn::BatchPart::note(memory, {.rows = 3});
    nn::BatchPart::note(memory, {.rows = 4});
    CHECK(part.calls_of(*memory) == 2);
    CHECK(memory->seen.empty());
  }
  CHECK(nn::BatchPart::current() == nullptr);
  CHECK(memory->seen.empty());
}

TEST_CASE("notes are merged in part order for every number of threads") {
  for (const int threads : {1, 2, 8}) {
    const auto memory = std::make_shared<Rows>();
    const Tensor weight = expect::leaf(ones({1}));
    with_threads(threads, [&] {
      return nn::batch_gradients(
                 [&](const Tensor& x, const Tensor&) {
                   nn::BatchPart::note(memory, {.rows = static_cast<std::int64_t>(x.item({0}))});
                   return sum(x * weight);
                 },
                 arange(9).to(float32), zeros({9}), {.parts = 9})
          .loss;
    });
    CHECK(memory->seen == Seen{0, 1, 2, 3, 4, 5, 6, 7, 8});
  }
}

TEST_CASE("a batch inside of a part leaves its notes with that part") {
  const auto memory = std::make_shared<Rows>();
  nn::BatchPart::Notes notes;
  {
    nn::BatchPart outer(0, nullptr);
    nn::BatchPart::Notes inner;
    {
      nn::BatchPart part(0, &outer);
      nn::BatchPart::note(memory, {.rows = 5});
      inner = part.take_notes();
    }
    CHECK(nn::BatchPart::current() == &outer);
    nn::BatchPart::merge({inner});
    CHECK(outer.calls_of(*memory) == 1);
    CHECK(memory->seen.empty());
    notes = outer.take_notes();
  }
  nn::BatchPart::merge({notes});
  CHECK(memory->seen == Seen{5});
}

TEST_CASE("when a part throws, nothing is remembered") {
  const auto memory = std::make_shared<Rows>();
  const Tensor weight = expect::leaf(ones({1}));
  const auto loss = [&](const Tensor& x, const Tensor&) {
    nn::BatchPart::note(memory, {.rows = 1});
    if (x.item({0}) == 3) throw std::runtime_error("part 3");
    return sum(x * weight);
  };
  CHECK_THROWS_WITH(nn::batch_gradients(loss, arange(5).to(float32), zeros({5}), {.parts = 5}), "part 3");
  CHECK(memory->seen.empty());
}
