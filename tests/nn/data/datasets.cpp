#include "tests/support/expect.hpp"
#include "tests/support/idx_file.hpp"

#include <doctest/doctest.h>
#include <nn/data/batches.hpp>
#include <nn/data/datasets.hpp>

#include <cstdint>
#include <string>
#include <vector>

using namespace xgrad;
using expect::contains;
using expect::error_of;
using idx_file::Bytes;
using idx_file::header;
using idx_file::with_values;

namespace {

std::string error_of_loading(const Folder& folder) {
  return error_of([&] { nn::fashion_mnist(nn::Split::test, folder.path); });
}

void write_images(const Folder& folder, std::uint32_t count) {
  idx_file::write_gzip(folder / "t10k-images-idx3-ubyte.gz",
                       with_values(header(0x08, {count, 28, 28}), Bytes(count * 784)));
}

void write_labels(const Folder& folder, const Bytes& labels) {
  idx_file::write_gzip(folder / "t10k-labels-idx1-ubyte.gz",
                       with_values(header(0x08, {static_cast<std::uint32_t>(labels.size())}), labels));
}

}  // namespace

TEST_CASE("Fashion-MNIST has 60,000 and 10,000 images of 10 classes, equally many of each") {
  // Xiao, Rasul, Vollgraf (2017), table 1 and section 2.
  for (const nn::Split split : {nn::Split::train, nn::Split::test}) {
    const nn::Dataset data = nn::fashion_mnist(split);
    const std::int64_t count = split == nn::Split::train ? 60000 : 10000;
    CHECK(data.size() == count);
    CHECK(data.inputs().shape() == Shape{count, 784});
    CHECK(data.inputs().is_bytes());
    std::vector<std::int64_t> classes(10);
    double lowest = 1, highest = 0, sum = 0;
    nn::Batches batches(data, {.size = 1000});
    for (auto [x, y] : batches) {
      CHECK(x.dtype() == float32);
      for (const float pixel : x.values<float>()) {
        lowest = std::min(lowest, static_cast<double>(pixel));
        highest = std::max(highest, static_cast<double>(pixel));
        sum += static_cast<double>(pixel);
      }
      for (const std::int64_t label : y.values<std::int64_t>()) ++classes[static_cast<std::size_t>(label)];
    }
    CHECK(lowest == 0);
    CHECK(highest == 1);
    CHECK(classes == std::vector<std::int64_t>(10, count / 10));
    // The mean pixel that users of the set normalise with: 0.2860.
    if (split == nn::Split::train) CHECK(sum / (784.0 * 60000) == doctest::Approx(0.2860).epsilon(2e-4));
  }
}

TEST_CASE("the first labels of Fashion-MNIST are the published ones") {
  // The set's README shows 9 0 0 3 0 2 7 2 5 5 for training and 9 2 1 1 6 1 4 6 5 7 for testing.
  const std::vector<std::int64_t> first = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  CHECK(expect::values(nn::fashion_mnist(nn::Split::train).take(first).targets) ==
        std::vector<double>{9, 0, 0, 3, 0, 2, 7, 2, 5, 5});
  CHECK(expect::values(nn::fashion_mnist(nn::Split::test).take(first).targets) ==
        std::vector<double>{9, 2, 1, 1, 6, 1, 4, 6, 5, 7});
}

TEST_CASE("a dataset of another directory, packed or not, is read") {
  const Folder folder;
  write_images(folder, 3);
  write_labels(folder, {0, 9, 4});
  CHECK(expect::values(nn::fashion_mnist(nn::Split::test, folder.path).all().targets) == std::vector<double>{0, 9, 4});
  std::filesystem::remove(folder / "t10k-labels-idx1-ubyte.gz");
  idx_file::write(folder / "t10k-labels-idx1-ubyte", with_values(header(0x08, {3}), {1, 2, 3}));
  CHECK(expect::values(nn::fashion_mnist(nn::Split::test, folder.path).all().targets) == std::vector<double>{1, 2, 3});
}

TEST_CASE("a missing dataset, counts that disagree and labels outside the classes are FileErrors") {
  const Folder folder;
  const std::string nothing = error_of_loading(folder);
  CHECK(nothing.starts_with("FileError: fashion_mnist: found neither " + folder.path.string()));
  CHECK(contains(nothing, "expected the files of Debian's package dataset-fashion-mnist"));

  write_images(folder, 3);
  CHECK(contains(error_of_loading(folder), "t10k-labels-idx1-ubyte.gz"));
  write_labels(folder, {1, 2});
  const std::string counts = error_of_loading(folder);
  CHECK(counts.starts_with("FileError: fashion_mnist: found 3 images in "));
  CHECK(contains(counts, " and 2 labels in "));

  write_labels(folder, {1, 2, 10});
  const std::string label = error_of_loading(folder);
  CHECK(label.starts_with("FileError: fashion_mnist: "));
  CHECK(contains(label, "found label 10 at position 2; expected 0 to 9"));
}

TEST_CASE("images and labels of another shape or type are FileErrors") {
  const Folder folder;
  write_labels(folder, {1, 2});
  idx_file::write_gzip(folder / "t10k-images-idx3-ubyte.gz",
                       with_values(header(0x08, {2, 28, 27}), Bytes(2 * 28 * 27)));
  CHECK(contains(error_of_loading(folder), "found (2, 28, 27) of uint8; expected (n, 28, 28) of uint8"));
  idx_file::write_gzip(folder / "t10k-images-idx3-ubyte.gz", with_values(header(0x09, {2, 28, 28}), Bytes(2 * 784)));
  CHECK(contains(error_of_loading(folder), "of another type; expected (n, 28, 28) of uint8"));
  write_images(folder, 2);
  idx_file::write_gzip(folder / "t10k-labels-idx1-ubyte.gz", with_values(header(0x08, {2, 1}), {1, 2}));
  CHECK(contains(error_of_loading(folder), "found (2, 1) of uint8; expected (n,) of uint8"));
}
