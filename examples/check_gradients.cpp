/// Checks gradients: of a small network, of single operations, layers and losses, or of all that xgrad has.

#include <autograd/autograd.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/table/op_table_check.hpp>
#include <autograd/text/words.hpp>
#include <nn/inspection/gradient_check.hpp>
#include <nn/nn.hpp>
#include <nn/table/module_table.hpp>

#include "command_line.hpp"

#include <fmt/core.h>
#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

/// Layers of the given widths with relu between them.
struct Net : nn::Module {
  std::vector<nn::Linear> layers;

  explicit Net(const std::vector<std::int64_t>& widths) {
    for (std::size_t i = 0; i + 1 < widths.size(); ++i)
      layers.push_back(add(fmt::format("layer{}", i + 1), nn::Linear(widths[i], widths[i + 1])));
  }
  Tensor operator()(Tensor x) const {
    for (std::size_t i = 0; i < layers.size(); ++i) x = i + 1 < layers.size() ? relu(layers[i](x)) : layers[i](x);
    return x;
  }
};

/// `16-8-3` as numbers.
std::vector<std::int64_t> widths_of(const std::string& text) {
  std::vector<std::int64_t> widths;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, '-');) {
    std::size_t used = 0;
    const std::int64_t width =
        part.empty() || part.size() > 6 || part[0] < '0' || part[0] > '9' ? 0 : std::stoll(part, &used);
    if (width < 1 || used != part.size())
      throw examples::UsageError("--network " + text + ": need widths, as in 16-8-3");
    widths.push_back(width);
  }
  if (widths.size() < 2) throw examples::UsageError("--network " + text + ": need at least two widths, as in 16-8-3");
  return widths;
}

/// What a user would write, and see.
GradientReport check_network(const std::vector<std::int64_t>& widths, std::int64_t batch,
                             const GradientCheckOptions& options) {
  const Net net(widths);
  const Tensor x = normal({batch, widths.front()});
  const Tensor labels = argmax(normal({batch, widths.back()}), 1);
  return check_gradients(net, nn::cross_entropy, x, labels, options);
}

/// An operation, layer or loss with its samples.
struct Row {
  std::string name;
  int order;
  bool allow_zero;  ///< samples may ignore an input
  std::vector<std::function<GradientSubject(std::uint64_t seed)>> samples;
};

std::vector<Row> table_rows(DType dtype) {
  std::vector<Row> rows;
  for (const OpRow& operation : op_table()) {
    if (operation.integer_result || operation.order == 0) continue;
    if (dtype == float32 && operation.name == "to") continue;  // gives the dtype that it is told to
    Row& row = rows.emplace_back(Row{operation.name, operation.order, true, {}});
    for (const OpSample& sample : operation.samples)
      row.samples.push_back([&](std::uint64_t seed) { return op_subject(operation, sample, seed); });
  }
  for (const nn::ModuleRow& module : nn::module_table()) {
    if (module.order == 0) continue;
    Row& row = rows.emplace_back(Row{module.name, module.order, false, {}});
    for (const nn::MakeCase& make : module.samples)
      row.samples.push_back([&](std::uint64_t seed) -> GradientSubject { return make(seed); });
  }
  return rows;
}

/// How many tensors got which verdict, and what was wrong.
struct Tally {
  static constexpr std::size_t verdicts = 8;
  std::array<std::int64_t, verdicts> count{};
  double largest_error = 0;
  std::vector<std::string> failures;

  std::int64_t of(GradientVerdict verdict) const { return count[static_cast<std::size_t>(verdict)]; }
  std::int64_t all() const {
    std::int64_t sum = 0;
    for (const std::int64_t one : count) sum += one;
    return sum;
  }
  void add(const Tally& other) {
    for (std::size_t i = 0; i < verdicts; ++i) count[i] += other.count[i];
    largest_error = std::max(largest_error, other.largest_error);
    failures.insert(failures.end(), other.failures.begin(), other.failures.end());
  }
};

Tally check_row(const Row& row, std::uint64_t seed, int order, DType dtype) {
  Tally tally;
  for (std::size_t s = 0; s < row.samples.size(); ++s) {
    const DefaultDType constants_are(float64);
    const GradientSubject subject = row.samples[s](seed);
    if (subject.tensors.empty() || subject.f().size() == 0) continue;
    const GradientReport report =
        check_table_gradients(subject, order, {.dtype = dtype, .seed = seed, .allow_zero = row.allow_zero});
    for (const GradientRow& tensor : report.rows) {
      if (tensor.shape.elements() == 0) continue;
      ++tally.count[static_cast<std::size_t>(tensor.verdict)];
      if (tensor.verdict == GradientVerdict::ok)
        tally.largest_error = std::max(tally.largest_error, tensor.relative_error);
    }
    if (passes_as_smooth(report)) continue;
    tally.failures.push_back(fmt::format("{}, sample {}, seed {}\n{}", row.name, s, seed, report.text()));
  }
  return tally;
}

std::string line_of(const std::string& name, const Tally& tally) {
  using enum GradientVerdict;
  const std::int64_t others = tally.all() - tally.of(ok) - tally.of(zero) - tally.of(inconclusive);
  return fmt::format("{:<32} {:>9} {:>9} {:>9} {:>13} {:>7}  {:.1e}", name, tally.all(), tally.of(ok), tally.of(zero),
                     tally.of(inconclusive), others, tally.largest_error);
}

std::string json_of(const std::vector<Row>& rows, const std::vector<Tally>& tallies) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    nlohmann::ordered_json& object = list.emplace_back();
    object["name"] = rows[i].name;
    for (std::size_t v = 0; v < Tally::verdicts; ++v)
      object[std::string(name_of(static_cast<GradientVerdict>(v)))] = tallies[i].count[v];
    object["largest_relative_error"] = tallies[i].largest_error;
    object["failures"] = tallies[i].failures;
  }
  return list.dump();
}

struct Settings {
  std::string network = "16-16-8-3";
  std::int64_t batch = 32;
  std::string mode = "automatic";
  bool all = false;
  std::string operation;
  bool list = false;
  std::int64_t order = 1;
  std::string dtype = "float64";
  std::int64_t seeds = 1;
  std::uint64_t first_seed = 0;

  DType checked_dtype() const { return dtype == "float32" ? float32 : float64; }
};

void declare_flags(examples::CommandLine& line, Settings& settings) {
  line.flag("network", settings.network, "widths of the network's layers");
  line.batch(settings.batch);
  line.flag("mode", settings.mode, "how entries of the network's tensors are chosen",
            {"automatic", "full", "sampled", "directional"});
  line.flag("all", settings.all, "check every operation, layer and loss of xgrad");
  line.flag("operation", settings.operation, "check one of them, by name");
  line.flag("list", settings.list, "print the names of all of them");
  line.flag("order", settings.order, "1: gradients; 2: their gradients; 3: those of the latter", {1, 3});
  line.flag("dtype", settings.dtype, "float64: against differences; float32: its backward against float64's",
            {"float64", "float32"});
  line.flag("seeds", settings.seeds, "so many different inputs of each sample", {1, 1e6});
  line.seed(settings.first_seed);
}

void check_one_network(const Settings& settings, examples::CommandLine& line) {
  const GradientMode mode = settings.mode == "full"          ? GradientMode::full
                            : settings.mode == "sampled"     ? GradientMode::sampled
                            : settings.mode == "directional" ? GradientMode::directional
                                                             : GradientMode::automatic;
  const GradientReport report = check_network(widths_of(settings.network), settings.batch,
                                              {.order = static_cast<int>(settings.order),
                                               .mode = mode,
                                               .dtype = settings.checked_dtype(),
                                               .seed = settings.first_seed});
  (report.ok() ? line.out() : std::cout) << report;
  line.result("report", examples::Json{report.json()});
  if (!report.ok()) line.fail();
}

std::vector<Row> rows_to_check(const Settings& settings) {
  std::vector<Row> rows = table_rows(settings.checked_dtype());
  if (!settings.operation.empty()) {
    std::vector<std::string> names;
    for (const Row& row : rows) names.push_back(row.name);
    std::erase_if(rows, [&](const Row& row) { return row.name != settings.operation; });
    if (rows.empty())
      throw examples::UsageError("--operation " + settings.operation +
                                 ": no operation, layer or loss with gradients; near are " +
                                 joined(nearest_words(settings.operation, names, 5)) + "; --list prints all");
  }
  std::erase_if(rows, [&](const Row& row) { return row.order < settings.order; });
  return rows;
}

void list_names(const Settings& settings, examples::CommandLine& line) {
  std::vector<std::string> names;
  for (const Row& row : table_rows(settings.checked_dtype())) names.push_back(row.name);
  for (const std::string& name : names) line.out() << name << '\n';
  line.result("names", examples::Json{nlohmann::ordered_json(names).dump()});
}

void check_tables(const Settings& settings, examples::CommandLine& line) {
  const std::vector<Row> rows = rows_to_check(settings);
  std::vector<Tally> tallies(rows.size());
  nn::Progress progress(settings.seeds, "seeds", line.quiet());
  progress.print(fmt::format("{:<32} {:>9} {:>9} {:>9} {:>13} {:>7}  {}", "", "tensors", "ok", "zero", "inconclusive",
                             "wrong", "rel error"));
  const std::int64_t done = examples::repeat(settings.seeds, [&](std::int64_t k) {
    std::vector<Tally> found(rows.size());
    parallel_parts(rows.size(), [&](std::size_t i) {
      found[i] = check_row(rows[i], settings.first_seed + static_cast<std::uint64_t>(k),
                           static_cast<int>(settings.order), settings.checked_dtype());
    });
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (const std::string& failure : found[i].failures) progress.print(failure);
      tallies[i].add(found[i]);
    }
    progress.update(k + 1, "");
  });

  Tally sum;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    progress.print(line_of(rows[i].name, tallies[i]));
    sum.add(tallies[i]);
  }
  const bool ok = sum.failures.empty();
  if (rows.size() > 1) progress.print(line_of(fmt::format("all {}", rows.size()), sum));
  progress.print(fmt::format("{} order, {}, {} {}: {}", ordinal(settings.order), settings.dtype, done,
                             done == 1 ? "seed" : "seeds",
                             ok ? "ok" : fmt::format("{} checks failed", sum.failures.size())));
  line.result("ok", ok);
  line.result("seeds_done", done);
  line.result("rows", examples::Json{json_of(rows, tallies)});
  if (!ok) line.fail();
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  examples::CommandLine line("check_gradients", "checks the gradients of a network, an operation, or all of xgrad");
  declare_flags(line, settings);
  return line.run(argc, argv, [&] {
    if (settings.dtype == "float32" && settings.order > 1)
      throw examples::UsageError(
          fmt::format("--dtype float32 with --order {}; backward in float32 is checked for order 1", settings.order));
    if (settings.list) return list_names(settings, line);
    settings.all || !settings.operation.empty() ? check_tables(settings, line) : check_one_network(settings, line);
  });
}
