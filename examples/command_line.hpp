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
/// Every program has --help, --threads, --quiet and --json FILE. The exit code is 0 for a run that ended, 1 for one
/// that failed (one line says why), also when what it printed could not be written, 2 for bad usage, 130 for one that
/// Ctrl-C ended early, 143 for SIGTERM. Standard streams that are closed stay so, and no file takes their place.

#include <concepts>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <limits>
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
  void flag(const std::string& name, std::int64_t& value, const std::string& text, Range range = {});
  void flag(const std::string& name, std::uint64_t& value, const std::string& text);
  void flag(const std::string& name, double& value, const std::string& text, Range range = {});
  void flag(const std::string& name, std::string& value, const std::string& text);
  void flag(const std::string& name, std::string& value, const std::string& text, std::vector<std::string> choices);
  /// A file that the program writes: two flags may not name the same one.
  void output_flag(const std::string& name, std::string& path, const std::string& text);

  /// Flags that mean the same in every program that has them. run seeds the generator of the library.
  void seed(std::uint64_t& value);
  void epochs(std::int64_t& value);
  void batch(std::int64_t& value);
  void learning_rate(double& value);

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

  /// Lets the run end with the exit code 1 though nothing was thrown: the program has reported a failure itself.
  void fail() { failed_ = true; }

  bool quiet() const { return quiet_; }
  /// Standard output, or nowhere with --quiet.
  std::ostream& out() const;

  /// Every flag that is not empty, with its value: for a report.
  std::vector<std::pair<std::string, std::string>> configuration() const;

  /// Threads in use: the value of --threads, or all cores.
  std::int64_t threads() const;

 private:
  struct Flag;

  void require_own_files() const;
  void declare_flags(CLI::App& parser);
  void parse(CLI::App& parser, int argc, const char* const* argv);
  std::string json(bool ended_early, const std::string& error) const;

  std::string program_;
  std::string purpose_;
  std::vector<Flag> flags_;
  std::vector<std::pair<std::string, const std::string*>> outputs_;
  std::vector<std::pair<std::string, Json>> results_;
  std::int64_t requested_threads_ = 0;
  bool quiet_ = false;
  bool failed_ = false;
  std::string json_path_;
  const std::uint64_t* seed_ = nullptr;
};

}  // namespace examples
