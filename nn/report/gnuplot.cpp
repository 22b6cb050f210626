#include <autograd/tensor/format.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/report/gnuplot.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sstream>
#include <string_view>
#include <vector>

extern char** environ;

namespace xgrad::nn {

namespace {

/// A file without a name, for a stream of the child: three pipes would have to be served in turn. No other child gets
/// it, and it is none of the standard streams, should one be closed.
class StreamFile {
 public:
  StreamFile() {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> nameless(std::tmpfile(), &std::fclose);
    const int copy = nameless ? fcntl(fileno(nameless.get()), F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    if (copy >= 0) file_.reset(fdopen(copy, "w+b"));
    if (!file_) throw_as<FileError>("picture: no temporary file: {}", std::strerror(errno));
  }
  int descriptor() const { return fileno(file_.get()); }
  void write(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() || std::fflush(file_.get()) != 0)
      throw_as<FileError>("picture: a temporary file cannot be written: {}", std::strerror(errno));
    std::rewind(file_.get());
  }
  std::string read() {
    std::string text;
    std::rewind(file_.get());
    std::array<char, 1 << 14> part;
    while (const std::size_t count = std::fread(part.data(), 1, part.size(), file_.get()))
      text.append(part.data(), count);
    return text;
  }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, &std::fclose};
};

/// One line.
std::string words(const std::string& text) {
  std::istringstream stream(text);
  std::string line;
  for (std::string word; stream >> word;) line += (line.empty() ? "" : " ") + word;
  return printable(line);
}

}  // namespace

std::string run_gnuplot(const std::string& commands) {
  StreamFile input, output, errors;
  input.write(commands);

  posix_spawn_file_actions_t streams;
  posix_spawn_file_actions_init(&streams);
  posix_spawn_file_actions_adddup2(&streams, input.descriptor(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&streams, output.descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&streams, errors.descriptor(), STDERR_FILENO);
  // A process group of its own, so that a Ctrl-C that ends a training does not end the pictures of it.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::string program = "gnuplot", option = "--default-settings";  // not those of ~/.gnuplot
  const std::array<char*, 3> arguments = {program.data(), option.data(), nullptr};
  pid_t child = 0;
  const int refused = posix_spawnp(&child, program.c_str(), &streams, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&streams);
  posix_spawnattr_destroy(&attributes);
  if (refused == ENOENT) throw FileError("picture: gnuplot is not installed; apt-get install gnuplot-nox");
  if (refused != 0) throw_as<FileError>("picture: gnuplot cannot be run: {}", std::strerror(refused));

  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) throw_as<FileError>("picture: gnuplot cannot be waited for: {}", std::strerror(errno));
  if (WIFSIGNALED(status)) throw_as<FileError>("picture: gnuplot was ended by signal {}", WTERMSIG(status));
  if (status != 0) throw_as<FileError>("picture: gnuplot failed: {}", words(errors.read()));
  return output.read();
}

std::string gnuplot_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : printable(text)) {
    if (c == '\\' || c == '"') result += '\\';
    if (c == '`')
      result += "\\140";  // octal: a backquote runs a command even behind a backslash
    else
      result += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
  }
  return result + '"';
}

namespace {

/// A tag without the zeros that numbers end in: 66.00 is 66, 53.50 is 53.5.
std::string short_numbers(std::string_view tag) {
  const auto digit = [tag](std::size_t at) { return at < tag.size() && tag[at] >= '0' && tag[at] <= '9'; };
  std::string result;
  for (std::size_t at = 0; at < tag.size(); ++at) {
    result += tag[at];
    if (tag[at] != '.' || tag.starts_with("<?") || at == 0 || !digit(at - 1) || !digit(at + 1)) continue;
    while (digit(at + 1)) result += tag[++at];
    result.erase(result.find_last_not_of('0') + 1);
    if (result.back() == '.') result.pop_back();
  }
  return result;
}

}  // namespace

std::string slim_svg(std::string_view svg) {
  struct Group {
    std::string_view tag;
    std::size_t begin;  // in the result
  };
  std::vector<Group> open;
  Group closed = {};          // that ended last,
  std::size_t closed_at = 0;  // there, with nothing but spaces since
  std::string result;
  constexpr std::string_view defaults = R"( stroke-linecap="butt" stroke-linejoin="miter")";
  while (!svg.empty()) {
    const std::size_t end = std::min(svg.size() - 1, svg.find(svg[0] == '<' ? '>' : '<', 1) - (svg[0] == '<' ? 0 : 1));
    const std::string_view part = svg.substr(0, end + 1);
    svg.remove_prefix(part.size());
    if (part.starts_with("<g ")) {
      if (closed.tag == part) {
        result.resize(closed_at);
        open.push_back(closed);
      } else {
        open.push_back({part, result.size()});
        const std::size_t place = part.find(defaults);
        result += short_numbers(part.substr(0, place));
        if (place != std::string_view::npos) result += short_numbers(part.substr(place + defaults.size()));
      }
      closed = {};
    } else if (part == "</g>") {
      closed = open.back();
      open.pop_back();
      closed_at = result.size();
      const std::size_t content = result.find('>', closed.begin) + 1;
      if (result.find_first_not_of(" \t\n", content) == std::string::npos) {
        result.resize(closed.begin);
        closed = {};
      } else {
        result += part;
      }
    } else {
      if (part.find_first_not_of(" \t\n") == std::string_view::npos) {
        if (!result.ends_with('\n')) result += '\n';
        continue;
      }
      closed = {};
      result += part.starts_with('<') ? short_numbers(part) : part;
    }
  }
  return result;
}

std::string gnuplot_labels(const std::string& title, const std::string& x_label, const std::string& y_label) {
  return fmt::format("set title {} offset 0,-0.4\nset xlabel {} offset 0,0.4\nset ylabel {}\n", gnuplot_text(title),
                     gnuplot_text(x_label), gnuplot_text(y_label));
}

std::string shortened(std::string_view name, std::size_t characters) {
  std::string text = printable(name);
  if (utf8_characters(text) <= characters) return text;
  std::size_t cut = 0;
  while (utf8_characters(std::string_view(text).substr(cut)) >= characters)
    cut += utf8_length(std::string_view(text).substr(cut));
  return "…" + text.substr(cut);
}

int text_width(const std::vector<std::string>& texts) {
  constexpr int letter = 7;  // of most
  std::size_t longest = 0;
  for (const std::string& text : texts) longest = std::max(longest, utf8_characters(text));
  return letter * static_cast<int>(longest);
}

}  // namespace xgrad::nn
