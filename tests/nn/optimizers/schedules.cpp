#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <nn/optimizers/schedules.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace xgrad;
using expect::error_of;

namespace {

/// η(0), η(1), ...
std::vector<double> first(std::int64_t count, const nn::Schedule& schedule) {
  std::vector<double> rates;
  for (std::int64_t step = 0; step < count; ++step) rates.push_back(schedule(step));
  return rates;
}

void check(const nn::Schedule& schedule, const std::vector<double>& expected) {
  CHECK(expect::difference(first(static_cast<std::int64_t>(expected.size()), schedule), expected) < 1e-15);
}

std::vector<double> observed(nn::ReduceOnPlateau plateau, const std::vector<double>& metrics) {
  std::vector<double> rates;
  for (const double metric : metrics) rates.push_back(plateau.observe(metric));
  return rates;
}

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("every schedule follows its formula") {
  check(nn::constant_rate(0.3), {0.3, 0.3, 0.3});
  CHECK(nn::constant_rate(0.3)(1'000'000'000'000) == 0.3);
  check(nn::step_decay(0.8, 2, 0.5), {0.8, 0.8, 0.4, 0.4, 0.2});
  check(nn::step_decay(1, 1), {1, 0.1, 0.01});
  check(nn::exponential_decay(0.8, 0.5), {0.8, 0.4, 0.2, 0.1});
  check(nn::inverse_time_decay(0.6, 0.5), {0.6, 0.4, 0.3, 0.24});
  check(nn::inverse_time_decay(1, 1), {1, 1.0 / 2, 1.0 / 3, 1.0 / 4});
}

TEST_CASE("cosine decay falls along half a cosine to the final rate and stays there") {
  // cos 0, π/6, ..., π = 1, √3/2, 1/2, 0, -1/2, -√3/2, -1
  const double root = std::sqrt(3.0);
  check(nn::cosine_decay(1, 6), {1, (2 + root) / 4, 0.75, 0.5, 0.25, (2 - root) / 4, 0, 0, 0});
  check(nn::cosine_decay(0.5, 4, 0.1), {0.5, 0.3 + 0.1 * std::sqrt(2.0), 0.3, 0.3 - 0.1 * std::sqrt(2.0), 0.1, 0.1});
  check(nn::cosine_decay(0.2, 1, 0.1), {0.2, 0.1, 0.1});
  CHECK(nn::cosine_decay(0.5, 4, 0.1)(std::numeric_limits<std::int64_t>::max()) == 0.1);
}

TEST_CASE("warm-up rises in equal steps to the first rate of the schedule that it delays") {
  check(nn::warm_up(3, nn::step_decay(0.8, 2, 0.5)), {0.2, 0.4, 0.6, 0.8, 0.8, 0.4, 0.4, 0.2});
  check(nn::warm_up(0, nn::exponential_decay(1, 0.5)), {1, 0.5, 0.25});
  check(nn::warm_up(1, nn::warm_up(1, nn::constant_rate(1))), {0.25, 0.5, 1, 1});
}

TEST_CASE("schedules refuse numbers that make no sense, when they are made and for negative steps") {
  const auto no = [](const auto& make) { return error_of([&] { make(); }); };
  CHECK(no([] { nn::constant_rate(-1); }) == "ValueError: constant_rate: rate -1; need a finite number >= 0");
  CHECK(no([] { nn::constant_rate(nan_value); }) == "ValueError: constant_rate: rate nan; need a finite number >= 0");
  CHECK(no([] { nn::step_decay(0.1, 0); }) == "ValueError: step_decay: every 0; need every >= 1");
  CHECK(no([] { nn::step_decay(0.1, 1, 0); }) == "ValueError: step_decay: factor 0; need 0 < factor <= 1");
  CHECK(no([] { nn::step_decay(INFINITY, 1); }) == "ValueError: step_decay: rate inf; need a finite number >= 0");
  CHECK(no([] { nn::exponential_decay(0.1, 1.5); }) ==
        "ValueError: exponential_decay: factor 1.5; need 0 < factor <= 1");
  CHECK(no([] { nn::exponential_decay(-0.1, 0.5); }) ==
        "ValueError: exponential_decay: rate -0.1; need a finite number >= 0");
  CHECK(no([] { nn::inverse_time_decay(0.1, -1); }) ==
        "ValueError: inverse_time_decay: decay -1; need a finite number >= 0");
  CHECK(no([] { nn::inverse_time_decay(-0.1, 1); }) ==
        "ValueError: inverse_time_decay: rate -0.1; need a finite number >= 0");
  CHECK(no([] { nn::cosine_decay(0.1, 0); }) == "ValueError: cosine_decay: steps 0; need steps >= 1");
  CHECK(no([] { nn::cosine_decay(0.1, 1, -1); }) ==
        "ValueError: cosine_decay: final_rate -1; need a finite number >= 0");
  CHECK(no([] { nn::cosine_decay(-0.1, 1); }) == "ValueError: cosine_decay: rate -0.1; need a finite number >= 0");
  CHECK(no([] { nn::warm_up(-1, nn::constant_rate(1)); }) == "ValueError: warm_up: steps -1; need steps >= 0");
  CHECK(no([] { nn::warm_up(1, nullptr); }) == "ValueError: warm_up: the schedule is empty; need one to warm up to");
  for (const nn::Schedule& schedule :
       {nn::constant_rate(1), nn::step_decay(1, 1), nn::exponential_decay(1, 0.5), nn::inverse_time_decay(1, 1),
        nn::cosine_decay(1, 1), nn::warm_up(1, nn::constant_rate(1))})
    CHECK(expect::contains(no([&] { schedule(-1); }), "step -1; need step >= 0"));
}

TEST_CASE("a plateau longer than the patience lowers the rate, as PyTorch's ReduceLROnPlateau does") {
  using Options = nn::PlateauOptions;
  // By hand: the best is 1; bad 1, 2, 3 > 2 reduces and counts anew; 0.5 improves; three more reduce again.
  CHECK(observed(nn::ReduceOnPlateau(0.8, Options{.factor = 0.5, .patience = 2}), {1, 1, 1, 1, 0.5, 0.6, 0.5, 0.7}) ==
        std::vector<double>{0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.2});
  // The default patience bears 10: the 12th equal metric reduces.
  const std::vector<double> equal(12, 1.0);
  const auto rates = observed(nn::ReduceOnPlateau(1), equal);
  CHECK(rates[10] == 1);
  CHECK(rates[11] == 0.1);
}

TEST_CASE("an improvement on a plateau counts from the threshold on, relative or absolute") {
  using Options = nn::PlateauOptions;
  const auto reduced = [](Options options, double best, double metric) {
    options.patience = 0;
    return observed(nn::ReduceOnPlateau(1, options), {best, metric})[1] < 1;
  };
  CHECK(reduced({.threshold = 0.25}, 8, 6));  // 6 < 8·0.75 is false
  CHECK_FALSE(reduced({.threshold = 0.25}, 8, 5.9));
  CHECK(reduced({.threshold = 0.25, .relative = false}, 8, 7.75));
  CHECK_FALSE(reduced({.threshold = 0.25, .relative = false}, 8, 7.7));
  CHECK(reduced({.threshold = 0.25, .better = nn::Better::larger}, 8, 10));
  CHECK_FALSE(reduced({.threshold = 0.25, .better = nn::Better::larger}, 8, 10.1));
  CHECK(reduced({.threshold = 0.25, .relative = false, .better = nn::Better::larger}, 8, 8.25));
  CHECK_FALSE(reduced({.threshold = 0.25, .relative = false, .better = nn::Better::larger}, 8, 8.3));
  CHECK(reduced({}, 8, nan_value));
  CHECK(observed(nn::ReduceOnPlateau(1, Options{.patience = 1}), {nan_value, 8, nan_value}) ==
        std::vector<double>{1, 1, 1});
}

TEST_CASE("negative metrics come to a plateau as positive ones do: the margin is a share of the best one's size") {
  using Options = nn::PlateauOptions;
  for (const nn::Better better : {nn::Better::smaller, nn::Better::larger})
    for (const double metric : {-1.0, -1e-300, 0.0, 1.0, -1e300}) {
      // The second equal metric is no improvement, so that rates fall from there on.
      const Options options{.factor = 0.5, .patience = 0, .better = better};
      CHECK(observed(nn::ReduceOnPlateau(1, options), {metric, metric, metric}) == std::vector<double>{1, 0.5, 0.25});
    }
  const auto reduced = [](Options options, double best, double metric) {
    options.patience = 0;
    return observed(nn::ReduceOnPlateau(1, options), {best, metric})[1] < 1;
  };
  CHECK(reduced({.threshold = 0.25}, -8, -10));  // needs less than -8 - 0.25·8
  CHECK_FALSE(reduced({.threshold = 0.25}, -8, -10.1));
  CHECK(reduced({.threshold = 0.25, .better = nn::Better::larger}, -8, -6));
  CHECK_FALSE(reduced({.threshold = 0.25, .better = nn::Better::larger}, -8, -5.9));
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(reduced({}, -infinity, -infinity));
}

TEST_CASE("a warm-up may be as long as numbers reach") {
  const nn::Schedule rate = nn::warm_up(std::numeric_limits<std::int64_t>::max(), nn::constant_rate(1));
  CHECK(rate(0) == doctest::Approx(0x1p-63).epsilon(1e-15));
}

TEST_CASE("during the cooldown of a plateau nothing counts, and no rate falls below the minimum") {
  using Options = nn::PlateauOptions;
  // Patience 0, cooldown 2: reduced at the 2nd metric; the 3rd and 4th are not counted; the 5th reduces.
  CHECK(observed(nn::ReduceOnPlateau(1, Options{.factor = 0.5, .patience = 0, .cooldown = 2}), {1, 1, 1, 1, 1, 1}) ==
        std::vector<double>{1, 0.5, 0.5, 0.5, 0.25, 0.25});
  CHECK(observed(nn::ReduceOnPlateau(1, Options{.factor = 0.5, .patience = 0, .minimum_rate = 0.3}), {1, 1, 1, 1}) ==
        std::vector<double>{1, 0.5, 0.3, 0.3});
  // 0.5 to 0.25 is a change of no more than 0.25.
  CHECK(observed(nn::ReduceOnPlateau(1, Options{.factor = 0.5, .patience = 0, .smallest_change = 0.25}),
                 {1, 1, 1, 1}) == std::vector<double>{1, 0.5, 0.5, 0.5});
}

TEST_CASE("a minimum above the rate does not raise it, and a plateau remembers the best metric") {
  nn::ReduceOnPlateau plateau(0.1, {.patience = 0, .minimum_rate = 0.5});
  plateau.observe(3);
  CHECK(plateau.observe(4) == 0.1);
  CHECK(plateau.rate() == 0.1);
  CHECK(plateau.best() == 3);
}

TEST_CASE("ReduceOnPlateau refuses numbers that make no sense") {
  const auto error = [](double rate, const nn::PlateauOptions& options) {
    return error_of([&] { nn::ReduceOnPlateau(rate, options); });
  };
  CHECK(error(-1, {}) == "ValueError: ReduceOnPlateau: rate -1; need a finite number >= 0");
  CHECK(error(1, {.factor = 1}) == "ValueError: ReduceOnPlateau: factor 1; need 0 < factor < 1");
  CHECK(error(1, {.factor = nan_value}) == "ValueError: ReduceOnPlateau: factor nan; need 0 < factor < 1");
  CHECK(error(1, {.patience = -1}) == "ValueError: ReduceOnPlateau: patience -1; need patience >= 0");
  CHECK(error(1, {.threshold = -1}) == "ValueError: ReduceOnPlateau: threshold -1; need a finite number >= 0");
  CHECK(error(1, {.cooldown = -1}) == "ValueError: ReduceOnPlateau: cooldown -1; need cooldown >= 0");
  CHECK(error(1, {.minimum_rate = -1}) == "ValueError: ReduceOnPlateau: minimum_rate -1; need a finite number >= 0");
  CHECK(error(1, {.smallest_change = -1}) ==
        "ValueError: ReduceOnPlateau: smallest_change -1; need a finite number >= 0");
}
