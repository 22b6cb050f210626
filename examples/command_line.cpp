#include "command_line.hpp"

#include <autograd/parallel/threads.hpp>

#include <autograd/ops/random.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/text/json.hpp>
#include <autograd/text/words.hpp>
#include <nn/files/whole_file.hpp>

#include <fcntl.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>
#include <signal.h>
#include <unistd.h>

#include <fmt/core.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <variant>

namespace examples {
namespace {

std::atomic<int> received_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler writes it");

/// Turns the first Ctrl-C, or SIGTERM, into a request for the scope; the second one finds the system's own handler.
class InterruptHandler {
 public:
  InterruptHandler() {
    received_signal = 0;
    struct sigaction action = {};
    action.sa_handler = [](int signal) { received_signal = signal; };
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
    for (std::size_t i = 0; i < std::size(signals); ++i) sigaction(signals[i], &action, &previous_[i]);
  }
  ~InterruptHandler() {
    for (std::size_t i = 0; i < std::size(signals); ++i) sigaction(signals[i], &previous_[i], nullptr);
  }
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;

 private:
  static constexpr int signals[] = {SIGINT, SIGTERM};
  struct sigaction previous_[std::size(signals)] = {};
};

/// What can be written is known before the work.
void prepare(const std::string& folder) {
  try {
    xgrad::nn::require_gnuplot();
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    xgrad::nn::WholeFile(folder + "/picture");
  } catch (const xgrad::FileError& error) {
    throw UsageError(std::string("--out ") + error.what());
  }
}

std::unique_ptr<xgrad::nn::WholeFile> json_file(const std::string& path) {
  try {
    return path.empty() ? nullptr : std::make_unique<xgrad::nn::WholeFile>(path);
  } catch (const xgrad::FileError& error) {
    throw UsageError(std::string("--json ") + error.what());
  }
}

std::string describe(const Range& range) {
  const Range all;
  const bool below = range.minimum > all.minimum, above = range.maximum < all.maximum;
  if (range.minimum == range.maximum) return fmt::format("{:.10g}", range.minimum);
  if (below && above) return fmt::format("{:.10g} to {:.10g}", range.minimum, range.maximum);
  if (below) return fmt::format("{:.10g} or more", range.minimum);
  return above ? fmt::format("{:.10g} or less", range.maximum) : "finite";
}

/// A program that is started without standard streams would give their numbers to its files: whatever it printed, or
/// somebody else did, would land there. What is written to the streams that this opens fails, as for closed ones.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(stream, F_GETFD) < 0 && errno == EBADF)
      while (open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) < stream) continue;
}

/// What was printed may not have reached anybody.
void require_printed(std::ostream& stream) {
  stream.flush();
  if (!stream) throw std::runtime_error("standard output cannot be written");
}

/// The whole text is a number that Integer holds; CLI11 takes the nearest for one that is too large.
template <class Integer>
CLI::Validator fits() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        Integer value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc() && end == text.data() + text.size()) return "";
        return fmt::format("{} is no whole number from {} to {}", text, std::numeric_limits<Integer>::min(),
                           std::numeric_limits<Integer>::max());
      },
      "");
}

CLI::Validator not_empty() {
  return CLI::Validator(
      [](const std::string& text) { return std::string(text.empty() ? "is empty; leave the flag out for none" : ""); },
      "");
}

CLI::Validator in_range(const Range& range) {
  const std::string rule = describe(range);
  const auto check = [range, rule](std::string& text) -> std::string {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool inside =
        error == std::errc() && end == text.data() + text.size() && value >= range.minimum && value <= range.maximum;
    return inside ? "" : text + " is out of range; need a number, " + rule;
  };
  return CLI::Validator(check, rule == "finite" ? "" : rule);
}

Json json_of(const nlohmann::ordered_json& value) { return {xgrad::json_text(value, -1)}; }

std::string underscored(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace

bool interrupted() { return received_signal != 0; }

struct CommandLine::Flag {
  std::string name;
  std::variant<bool*, std::int64_t*, std::uint64_t*, double*, std::string*> variable;
  std::string text;
  Range range;
  std::vector<std::string> choices;
  std::optional<std::int64_t> quick = std::nullopt;
};

struct CommandLine::Claim {
  std::string text;
  double found;
  Range range;
  bool holds() const { return found >= range.minimum && found <= range.maximum; }
};

CommandLine::CommandLine(std::string program, std::string purpose)
    : program_(std::move(program)), purpose_(std::move(purpose)) {
  flag("threads", requested_threads_, "threads that compute; 0 for all cores", {0, 256});
  flag("quick", quick_, "a form of a few seconds, which shows less");
  flag("quiet", quiet_, "print nothing but errors");
  output_flag("json", json_path_, "write flags and results to this file");
}

CommandLine::~CommandLine() = default;

void CommandLine::flag(const std::string& name, bool& value, const std::string& text) {
  flags_.push_back({name, &value, text, {}, {}});
}
void CommandLine::flag(const std::string& name, std::int64_t& value, const std::string& text, Range range,
                       std::optional<std::int64_t> quick) {
  flags_.push_back({name, &value, text, range, {}, quick});
}
void CommandLine::flag(const std::string& name, std::uint64_t& value, const std::string& text) {
  flags_.push_back({name, &value, text, {.minimum = 0}, {}});
}
void CommandLine::flag(const std::string& name, double& value, const std::string& text, Range range) {
  flags_.push_back({name, &value, text, range, {}});
}
void CommandLine::flag(const std::string& name, std::string& value, const std::string& text) {
  flags_.push_back({name, &value, text, {}, {}});
}
void CommandLine::flag(const std::string& name, std::string& value, const std::string& text,
                       std::vector<std::string> choices) {
  flags_.push_back({name, &value, text, {}, std::move(choices)});
}

bool CommandLine::has(const std::string& name) const {
  return std::any_of(flags_.begin(), flags_.end(), [&](const Flag& flag) { return flag.name == name; });
}

void CommandLine::seed(std::uint64_t& value) {
  flag("seed", value, "seed of every random number");
  seed_ = &value;
}
void CommandLine::epochs(std::int64_t& value, std::optional<std::int64_t> quick) {
  flag("epochs", value, "passes over the data", {1, 1e6}, quick);
}
void CommandLine::batch(std::int64_t& value) { flag("batch", value, "rows in a step", {1, 1e6}); }
void CommandLine::learning_rate(double& value) {
  flag("learning-rate", value, "step size of the optimizer", {1e-9, 1e3});
}

void CommandLine::joins(Join join) {
  join_ = std::move(join);
  flag("ranks", requested_ranks_, "processes that share the training; 0: those that mpirun started", {0, 1e6});
}

void CommandLine::draws() {
  out_ = "build/out/" + program_;
  flag("out", *out_, "directory of the pictures");
}

void CommandLine::draw(const std::string& name, const xgrad::nn::Picture& picture) {
  const std::string path = out_.value() + '/' + name + ".svg";
  picture.write(path);
  out() << "picture " << path << std::endl;
}

void CommandLine::claim(const std::string& text, double found, Range range) {
  if (interrupted()) return;
  const Claim claim = {text, found, range};
  claims_.push_back(claim);
  const std::string words = fmt::format("{} {:.4g}; need {}", text, found, describe(range));
  out() << (claim.holds() ? "holds: " : "FAILS: ") << words << std::endl;
  if (claim.holds()) return;
  std::cerr << program_ << ": does not hold: " << words << std::endl;
  fail();
}

void CommandLine::table(const xgrad::TextTable& lines, std::size_t first_number) const {
  out() << xgrad::aligned(lines, first_number) << std::flush;
}

void CommandLine::result(const std::string& name, Json value) { results_.emplace_back(name, std::move(value)); }
void CommandLine::result(const std::string& name, std::int64_t value) { result(name, json_of(value)); }
void CommandLine::result(const std::string& name, std::uint64_t value) { result(name, json_of(value)); }
void CommandLine::result(const std::string& name, double value) { result(name, json_of(value)); }
void CommandLine::result(const std::string& name, const std::string& value) { result(name, json_of(value)); }
void CommandLine::result(const std::string& name, const std::vector<double>& values) { result(name, json_of(values)); }

std::ostream& CommandLine::out() const {
  static std::ostream nowhere(nullptr);
  return quiet_ ? nowhere : std::cout;
}

void CommandLine::output_flag(const std::string& name, std::string& path, const std::string& text) {
  flag(name, path, text);
  outputs_.emplace_back(name, &path);
}

/// UsageError for two flags that name one file.
void CommandLine::require_own_files() const {
  namespace fs = std::filesystem;
  std::map<std::string, std::string> flag_of;
  for (const auto& [name, path] : outputs_) {
    std::error_code ignored;
    if (path->empty() || fs::is_character_file(*path, ignored)) continue;
    fs::path real = *path;
    for (int link = 0; link < 40 && fs::is_symlink(real, ignored); ++link)
      real = real.parent_path() / fs::read_symlink(real, ignored);
    const auto [other, is_new] = flag_of.emplace(fs::weakly_canonical(fs::absolute(real, ignored), ignored), name);
    if (!is_new) throw UsageError("--" + other->second + " and --" + name + " are both " + *path + "; need two files");
  }
}

std::int64_t CommandLine::threads() const {
  if (requested_threads_ > 0) return requested_threads_;
  if (ranks_ != nullptr) return static_cast<std::int64_t>(xgrad::thread_count());
  return tbb::info::default_concurrency();
}

void CommandLine::declare_flags(CLI::App& parser) {
  for (const Flag& flag : flags_) {
    const auto declare = [&](auto* variable) {
      using Value = std::remove_pointer_t<decltype(variable)>;
      const std::string name = "--" + flag.name;
      if constexpr (std::is_same_v<Value, bool>) {
        parser.add_flag(name, *variable, flag.text);
      } else {
        CLI::Option* option = parser.add_option(name, *variable, flag.text);
        if constexpr (std::is_same_v<Value, std::string>)
          option->check(not_empty());
        else
          option->check(in_range(flag.range));
        if constexpr (std::is_integral_v<Value>) option->check(fits<Value>());
        if (!flag.choices.empty()) option->check(CLI::IsMember(flag.choices));
        option->capture_default_str();
      }
    };
    std::visit(declare, flag.variable);
  }
}

void CommandLine::parse(CLI::App& parser, int argc, const char* const* argv) {
  parser.allow_extras();
  try {
    parser.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    throw;
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  for (const Flag& flag : flags_)
    if (quick_ && flag.quick && parser.get_option("--" + flag.name)->count() == 0)
      *std::get<std::int64_t*>(flag.variable) = *flag.quick;
  const std::vector<std::string> unknown = parser.remaining();
  if (unknown.empty()) return;
  const auto is_flag = [](const std::string& text) { return text.starts_with("-"); };
  const auto found = std::find_if(unknown.begin(), unknown.end(), is_flag);
  if (found == unknown.end()) throw UsageError("unexpected argument " + unknown.front() + "; every value has a flag");
  std::vector<std::string> known = {"--help"};
  for (const Flag& flag : flags_) known.push_back("--" + flag.name);
  const std::string name = found->substr(0, found->find('='));
  throw UsageError("unknown flag " + name + xgrad::did_you_mean(name, known));
}

std::vector<std::pair<std::string, std::string>> CommandLine::configuration() const {
  std::vector<std::pair<std::string, std::string>> values;
  for (const Flag& flag : flags_) {
    const nlohmann::ordered_json value =
        std::visit([](const auto* v) -> nlohmann::ordered_json { return *v; }, flag.variable);
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (!text.empty()) values.emplace_back(flag.name, text);
  }
  return values;
}

std::string CommandLine::json(bool ended_early, const std::string& error) const {
  nlohmann::ordered_json document;
  document["program"] = program_;
  for (const Flag& flag : flags_) {
    nlohmann::ordered_json& value = document["flags"][underscored(flag.name)];
    std::visit([&](const auto* variable) { value = *variable; }, flag.variable);
    if (flag.name == "seed") document["seed"] = value;
  }
  document["threads"] = threads();
  for (const auto& [name, value] : results_) document[name] = nlohmann::ordered_json::parse(value.text);
  for (const Claim& claim : claims_)
    document["claims"].push_back(nlohmann::ordered_json{
        {"claim", claim.text}, {"found", claim.found}, {"need", describe(claim.range)}, {"holds", claim.holds()}});
  document["interrupted"] = ended_early;
  if (!error.empty()) document["error"] = error;
  return xgrad::json_text(document) + '\n';
}

int CommandLine::run(int argc, const char* const* argv, const std::function<void()>& program) {
  open_standard_streams();
  CLI::App parser(purpose_, program_);
  declare_flags(parser);
  try {
    parse(parser, argc, argv);
    require_own_files();
    if (join_) ranks_ = join_(requested_ranks_, {argv, argv + argc}, requested_threads_, quiet_);
    if (!first()) {
      quiet_ = true;
      json_path_.clear();
    }
    if (out_) prepare(*out_);
    const std::unique_ptr<xgrad::nn::WholeFile> file = json_file(json_path_);
    const InterruptHandler handler;
    if (seed_ != nullptr) xgrad::seed(*seed_);
    const int threads = static_cast<int>(this->threads());
    // The limit alone leaves the caller's arena at the number of cores.
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
    tbb::task_arena arena(threads);
    try {
      arena.execute(program);
    } catch (const UsageError&) {
      throw;
    } catch (const std::exception& error) {
      if (file) file->write(json(interrupted(), error.what()));
      throw;
    }
    if (file) file->write(json(interrupted(), ""));
    require_printed(std::cout);
    if (ranks_ != nullptr) ranks_->gather("");  // whoever ends before the first one with another code than 0 ends it
    return interrupted() ? 128 + received_signal : failed_ ? 1 : 0;  // as shells have it
  } catch (const CLI::CallForHelp&) {
    std::cout << parser.help() << std::flush;
    return std::cout ? 0 : 1;
  } catch (const UsageError& error) {
    std::cerr << program_ << ": " << error.what() << "\n\n" << parser.help() << std::flush;
    return 2;
  } catch (const std::exception& error) {
    // What ends all ranks is told by the one that threw, and by the first.
    if (first() || dynamic_cast<const xgrad::nn::RankError*>(&error) == nullptr)
      std::cerr << program_ + ": " + error.what() + '\n' << std::flush;
    return 1;
  }
}

}  // namespace examples
