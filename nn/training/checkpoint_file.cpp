#include <autograd/tensor/format.hpp>
#include <nn/files/input_file.hpp>
#include <nn/files/whole_file.hpp>
#include <nn/training/checkpoint_file.hpp>

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

namespace xgrad::nn {

namespace {

constexpr std::string_view magic = "xgradck\n";
constexpr std::uint32_t version = 1;
constexpr const char* reader = "read_checkpoint";

template <class Number>
std::string_view bytes_of_number(const Number& number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

class Checksum {
 public:
  void add(std::string_view bytes) {
    value_ = crc32_z(value_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  }
  std::uint32_t value() const { return static_cast<std::uint32_t>(value_); }

 private:
  uLong value_ = crc32_z(0, nullptr, 0);
};

std::string older(const std::string& path, std::int64_t age) {
  return age == 0 ? path : fmt::format("{}.{}", path, age);
}

/// Makes room at the path: what is there stays, under another name too.
void move_back(const std::string& path, std::int64_t keep) {
  std::error_code error;
  if (keep < 2 || !std::filesystem::exists(path, error)) return;
  std::int64_t oldest = 1;  // the last one, or the first place that is free
  while (oldest < keep - 1 && std::filesystem::exists(older(path, oldest), error)) ++oldest;
  for (std::int64_t age = oldest; age > 1; --age) std::rename(older(path, age - 1).c_str(), older(path, age).c_str());
  const std::string second = older(path, 1);
  std::filesystem::remove(second, error);
  // Some file systems have no links.
  if (::link(path.c_str(), second.c_str()) != 0) std::filesystem::copy_file(path, second, error);
}

TensorFile read(InputFile& file) {
  constexpr std::size_t head = 24;
  if (file.size() < head) file.fail(fmt::format("found {} bytes; a checkpoint has at least {}", file.size(), head));
  if (file.read_text(magic.size()) != magic) file.fail("is no checkpoint: it does not begin with \"xgradck\"");
  const auto written_version = file.read_number<std::uint32_t>();
  if (written_version != version)
    file.fail(fmt::format("is of version {}; this xgrad reads version {}", written_version, version));
  const auto written_checksum = file.read_number<std::uint32_t>();
  const auto length = file.read_number<std::uint64_t>();
  if (length != file.left())
    file.fail(fmt::format("claims {} bytes, has {}: {}", length, file.left(),
                          length > file.left() ? "it is truncated" : "something follows"));
  Checksum checksum;
  checksum.add(bytes_of_number(written_version));
  checksum.add(bytes_of_number(length));
  std::vector<char> piece(std::min<std::uint64_t>(std::uint64_t{1} << 20, file.left()));
  while (file.left() > 0) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), file.left()));
    file.read(piece.data(), count);
    checksum.add({piece.data(), count});
  }
  if (checksum.value() != written_checksum)
    file.fail(
        fmt::format("is damaged: its checksum is {:08x}, its content's {:08x}", written_checksum, checksum.value()));
  file.seek(head);
  return read_safetensors(file);
}

}  // namespace

void write_checkpoint(const std::string& path, const TensorFile& content, std::int64_t keep) {
  std::uint64_t length = 0;
  write_safetensors(content, [&](std::string_view bytes) { length += bytes.size(); });
  Checksum checksum;
  checksum.add(bytes_of_number(version));
  checksum.add(bytes_of_number(length));
  write_safetensors(content, [&](std::string_view bytes) { checksum.add(bytes); });

  WholeFile file(path);
  file.append(magic);
  file.append(bytes_of_number(version));
  file.append(bytes_of_number(checksum.value()));
  file.append(bytes_of_number(length));
  write_safetensors(content, [&](std::string_view bytes) { file.append(bytes); });
  move_back(path, keep);
  file.finish();
}

TensorFile read_checkpoint(const std::string& path) {
  try {
    InputFile file(reader, path);
    return read(file);
  } catch (const FileError& error) {
    std::error_code ignored;
    const std::string before = older(path, 1);
    if (!std::filesystem::exists(before, ignored)) throw;
    throw_as<FileError>("{}; the checkpoint before it is {}", error.what(), before);
  }
}

TensorFile parse_checkpoint(std::string_view bytes, const std::string& name) {
  InputFile file(reader, bytes, name);
  return read(file);
}

}  // namespace xgrad::nn
