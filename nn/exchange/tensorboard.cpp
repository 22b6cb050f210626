#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/exchange/event_proto.hpp>
#include <nn/exchange/tensorboard.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <utility>

namespace xgrad::nn {

namespace {

namespace proto = xgrad::tensorboard;

/// The polynomial 0x1EDC6F41, its bits reversed, byte by byte.
constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> crc_table = make_crc_table();

/// As TFRecord has it: a CRC over bytes that have CRCs in them would be weak.
std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u; }

double time_of_day() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

template <class Number>
std::string bytes_of_number(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

/// TensorBoard's buckets: 1e-12 · 1.1^k up to 1e20, their negatives, and 0 between.
const std::vector<double>& bucket_limits() {
  static const std::vector<double> limits = [] {
    std::vector<double> positive;
    for (double limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push_back(limit);
    positive.push_back(std::numeric_limits<double>::max());
    std::vector<double> all;
    for (auto limit = positive.rbegin(); limit != positive.rend(); ++limit) all.push_back(-*limit);
    all.push_back(0);
    all.insert(all.end(), positive.begin(), positive.end());
    return all;
  }();
  return limits;
}

/// A PNG file (ISO 15948) of 8-bit grey or RGB pixels.
std::string png(std::uint32_t width, std::uint32_t height, std::uint32_t channels, const std::string& pixels) {
  const auto big = [](std::uint32_t number) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xFF);
    return bytes;
  };
  const auto chunk = [&](const std::string& type, const std::string& data) {
    const std::string body = type + data;
    const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
    return big(static_cast<std::uint32_t>(data.size())) + body + big(static_cast<std::uint32_t>(crc));
  };
  std::string rows;
  for (std::uint32_t row = 0; row < height; ++row)
    rows += '\0' + pixels.substr(std::size_t{row} * width * channels, std::size_t{width} * channels);
  uLongf size = compressBound(static_cast<uLong>(rows.size()));
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
           static_cast<uLong>(rows.size()));
  packed.resize(size);
  std::string head = big(width) + big(height);
  head.append({8, static_cast<char>(channels == 1 ? 0 : 2), 0, 0, 0});
  return "\x89PNG\r\n\x1A\n" + chunk("IHDR", head) + chunk("IDAT", packed) + chunk("IEND", "");
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char byte : bytes) crc = crc_table[(crc ^ static_cast<unsigned char>(byte)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

EventFile::EventFile(const std::string& folder, std::function<double()> seconds)
    : seconds_(seconds ? std::move(seconds) : time_of_day) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const auto now = static_cast<std::int64_t>(seconds_());
  for (int number = 0; !file_; ++number) {
    path_ = fmt::format("{}/events.out.tfevents.{:010}.xgrad.{}.{}", folder, now, getpid(), number);
    file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666));
    if (!file_ && errno != EEXIST) throw_as<FileError>("{}: cannot be written: {}", path_, std::strerror(errno));
  }
  proto::Event event;
  event.set_wall_time(seconds_());
  event.set_file_version("brain.Event:2");
  write(event.SerializeAsString());
}

void EventFile::write(std::string_view event) {
  const std::string length = bytes_of_number(std::uint64_t{event.size()});
  std::string record = length + bytes_of_number(masked(crc32c(length)));
  record.append(event).append(bytes_of_number(masked(crc32c(event))));
  for (std::string_view rest = record; !rest.empty();) {
    const ssize_t count = ::write(file_.number(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw_as<FileError>("{}: writing failed: {}", path_, std::strerror(errno));
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
}

void EventFile::scalar(const std::string& tag, std::int64_t step, double value) {
  proto::Event event;
  event.set_wall_time(seconds_());
  event.set_step(step);
  auto* const entry = event.mutable_summary()->add_value();
  entry->set_tag(tag);
  entry->set_simple_value(static_cast<float>(value));
  write(event.SerializeAsString());
}

void EventFile::histogram(const std::string& tag, std::int64_t step, const Tensor& values) {
  if (!is_floating(values.dtype())) throw TypeError("histogram: int64 values; need float32 or float64");
  const std::vector<double>& limits = bucket_limits();
  std::vector<double> counts(limits.size());
  proto::Event event;
  event.set_wall_time(seconds_());
  event.set_step(step);
  auto* const entry = event.mutable_summary()->add_value();
  entry->set_tag(tag);
  auto& histogram = *entry->mutable_histo();
  double least = std::numeric_limits<double>::max(), largest = -least, sum = 0, squares = 0, number = 0;
  visit_floating(values.dtype(), [&](auto zero) {
    for (const double value : values.values<decltype(zero)>()) {
      if (!std::isfinite(value)) continue;
      const auto bucket = std::upper_bound(limits.begin(), limits.end(), value);
      ++counts[static_cast<std::size_t>(std::min(bucket, limits.end() - 1) - limits.begin())];
      least = std::min(least, value);
      largest = std::max(largest, value);
      sum += value;
      squares += value * value;
      ++number;
    }
  });
  histogram.set_min(number > 0 ? least : 0);
  histogram.set_max(number > 0 ? largest : 0);
  histogram.set_num(number);
  histogram.set_sum(sum);
  histogram.set_sum_squares(squares);
  // Of empty buckets only the one before a full one is written, which gives that its lower end.
  for (std::size_t i = 0; i < limits.size(); ++i) {
    if (counts[i] == 0 && (i + 1 == limits.size() || counts[i + 1] == 0)) continue;
    histogram.add_bucket_limit(limits[i]);
    histogram.add_bucket(counts[i]);
  }
  if (histogram.bucket_size() == 0) {
    histogram.add_bucket_limit(0);
    histogram.add_bucket(0);
  }
  write(event.SerializeAsString());
}

void EventFile::image(const std::string& tag, std::int64_t step, const Tensor& pixels) {
  const bool colours = pixels.rank() == 3 && pixels.shape()[2] == 3;
  if ((pixels.rank() != 2 && !colours) || pixels.size() == 0)
    throw_as<ShapeError>("image: pixels {}; need (height, width) or (height, width, 3)", pixels.shape());
  std::string bytes;
  visit(pixels.dtype(), [&](auto zero) {
    for (const auto value : pixels.values<decltype(zero)>()) {
      const double level = std::clamp(static_cast<double>(value), 0.0, 1.0);
      bytes += static_cast<char>(static_cast<unsigned char>(std::isnan(level) ? 0 : std::lround(255 * level)));
    }
  });
  const auto height = static_cast<std::int32_t>(pixels.shape()[0]),
             width = static_cast<std::int32_t>(pixels.shape()[1]);
  proto::Event event;
  event.set_wall_time(seconds_());
  event.set_step(step);
  auto* const entry = event.mutable_summary()->add_value();
  entry->set_tag(tag);
  auto& image = *entry->mutable_image();
  image.set_height(height);
  image.set_width(width);
  image.set_colorspace(colours ? 3 : 1);
  image.set_encoded_image_string(
      png(static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height), colours ? 3 : 1, bytes));
  write(event.SerializeAsString());
}

void EventFile::hyperparameters(const std::map<std::string, Hyperparameter>& values) {
  proto::HParamsPluginData data;
  auto& session = *data.mutable_session_start_info();
  session.set_start_time_secs(seconds_());
  for (const auto& [name, value] : values) {
    auto& entry = (*session.mutable_hparams())[name];
    if (const auto* const number = std::get_if<double>(&value)) entry.set_number_value(*number);
    if (const auto* const truth = std::get_if<bool>(&value)) entry.set_bool_value(*truth);
    if (const auto* const text = std::get_if<std::string>(&value)) entry.set_string_value(*text);
  }
  proto::Event event;
  event.set_wall_time(seconds_());
  auto* const entry = event.mutable_summary()->add_value();
  entry->set_tag("_hparams_/session_start_info");
  auto& plugin = *entry->mutable_metadata()->mutable_plugin_data();
  plugin.set_plugin_name("hparams");
  plugin.set_content(data.SerializeAsString());
  write(event.SerializeAsString());
}

TensorBoard::TensorBoard(const std::string& folder, const AnyModel& model, const TensorBoardOptions& options)
    : model_(model), options_(options), file_(folder, options.seconds) {
  if (options.scalars_every < 1)
    throw_as<ValueError>("TensorBoard: scalars_every {}; need at least 1", options.scalars_every);
  if (!options.hyperparameters.empty()) file_.hyperparameters(options.hyperparameters);
}

FitOptions TensorBoard::watch(FitOptions options) {
  metrics_.clear();
  for (const Metric& metric : options.metrics) metrics_.push_back(metric.name);
  options.on_step = [this, next = std::move(options.on_step)](const StepRecord& record) {
    after_step(record);
    return next ? next(record) : Next::go_on;
  };
  options.on_epoch = [this, next = std::move(options.on_epoch)](const EpochRecord& record) {
    after_epoch(record);
    return next ? next(record) : Next::go_on;
  };
  return options;
}

void TensorBoard::after_step(const StepRecord& record) {
  steps_ = record.step + 1;
  if (record.step % options_.scalars_every != 0) return;
  file_.scalar("step/loss", record.step, record.loss);
  file_.scalar("step/learning_rate", record.step, record.learning_rate);
}

void TensorBoard::after_epoch(const EpochRecord& record) {
  file_.scalar("epoch/loss", record.epoch, record.loss);
  if (record.validation_loss) file_.scalar("epoch/validation_loss", record.epoch, *record.validation_loss);
  for (std::size_t i = 0; i < std::min(metrics_.size(), record.metrics.size()); ++i)
    file_.scalar("epoch/" + metrics_[i], record.epoch, record.metrics[i]);
  const AnyModel copy = model_.clone();  // dropout's counter and running statistics stay as they are
  Gradients gradients;
  if (options_.probe) {
    Tape tape;
    gradients = tape.backward(copy.loss_of(options_.probe->inputs, options_.probe->targets));
  }
  for (const auto& [path, tensor] : copy.parameters()) {
    file_.histogram("weights/" + path, record.epoch, detach(tensor));
    if (const Tensor* const gradient = gradients.find(tensor))
      file_.histogram("gradients/" + path, record.epoch, *gradient);
  }
}

}  // namespace xgrad::nn
