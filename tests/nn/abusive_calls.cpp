#include "tests/support/folder.hpp"
#include "tests/support/hostile.hpp"

#include <nn/nn.hpp>

#include <cmath>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace hostile {
inline std::vector<nn::Reduction> list(Type<nn::Reduction>) {
  return {nn::Reduction::mean, nn::Reduction::sum, nn::Reduction::none};
}
}  // namespace hostile

using namespace hostile;

namespace {

const Tensor inputs = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.5}});
const Tensor predictions = expect::leaf(tensor({{0.1, 0.2, 0.7}, {0.4, 0.5, 0.1}}));
const Tensor targets = tensor({{0.0, 0.0, 1.0}, {1.0, 0.0, 0.0}});
const Tensor labels = arange(2);
constexpr Int zero = 0, one = 1, two = 2, three = 3;

nn::Dataset dataset() { return {nn::Rows(inputs), nn::Rows(labels)}; }

struct Net : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(3, 4));
  nn::Linear output = add("output", nn::Linear(4, 3));
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
};

void losses(Abuse& abuse) {
  const auto loss = [&](const char* words, const auto& f) {
    abuse(words, good(predictions, targets, nn::Reduction::mean),
          [f](const Tensor& p, const Tensor& t, nn::Reduction reduction) { return f(p, t, {.reduction = reduction}); });
  };
  loss("MeanSquaredError::operator() mse", nn::mse), loss("MeanAbsoluteError::operator() mae", nn::mae);
  loss("SummedAbsoluteError::operator() sae", nn::sae), loss("SummedSquaredError::operator() sse", nn::sse);
  loss("BinaryCrossEntropy::operator() binary_cross_entropy", nn::binary_cross_entropy);
  loss("BinaryCrossEntropyWithLogits::operator() binary_cross_entropy_with_logits",
       nn::binary_cross_entropy_with_logits);
  loss("CrossEntropy::operator() cross_entropy", nn::cross_entropy);
  abuse("Huber::operator()",
        [](const Tensor& p, const Tensor& t, double delta) { return nn::Huber{.delta = delta}(p, t); });
  abuse(
      "CrossEntropy::operator() cross_entropy",
      good(predictions, labels, tensor({1.0, 2.0, 3.0}), 0.1, std::optional<Int>()),
      [](const Tensor& p, const Tensor& t, const Tensor& weights, double smoothing, const std::optional<Int>& ignored) {
        return nn::cross_entropy(p, t, {.weights = weights, .label_smoothing = smoothing, .ignore_index = ignored});
      });
  for (const auto& [words, penalty] : {std::pair{"l1_penalty", &nn::l1_penalty}, {"l2_penalty", &nn::l2_penalty}})
    abuse(words, penalty);
}

void layers(Abuse& abuse) {
  abuse("Linear Linear::operator()", good(three, two, true, inputs),
        [](Int in, Int out, bool bias, const Tensor& x) { return nn::Linear(in, out, {.bias = bias})(x); });
  const auto called = [&](const char* words, const auto& layer) {
    abuse(words, [&layer](const Tensor& x) { return layer(x); });
  };
  called("FunctionLayer::apply Activation::operator() relu", nn::ReLU()), called("hard_tanh", nn::HardTanh());
  called("softplus", nn::Softplus()), called("log_sigmoid", nn::LogSigmoid()), called("mish", nn::Mish());
  called("Identity::apply reshape", nn::Identity()), called("Flatten::operator()", nn::Flatten());
  const auto with_number = [&](const char* words, auto make) {
    abuse(words, [make](double number, const Tensor& x) { return make(number)(x); });
  };
  with_number("Step Step::apply", [](double s) { return nn::Step(s); });
  with_number("LeakyReLU LeakyReLU::apply leaky_relu", [](double s) { return nn::LeakyReLU(s); });
  with_number("ELU ELU::apply", [](double s) { return nn::ELU(s); });
  with_number("Swish Swish::apply", [](double s) { return nn::Swish(s); });
  with_number("Sigmoid Sigmoid::apply", [](double s) { return nn::Sigmoid(s); });
  with_number("Tanh Tanh::apply", [](double s) { return nn::Tanh(s); });
  with_number("Dropout Dropout::operator() Dropout::probability", [](double s) {
    seen(nn::Dropout(s).probability());
    return nn::Dropout(s);
  });
  abuse("PReLU PReLU::apply", good(three, 0.25, inputs),
        [](Int n, double s, const Tensor& x) { return nn::PReLU(n, s)(x); });
  abuse("Maxout Maxout::apply", good(three, inputs), [](Int n, const Tensor& x) { return nn::Maxout(n)(x); });
  abuse("AxisLayer AxisLayer::apply softmax",
        [](Int axis, const Tensor& x) { return nn::Softmax(axis)(x) + nn::LogSoftmax(axis)(x); });
  abuse("BatchNorm BatchNorm::operator() batch_norm", good(three, 0.1, 1e-5, true, predictions),
        [](Int n, double momentum, double epsilon, bool training, const Tensor& x) {
          nn::BatchNorm layer(n, {.momentum = momentum, .epsilon = epsilon});
          training ? layer.train() : layer.eval();
          return layer(x);
        });
  abuse("LayerNorm LayerNorm::operator() layer_norm", good(three, 1e-5, predictions),
        [](Int n, double epsilon, const Tensor& x) { return nn::LayerNorm(n, {.epsilon = epsilon})(x); });
  abuse("Embedding Embedding::operator() take", good(three, two, labels, std::optional<Int>()),
        [](Int rows, Int features, const Tensor& indices, const std::optional<Int>& padding) {
          return nn::Embedding(rows, features, {.padding = padding})(indices);
        });
  abuse("Sequential Sequential::append Sequential::operator() Sequential::at Sequential::size linear",
        good(std::size_t{0}, inputs), [](std::size_t place, const Tensor& x) {
          nn::Sequential layer(nn::Linear(3, 2), nn::ReLU());
          layer.append(nn::Tanh());
          seen(layer.at<nn::Linear>(place).weight, layer.size());
          return layer(x);
        });
  abuse(
      "Module Module::add Module::parameter Module::buffer Module::path Module::named_parameters "
      "Module::named_buffers Module::parameters Module::parameter_count Module::operator=",
      good(std::string("a"), std::string("b"), inputs, inputs),
      [](const std::string& name, const std::string& second, const Tensor& x, const Tensor& y) {
        nn::Module module, inner;
        inner.parameter(name, x.defined() ? detach(x) : x);
        inner.buffer(second, y.defined() ? detach(y) : y);
        module = nn::Module();
        module.add(name, inner);
        seen(inner.path(), module.named_parameters(), module.named_buffers(), module.parameters(),
             module.parameter_count());
      });
  abuse("Module::to Module::train Module::eval Module::training Module::requires_gradient Module::freeze clone",
        [](DType dtype, bool required) {
          Net net;
          net.to(dtype);
          net.train();
          net.eval();
          net.requires_gradient(required);
          Net copy = nn::clone(net);
          copy.freeze();
          seen(copy.training());
          return copy(zeros({2, 3}, dtype));
        });
  abuse("LayerStream LayerStream::calls LayerStream::next", [](std::size_t calls) {
    Generator source(1);
    nn::LayerStream stream(source);
    stream.calls(calls);
    seen(stream.next().state(), stream.calls());
  });
}

void initial_values(Abuse& abuse) {
  const auto fills = [&](const char* words, auto f) {
    abuse(words, good(inputs, 0.5, 1.0), [f](const Tensor& x, double a, double b) {
      Tensor weight = x.defined() ? detach(x).clone() : x;
      f(weight, a, b);
      return weight;
    });
  };
  using namespace nn::init;
  fills("zero", [](Tensor& w, double, double) { nn::init::zero(w); });
  fills("constant full", [](Tensor& w, double a, double) { constant(w, a); });
  fills("uniform", [](Tensor& w, double a, double b) { nn::init::uniform(w, a, b); });
  fills("normal", [](Tensor& w, double a, double b) { nn::init::normal(w, a, b); });
  fills("xavier_uniform", [](Tensor& w, double a, double) { xavier_uniform(w, {.gain = a}); });
  fills("xavier_normal", [](Tensor& w, double a, double) { xavier_normal(w, {.gain = a}); });
  fills("he_uniform", [](Tensor& w, double a, double) { he_uniform(w, a); });
  fills("he_normal", [](Tensor& w, double a, double) { he_normal(w, a); });
  fills("orthogonal", [](Tensor& w, double a, double) { orthogonal(w, a); });
  abuse("linear_default", [](const Tensor& x, Int fan_in) {
    Tensor weight = x.defined() ? detach(x).clone() : x;
    linear_default(weight, fan_in);
    return weight;
  });
  abuse("gain", [](double slope) { seen(gain(nn::init::Activation::leaky_relu, slope)); });
}

void optimizers(Abuse& abuse) {
  const auto step = [](auto optimizer) {
    Gradients gradients;
    for (const Tensor& p : optimizer.parameters()) gradients.set(p, zeros(p.shape(), p.dtype()));
    optimizer.step(gradients);
    seen(optimizer.steps());
  };
  const std::vector<Tensor> parameters = {expect::leaf(inputs)};
  abuse(
      "SGD Optimizer::step Optimizer::parameters Optimizer::steps", good(parameters, 0.1, 0.9, 0.0, 0.01),
      [=](const std::vector<Tensor>& p, double rate, double momentum, double dampening, double decay) {
        step(nn::SGD(p, {.learning_rate = rate, .momentum = momentum, .dampening = dampening, .weight_decay = decay}));
      });
  abuse("Adam", good(parameters, 0.1, 0.9, 1e-8),
        [=](const std::vector<Tensor>& p, double rate, double beta, double epsilon) {
          step(nn::Adam(p, {.learning_rate = rate, .beta1 = beta, .beta2 = beta, .epsilon = epsilon}));
        });
  abuse("AdamW", good(parameters, 0.1, 0.9, 1e-8),
        [=](const std::vector<Tensor>& p, double rate, double beta, double epsilon) {
          step(nn::AdamW(p, {.learning_rate = rate, .beta1 = beta, .beta2 = beta, .epsilon = epsilon}));
        });
  abuse("Optimizer::learning_rate Optimizer::state SGD",
        good(0.1, one, std::vector<Int>{1}, std::vector<Tensor>{inputs}),
        [=](double rate, Int steps, const std::vector<Int>& updates, const std::vector<Tensor>& velocities) {
          nn::SGD optimizer(parameters, {.momentum = 0.9});
          optimizer.learning_rate(rate);
          nn::OptimizerState state = optimizer.state();
          state.steps = steps, state.learning_rate = optimizer.learning_rate();
          state.updates = updates, state.moments = {velocities};
          optimizer.state(state);
        });
  const auto schedule = [&](const char* words, auto make) {
    abuse(words, good(0.1, 0.5, two, one), [make](double rate, double factor, Int steps, Int at) {
      const double value = make(rate, factor, steps)(at);
      if (!(std::isfinite(value) && value >= 0)) throw std::range_error("a rate that is negative or not finite");
    });
  };
  schedule("constant_rate schedule", [](double rate, double, Int) { return nn::constant_rate(rate); });
  schedule("step_decay schedule", [](double rate, double f, Int n) { return nn::step_decay(rate, n, f); });
  schedule("exponential_decay schedule", [](double rate, double f, Int) { return nn::exponential_decay(rate, f); });
  schedule("inverse_time_decay schedule", [](double rate, double f, Int) { return nn::inverse_time_decay(rate, f); });
  schedule("cosine_decay schedule", [](double rate, double f, Int n) { return nn::cosine_decay(rate, n, f); });
  schedule("warm_up schedule constant_rate",
           [](double rate, double, Int n) { return nn::warm_up(n, nn::constant_rate(rate)); });
  abuse("warm_up", good(std::function<double(Int)>(nn::constant_rate(1))),
        [](const std::function<double(Int)>& inner) { seen(nn::warm_up(2, inner)(0)); });
  abuse("ReduceOnPlateau ReduceOnPlateau::observe ReduceOnPlateau::rate ReduceOnPlateau::best",
        good(0.1, 0.5, one, 1e-4, 1.0), [](double rate, double factor, Int patience, double threshold, double metric) {
          nn::ReduceOnPlateau plateau(rate, {.factor = factor, .patience = patience, .threshold = threshold});
          seen(plateau.observe(metric) + plateau.rate() + plateau.best());
        });
}

void data(Abuse& abuse) {
  abuse("Rows Rows::rows Rows::shape Rows::is_bytes Rows::all Rows::take Rows::select",
        good(inputs, std::vector<Int>{0, 1}, std::optional<DType>()),
        [](const Tensor& x, const std::vector<Int>& rows, const std::optional<DType>& dtype) {
          const nn::Rows values(x);
          seen(values.rows(), values.shape(), values.is_bytes(), values.select(rows), values.take(rows, dtype));
          return values.all(dtype);
        });
  abuse("Rows::bytes Rows::rescale Rows::reshape_rows Rows::subset", good(Shape{2, 3}, Shape{3, 1}, 1.0, zero, two),
        [](const Shape& shape, const Shape& row, double scale, Int first, Int last) {
          const nn::Rows values(shape, std::vector<std::uint8_t>(6, 7));
          seen(values.bytes());
          return values.rescale(scale).reshape_rows(row).subset(first, last).all(float32);
        });
  abuse(
      "Dataset Dataset::size Dataset::inputs Dataset::targets Dataset::all Dataset::input_columns "
      "Dataset::target_columns NamedRows Rows batch",
      good(inputs, labels, std::string("a"), std::string("b")),
      [](const Tensor& x, const Tensor& y, const std::string& name, const std::string& other) {
        const nn::Dataset set({{name, x}, {other, x}}, {{name, y}});
        seen(set.size(), set.targets(), set.input_columns(), set.target_columns());
        seen(nn::Dataset(nn::Rows(x), set.targets()).inputs());
        return set.all().inputs[name];
      });
  abuse(
      "Columns Columns::count Columns::map Columns::names Columns::operator[] Columns::shapes Columns::tensors batch "
      "shape",
      good(std::vector<Tensor>{inputs, labels}, Texts{"a", "b"}, std::string("b"), std::size_t{1}),
      [](const std::vector<Tensor>& tensors, const Texts& names, const std::string& name, std::size_t place) {
        const nn::Columns columns(tensors, names);
        const nn::Columns again = columns.map([](const Tensor& x) { return x; });
        seen(again.count(), again.names(), again.shapes(), again.tensors(), again[place]);
        return again[name];
      });
  abuse("Dataset::subset Dataset::split Dataset::select Dataset::take Batch::rows",
        good(zero, two, std::vector<Int>{1}), [](Int first, Int last, const std::vector<Int>& rows) {
          seen(dataset().subset(first, last), dataset().split(first), dataset().select(rows));
          return dataset().take(rows).rows();
        });
  abuse(
      "Batches Batches::begin Batches::end Batches::size Batches::examples Batches::epoch Batches::set_epoch "
      "Batches::dataset Batches::options Iterator::operator* Iterator::operator++",
      [](Int size, std::size_t seed, bool drop, const std::optional<DType>& dtype) {
        nn::Batches batches(dataset(),
                            {.size = size, .shuffle = true, .seed = seed, .drop_last = drop, .dtype = dtype});
        batches.set_epoch(seed);
        seen(batches.size(), batches.examples(), batches.dataset(), batches.options());
        for (auto [x, y] : batches) seen(x.size() + y.size());
        seen(batches.epoch());
      });
  abuse("OneHotEncoder::encode", good(three, 0.0, 1.0, labels, float32),
        [](Int classes, double low, double high, const Tensor& indices, DType dtype) {
          return nn::OneHotEncoder{.classes = classes, .low = low, .high = high}.encode(indices, dtype);
        });
  abuse(
      "OrdinalEncoder OrdinalEncoder::fit OrdinalEncoder::categories OrdinalEncoder::size OrdinalEncoder::find "
      "OrdinalEncoder::encode OrdinalEncoder::decode",
      good(Texts{"a", "b"}, Texts{"b"}, labels),
      [](const Texts& categories, const Texts& values, const Tensor& indices) {
        const nn::OrdinalEncoder encoder(categories);
        seen(nn::OrdinalEncoder::fit(values).size(), encoder.find("b"), encoder.categories(), encoder.decode(indices));
        return encoder.encode(values);
      });
  abuse("Scaler Scaler::apply Scaler::fill Scaler::invert Scaler::centers Scaler::spreads",
        good(std::vector<double>{1, 2, 3}, std::vector<double>{1, 1, 1}, inputs),
        [](const std::vector<double>& centers, const std::vector<double>& spreads, const Tensor& x) {
          const nn::Scaler scaler(centers, spreads);
          seen(scaler.centers(), scaler.spreads());
          return scaler.invert(scaler.apply(scaler.fill(x)));
        });
  abuse("Scaler::standard Scaler::min_max", good(inputs, 0.0, 1.0, Texts{"a", "b", "c"}),
        [](const Tensor& x, double low, double high, const Texts& names) {
          seen(nn::Scaler::standard(x, names), nn::Scaler::min_max(x, low, high, names));
        });
  abuse(
      "split Portion Portion::of", good(0.5, zero, true, false),
      [](double validation, Int test, bool shuffle, bool stratify) {
        seen(nn::split(dataset(), {.validation = validation, .test = test, .shuffle = shuffle, .stratify = stratify}));
      });
  abuse("folds", good(two, zero, true, false), [](Int count, Int seed, bool shuffle, bool stratify) {
    seen(nn::folds(
        dataset(),
        {.count = count, .seed = static_cast<std::uint64_t>(seed), .shuffle = shuffle, .stratify = stratify}));
  });
  abuse(
      "parse_csv CsvTable::rows CsvTable::columns CsvTable::columns_except CsvTable::dropped_rows "
      "CsvTable::filled_fields CsvTable::numbers CsvTable::number_column CsvTable::text CsvTable::categories "
      "CsvTable::codes CsvTable::places CsvTable::is_numeric CsvTable::missing t.csv csv",
      good(std::string("a,b\n1,2\n3,4\n"), Texts{"a"}, std::string("b"), float32),
      [](const std::string& text, const Texts& names, const std::string& name, DType dtype) {
        const nn::CsvTable table = nn::parse_csv(text, "t.csv");
        seen(table.rows() + table.dropped_rows() + table.filled_fields());
        seen(table.columns(), table.places(names), table.text(name), table.columns_except(names));
        seen(table.codes(name, table.categories(name)), table.number_column(name, dtype));
        seen(table.is_numeric(name), table.missing(name));
        return table.numbers(names, dtype);
      });
  abuse("Features::fit Features::apply Features::names inputs_of t.csv csv",
        good(std::string("a,b\n1,2\n3,4\n"), Texts{"a", "b"}, float32),
        [](const std::string& text, const Texts& names, DType dtype) {
          const nn::CsvTable table = nn::parse_csv(text, "t.csv");
          const nn::Features features = nn::Features::fit(table, names);
          seen(features.names());
          seen(nn::inputs_of({.columns = names}, table, dtype));
          return features.apply(table, dtype);
        });
}

void training(Abuse& abuse) {
  abuse("Accuracy::operator()", good(predictions, labels),
        [](const Tensor& p, const Tensor& t) { seen(nn::accuracy(p, t)); });
  abuse("mean_absolute_error", [](const Tensor& p, const Tensor& t) { seen(nn::mean_absolute_error(p, t)); });
  abuse("r2_score", [](const Tensor& p, const Tensor& t) { seen(nn::r2_score(p, t)); });
  abuse(
      "ConfusionMatrix ConfusionMatrix::add ConfusionMatrix::classes ConfusionMatrix::total ConfusionMatrix::count "
      "ConfusionMatrix::counts ConfusionMatrix::accuracy ConfusionMatrix::precision ConfusionMatrix::recall "
      "ConfusionMatrix::f1",
      good(three, predictions, labels, one, two),
      [](Int classes, const Tensor& p, const Tensor& t, Int label, Int predicted) {
        nn::ConfusionMatrix matrix(classes);
        matrix.add(p, t);
        seen(matrix.classes(), matrix.total(), matrix.count(label, predicted), nn::ConfusionMatrix(p, t).counts());
        seen(matrix.accuracy() + matrix.precision(label) + matrix.recall(label) + matrix.f1(label));
        return matrix.counts();
      });
  abuse(
      "BinaryMetric::operator() BinaryMetric::from_logits BinaryMetric::ignoring ConfusionMatrix::binary binary "
      "confusion",
      good(tensor({0.25, 0.75}), labels, 0.5), [](const Tensor& p, const Tensor& t, double threshold) {
        seen(nn::ConfusionMatrix::binary(p, t, threshold).total(), nn::binary_f1.from_logits()(p, t),
             nn::binary_f1.ignoring(1)(p, t));
      });
  abuse("save_checkpoint load_checkpoint saved_state CheckpointPart xgrad_test",
        good(std::string("run"), std::string("x"), zeros({4}), three, two),
        [](const std::string& file, const std::string& name, const Tensor& x, Int step, Int keep) {
          static const Folder folder;
          double value = 0;
          std::vector<double> values = {1, 2};
          const std::vector<nn::CheckpointPart> parts = {{name, x}, {"value", value}, {"values", values}};
          nn::save_checkpoint(folder.file(file), parts, step, keep);
          seen(nn::load_checkpoint(folder.file(file), parts));
        });
  abuse("digest", [](const std::vector<Tensor>& list) { return nn::digest(list); });
  abuse("Snapshot Snapshot::save Snapshot::restore Snapshot::largest_change Snapshot::relative_changes",
        good(std::vector<Tensor>{inputs.clone()}), [](const std::vector<Tensor>& list) {
          nn::Snapshot snapshot(list);
          snapshot.save();
          snapshot.restore();
          seen(snapshot.largest_change(), snapshot.relative_changes());
        });
  abuse.slow("batch_gradients linear batch_gradients_of cross_entropy", good(inputs, labels, two),
             [](const Tensor& x, const Tensor& y, Int parts) {
               const Net net;
               const auto loss = [&net](const Tensor& a, const Tensor& b) { return nn::cross_entropy(net(a), b); };
               return nn::batch_gradients(loss, x, y, {.parts = parts}).gradients;
             });
  const auto fitted = [](const nn::FitOptions& options) {
    Net net;
    nn::SGD optimizer(net.parameters(), {.learning_rate = 0.01});
    seen(nn::fit(net, nn::cross_entropy, optimizer, dataset(), options));
  };
  abuse.slow(
      "fit fit_of Batches", good(two, one, std::optional<double>(), std::optional<double>()),
      [=](Int size, Int accumulate, const std::optional<double>& norm, const std::optional<double>& value) {
        fitted(
            {.epochs = 1, .batches = {.size = size}, .accumulate = accumulate, .clip_norm = norm, .clip_value = value});
      });
  abuse.slow("fit Batches", good(one, one, 0.0, nn::Reduction::mean, two),
             [=](Int parts, Int patience, double change, nn::Reduction reduction, Int size) {
               fitted({.epochs = 1,
                       .validation = dataset(),
                       .evaluation_size = size,
                       .parts = parts,
                       .reduction = reduction,
                       .stopping = {.patience = patience, .min_change = change}});
             });
  using Metric = std::function<double(const Tensor&, const Tensor&)>;
  using Schedule = std::function<double(Int)>;
  abuse.slow("fit Batches", good(Metric(nn::accuracy), Schedule(nn::constant_rate(0.1))),
             [=](const Metric& metric, const Schedule& schedule) {
               fitted({.epochs = 1, .metrics = {{"m", metric}}, .schedule = schedule});
             });
  abuse("evaluate evaluate_of Batches linear", good(two, nn::Reduction::mean, std::optional<DType>()),
        [](Int size, nn::Reduction reduction, const std::optional<DType>& dtype) {
          const Net net;
          seen(nn::evaluate(net, nn::cross_entropy, dataset(), {.size = size, .dtype = dtype, .reduction = reduction}));
        });
  abuse.slow("evaluate", good(Metric(nn::accuracy)), [](const Metric& metric) {
    const Net net;
    seen(nn::evaluate(net, nn::cross_entropy, dataset(), {.metrics = {{"m", metric}}}));
  });
}

void models(Abuse& abuse) {
  abuse("NetworkGraph NetworkGraph::operator() NetworkGraph::depth graph",
        good(Texts{"a", "b", "c"}, std::string("y"), std::string("y"), Texts{"y"}, inputs),
        [](const Texts& in, const std::string& node, const std::string& to, const Texts& out, const Tensor& x) {
          const nn::NetworkGraph graph({.inputs = in, .nodes = {{node, tanh}}, .edges = {{"a", to}}, .outputs = out});
          seen(graph.depth());
          return graph(x);
        });
  abuse("summary summary_of_call example_input linear zeros", good(Shape{3}, inputs),
        [](const Shape& shape, const Tensor& x) { return nn::summary(Net(), shape) + nn::summary(Net(), x); });
  abuse.slow(
      "diagnose loss diagnose_of Diagnosis::layer Diagnosis::parameter Diagnosis::text Diagnosis::json linear "
      "cross_entropy",
      good(inputs, labels, std::string("hidden")), [](const Tensor& x, const Tensor& y, const std::string& name) {
        const nn::Diagnosis found = nn::diagnose(Net(), nn::cross_entropy, {x, y});
        seen(found.text(), found.json(), found.layer(name), found.parameter(name + ".weight"));
      });
  abuse.slow("Diagnostics Diagnostics::watch Diagnostics::after_step Diagnostics::after_epoch Diagnostics::history",
             good(), [](Int every) {
               Net net;
               nn::Diagnostics diagnostics(net, nn::cross_entropy, {inputs, labels}, every);
               seen(diagnostics.watch({}));
               diagnostics.after_step();
               seen(diagnostics.after_epoch(), diagnostics.history());
             });
  abuse("activation_statistics", [](const Tensor& a) { seen(nn::activation_statistics(a)); });
  abuse("norm_of in_float64", [](const Tensor& a) {
    seen(nn::norm_of(a));
    return nn::in_float64(a);
  });
  abuse("layer_of_parameter", [](const std::string& label) { return nn::layer_of_parameter(label); });
  abuse.slow("check_gradients check_gradients_of model_subject linear cross_entropy", good(inputs, labels),
             [](const Tensor& x, const Tensor& y) {
               seen(nn::check_gradients(Net(), nn::cross_entropy, x, y, {.sample = 1}));
             });
  abuse.slow("doctor doctor_of DoctorReport::ok DoctorReport::text DoctorReport::json",
             good(two, two, std::optional<DType>()), [](Int rows, Int label_rows, const std::optional<DType>& dtype) {
               Net net;
               const nn::DoctorReport found = nn::doctor(
                   net, nn::cross_entropy, 0.1, dataset(),
                   {.rows = rows, .steps = 2, .label_rows = label_rows, .gradient_sample = 1, .dtype = dtype});
               seen(found.ok(), found.text(), found.json());
             });
  abuse("parameters_to_vector concatenate",
        [](const std::vector<Tensor>& list) { return nn::parameters_to_vector(list); });
  abuse("vector_to_parameters vector_to_tensors to:", good(tensor({1.0, 2.0}), std::vector<Tensor>{zeros({2})}),
        [](const Tensor& vector, const std::vector<Tensor>& list) { nn::vector_to_parameters(vector, list); });
  abuse.slow("gradient linear cross_entropy label", good(inputs, labels),
             [](const Tensor& x, const Tensor& y) { return nn::gradient(Net(), nn::cross_entropy, x, y); });
  abuse.slow("hessian linear cross_entropy label", good(inputs, labels),
             [](const Tensor& x, const Tensor& y) { seen(nn::hessian(Net(), nn::cross_entropy, x, y)); });
  abuse.slow("hessian_vector_product", good(zeros({3, 4})), [](const Tensor& v) {
    std::vector<Tensor> list;
    for (const Tensor& p : Net().parameters()) list.push_back(zeros(p.shape()));
    list[0] = v;
    return nn::hessian_vector_product(Net(), nn::cross_entropy, inputs, labels, list);
  });
  abuse("Registered Registered::operator= weight", good(inputs), [](const Tensor& x) {
    nn::Linear layer(3, 2);
    if (x.is(inputs)) return;
    layer.weight = x;
  });
}

void files(Abuse& abuse) {
  static const Folder folder;
  // A file of a hostile name and a hostile tensor: written, then read. Messages begin with the path.
  const auto written = [&](const char* words, auto write, auto read) {
    abuse(words, [=](const std::string& name, const Tensor& x) {
      const std::string path = folder.file(name);
      write(path, x);
      seen(read(path));
    });
  };
  written(
      "write_npy read_npy npy_header bytes_of xgrad_test", [](auto& path, auto& x) { nn::write_npy(path, x); },
      [](auto& path) { return nn::read_npy(path); });
  written(
      "write_npz read_npz list_npz xgrad_test",
      [](auto& path, auto& x) {
        nn::write_npz(path, {{"x", x}});
      },
      [](auto& path) { return std::pair(nn::read_npz(path), nn::list_npz(path)); });
  written(
      "write_safetensors read_safetensors list_safetensors safetensors_name name_of xgrad_test",
      [](auto& path, auto& x) {
        nn::write_safetensors(path, {.tensors = {{"x", x}}});
      },
      [](auto& path) {
        const nn::SafetensorsListing list = nn::list_safetensors(path);
        seen(list, nn::name_of(list.tensors.at(0).kind));
        return nn::read_safetensors(path);
      });
  written(
      "write_csv csv_columns read_csv csv xgrad_test",
      [](auto& path, auto& x) {
        nn::write_csv(path, nn::csv_columns({"a", "b", "c"}, x));
      },
      [](auto& path) { return nn::read_csv(path); });
  const auto parsed = [&](const char* words, auto parse, const std::string& right) {
    abuse(words, good(right), [=](const std::string& bytes) { seen(parse(bytes, "t.file")); });
  };
  const auto bytes_of_file = [](auto write) {
    write(folder.file("bytes"));
    return content_of(folder.file("bytes"));
  };
  parsed(
      "parse_npy t.file", [](auto& bytes, auto file) { return nn::parse_npy(bytes, file); },
      nn::npy_header(inputs) + std::string(nn::bytes_of(inputs)));
  parsed(
      "parse_npz t.file", [](auto& bytes, auto file) { return nn::parse_npz(bytes, file); },
      bytes_of_file([](const std::string& path) {
        nn::write_npz(path, {{"x", inputs}});
      }));
  parsed(
      "parse_safetensors t.file", [](auto& bytes, auto file) { return nn::parse_safetensors(bytes, file); },
      bytes_of_file([](const std::string& path) {
        nn::write_safetensors(path, {.tensors = {{"x", inputs}}});
      }));
  // Of files that are there, under hostile names beside them.
  const auto found = [&](const char* words, auto read, const std::string& right) {
    abuse(words, good(right), [=](const std::string& name) { seen(read(folder.file(name))); });
  };
  std::ofstream(folder.file("idx"), std::ios::binary).write("\0\0\x08\x01\0\0\0\2ab", 10);
  found(
      "read_idx xgrad_test", [](const std::string& path) { return nn::read_idx(path); }, "idx");
  abuse("fashion_mnist xgrad_test", good(std::string("here")), [](const std::string& name) {
    if (name != "here") seen(nn::fashion_mnist(nn::Split::test, folder.file(name)));  // the data may not be installed
  });

  abuse(
      "save file_of tensors_of load LoadReport::complete LoadReport::text kind_of element_size dtype_in_tensor "
      "write_safetensors dtype "
      "xgrad_test",
      good(std::string("net"), std::string("hidden.bias"), zeros({4}), std::string("key")),
      [](const std::string& name, const std::string& tensor_name, const Tensor& x, const std::string& key) {
        Net net;
        nn::save(net, folder.file(name), {.metadata = {{key, tensor_name}}});
        seen(nn::load(net, folder.file(name)).complete());
        nn::TensorFile content = nn::file_of(net);
        content.tensors[tensor_name] = x;
        const nn::LoadReport report = nn::load(net, content, "xgrad_test", {.strict = false});
        seen(nn::element_size(nn::kind_of(x.dtype())), nn::dtype_in_tensor(nn::kind_of(x.dtype())));
        seen(nn::load(net, nn::tensors_of(net), "xgrad_test"), report.complete());
        return report.text();
      });
  abuse("metadata_of preparation_of Preparation::empty xgrad_test save",
        good(Texts{"a", "b"}, std::string("key"), std::string("[]")),
        [](const Texts& classes, const std::string& key, const std::string& value) {
          nn::Preparation preparation;
          preparation.classes = classes;
          auto metadata = nn::metadata_of(preparation);
          metadata[key] = value;
          seen(preparation.empty(), nn::preparation_of(metadata, "xgrad_test").empty());
        });
  abuse("trace trace_of linear zeros", good(Shape{3}, float32), [](const Shape& shape, DType dtype) {
    Net net;
    seen(nn::trace(net, shape, dtype));
  });
  const auto graph = [](DType dtype) {
    Net net;
    net.to(dtype);
    return nn::trace(net, {3}, dtype);
  };
  abuse("GraphModel GraphModel::graph GraphModel::operator() linear",
        good(float32, std::size_t{1}, std::size_t{1}, inputs),
        [=](DType dtype, std::size_t input, std::size_t output, const Tensor& x) {
          nn::ModelGraph changed = graph(dtype == int64 ? float64 : dtype);
          if (input != 1) changed.nodes.at(1).inputs = {input};
          if (output != 1) changed.output = output;
          const nn::GraphModel model(changed);
          seen(model.graph());
          return model(x);
        });
  abuse("write_c c_text xgrad_test", [=](const std::string& path, const std::string& name) {
    nn::write_c(graph(float32), folder.file(path), {.name = name});
    return nn::c_text(graph(float32), {.name = name});
  });
  abuse("json_of graph_of xgrad_test", good(nn::json_of(graph(float32)), zeros({3, 4})),
        [=](const std::string& text, const Tensor& weight) {
          Net net;
          auto tensors = nn::tensors_of(net).tensors;
          tensors["hidden.weight"] = weight;
          return nn::json_of(nn::graph_of(text, tensors, "xgrad_test"));
        });
  abuse("load_model saved_graph xgrad_test write_safetensors", good(std::string("graph"), std::string("key")),
        [=](const std::string& name, const std::string& key) {
          Net net;
          nn::save(net, folder.file("graph"), {.graph = graph(float32), .metadata = {{key, ""}}});
          seen(nn::load_model(folder.file(name)),
               nn::saved_graph(nn::read_safetensors(folder.file(name)), "xgrad_test"));
        });
  abuse("formula_of", good(std::function<Tensor(const Tensor&)>([](const Tensor& x) { return tanh(x); })),
        [](const std::function<Tensor(const Tensor&)>& f) { seen(nn::formula_of(f)); });
}

void reports(Abuse& abuse) {
  abuse("pick_rows samples_of", good(detach(predictions), labels, one, one),
        [](const Tensor& p, const Tensor& t, Int wrong, Int right) {
          seen(nn::samples_of(dataset(), p, nn::pick_rows(p, t, {.wrong = wrong, .right = right})));
        });
  abuse("samples_of", good(detach(predictions), std::vector<Int>{0}),
        [](const Tensor& p, const std::vector<Int>& rows) { seen(nn::samples_of(dataset(), p, rows)); });
  abuse("Picture", [](const std::vector<double>& x, const std::vector<double>& y, const std::string& title) {
    seen(nn::Picture(nn::LinePlot{.title = title, .x_label = "x", .y_label = "y", .x = x, .series = {{"s", y}}}));
  });
  abuse("Picture", [](const Texts& columns, const std::vector<double>& values, const std::vector<double>& shades) {
    seen(nn::Picture(nn::HeatMap{
        .x_label = "x", .y_label = "y", .columns = columns, .rows = {"r"}, .values = values, .shades = shades}));
  });
  abuse("drawing_of chart picture",
        good(std::vector<double>{1, 2}, std::vector<double>{1, 2}, std::string("#0000ff"), 0.0, 1.0, std::size_t{2}),
        [](const std::vector<double>& x, const std::vector<double>& y, const std::string& colour, double low,
           double high, std::size_t columns) {
          nn::Panel panel{.traces = {{.name = colour, .x = x, .y = y, .colour = colour}},
                          .x_range = std::pair(low, high)};
          return nn::drawing_of({.panels = {panel}, .columns = columns}).commands;
        });
  abuse("Report::html report", [](const std::string& title, const std::string& text, const Texts& classes) {
    nn::Report report;
    report.title = title, report.summary = text, report.classes = classes;
    return report.html();
  });
  abuse("finite_range", [](const std::vector<double>& list) { seen(nn::finite_range(list)); });
  abuse("Progress Progress::begin Progress::update Progress::print",
        [](Int total, const std::string& unit, Int done, const std::string& note) {
          std::ostringstream stream;
          nn::Progress progress(total, unit, false, stream, 80);
          progress.update(done, note);
          progress.begin(total, unit);
          progress.update(done, note);
          progress.print(note);
        });
  abuse("to_string", [](bool limit) { return to_string(limit ? nn::StopReason::time_limit : nn::StopReason::epochs); });
}

}  // namespace

TEST_CASE("abusive calls of nn end in an error that names the function, or in a well-formed result") {
  Abuse abuse;
  for (const auto rows : {losses, layers, initial_values, optimizers, data, training, models, files, reports})
    rows(abuse);
  check(abuse, declarations::public_functions(XGRAD_SOURCE_DIR, {"nn/nn.hpp"}, {"autograd/autograd.hpp"}),
        {{"it is inside of training, inspection, layers or files, whose callers have checked",
          "AnyModel TensorList ModeScope BatchPart CopyScope LayerCall LayerName LayerMemory LayerObserver "
          "LayerStream::identity LayerStream::memory LayerStream::state LayerTrace TracedValue RunningStatistics "
          "Shared ParameterExchange "
          "Module::torch_forms Module::named_streams Module::named_memories Module::add_stream Module::add_statistics "
          "Batches::generator_of_next "
          "ReduceOnPlateau::state Snapshot::values nonfinite_origin sgd_update adam_update sum_in_tree "
          "per_example_gradients_of loss_of_parameters are_clonable_model_and_loss are_model_and_loss "
          "unregistered require_registered require_registered_leaves is_recording "
          "call_loss call_with output_list rows_of evaluate_on check_metrics "
          "throw_tensor_count require_shapes"},
         {"it is what a transport has to give: tests/nn/ranks", "Ranks Transfer"},
         {"it starts a program or prints to a terminal",
          "Picture::png Picture::svg Picture::write Report::write require_gnuplot operator<<"},
         {"it is of files that are open: tests/nn/files has every way in which they may be wrong",
          "InputFile Descriptor list_npy read_values stored_bytes"},
         {"it is of the result of a call that has a row, or is what is thrown",
          "PerExampleGradients DoctorReport::require Iterator::operator== BinaryMetric::double NonFiniteLoss"}});
}
