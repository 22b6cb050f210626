#pragma once

/// The command line of the example programs. A program declares its flags as variables, then runs:
///
///   int main(int argc, char** argv) {
///     std::int64_t epochs = 10;
///     examples::CommandLine line("xor", "learns exclusive or");
///     line.epochs(epochs);
///     return line.run(argc, argv, [&] {
///       examples::repeat(epochs, [&](std::int64_t epoch) { line.out() << "loss " << train() << '\n'; });
///     });
///   }
///
/// Every program has --help, --threads, --quick, --quiet and --json FILE, those that draw --out DIR. The exit code is 0
/// for a run that ended, 1 for one that failed (one line says why), whose claims do not hold or whose text could not be
/// written, 2 for bad usage, 130 for one that Ctrl-C ended early, 143 for SIGTERM. Standard streams that are closed
/// stay so, and no file takes their place.

#include <autograd/text/table.hpp>
#include <nn/ranks/ranks.hpp>
#include <nn/report/picture.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace examples {

/// Flags that each are valid but not together: run prints the text with the usage and returns 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The values that a number may take, both ends included.
struct Range {
  double minimum = std::numeric_limits<double>::lowest();
  double maximum = std::numeric_limits<double>::max();
};

/// A text that is JSON itself.
struct Json {
  std::string text;
};

/// True once Ctrl-C was pressed in a run, or SIGTERM came: training loops end after the current step. A second one
/// kills.
bool interrupted();

/// f(0), f(1), ... f(times - 1), or fewer if Ctrl-C ends it; how many there were.
template <std::invocable<std::int64_t> F>
std::int64_t repeat(std::int64_t times, const F& f) {
  std::int64_t done = 0;
  for (; done < times && !interrupted(); ++done) f(done);
  return done;
}

class CommandLine {
 public:
  CommandLine(std::string program, std::string purpose);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// Declares --name; the variable holds the default and receives the value. A bool is a switch without a value.
  void flag(const std::string& name, bool& value, const std::string& text);
  /// quick: what it is with --quick, unless told otherwise.
  void flag(const std::string& name, std::int64_t& value, const std::string& text, Range range = {},
            std::optional<std::int64_t> quick = std::nullopt);
  void flag(const std::string& name, std::uint64_t& value, const std::string& text);
  void flag(const std::string& name, double& value, const std::string& text, Range range = {});
  void flag(const std::string& name, std::string& value, const std::string& text);
  void flag(const std::string& name, std::string& value, const std::string& text, std::vector<std::string> choices);
  /// A file that the program writes: two flags may not name the same one.
  void output_flag(const std::string& name, std::string& path, const std::string& text);

  /// Whether --name was declared.
  bool has(const std::string& name) const;

  /// Flags that mean the same in every program that has them. run seeds the generator of the library.
  void seed(std::uint64_t& value);
  void epochs(std::int64_t& value, std::optional<std::int64_t> quick = std::nullopt);
  void batch(std::int64_t& value);
  void learning_rate(double& value);

  /// Declares --ranks N. `join` gives the processes that run the program together, if any, or starts them: it gets N
  /// (0: not said), the program's arguments, --threads and --quiet.
  using Join = std::function<std::shared_ptr<xgrad::nn::Ranks>(
      std::int64_t ranks, const std::vector<std::string>& arguments, std::int64_t threads, bool quiet)>;
  void joins(Join join);

  /// Declares --out DIR, by default build/out/PROGRAM, where pictures go. That gnuplot is there and the directory can
  /// be written is checked before the program runs.
  void draws();

  /// Parses the arguments and runs the program on the requested number of threads. Writes the JSON file at the end;
  /// that it can be written is checked before.
  int run(int argc, const char* const* argv, const std::function<void()>& program);

  /// Adds to the JSON file, where every flag stands under "flags".
  void result(const std::string& name, Json value);
  void result(const std::string& name, std::int64_t value);
  void result(const std::string& name, std::uint64_t value);
  void result(const std::string& name, double value);
  void result(const std::string& name, const std::string& value);
  void result(const std::string& name, const std::vector<double>& values);
  void result(const std::string& name, std::same_as<bool> auto value) {  // what a pointer to text is not
    result(name, Json{value ? "true" : "false"});
  }

  /// A picture DIR/NAME.svg, for a program that draws.
  void draw(const std::string& name, const xgrad::nn::Picture& picture);

  /// Prints what was found beside what theory says, and keeps it in the JSON file's "claims"; the run ends with 1 if
  /// one does not hold. A run that Ctrl-C ended early claims nothing.
  void claim(const std::string& text, double found, Range range);

  /// Prints a table, the head first, its numbers from column `first_number` on at the right.
  void table(const xgrad::TextTable& lines, std::size_t first_number = 1) const;

  /// Lets the run end with the exit code 1 though nothing was thrown: the program has reported a failure itself.
  void fail() { failed_ = true; }

  bool quiet() const { return quiet_; }
  /// The form of a few seconds is wanted, which shows less.
  bool quick() const { return quick_; }
  /// Processes that run the program together; none otherwise. All but the first are quiet and leave files alone.
  const std::shared_ptr<xgrad::nn::Ranks>& ranks() const& { return ranks_; }
  std::shared_ptr<xgrad::nn::Ranks> ranks() const&& { return ranks_; }
  bool first() const { return ranks_ == nullptr || ranks_->rank() == 0; }
  /// Standard output, or nowhere with --quiet.
  std::ostream& out() const;

  /// Every flag that is not empty, with its value: for a report.
  std::vector<std::pair<std::string, std::string>> configuration() const;

  /// Threads in use: the value of --threads, or all cores.
  std::int64_t threads() const;

 private:
  struct Flag;
  struct Claim;

  void require_own_files() const;
  void declare_flags(CLI::App& parser);
  void parse(CLI::App& parser, int argc, const char* const* argv);
  std::string json(bool ended_early, const std::string& error) const;

  std::string program_;
  std::string purpose_;
  std::vector<Flag> flags_;
  std::vector<std::pair<std::string, const std::string*>> outputs_;
  std::vector<std::pair<std::string, Json>> results_;
  std::vector<Claim> claims_;
  std::int64_t requested_threads_ = 0;
  std::int64_t requested_ranks_ = 0;
  Join join_;
  std::shared_ptr<xgrad::nn::Ranks> ranks_;
  bool quiet_ = false;
  bool quick_ = false;
  std::optional<std::string> out_ = std::nullopt;  // if it draws
  bool failed_ = false;
  std::string json_path_;
  const std::uint64_t* seed_ = nullptr;
};

}  // namespace examples
