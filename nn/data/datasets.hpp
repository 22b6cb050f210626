#pragma once

#include <nn/data/data.hpp>

#include <string>

namespace xgrad::nn {

/// Where Debian's package dataset-fashion-mnist puts its files.
inline constexpr const char* fashion_mnist_directory = "/usr/share/datasets/fashion-mnist";

enum class Split { train, test };

/// Fashion-MNIST: H. Xiao, K. Rasul, R. Vollgraf (2017). Inputs (n, 784) are bytes that batches read as floats in [0,
/// 1]; targets (n,) are int64 labels of 10 classes. 60,000 examples to train and 10,000 to test.
///
/// FileError for a missing file, images that are not 28 by 28, counts of images and labels that differ, or a label
/// outside the classes; see read_idx. The files are `train-images-idx3-ubyte` and so on, with or without `.gz`.
Dataset fashion_mnist(Split split, const std::string& directory = fashion_mnist_directory);

}  // namespace xgrad::nn
