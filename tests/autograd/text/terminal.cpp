#include "tests/support/program_path.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>
#include <autograd/text/terminal.hpp>

#include <cstdlib>

using xgrad::takes_escapes;

namespace {

/// A terminal that nobody looks at (POSIX.1-2008, posix_openpt).
class PseudoTerminal {
 public:
  PseudoTerminal() : master_(posix_openpt(O_RDWR | O_NOCTTY)) {
    if (grantpt(master_) != 0 || unlockpt(master_) != 0) return;
    descriptor_ = open(ptsname(master_), O_RDWR | O_NOCTTY);
  }
  ~PseudoTerminal() {
    close(descriptor_);
    close(master_);
  }
  PseudoTerminal(const PseudoTerminal&) = delete;
  PseudoTerminal& operator=(const PseudoTerminal&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int master_;
  int descriptor_ = -1;
};

}  // namespace

TEST_CASE("a terminal takes escapes unless it is dumb or has no name; a file takes none") {
  const PseudoTerminal terminal;
  const Variable term("TERM", "xterm");
  CHECK(takes_escapes(terminal.descriptor()));
  for (const char* const name : {"dumb", ""}) {
    const Variable other("TERM", name);
    CHECK_FALSE(takes_escapes(terminal.descriptor()));
  }
  {
    const Variable none("TERM", nullptr);
    CHECK_FALSE(takes_escapes(terminal.descriptor()));
  }
  CHECK_FALSE(takes_escapes(-1));
}
