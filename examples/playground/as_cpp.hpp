#pragma once

#include <string>

#include "trainer.hpp"

namespace playground {

/// A program, whole as it stands, that trains the network of the settings with the same data for so many steps, and
/// prints training loss, test loss and the digest of the parameters: the bits of the Trainer.
std::string as_cpp(const Trainer& trainer, std::int64_t steps);

}  // namespace playground
