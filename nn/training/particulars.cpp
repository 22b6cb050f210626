#include <autograd/tensor/format.hpp>
#include <nn/training/particulars.hpp>

#include <zlib.h>

#include <array>
#include <fstream>
#include <typeinfo>

namespace xgrad::nn {

namespace {

/// The CRC-32 of the running program's file, which has the library in it or says where it is; "unknown" without /proc.
std::string program() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  if (!file) return "unknown";
  uLong checksum = crc32_z(0, nullptr, 0);
  std::array<char, 1 << 16> piece;
  while (file.read(piece.data(), piece.size()), file.gcount() > 0)
    checksum = crc32_z(checksum, reinterpret_cast<const Bytef*>(piece.data()), static_cast<std::size_t>(file.gcount()));
  return fmt::format("CRC-32 {:08x}", checksum);
}

std::string text_of(const Dataset& data) {
  std::string text = fmt::format("{} examples", data.size());
  const auto add = [&text](const char* side, const std::vector<NamedRows>& columns) {
    for (const auto& [name, rows] : columns)
      text += fmt::format(", {}{}{} {}", side, name.empty() ? "" : " ", name, rows.shape());
  };
  add("inputs", data.input_columns());
  add("targets", data.target_columns());
  return text;
}

template <class T>
std::string text_of(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : "not set";
}

}  // namespace

std::vector<Particular> particulars_of(const AnyModel& model, const Optimizer& optimizer, const Dataset& data,
                                       const FitOptions& options) {
  std::vector<Particular> list;
  const auto add = [&list](std::string name, std::string value) {
    list.push_back({std::move(name), std::move(value)});
  };
  const auto number = [&add](const char* name, auto value) { add(name, fmt::format("{}", value)); };
  add("the program", program());
  const auto add_tensor = [&add](const std::string& name, const Tensor& x) {
    add(name, fmt::format("{} {}", x.dtype(), x.shape()));
  };
  for (const auto& [path, x] : model.parameters()) add_tensor("parameter " + path, x);
  for (const auto& [path, x] : model.buffers()) add_tensor("buffer " + path, x);
  add("the optimizer", typeid(optimizer).name());
  for (std::size_t i = 0; i < optimizer.parameters().size(); ++i)
    add_tensor(fmt::format("parameter {} of the optimizer", i), optimizer.parameters()[i]);
  add("the data", text_of(data));
  add("validation", options.validation ? text_of(*options.validation) : "not set");

  const BatchesOptions& batches = options.batches;
  const Stopping& stopping = options.stopping;
  number("epochs", options.epochs);
  number("batches.size", batches.size);
  number("batches.shuffle", batches.shuffle);
  number("batches.seed", batches.seed);
  number("batches.drop_last", batches.drop_last);
  add("batches.dtype", text_of(batches.dtype));
  number("transform", options.transform != nullptr);
  std::string metrics;
  for (const Metric& metric : options.metrics) metrics += (metrics.empty() ? "" : ", ") + metric.name;
  add("metrics", metrics);
  number("evaluation_size", options.evaluation_size);
  number("schedule", options.schedule != nullptr);
  number("accumulate", options.accumulate);
  add("parts", text_of(options.parts));
  number("reduction", static_cast<int>(options.reduction));
  add("clip_norm", text_of(options.clip_norm));
  add("clip_value", text_of(options.clip_value));
  add("stopping.seconds", text_of(stopping.seconds));
  add("stopping.training_loss", text_of(stopping.training_loss));
  add("stopping.patience", text_of(stopping.patience));
  number("stopping.min_change", stopping.min_change);
  number("stopping.restore_best", stopping.restore_best);
  add("stopping.weight_change", text_of(stopping.weight_change));
  number("compare_ranks", options.compare_ranks);
  number("bucket_bytes", options.bucket_bytes);
  return list;
}

}  // namespace xgrad::nn
