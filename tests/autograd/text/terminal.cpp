#include "tests/support/pseudo_terminal.hpp"
#include "tests/support/variable.hpp"

#include <doctest/doctest.h>
#include <autograd/text/terminal.hpp>

using xgrad::takes_escapes;

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
