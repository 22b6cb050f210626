/// A recommender: embeddings of what somebody watched, averaged into a relu tower, on histories of a known structure.
/// Lecture: Basic neural network architectures

#include <autograd/autograd.hpp>
#include <autograd/xtensor.hpp>
#include <nn/nn.hpp>

#include <examples/command_line.hpp>
#include <examples/drawing.hpp>
#include <examples/training.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>
#include <xtensor-blas/xlinalg.hpp>

using namespace xgrad;

namespace {

constexpr std::int64_t videos = 200, features = 16, history_length = 10;
constexpr int genres = 7;

/// Videos lie on a circle in a random order, and people have a place on it: they watch what is near. The model sees
/// numbers of videos only.
struct World {
  std::vector<double> angle;  // of each video

  explicit World(Generator& generator) {
    const Tensor order = permutation(videos, generator);
    for (const std::int64_t place : order.values<std::int64_t>())
      angle.push_back(2 * std::numbers::pi * static_cast<double>(place) / static_cast<double>(videos));
  }

  /// Histories (people, history_length) and what each watched next (people,), int64. A video's chance is proportional
  /// to e^(20 cos distance) and to how popular it is: 1/(1 + number/200).
  nn::Dataset histories(std::int64_t people, Generator& generator) const {
    std::vector<double> watched, next;
    const Tensor places = uniform({people}, 0, 2 * std::numbers::pi, float64, generator);
    const Tensor draws = uniform({people, history_length + 1}, 0, 1, float64, generator);
    for (std::int64_t person = 0; person < people; ++person) {
      std::vector<double> sums;
      double total = 0;
      for (std::int64_t video = 0; video < videos; ++video) {
        const double distance = angle[static_cast<std::size_t>(video)] - places.item({person});
        sums.push_back(total += std::exp(20 * std::cos(distance)) / (1 + static_cast<double>(video) / 200));
      }
      for (std::int64_t k = 0; k <= history_length; ++k) {
        const auto found = std::upper_bound(sums.begin(), sums.end() - 1, draws.item({person, k}) * total);
        (k < history_length ? watched : next).push_back(static_cast<double>(found - sums.begin()));
      }
    }
    return {tensor(watched, {people, history_length}, float64).to(int64), tensor(next, {people}, float64).to(int64)};
  }
};

/// Covington and others (2016, section 3): the mean of the history's embeddings, a tower of relu, scores of all videos.
struct Net : nn::Module {
  nn::Embedding embedding = add("embedding", nn::Embedding(videos, features, {.bag = nn::Bag::mean}));
  nn::Linear hidden1 = add("hidden1", nn::Linear(features, 64));
  nn::Linear hidden2 = add("hidden2", nn::Linear(64, 32));
  nn::Linear output = add("output", nn::Linear(32, videos));

  Net() { nn::init::normal(embedding.weight, 0, 0.1); }  // less than what is learned

  Tensor operator()(const Tensor& history) const { return output(relu(hidden2(relu(hidden1(embedding(history)))))); }
};

/// How often the next video is among the 10 with the largest scores.
double hit_rate(const Tensor& scores, const Tensor& next) {
  const Tensor own = sum(scores * one_hot(next, videos, scores.dtype()), {1}, true);
  return mean(lt(sum(gt(scores, own), {1}), 10.0)).item();
}

/// The two directions of largest variance of rows (n, m): (n, 2) coordinates, and their share of the variance.
std::pair<Tensor, double> principal_components(const Tensor& rows) {
  const Tensor x = centred(rows.to(float64), {0});
  const Tensor covariance = matmul(x, x, true, false);
  const auto [values, vectors] = xt::linalg::eigh(as_xtensor<double>(covariance));  // from the least
  const auto last = static_cast<std::size_t>(rows.shape(1)) - 1;
  const xt::xarray<double> two = xt::view(vectors, xt::all(), xt::range(last - 1, last + 1));
  return {matmul(x, from_xtensor(two)), (values(last) + values(last - 1)) / xt::sum(values)()};
}

/// How much of the coordinates (videos, 2) a video's place on the circle explains: R² of the least-squares fit by the
/// first three harmonics of the angle.
double explained(const Tensor& coordinates, const std::vector<double>& angle) {
  std::vector<double> harmonics;
  for (const double a : angle)
    for (const double k : {1, 2, 3}) harmonics.insert(harmonics.end(), {std::cos(k * a), std::sin(k * a)});
  const Tensor place = tensor(harmonics, {videos, 6}, float64);
  const auto solved = xt::linalg::lstsq(as_xtensor<double>(place), as_xtensor<double>(coordinates));
  const xt::xarray<double> map = std::get<0>(solved);
  return nn::r2_score(matmul(place, from_xtensor(map)), coordinates);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t epochs = 8, people = 20000;
  examples::CommandLine line("recommender", "recommends videos after synthetic viewing histories");
  line.seed(first_seed);
  line.epochs(epochs, 6);
  line.flag("people", people, "histories to train on", {100, 1000000}, 8000);
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    Generator generator(first_seed, 1);
    const World world(generator);
    const nn::Dataset train = world.histories(people, generator), test = world.histories(4000, generator);
    Net net;
    nn::Adam optimizer(net.parameters(), {.learning_rate = 0.003});
    nn::Progress progress(line.quiet());
    nn::fit(
        net, nn::cross_entropy, optimizer, train,
        checkpoints.of(
            {.epochs = epochs, .batches = {.size = 64, .shuffle = true, .seed = first_seed}, .progress = &progress}));

    const auto [histories, next] = test.all();
    const double hits = hit_rate(net(histories), next);
    // What was watched most, for everybody.
    const Tensor counts = sum(one_hot(train.targets().all(), videos), {0}, true);
    const double popular = hit_rate(broadcast_to(counts, {test.size(), videos}), next);
    const auto [coordinates, share] = principal_components(net.embedding.weight);
    const double ring = explained(coordinates, world.angle);
    line.table({{"recommended", "hit rate at 10"},
                {"by embeddings and tower", fmt::format("{:.3f}", hits)},
                {"the most popular", fmt::format("{:.3f}", popular)},
                {"10 of 200 by chance", "0.050"}});
    line.out() << fmt::format(
        "first two principal components of the embeddings: {:.0f} % of their variance, R² by the circle {:.3f}\n",
        100 * share, ring);

    nn::Panel panel = {.title = "Embeddings of 200 videos",
                       .x_label = "first principal component",
                       .y_label = "second principal component"};
    for (int genre = 0; genre < genres; ++genre)
      panel.traces.push_back({.name = fmt::format("genre {}", genre + 1), .mark = nn::Mark::points});
    for (std::int64_t video = 0; video < videos; ++video) {
      const auto genre =
          static_cast<std::size_t>(world.angle[static_cast<std::size_t>(video)] / (2 * std::numbers::pi) * genres);
      panel.traces[genre].x.push_back(coordinates.item({video, 1}));
      panel.traces[genre].y.push_back(coordinates.item({video, 0}));
    }
    line.draw("embeddings", nn::Chart{.panels = {panel}, .width = 380, .height = 340});
    line.result("hit_rate", hits);
    line.result("popular_hit_rate", popular);
    line.claim("hit rate at 10, of that of the most popular", hits / popular, {.minimum = 5});
    line.claim("the first two principal components, as the circle explains them: R²", ring, {.minimum = 0.8});
  });
}
