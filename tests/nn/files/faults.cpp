#include "tests/support/expect.hpp"
#include "tests/support/faulty_disk.hpp"
#include "tests/support/folder.hpp"

#include <autograd/tensor/creation.hpp>
#include <nn/files/npy.hpp>
#include <nn/files/npz.hpp>
#include <nn/files/safetensors.hpp>
#include <nn/files/whole_file.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using namespace xgrad;

// A disk that is full, breaks or writes in pieces, at every call in turn.

namespace {

using enum FaultyDisk::Fault;

struct Format {
  const char* name;
  std::function<void(const std::string& path, double value)> write;
  std::function<double(const std::string& path)> read;
};

const std::vector<Format> formats = {
    {"safetensors",
     [](const std::string& path, double value) {
       nn::write_safetensors(path, {{{"x", full({1000}, value)}, {"y", full({3}, value, float64)}}, {}});
     },
     [](const std::string& path) { return nn::read_safetensors(path).tensors.at("y").item({2}); }},
    {"npy", [](const std::string& path, double value) { nn::write_npy(path, full({100}, value)); },
     [](const std::string& path) { return nn::read_npy(path).item({99}); }},
    {"npz",
     [](const std::string& path, double value) {
       nn::write_npz(path, {{"x", full({100}, value)}});
     },
     [](const std::string& path) { return nn::read_npz(path).at("x").item({99}); }},
};

}  // namespace

TEST_CASE("whatever the disk does, a file is the old one or the new one, and an error says which") {
  for (const Format& format : formats)
    for (const FaultyDisk::Fault fault : {no_space, short_write, interrupted, write_error, sync_error, rename_error}) {
      int faults = 0;
      for (bool happened = true; happened; ++faults) {
        const Folder folder;
        CAPTURE(format.name);
        CAPTURE(static_cast<int>(fault));
        CAPTURE(faults);
        format.write(folder.file("a"), 1);
        std::string error;
        {
          FaultyDisk disk(fault, faults);
          error = expect::error_of([&] { format.write(folder.file("a"), 2); });
          happened = disk.happened();
        }
        const bool harmless = !happened || fault == short_write || fault == interrupted;
        CHECK((error == "no error") == harmless);
        if (!harmless) CHECK(error.starts_with("FileError: " + folder.file("a") + ": writing failed: "));
        const double value = format.read(folder.file("a"));
        // The folder's own fsync comes when the new file is in its place.
        CHECK((value == 2 || (value == 1 && !harmless)));
        if (harmless) CHECK(value == 2);
        CHECK(folder.entries() == 1);
      }
      CHECK(faults >= 2);
    }
}
