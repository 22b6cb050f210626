#include <autograd/tensor/format.hpp>
#include <nn/data/datasets.hpp>
#include <nn/data/idx.hpp>

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
  throw_as<FileError>(
      "fashion_mnist: found neither {} nor {}; expected the files of Debian's package dataset-fashion-mnist", packed,
      name);
}

/// Bytes of this rank.
Rows read_bytes(const std::string& path, std::size_t rank, const char* expected) {
  const Rows rows = read_idx(path);
  const Shape& shape = rows.shape();
  if (!rows.is_bytes() || shape.rank() != rank || (rank == 3 && (shape[1] != 28 || shape[2] != 28)))
    throw_as<FileError>("fashion_mnist: {}: found {} of {}; expected {} of uint8", path, shape,
                        rows.is_bytes() ? "uint8" : "another type", expected);
  return rows;
}

/// Bytes as int64.
Tensor classes_of(const Rows& labels, const std::string& path) {
  Tensor classes = Tensor::uninitialized({labels.rows()}, int64);
  std::int64_t* target = classes.fresh_data<std::int64_t>();
  for (const std::uint8_t label : labels.bytes()) {
    if (label >= fashion_mnist_classes)
      throw_as<FileError>("fashion_mnist: {}: found label {} at position {}; expected 0 to {}", path, label,
                          target - classes.data<std::int64_t>(), fashion_mnist_classes - 1);
    *target++ = label;
  }
  return classes;
}

}  // namespace

Dataset fashion_mnist(Split split, const std::string& directory) {
  const std::string prefix = split == Split::train ? "train" : "t10k";
  const std::string images_path = find_file(directory, prefix + "-images-idx3-ubyte");
  const std::string labels_path = find_file(directory, prefix + "-labels-idx1-ubyte");

  const Rows images = read_bytes(images_path, 3, "(n, 28, 28)");
  const Rows labels = read_bytes(labels_path, 1, "(n,)");
  if (images.rows() != labels.rows())
    throw_as<FileError>("fashion_mnist: found {} images in {} and {} labels in {}; expected the same number",
                        images.rows(), images_path, labels.rows(), labels_path);
  return {images.reshape_rows({28 * 28}).rescale(1.0 / 255.0), classes_of(labels, labels_path)};
}

}  // namespace xgrad::nn
