#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

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
