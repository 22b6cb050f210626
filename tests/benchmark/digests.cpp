// Prints a digest of the trained parameters and buffers of ten trainings, which between them use every layer, loss,
// optimizer and schedule: equal before and after a change that must not change a bit.
#include <autograd/autograd.hpp>
#include <autograd/pointwise.hpp>
#include <nn/nn.hpp>

#include <cstdio>
#include <string>
#include <utility>

using namespace xgrad;

namespace {

constexpr std::int64_t rows = 192, features = 12, classes = 5;

Tensor features_of(std::uint64_t stream) {
  Generator generator(7, stream);
  return normal({rows, features}, 0.0, 1.0, DType::float32, generator);
}

Tensor labels() {
  Generator generator(8);
  return integers({rows}, 0, classes, generator);
}

/// Numbers (rows, 1) that a network can learn.
Tensor numbers() {
  const Tensor x = features_of(1);
  return sin(slice(x, 1, 0, 1)) + slice(x, 1, 1, 2) * slice(x, 1, 2, 3);
}

Tensor yes_or_no() {
  Generator generator(9);
  return bernoulli({rows, 1}, 0.4, DType::float32, generator);
}

template <class Model>
void print(const char* name, const Model& model) {
  std::vector<Tensor> tensors = model.parameters();
  for (const nn::NamedTensor& buffer : model.named_buffers()) tensors.push_back(buffer.tensor);
  std::printf("%-24s %s\n", name, nn::digest(tensors).c_str());
}

template <class Model, class Loss, class Optimizer>
void train(const char* name, Model model, const Loss& loss, Optimizer optimizer, const Tensor& x, const Tensor& y,
           nn::FitOptions options = {}) {
  options.epochs = 4;
  options.batches = {.size = 24, .shuffle = true, .seed = 3};
  nn::fit(model, loss, optimizer, nn::Dataset(x, y), options);
  print(name, model);
}

nn::Sequential multilayer(std::int64_t outputs) {
  return nn::Sequential(nn::Linear(features, 32), nn::ReLU(), nn::Linear(32, 16), nn::Tanh(), nn::Linear(16, outputs));
}

nn::Sequential all_activations() {
  return nn::Sequential(nn::Linear(features, 20), nn::LeakyReLU(0.1), nn::Linear(20, 20), nn::PReLU(20),
                        nn::Linear(20, 20), nn::ELU(), nn::Linear(20, 20), nn::Swish(1.5), nn::Linear(20, 20),
                        nn::Sigmoid(2.0), nn::Linear(20, 20), nn::HardTanh(), nn::Linear(20, 20), nn::Maxout(4),
                        nn::Linear(5, 20), nn::Softplus(), nn::Linear(20, 20), nn::LogSigmoid(), nn::Linear(20, 20),
                        nn::LogSoftmax(), nn::Linear(20, 20), nn::Identity(), nn::Softmax(), nn::Linear(20, classes));
}

/// Embeddings of three kinds, whose output goes through a graph of single nodes.
struct Words : nn::Module {
  nn::Embedding words = add("words", nn::Embedding(30, 4));
  nn::Embedding sums = add("sums", nn::Embedding(30, 4, {.bag = nn::Bag::sum}));
  nn::Embedding means = add("means", nn::Embedding(30, 4, {.bag = nn::Bag::mean}));
  nn::NetworkGraph graph = add(
      "graph",
      nn::NetworkGraph(
          {.inputs = {"a", "b", "c", "d"},
           .nodes = {{"p", sigmoid}, {"q", tanh}, {"r", softplus}, {"y"}},
           .edges = {{"a", "p"}, {"b", "p"}, {"c", "q"}, {"d", "q"}, {"p", "r"}, {"q", "r"}, {"a", "y"}, {"r", "y"}},
           .outputs = {"y"}}));
  Tensor operator()(const Tensor& indices) const {
    return graph(mean(words(indices), {1}) + sums(indices) + means(indices));
  }
};

}  // namespace

int main() {
  const Tensor x = features_of(0);

  seed(1);
  nn::Sequential plain = multilayer(classes);
  train("SGD, cross_entropy", plain, nn::cross_entropy, nn::SGD(plain.parameters(), {.learning_rate = 0.1}), x,
        labels());

  seed(2);
  nn::Sequential nesterov = multilayer(1);
  train(
      "Nesterov, mse", nesterov, nn::mse,
      nn::SGD(nesterov.parameters(), {.learning_rate = 0.02, .momentum = 0.9, .weight_decay = 1e-3, .nesterov = true}),
      x, numbers(), {.schedule = nn::warm_up(5, nn::cosine_decay(0.02, 30))});

  seed(3);
  nn::Sequential activations = all_activations();
  train("all activations, Adam", activations, nn::cross_entropy,
        nn::Adam(activations.parameters(), {.learning_rate = 0.01}), x, labels());

  seed(4);
  nn::Sequential normalised(nn::Linear(features, 32), nn::BatchNorm(32), nn::ReLU(), nn::Dropout(0.3),
                            nn::Linear(32, 32), nn::LayerNorm(32), nn::ReLU(), nn::Linear(32, 1));
  train("normalised, AdamW, huber", normalised, nn::huber,
        nn::AdamW(normalised.parameters(), {.learning_rate = 0.01, .weight_decay = 0.1}), x, numbers(),
        {.schedule = nn::step_decay(0.01, 10, 0.5), .parts = 3});

  seed(5);
  Words words;
  Generator generator(11);
  train("embeddings and graph", words, nn::mae, nn::Adam(words.parameters()), integers({rows, 6}, 0, 30, generator),
        numbers());

  seed(6);
  nn::Sequential logits = multilayer(1);
  train("bce with logits", logits, nn::binary_cross_entropy_with_logits,
        nn::SGD(logits.parameters(), {.momentum = 0.5, .dampening = 0.2}), x, yes_or_no(),
        {.schedule = nn::inverse_time_decay(0.1, 0.05), .accumulate = 2});

  seed(7);
  nn::Sequential probabilities(nn::Flatten(), nn::Linear(features, 16), nn::Tanh(), nn::Linear(16, 1), nn::Sigmoid());
  train("bce", probabilities, nn::binary_cross_entropy, nn::Adam(probabilities.parameters(), {.weight_decay = 1e-3}), x,
        yes_or_no());

  seed(8);
  nn::Sequential summed = multilayer(1);
  train("sse, clipped", summed, nn::sse, nn::SGD(summed.parameters(), {.learning_rate = 1e-3}), x, numbers(),
        {.schedule = nn::exponential_decay(1e-3, 0.99), .reduction = nn::Reduction::sum, .clip_norm = 1.0});

  seed(9);
  nn::Sequential smoothed = multilayer(classes);
  const auto weighted = [](const Tensor& p, const Tensor& t) {
    return nn::cross_entropy(p, t, {.weights = tensor({1, 2, 1, 0.5, 1}), .label_smoothing = 0.1});
  };
  train("weighted, smoothed", smoothed, weighted, nn::Adam(smoothed.parameters()), x, labels());

  seed(10);
  nn::Sequential doubles = multilayer(1);
  doubles.to(DType::float64);
  const auto penalised = [&](const Tensor& p, const Tensor& t) {
    return nn::sae(p, t) + nn::l1_penalty(doubles.parameters()) * 0.01 + nn::l2_penalty(doubles.parameters()) * 0.01;
  };
  train("float64, sae, penalties", doubles, penalised, nn::SGD(doubles.parameters(), {.learning_rate = 1e-3}),
        x.to(DType::float64), numbers().to(DType::float64), {.schedule = nn::constant_rate(1e-3)});
}
