#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/program_path.hpp"

#include <nn/report/gnuplot.hpp>

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace xgrad;
using expect::error_of;

namespace {

/// A program of this name that runs these commands of the shell.
void write_program(const std::filesystem::path& file, const std::string& commands) {
  std::ofstream(file) << "#!/bin/sh\n" << commands << '\n';
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
}

}  // namespace

TEST_CASE("gnuplot's output comes back, also when it is long") {
  CHECK(nn::run_gnuplot("set print '-'\nprint 6*7\n") == "42\n");
  const std::string long_output = nn::run_gnuplot("set print '-'\ndo for [i=1:20000] { print i }\n");
  CHECK(long_output.size() == 108894);  // 9 · 1 + 90 · 2 + 900 · 3 + 9000 · 4 + 10001 · 5 digits, and 20000 line ends
  CHECK(nn::run_gnuplot("") == "");
}

TEST_CASE("settings of the user do not count") {
  const Folder folder;
  const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  std::ofstream(folder / ".gnuplot") << "x = 7\n";
  setenv("HOME", folder.path.c_str(), 1);
  CHECK(nn::run_gnuplot("set print '-'\nprint exists('x')\n") == "0\n");
  setenv("HOME", home.c_str(), 1);
}

TEST_CASE("a text is shown as it is: nothing in it is a quote, a command or a substitution") {
  for (const std::string& text : {std::string("it's"), std::string("''"), std::string("a\\"), std::string("\\n"),
                                  std::string("\"a\""), std::string("`echo x`"), std::string("\\`echo x`\\"),
                                  std::string("\\\\\"; print 1; \""), std::string("$HOME @x %d # {/Symbol a}_b^c"),
                                  std::string("'; print 1; '"), std::string("\xC3\xA9 \xE2\x86\x92"), std::string()})
    CHECK(nn::run_gnuplot("x = 5\nset print '-'\nprint " + nn::gnuplot_text(text) + "\n") == text + "\n");
  CHECK(nn::gnuplot_text("a\nb\r\tc") == "\"a b  c\"");
  CHECK(nn::gnuplot_text("\xFF") == "\"\xEF\xBF\xBD\"");
}

TEST_CASE("an error of gnuplot is told in its words, on one line") {
  const std::string error = error_of([] { nn::run_gnuplot("set print '-'\nplot nothing\n"); });
  CHECK(error.starts_with("FileError: picture: gnuplot failed: "));
  CHECK(expect::contains(error, "undefined variable: nothing"));
  CHECK_FALSE(expect::contains(error, "\n"));
}

TEST_CASE("where gnuplot is missing or broken the error says so") {
  const Folder folder;
  const ProgramPath path(folder.path);
  CHECK(error_of([] { nn::run_gnuplot(""); }) ==
        "FileError: picture: gnuplot is not installed; apt-get install gnuplot-nox");
  std::ofstream(folder / "gnuplot") << "";
  CHECK(error_of([] { nn::run_gnuplot(""); }) == "FileError: picture: gnuplot cannot be run: Permission denied");
  write_program(folder / "gnuplot", "echo 'no such\n  thing' >&2; exit 3");
  CHECK(error_of([] { nn::run_gnuplot(""); }) == "FileError: picture: gnuplot failed: no such thing");
  write_program(folder / "gnuplot", "kill -9 $$");
  CHECK(error_of([] { nn::run_gnuplot(""); }) == "FileError: picture: gnuplot was ended by signal 9");
}

TEST_CASE("gnuplot is in a process group of its own, which a Ctrl-C at the terminal does not reach") {
  // Field 5 of proc(5)'s stat is the group; the parent of gnuplot's shell is gnuplot.
  const std::string group = xgrad::nn::run_gnuplot("set print '-'\nprint system(\"cut -d' ' -f5 /proc/$PPID/stat\")\n");
  CHECK(std::stol(group) > 0);
  CHECK(std::stol(group) != getpgrp());
}

TEST_CASE("a slim SVG has the same numbers in fewer digits, and the same texts") {
  CHECK(nn::slim_svg("<?xml version=\"1.0\"?><path d='M66.00,53.50 L1.25,100.00 '/><text>66.00</text>") ==
        "<?xml version=\"1.0\"?><path d='M66,53.5 L1.25,100 '/><text>66.00</text>");
  CHECK(nn::slim_svg("<svg xmlns=\"http://www.w3.org/2000/svg\"/>") == "<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
}
