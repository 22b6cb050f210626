#include <autograd/tensor/format.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/files/npy.hpp>
#include <nn/files/npz.hpp>
#include <nn/files/whole_file.hpp>

#include <zip.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace xgrad::nn {

namespace {

constexpr const char* npz_reader = "read_npz";
constexpr std::string_view ending = ".npy";

/// libzip's handles, each with its own way to go.
struct Close {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
template <class T>
using Handle = std::unique_ptr<T, Close>;

class ZipError {
 public:
  ZipError() { zip_error_init(&error_); }
  ~ZipError() { zip_error_fini(&error_); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  zip_error_t* pointer() { return &error_; }
  std::string text() { return zip_error_strerror(&error_); }

 private:
  zip_error_t error_;
};

Handle<zip_t> open(const InputFile& file, zip_source_t* bytes, ZipError& error) {
  Handle<zip_source_t> source(bytes);
  constexpr std::uint64_t least = 22;  // the record at the end, of which libzip does without in an empty file
  if (file.size() < least) file.fail(fmt::format("is no ZIP archive: it has {} bytes", file.size()));
  if (source == nullptr) file.fail("cannot be opened: " + error.text());
  Handle<zip_t> archive(zip_open_from_source(source.get(), ZIP_RDONLY | ZIP_CHECKCONS, error.pointer()));
  if (archive == nullptr) file.fail("is no ZIP archive, or a damaged one: " + error.text());
  source.release();  // the archive's now
  return archive;
}

/// Calls take(name, bytes) for each array: the whole of an .npy file, inflated.
void read_members(const InputFile& file, zip_t* archive, const NpzReadOptions& options,
                  const std::function<void(std::string name, InputFile& npy)>& take) {
  std::uint64_t total = 0;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    zip_stat_t status;
    zip_stat_init(&status);
    constexpr zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(archive, index, ZIP_FL_ENC_RAW, &status) != 0 || (status.valid & needed) != needed)
      file.fail(fmt::format("member {} has no name or size", i));
    const std::string name = status.name;
    const std::string what = "array '" + printable(name) + "'";
    if (!name.ends_with(ending)) file.fail(what + " is no .npy file");
    if (status.encryption_method != ZIP_EM_NONE) file.fail(what + " is encrypted");
    // DEFLATE's shortest code, of one bit, stands for 258 bytes at most, with one for the distance (RFC 1951, 3.2.5).
    if (status.comp_size > file.size() || status.size / 1032 > status.comp_size + 1)
      file.fail(fmt::format("{} claims {} bytes, packed into {}, in a file of {}: that cannot be", what, status.size,
                            status.comp_size, file.size()));
    if (status.size > options.max_bytes || (total += status.size) > options.max_bytes)
      file.fail(fmt::format("{} claims {} bytes, with those before more than max_bytes, {}", what, status.size,
                            options.max_bytes));
    const Handle<zip_file_t> member(zip_fopen_index(archive, index, 0));
    if (member == nullptr) file.fail(fmt::format("{} cannot be read: {}", what, zip_strerror(archive)));
    // The claim may be false: memory grows with what has been inflated, and the array's own header is asked first.
    constexpr std::size_t first = std::size_t{1} << 20, most = std::size_t{1} << 28;
    std::string bytes;
    for (zip_int64_t got = 1; got > 0;) {
      const std::size_t done = bytes.size(),
                        piece = std::min<std::uint64_t>(std::clamp(done, first, most), status.size - done + 1);
      bytes.resize(done + piece);
      got = zip_fread(member.get(), bytes.data() + done, piece);
      if (got < 0) file.fail(fmt::format("{} is damaged: {}", what, zip_file_strerror(member.get())));
      bytes.resize(done + static_cast<std::size_t>(got));
      if (bytes.size() > status.size) break;
      if (done < first && bytes.size() >= first) {
        InputFile start(npz_reader, bytes, file.name() + ": " + what);
        const StoredTensor described = list_npy(start);
        const std::uint64_t behind = status.size - (bytes.size() - start.left());
        if (behind != described.bytes)
          start.fail(fmt::format("found {} bytes behind the header; need {} for the shape {}", behind, described.bytes,
                                 described.shape));
      }
    }
    if (bytes.size() != status.size)
      file.fail(fmt::format("{} has {} bytes; its entry says {}", what, bytes.size(), status.size));
    InputFile npy(npz_reader, bytes, file.name() + ": " + what);
    take(name.substr(0, name.size() - ending.size()), npy);
  }
}

std::map<std::string, Tensor> read(const InputFile& file, zip_t* archive, const NpzReadOptions& options) {
  std::map<std::string, Tensor> arrays;
  read_members(file, archive, options, [&](const std::string& name, InputFile& npy) {
    if (!arrays.emplace(name, read_npy(npy)).second) file.fail("array '" + printable(name) + "' is there twice");
  });
  return arrays;
}

[[noreturn]] void refuse(const std::string& path, const char* text) {
  throw_as<FileError>("write_npz: {}: {}", path, text);
}

}  // namespace

std::map<std::string, Tensor> read_npz(const std::string& path, const NpzReadOptions& options) {
  const InputFile file(npz_reader, path);
  ZipError error;
  return read(file, open(file, zip_source_file_create(path.c_str(), 0, -1, error.pointer()), error).get(), options);
}

std::map<std::string, Tensor> parse_npz(std::string_view bytes, const std::string& name,
                                        const NpzReadOptions& options) {
  const InputFile file(npz_reader, bytes, name);
  ZipError error;
  return read(file, open(file, zip_source_buffer_create(bytes.data(), bytes.size(), 0, error.pointer()), error).get(),
              options);
}

std::vector<StoredTensor> list_npz(const std::string& path) {
  const InputFile file(npz_reader, path);
  ZipError error;
  const Handle<zip_t> archive = open(file, zip_source_file_create(path.c_str(), 0, -1, error.pointer()), error);
  std::vector<StoredTensor> list;
  read_members(file, archive.get(), {}, [&](const std::string& name, InputFile& npy) {
    list.push_back(list_npy(npy));
    list.back().name = name;
  });
  return list;
}

void write_npz(const std::string& path, const std::map<std::string, Tensor>& arrays, const NpzWriteOptions& options) {
  WholeFile file(path);
  if (arrays.empty()) {  // which libzip would not write
    file.append(std::string_view("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22));
    return file.finish();
  }
  ZipError error;
  const Handle<zip_source_t> image(zip_source_buffer_create(nullptr, 0, 0, error.pointer()));
  if (image == nullptr) refuse(path, error.text().c_str());
  Handle<zip_t> archive(zip_open_from_source(image.get(), ZIP_CREATE | ZIP_TRUNCATE, error.pointer()));
  if (archive == nullptr) refuse(path, error.text().c_str());
  zip_source_keep(image.get());
  std::vector<std::string> headers;
  headers.reserve(arrays.size());
  for (const auto& [name, array] : arrays) {
    if (name.empty() || name.front() == '/' || name.find('\0') != std::string::npos)
      throw_as<ValueError>("write_npz: an array is called '{}'; need a name without NUL that does not begin with /",
                           printable(name));
    if (!array.defined()) throw_as<ValueError>("write_npz: array '{}' has no value", name);
    const std::string& header = headers.emplace_back(npy_header(array));
    const std::string_view values = bytes_of(array);
    const zip_buffer_fragment_t pieces[] = {
        {reinterpret_cast<zip_uint8_t*>(const_cast<char*>(header.data())), header.size()},
        {reinterpret_cast<zip_uint8_t*>(const_cast<char*>(values.data())), values.size()}};
    Handle<zip_source_t> member(zip_source_buffer_fragment(archive.get(), pieces, values.empty() ? 1 : 2, 0));
    const zip_int64_t index = member == nullptr ? -1
                                                : zip_file_add(archive.get(), (name + std::string(ending)).c_str(),
                                                               member.get(), ZIP_FL_ENC_UTF_8);
    if (index < 0) refuse(path, zip_strerror(archive.get()));
    member.release();  // the archive's now
    const auto place = static_cast<zip_uint64_t>(index);
    constexpr zip_uint16_t first_day = (1 << 5) | 1;  // of MS-DOS: 1980-01-01
    if (zip_file_set_dostime(archive.get(), place, 0, first_day, 0) != 0 ||
        zip_set_file_compression(archive.get(), place, options.compress ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) != 0)
      refuse(path, zip_strerror(archive.get()));
  }
  if (zip_close(archive.get()) != 0) refuse(path, zip_strerror(archive.get()));
  archive.release();
  if (zip_source_open(image.get()) != 0) refuse(path, "no memory");
  std::string piece(std::size_t{1} << 20, '\0');
  for (;;) {
    const zip_int64_t got = zip_source_read(image.get(), piece.data(), piece.size());
    if (got < 0) refuse(path, "no memory");
    if (got == 0) break;
    file.append(std::string_view(piece).substr(0, static_cast<std::size_t>(got)));
  }
  zip_source_close(image.get());
  file.finish();
}

}  // namespace xgrad::nn
