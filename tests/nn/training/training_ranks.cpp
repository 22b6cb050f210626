#include "tests/nn/ranks/thread_ranks.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <atomic>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

// fit on ranks that are threads of this process, held against fit without ranks.

using namespace xgrad;
using expect::contains;
using expect::error_of;
using nn::FitOptions;
using nn::Next;

namespace {

constexpr std::int64_t features = 6, classes = 3;

nn::Dataset examples(std::int64_t rows, std::uint64_t seed) {
  std::vector<double> labels;
  for (std::int64_t row = 0; row < rows; ++row) labels.push_back(static_cast<double>(row * row % classes));
  return {tensor(expect::numbers(static_cast<std::size_t>(rows * features), seed, -1, 1), {rows, features}),
          tensor(labels, {rows}, int64)};
}

/// With batch norm, whose statistics are notes of the parts, and dropout, whose numbers depend on the part.
struct Normed : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(features, 12));
  nn::BatchNorm norm = add("norm", nn::BatchNorm(12));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.3));
  nn::Linear output = add("output", nn::Linear(12, classes));
  Tensor operator()(const Tensor& x) const { return output(dropout(relu(norm(hidden(x))))); }
};

struct Plain : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(features, 12));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.3));
  nn::Linear output = add("output", nn::Linear(12, classes));
  Tensor operator()(const Tensor& x) const { return output(dropout(tanh(hidden(x)))); }
};

/// Its first layer's gradient is computed in several blocks of rows.
struct Wide : nn::Module {
  static constexpr std::int64_t width = 512;
  nn::Linear hidden = add("hidden", nn::Linear(width, 64));
  nn::Linear output = add("output", nn::Linear(64, classes));
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
};

/// The gradient of its table is rows, which momentum moves by the lazy rule.
struct Lookup : nn::Module {
  nn::Embedding table = add("table", nn::Embedding(50, 8));
  nn::Linear output = add("output", nn::Linear(8, classes));
  Tensor operator()(const Tensor& ids) const { return output(table(ids)); }
};

struct Outcome {
  std::string digest, losses, error;
  bool operator==(const Outcome&) const = default;
};

std::string text_of(const nn::History& history) {
  std::ostringstream text;
  text.precision(17);
  for (const nn::EpochRecord& epoch : history.epochs) {
    text << epoch.epoch << ' ' << epoch.steps << ' ' << epoch.complete << ' ' << epoch.loss << ' '
         << epoch.validation_loss.value_or(-1) << ' ' << epoch.learning_rate;
    for (const double metric : epoch.metrics) text << ' ' << metric;
    text << '\n';
  }
  text << history.steps << ' ' << to_string(history.reason) << ' ' << (history.best_epoch ? *history.best_epoch : 99);
  return text.str();
}

/// A training: with these ranks, or by itself.
using Work = std::function<Outcome(std::shared_ptr<nn::Ranks> ranks)>;

template <class Optimizer>
std::unique_ptr<nn::Optimizer> made(const nn::Module& net) {
  if constexpr (std::is_same_v<Optimizer, nn::SGD>)
    return std::make_unique<nn::SGD>(net.parameters(), nn::SGDOptions{.learning_rate = 0.05, .momentum = 0.9});
  else
    return std::make_unique<Optimizer>(net.parameters());
}

template <class Net, class Optimizer, class Loss>
Work training(const Loss& loss, const nn::Dataset& data, const FitOptions& options) {
  return [=](std::shared_ptr<nn::Ranks> ranks) {
    // Every rank makes another model and draws other numbers: the first one's count.
    const DefaultGenerator numbers(Generator(ranks ? 5 + static_cast<std::uint64_t>(ranks->rank()) : 5));
    Net net;
    const auto optimizer = made<Optimizer>(net);
    FitOptions own = options;
    own.ranks = std::move(ranks);
    Outcome outcome;
    outcome.error = error_of([&] { outcome.losses = text_of(nn::fit(net, loss, *optimizer, data, own)); });
    std::vector<Tensor> state = net.parameters();
    for (const nn::NamedTensor& buffer : net.named_buffers()) state.push_back(buffer.tensor);
    for (const auto& moments : optimizer->state().moments)
      for (const Tensor& moment : moments)
        if (moment.defined()) state.push_back(moment);
    outcome.digest = nn::digest(state);
    return outcome;
  };
}

/// What each rank ends with.
std::vector<Outcome> on_ranks(std::int64_t count, const Work& work) {
  std::vector<Outcome> outcomes(static_cast<std::size_t>(count));
  for (const auto& error : ThreadRanks::run(count, [&](nn::Ranks& ranks) {
         // The training holds them no longer than this call.
         outcomes[static_cast<std::size_t>(ranks.rank())] = work(std::shared_ptr<nn::Ranks>(&ranks, [](nn::Ranks*) {}));
       }))
    CHECK(thrown(error) == "no error");
  return outcomes;
}

void check_like_one_process(const Work& work) {
  const Outcome alone = work(nullptr);
  CHECK(alone.error == "no error");
  for (const std::int64_t count : {1, 2, 3, 4, 8, 16})
    for (const Outcome& outcome : on_ranks(count, work)) {
      CAPTURE(count);
      CHECK(outcome.error == alone.error);
      CHECK(outcome.losses == alone.losses);
      CHECK(outcome.digest == alone.digest);
    }
}

FitOptions in_16_parts() {
  return {.epochs = 3, .batches = {.size = 48, .shuffle = true, .seed = 3}, .evaluation_size = 10, .parts = 16};
}

double falling(std::int64_t step) { return 0.1 / (1 + static_cast<double>(step)); }

}  // namespace

TEST_CASE("ranks train to the bits of one process: batch norm, dropout, momentum, clipping, accumulation, metrics") {
  FitOptions options = in_16_parts();
  options.batches.drop_last = true;
  options.validation = examples(55, 2);
  options.metrics = {{"accuracy", nn::accuracy}};
  options.schedule = falling;
  options.accumulate = 2;
  options.clip_norm = 0.5;
  options.clip_value = 0.1;
  options.stopping.restore_best = true;
  options.stopping.patience = 1;
  options.stopping.weight_change = 1e-9;
  check_like_one_process(training<Normed, nn::SGD>(nn::cross_entropy, examples(250, 1), options));
}

TEST_CASE("ranks train to the bits of one process: Adam, last batches of fewer rows and parts than ranks") {
  check_like_one_process(training<Plain, nn::Adam>(nn::cross_entropy, examples(48 * 3 + 5, 1), in_16_parts()));
}

TEST_CASE("ranks train to the bits of one process: gradients of rows stay rows") {
  std::vector<double> ids, labels;
  for (int row = 0; row < 200; ++row) {
    ids.push_back(row * row % 47);
    labels.push_back(row % 3);
  }
  const nn::Dataset data(tensor(ids, {200}, int64), tensor(labels, {200}, int64));
  check_like_one_process(training<Lookup, nn::SGD>(nn::cross_entropy, data, in_16_parts()));
  check_like_one_process(training<Lookup, nn::AdamW>(nn::cross_entropy, data, in_16_parts()));
}

TEST_CASE("ranks train to the bits of one process: a loss that sees all rows of a step at once") {
  const auto weighted = [](const Tensor& logits, const Tensor& labels) {
    return nn::cross_entropy(logits, labels, {.weights = tensor({1.0, 2.0, 0.5})});
  };
  FitOptions options = in_16_parts();
  options.accumulate = 2;
  options.metrics = {{"accuracy", nn::accuracy}};
  check_like_one_process(training<Plain, nn::SGD>(weighted, examples(230, 1), options));
}

TEST_CASE("ranks train to the bits of one process: sums, and a transform that draws and drops rows") {
  FitOptions options = in_16_parts();
  options.reduction = nn::Reduction::sum;
  options.transform = [](const nn::Batch& batch) {
    const Tensor noise = uniform(batch.inputs.shape(), -0.1, 0.1);
    return nn::Batch{slice(batch.inputs + noise, 0, 0, batch.rows() - 1), slice(batch.targets, 0, 0, batch.rows() - 1)};
  };
  const auto summed = [](const Tensor& logits, const Tensor& labels) {
    return nn::cross_entropy(logits, labels, {.reduction = nn::Reduction::sum});
  };
  check_like_one_process(training<Plain, nn::SGD>(summed, examples(230, 1), options));
  options.batches.prefetch = true;
  options.transform = [](const nn::Batch& batch) { return nn::Batch{batch.inputs * 2.0, batch.targets}; };
  check_like_one_process(training<Plain, nn::SGD>(summed, examples(230, 1), options));
}

namespace {

template <class Net>
void check_in_buckets(std::initializer_list<std::size_t> sizes, std::initializer_list<std::int64_t> counts,
                      const nn::Dataset& data, FitOptions options) {
  const Outcome alone = training<Net, nn::SGD>(nn::cross_entropy, data, options)(nullptr);
  CHECK(alone.error == "no error");
  for (const std::size_t bucket_bytes : sizes) {
    options.bucket_bytes = bucket_bytes;
    const Work in_buckets = training<Net, nn::SGD>(nn::cross_entropy, data, options);
    for (const std::int64_t count : counts)
      for (const int threads : {1, 3})
        for (const Outcome& outcome :
             on_ranks(count, [&](auto ranks) { return with_threads(threads, [&] { return in_buckets(ranks); }); })) {
          CAPTURE(bucket_bytes);
          CAPTURE(count);
          CAPTURE(threads);
          CHECK(outcome.error == alone.error);
          CHECK(outcome.losses == alone.losses);
          CHECK(outcome.digest == alone.digest);
        }
  }
}

}  // namespace

TEST_CASE("ranks train to the bits of one process: buckets of every size, with every number of threads") {
  FitOptions options = in_16_parts();
  options.epochs = 2;
  options.batches.drop_last = true;
  check_in_buckets<Normed>({64, 500, 1 << 20}, {2, 3, 8}, examples(150, 1), options);
}

TEST_CASE("ranks train to the bits of one process: a first layer whose gradient leaves by rows as it is computed") {
  std::vector<double> labels;
  for (int row = 0; row < 256; ++row) labels.push_back(row % 3);
  const nn::Dataset data(tensor(expect::numbers(256 * Wide::width, 1, -1, 1), {256, Wide::width}),
                         tensor(labels, {256}, int64));
  check_in_buckets<Wide>({1 << 14}, {2, 4}, data, {.epochs = 3, .batches = {.size = 128}, .parts = 4});
}

namespace {

/// Which of its layers has a part in the loss depends on the rows: other gradients than the batch before had.
struct Fickle : Plain {
  nn::Linear other = add("other", nn::Linear(features, classes));
  Tensor operator()(const Tensor& x) const {
    const double first = expect::values(x)[0];
    const Tensor y = first > 0.4 ? other(x) : Plain::operator()(x);
    return first < -0.4 ? y + other(x) : y;
  }
};

/// Its table's gradient is one of rows in some batches and dense in others.
struct FickleLookup : Lookup {
  Tensor operator()(const Tensor& ids) const {
    const Tensor y = Lookup::operator()(ids);
    return expect::values(ids)[0] > 30 ? y + sum(table.weight) : y;
  }
};

/// x, with a word to say when its gradient comes by.
template <class Said>
Tensor heard(const Tensor& x, const Said& said) {
  return custom(
      "heard", [](const Tensor& in) { return in.clone(); },
      [said](const Call& call) {
        said();
        return call.cotangent();
      },
      x);
}

}  // namespace

TEST_CASE("ranks train to the bits of one process: batches whose gradients are not those of the batch before") {
  FitOptions options = in_16_parts();
  options.batches.size = 20;
  check_like_one_process(training<Fickle, nn::SGD>(nn::cross_entropy, examples(130, 1), options));
  std::vector<double> ids, labels;
  for (int row = 0; row < 100; ++row) {
    ids.push_back(row * row % 47);
    labels.push_back(row % 3);
  }
  const nn::Dataset data(tensor(ids, {100}, int64), tensor(labels, {100}, int64));
  check_like_one_process(training<FickleLookup, nn::SGD>(nn::cross_entropy, data, options));
}

TEST_CASE("gradients of the last layer are on their way while the sweep has yet to come to the first one") {
  for (const auto& error : ThreadRanks::run(2, [](nn::Ranks& ranks) {
         const DefaultGenerator numbers(Generator(5));
         const Plain net;
         std::vector<Tensor> weights = net.parameters();
         int batches = 0;
         const auto model = [&](const Tensor& x) {
           ++batches;
           const std::uint64_t before = ranks.sent_bytes();
           return net.output(heard(tanh(net.hidden(x)), [&ranks, before, batches] {
             while (batches > 1 && ranks.sent_bytes() == before) std::this_thread::yield();
           }));
         };
         nn::SGD optimizer(weights, {.learning_rate = 0.1});
         nn::fit(model, nn::cross_entropy, optimizer, examples(12, 1),
                 {.epochs = 3,
                  .batches = {.size = 4},
                  .parts = 2,
                  .ranks = std::shared_ptr<nn::Ranks>(&ranks, [](nn::Ranks*) {}),
                  .compare_ranks = 0,
                  .bucket_bytes = 64});
         if (batches != 9) throw ValueError("another number of batches");
       }))
    CHECK(thrown(error) == "no error");
}

TEST_CASE("what a rank throws in the middle of a sweep ends the training on all, with nothing on its way") {
  for (const std::int64_t thrower : {0, 2})
    for (const int at : {1, 4}) {
      const auto errors = ThreadRanks::run(3, [&](nn::Ranks& ranks) {
        const DefaultGenerator numbers(Generator(5));
        const Plain net;
        std::vector<Tensor> weights = net.parameters();
        std::atomic<int> sweeps = 0;
        const auto model = [&](const Tensor& x) {
          return net.output(heard(tanh(net.hidden(x)), [&] {
            if (ranks.rank() == thrower && ++sweeps == at) throw ValueError("a sweep that fails");
          }));
        };
        nn::SGD optimizer(weights, {.learning_rate = 0.1});
        nn::fit(model, nn::cross_entropy, optimizer, examples(60, 1),
                {.epochs = 1,
                 .batches = {.size = 12},
                 .parts = 6,
                 .ranks = std::shared_ptr<nn::Ranks>(&ranks, [](nn::Ranks*) {}),
                 .bucket_bytes = 64});
      });
      for (std::size_t rank = 0; rank < 3; ++rank) {
        const std::string text = thrown(errors[rank]);
        CHECK_MESSAGE(contains(text, static_cast<std::int64_t>(rank) == thrower
                                         ? "ValueError: a sweep that fails"
                                         : "rank " + std::to_string(thrower) + ": a sweep that fails"),
                      text);
      }
    }
}

TEST_CASE("a power of two of ranks sends at most twice the parameters' bytes a step, and 1 % besides") {
  struct Wide : nn::Module {
    nn::Linear hidden = add("hidden", nn::Linear(features, 20000));
    nn::Linear output = add("output", nn::Linear(20000, classes));
    Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  };
  for (const std::int64_t count : {2, 4, 8}) {
    CAPTURE(count);
    for (const auto& error : ThreadRanks::run(count, [&](nn::Ranks& ranks) {
           const DefaultGenerator numbers(Generator(5));
           const Wide net;
           std::uint64_t bytes = 0;
           for (const Tensor& weight : net.parameters()) bytes += weight.size() * sizeof(float);
           nn::SGD optimizer(net.parameters(), {.learning_rate = 0.1});
           std::vector<std::uint64_t> sent;
           const auto loss = [&](const Tensor& logits, const Tensor& labels) {
             sent.push_back(ranks.sent_bytes());  // before the sweep, once a step: a rank has one part
             return nn::cross_entropy(logits, labels);
           };
           const auto model = [&](const Tensor& x) { return net(x); };
           nn::fit(model, loss, optimizer, examples(8 * 6, 1),
                   {.epochs = 1,
                    .batches = {.size = 8},
                    .parts = count,
                    .ranks = std::shared_ptr<nn::Ranks>(&ranks, [](nn::Ranks*) {}),
                    .compare_ranks = 0});
           for (std::size_t step = 1; step < sent.size(); ++step) {
             const double of_step = static_cast<double>(sent[step] - sent[step - 1]);
             if (of_step > 2.02 * static_cast<double>(bytes)) throw ValueError("more bytes");
             const double share = static_cast<double>(count - 1) / static_cast<double>(count);
             if (of_step < 2 * share * static_cast<double>(bytes))
               throw ValueError("fewer bytes than can do: " + std::to_string(of_step / static_cast<double>(bytes)));
             if (of_step > 2.02 * share * static_cast<double>(bytes))
               throw ValueError("more than each twice: " + std::to_string(of_step / static_cast<double>(bytes)));
           }
           if (sent.size() != 6) throw ValueError("another number of steps");
         }))
      CHECK(thrown(error) == "no error");
  }
}

TEST_CASE("the first rank calls back, shows progress and measures; what it changes reaches the others") {
  for (const std::int64_t count : {1, 3}) {
    std::mutex mutex;
    std::vector<std::int64_t> steps, epochs;
    std::int64_t measured = 0;
    std::ostringstream shown;
    const auto work = [&](std::shared_ptr<nn::Ranks> ranks) {
      const DefaultGenerator numbers(Generator(5));
      Plain net;
      nn::SGD optimizer(net.parameters(), {.learning_rate = 0.05, .momentum = 0.9});
      nn::Progress progress(0, "", false, shown, 0);
      FitOptions options = in_16_parts();
      options.ranks = ranks;
      options.metrics = {{"zero", [&](const Tensor&, const Tensor&) {
                            const std::lock_guard<std::mutex> lock(mutex);
                            return static_cast<double>(++measured);
                          }}};
      options.progress = &progress;
      double learning_rate = 0.05;
      options.schedule = [&](std::int64_t) { return learning_rate; };  // follows what the callback leaves
      options.on_step = [&](const nn::StepRecord& step) {
        const std::lock_guard<std::mutex> lock(mutex);
        steps.push_back(step.step);
        if (step.step == 2) net.output.bias.assign(uniform({classes}));
        if (step.step == 4) net.eval();
        return Next::go_on;
      };
      options.on_epoch = [&](const nn::EpochRecord& epoch) {
        const std::lock_guard<std::mutex> lock(mutex);
        epochs.push_back(epoch.epoch);
        learning_rate /= 2;
        return epoch.epoch == 1 ? Next::stop : Next::go_on;
      };
      Outcome outcome;
      outcome.error = error_of([&] {
        outcome.losses = text_of(nn::fit(net, nn::cross_entropy, optimizer, examples(48 * 3 + 5, 1), options));
      });
      outcome.digest = nn::digest(net.parameters());
      return outcome;
    };
    const Outcome alone = work(nullptr);
    const std::string alone_shown = shown.str();
    const std::vector<std::int64_t> alone_steps = steps, alone_epochs = epochs;
    CHECK(alone.error == "no error");
    CHECK(contains(alone.losses, "a callback asked to stop"));
    steps.clear();
    epochs.clear();
    measured = 0;
    shown.str("");
    for (const Outcome& outcome : on_ranks(count, work)) CHECK(outcome == alone);
    CHECK(steps == alone_steps);
    CHECK(epochs == alone_epochs);
    CHECK(measured == 2);
    CHECK(std::count(shown.view().begin(), shown.view().end(), '\n') == 2);
  }
}

TEST_CASE("the first rank looks at the clock") {
  FitOptions options = in_16_parts();
  options.stopping.seconds = 1e-9;
  for (const Outcome& outcome : on_ranks(4, training<Plain, nn::SGD>(nn::cross_entropy, examples(99, 1), options)))
    CHECK(contains(outcome.losses, "1 the time was up"));
}

TEST_CASE("ranks go on from each other's checkpoints, whatever their number, with the bits of one process") {
  const Folder folder;
  FitOptions options = in_16_parts();
  options.batches.drop_last = true;
  options.validation = examples(55, 2);
  options.stopping.restore_best = true;
  options.stopping.weight_change = 1e-9;
  const nn::Dataset data = examples(250, 1);
  const auto with = [&](const FitOptions& some) { return training<Normed, nn::Adam>(nn::cross_entropy, data, some); };
  const Outcome whole = with(options)(nullptr);
  for (const std::int64_t before : {1, 2, 3, 8})
    for (const std::int64_t after : {1, 4, 16}) {
      CAPTURE(before);
      CAPTURE(after);
      FitOptions cut = options, rest = options;
      cut.checkpoint.path = rest.resume = folder.file("checkpoint");
      cut.on_step = [](const nn::StepRecord& step) { return step.step == 6 ? Next::stop : Next::go_on; };
      on_ranks(before, with(cut));
      for (const Outcome& outcome : on_ranks(after, with(rest))) CHECK(outcome == whole);
    }
}

TEST_CASE("ranks evaluate to the bits of one process") {
  const nn::Dataset data = examples(97, 3);
  const auto weighted = [](const Tensor& logits, const Tensor& labels) {
    return nn::cross_entropy(logits, labels, {.weights = tensor({1.0, 2.0, 0.5})});
  };
  const auto evaluated = [&](std::shared_ptr<nn::Ranks> ranks, const auto& loss, bool measured) {
    const DefaultGenerator numbers(Generator(5));
    const Plain net;
    nn::EvaluateOptions options{.size = 10, .ranks = std::move(ranks)};
    if (measured) options.metrics = {{"accuracy", nn::accuracy}};
    return nn::evaluate(net, loss, data, options);
  };
  const auto check = [&](const auto& loss, bool measured) {
    const nn::Evaluation alone = evaluated(nullptr, loss, measured);
    for (const std::int64_t count : {1, 2, 3, 16})
      ThreadRanks::run(count, [&](nn::Ranks& ranks) {
        const auto found = evaluated(std::shared_ptr<nn::Ranks>(&ranks, [](nn::Ranks*) {}), loss, measured);
        CHECK(found.loss == alone.loss);
        CHECK(found.metrics == alone.metrics);
      });
  };
  for (const bool measured : {false, true}) {
    check(nn::cross_entropy, measured);
    check(weighted, measured);
  }
}

namespace {

/// What three ranks end with when rank 1 does something that the others do not.
std::vector<std::string> errors_of(const std::function<void(bool odd, FitOptions& options, Plain& net)>& change,
                                   const std::function<Tensor(bool odd, const Tensor& logits)>& seen = {},
                                   double momentum = 0.9, std::int64_t odd_rows = 99) {
  std::vector<std::string> errors;
  for (const Outcome& outcome : on_ranks(3, [&](std::shared_ptr<nn::Ranks> ranks) {
         const DefaultGenerator numbers(Generator(5));
         const bool odd = ranks->rank() == 1;
         Plain net;
         nn::SGD optimizer(net.parameters(), {.learning_rate = 0.05, .momentum = odd ? momentum : 0.9});
         FitOptions options = in_16_parts();
         options.ranks = ranks;
         change(odd, options, net);
         const auto loss = [&](const Tensor& logits, const Tensor& labels) {
           return nn::cross_entropy(seen ? seen(odd, logits) : logits, labels);
         };
         return Outcome{.digest = "", .losses = "", .error = error_of([&] {
                                                      nn::fit(net, loss, optimizer, examples(odd ? odd_rows : 99, 1),
                                                              options);
                                                    })};
       }))
    errors.push_back(outcome.error);
  return errors;
}

void check_all(const std::vector<std::string>& errors, const std::string& text) {
  for (const std::string& error : errors) CHECK_MESSAGE(contains(error, text), error);
}

const auto nothing = [](bool, FitOptions&, Plain&) {};

}  // namespace

TEST_CASE("what one rank throws ends the training on all: from the loss, a transform, a schedule, a callback") {
  const auto check = [](const std::vector<std::string>& errors, std::size_t thrower, const std::string& text) {
    REQUIRE(errors.size() == 3);
    CAPTURE(text);
    for (std::size_t rank = 0; rank < 3; ++rank)
      CHECK_MESSAGE(contains(errors[rank],
                             rank == thrower ? "ValueError: " + text : "rank " + std::to_string(thrower) + ": " + text),
                    errors[rank]);
  };
  std::atomic<int> calls = 0;
  check(errors_of(nothing,
                  [&](bool odd, const Tensor& logits) {
                    if (odd && ++calls > 4) throw ValueError("a loss that fails");
                    return logits;
                  }),
        1, "a loss that fails");
  const auto fail_later = [](const char* text) {
    return [text, left = std::make_shared<int>(3)] {
      if (--*left == 0) throw ValueError(text);
    };
  };
  check(errors_of([&](bool odd, FitOptions& options, Plain&) {
          options.transform = [odd, fail = fail_later("a transform that fails")](const nn::Batch& batch) {
            if (odd) fail();
            return batch;
          };
        }),
        1, "a transform that fails");
  check(errors_of([&](bool odd, FitOptions& options, Plain&) {
          options.schedule = [odd, fail = fail_later("a schedule that fails")](std::int64_t) {
            if (odd) fail();
            return 0.1;
          };
        }),
        1, "a schedule that fails");
  check(errors_of([&](bool, FitOptions& options, Plain&) {
          options.on_step = [fail = fail_later("a callback that fails")](const nn::StepRecord&) {
            fail();
            return Next::go_on;
          };
        }),
        0, "a callback that fails");
  check(errors_of([&](bool, FitOptions& options, Plain&) {
          options.metrics = {{"bad", [](const Tensor&, const Tensor&) -> double { throw ValueError("it fails"); }}};
        }),
        0, "it fails");
  check(errors_of([&](bool, FitOptions& options, Plain&) {
          options.on_epoch = [](const nn::EpochRecord& epoch) {
            if (epoch.epoch == 2) throw ValueError("a callback of the last epoch");
            return Next::go_on;
          };
        }),
        0, "a callback of the last epoch");
}

TEST_CASE("ranks that differ are told in what") {
  check_all(errors_of([](bool odd, FitOptions& options, Plain&) { options.epochs = odd ? 4 : 3; }),
            "fit: epochs is 4 on rank 1 and 3 on rank 0; need the same on every rank");
  check_all(errors_of([](bool odd, FitOptions& options, Plain&) { options.clip_norm = odd ? 1.0 : 2.0; }),
            "fit: clip_norm is 1 on rank 1 and 2 on rank 0");
  check_all(errors_of([](bool odd, FitOptions& options, Plain&) {
              if (odd) options.validation = examples(7, 1);
            }),
            "fit: validation is 7 examples, inputs (7, 6), targets (7,) on rank 1 and not set on rank 0");
  check_all(errors_of([](bool odd, FitOptions&, Plain& net) {
              if (odd) net.parameter("extra", zeros({2}));
            }),
            "fit: rank 1 has parameter extra where rank 0 has the optimizer");
  check_all(errors_of(nothing, {}, 0.9, 98), "fit: the data is 98 examples");
}

TEST_CASE("bits that drift apart are found, with the rank, the tensor and the step") {
  // The velocity of the first step is the gradient, of the second one it depends on the momentum.
  check_all(errors_of(nothing, {}, 0.8), "fit, after step 2: model.hidden.weight is ");
  check_all(errors_of([](bool odd, FitOptions& options, Plain& net) {
              options.transform = [odd, &net, batches = std::make_shared<int>(0)](const nn::Batch& batch) {
                if (++*batches == 5 && odd) net.output.bias.assign(zeros({classes}));
                return batch;
              };
              options.compare_ranks = 6;
            }),
            "fit, after step 6: model.output.bias is ");
}

TEST_CASE("there must be as many parts as ranks") {
  check_all(
      errors_of([](bool, FitOptions& options, Plain&) { options.parts = std::nullopt; }),
      "ValueError: fit: 3 ranks, and batches of 48 rows that are cut into 1; need as many parts as ranks, at least: "
      "set parts, which the bits depend on, say to 16");
  check_all(errors_of([](bool, FitOptions& options, Plain&) { options.parts = 2; }), "that are cut into 2");
  check_all(errors_of([](bool, FitOptions& options, Plain&) { options.bucket_bytes = 3; }),
            "ValueError: fit: bucket_bytes 3; need 64 to 67108864");
  check_all(errors_of([](bool, FitOptions& options, Plain&) { options.compare_ranks = -1; }),
            "ValueError: fit: compare_ranks -1; need 0 (never) or more");
}

TEST_CASE("a number that is not finite is told alike by one process and by ranks") {
  nn::Dataset data = examples(96, 1);
  Tensor inputs = data.inputs().all();
  inputs.modify([](std::span<float> values) { values[37 * features] = std::numeric_limits<float>::quiet_NaN(); });
  FitOptions options = in_16_parts();
  options.batches.shuffle = false;
  const Work work = training<Plain, nn::SGD>(nn::cross_entropy, {inputs, data.targets()}, options);
  const Outcome alone = work(nullptr);
  CHECK(contains(alone.error, "the inputs are not finite, first in row 37 of the batch"));
  for (const std::int64_t count : {2, 3, 16})
    for (const Outcome& outcome : on_ranks(count, work)) CHECK(outcome == alone);
}

TEST_CASE("what ranks cannot find on each other is refused") {
  struct Forgotten : Plain {
    Tensor scale = ones({classes}).requires_gradient();
    Tensor operator()(const Tensor& x) const { return Plain::operator()(x) * scale; }
  };
  const nn::Dataset data = examples(96, 1);
  for (const Outcome& outcome : on_ranks(2, training<Forgotten, nn::SGD>(nn::cross_entropy, data, in_16_parts())))
    CHECK(contains(outcome.error,
                   "ValueError: fit: the loss depends on tensors that require gradients and are no parameters of the "
                   "model: a tensor of shape (3,); register members"));
  for (const Outcome& outcome : on_ranks(2, [&](std::shared_ptr<nn::Ranks> ranks) {
         const Tensor weight = zeros({features, classes}).requires_gradient(),
                      scale = ones({classes}).requires_gradient();
         const auto model = [&](const Tensor& x) { return matmul(x, weight) * scale; };
         nn::SGD optimizer({weight}, {.learning_rate = 0.1});
         FitOptions options = in_16_parts();
         options.ranks = ranks;
         return Outcome{"", "", error_of([&] { nn::fit(model, nn::cross_entropy, optimizer, data, options); })};
       }))
    CHECK(contains(outcome.error,
                   "fit: the loss depends on a tensor of shape (3,), which requires gradients and is no "
                   "parameter of the optimizer"));
  // Batch norm in a function: nobody can tell other ranks whose statistics these are.
  for (const Outcome& outcome : on_ranks(2, [&](std::shared_ptr<nn::Ranks> ranks) {
         const DefaultGenerator numbers(Generator(5));
         const Normed net;
         const auto model = [&](const Tensor& x) { return net(x); };
         nn::SGD optimizer(net.parameters(), {.learning_rate = 0.1});
         FitOptions options = in_16_parts();
         options.ranks = ranks;
         return Outcome{"", "", error_of([&] { nn::fit(model, nn::cross_entropy, optimizer, data, options); })};
       }))
    CHECK(contains(outcome.error, "fit: a layer keeps something of its calls that the model does not know"));
}
