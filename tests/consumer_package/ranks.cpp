// A training on the ranks that mpirun started, which ends with the digest of one process.

#include <nn/distributed/world.hpp>
#include <nn/nn.hpp>

#include <string>

using namespace xgrad;

namespace {

std::string trained(std::shared_ptr<nn::Ranks> ranks) {
  const DefaultGenerator numbers(Generator(1));
  nn::Sequential net(nn::Linear(4, 16), nn::Tanh(), nn::Linear(16, 1));
  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.1});
  const nn::Dataset data(uniform({64, 4}), uniform({64, 1}));
  nn::fit(net, nn::mse, optimizer, data, {.batches = {.size = 16}, .parts = 2, .ranks = ranks});
  return nn::digest(net.parameters());
}

}  // namespace

int main() {
  const auto world = nn::distributed::world();
  return world->size() == 2 && trained(world) == trained(nullptr) ? 0 : 1;
}
