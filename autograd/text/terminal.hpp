#pragma once

namespace xgrad {

/// Whether what is written to a descriptor (1: standard output, 2: standard error) goes to a terminal that understands
/// ANSI X3.64: colours, lines that are redrawn. A terminal that TERM calls dumb, or does not name, does not.
bool takes_escapes(int descriptor);

}  // namespace xgrad
