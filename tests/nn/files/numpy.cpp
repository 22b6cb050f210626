#include "tests/exchange/python.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <autograd/tensor/creation.hpp>
#include <nn/files/npz.hpp>
#include <nn/files/safetensors.hpp>

#include <doctest/doctest.h>

#include <map>
#include <sstream>
#include <string>

using namespace xgrad;

// Files of ours in numpy's hands, and numpy's in ours. Left out where Debian's python3-numpy is missing.

namespace {

using Arrays = std::map<std::string, Tensor>;

Arrays several() {
  return {{"weight", expect::random_tensor({5, 7}, 1, float32)},
          {"wide", expect::random_tensor({2, 1, 3}, 2, float64, -1e300, 1e300)},
          {"labels", tensor({3, -4}, int64)},
          {"none", zeros({0, 2})},
          {"one", tensor(2)}};
}

/// As exchange.py shows arrays.
std::string shown(const Arrays& arrays) {
  std::ostringstream text;
  for (const auto& [name, array] : arrays) {
    text << name << ' ' << name_of(array.dtype()) << " [";
    for (std::size_t i = 0; i < array.rank(); ++i) text << (i == 0 ? "" : ", ") << array.shape()[i];
    text << "] ";
    for (const char byte : nn::bytes_of(array)) {
      const auto value = static_cast<unsigned char>(byte);
      text << "0123456789abcdef"[value >> 4] << "0123456789abcdef"[value & 15];
    }
    text << '\n';
  }
  return text.str();
}

void check_known(const Arrays& arrays) {
  Tensor grid = zeros({2, 3, 4});
  grid.modify([](std::span<float> values) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 7.0f;
  });
  CHECK(shown({{"grid", arrays.at("grid")}}) == shown({{"grid", grid}}));
  CHECK(expect::values(arrays.at("wide")) == std::vector<double>{0.1, -1e300, 5e-324});
  CHECK(expect::values(arrays.at("labels")) == std::vector<double>{-1, 0x1p62});
  CHECK(arrays.at("half").dtype() == float32);
  CHECK(expect::values(arrays.at("half")) == std::vector<double>{1, -2.5, 65504, 0x1p-24});  // the nearest to 6e-8
  CHECK(arrays.at("none").shape() == Shape{0, 3});
  CHECK(arrays.at("one").shape() == Shape{});
  CHECK(arrays.at("one").item() == 3.5);
  CHECK(arrays.at("columns").shape() == Shape{3, 4});
  CHECK(arrays.at("columns").item({1, 2}) == grid.item({0, 1, 2}));
}

}  // namespace

TEST_CASE("numpy reads our .npz, and an independent reader our safetensors: the same bytes") {
  if (!python_has("numpy")) return;
  const Folder folder;
  for (const bool compress : {false, true}) {
    nn::write_npz(folder.file("a.npz"), several(), {.compress = compress});
    CHECK(python("exchange.py", "show " + folder.file("a.npz")) == shown(several()));
  }
  nn::write_safetensors(folder.file("a.safetensors"), {several(), {{"key", "text"}}});
  CHECK(python("exchange.py", "show " + folder.file("a.safetensors")) == shown(several()));
}

TEST_CASE("we read numpy's .npz, and safetensors of an independent writer: the same values") {
  if (!python_has("numpy")) return;
  const Folder folder;
  CHECK(python("exchange.py", "make " + folder.file("b.npz")).empty());
  Arrays arrays = nn::read_npz(folder.file("b.npz"));
  CHECK(expect::values(arrays.at("big")) == std::vector<double>{0, 1, 2});
  check_known(arrays);
  CHECK(python("exchange.py", "make " + folder.file("b.safetensors")).empty());
  check_known(nn::read_safetensors(folder.file("b.safetensors")).tensors);
}
