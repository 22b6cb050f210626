#include <autograd/tensor/error.hpp>
#include <nn/data/datasets.hpp>
#include <nn/data/idx.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>

namespace xgrad::nn {

namespace {

constexpr int fashion_mnist_classes = 10;

/// The packed file, or the one that somebody has unpacked.
std::string find_file(const std::string& directory, const std::string& name) {
  const std::filesystem::path plain = std::filesystem::path(directory) / name;
  const std::string packed = plain.string() + ".gz";
  std::error_code ignored;
  if (std::filesystem::exists(packed, ignored)) return packed;
  if (std::filesystem::exists(plain, ignored)) return plain.string();
  throw FileError("fashion_mnist: found neither " + packed + " nor " + plain.filename().string() +
                  "; expected the files of Debian's package dataset-fashion-mnist");
}

}  // namespace

Dataset fashion_mnist(Split split, const std::string& directory) {
  const std::string prefix = split == Split::train ? "train" : "t10k";
  const std::string images_path = find_file(directory, prefix + "-images-idx3-ubyte");
  const std::string labels_path = find_file(directory, prefix + "-labels-idx1-ubyte");

  const Rows images = read_idx(images_path);
  if (!images.is_bytes() || images.shape().rank() != 3 || images.shape()[1] != 28 || images.shape()[2] != 28)
    throw FileError("fashion_mnist: " + images_path + ": found " + to_string(images.shape()) + " of " +
                    (images.is_bytes() ? "uint8" : "another type") + "; expected (n, 28, 28) of uint8");
  const Rows labels = read_idx(labels_path);
  if (!labels.is_bytes() || labels.shape().rank() != 1)
    throw FileError("fashion_mnist: " + labels_path + ": found " + to_string(labels.shape()) + " of " +
                    (labels.is_bytes() ? "uint8" : "another type") + "; expected (n,) of uint8");
  if (images.rows() != labels.rows())
    throw FileError("fashion_mnist: found " + std::to_string(images.rows()) + " images in " + images_path + " and " +
                    std::to_string(labels.rows()) + " labels in " + labels_path + "; expected as many");

  const Tensor classes = Tensor::uninitialized({labels.rows()}, int64);
  auto* const target = static_cast<std::int64_t*>(classes.mutable_data());
  const std::span<const std::uint8_t> values = labels.bytes();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] >= fashion_mnist_classes)
      throw FileError("fashion_mnist: " + labels_path + ": found label " + std::to_string(values[i]) + " at position " +
                      std::to_string(i) + "; expected 0 to " + std::to_string(fashion_mnist_classes - 1));
    target[i] = values[i];
  }
  return {images.reshape_rows({28 * 28}).rescale(1.0 / 255.0), classes};
}

}  // namespace xgrad::nn
