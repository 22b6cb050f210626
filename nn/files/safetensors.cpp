#include <autograd/tensor/format.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/files/safetensors.hpp>
#include <nn/files/whole_file.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

namespace xgrad::nn {

namespace {

constexpr std::uint64_t max_header = 100'000'000;
constexpr std::size_t max_keys = 1'000'000;
constexpr const char* metadata_key = "__metadata__";

constexpr std::pair<std::string_view, ElementKind> dtypes[] = {
    {"BOOL", ElementKind::boolean}, {"U8", ElementKind::uint8},      {"I8", ElementKind::int8},
    {"U16", ElementKind::uint16},   {"I16", ElementKind::int16},     {"U32", ElementKind::uint32},
    {"I32", ElementKind::int32},    {"U64", ElementKind::uint64},    {"I64", ElementKind::int64},
    {"F16", ElementKind::float16},  {"BF16", ElementKind::bfloat16}, {"F32", ElementKind::float32},
    {"F64", ElementKind::float64}};

std::optional<ElementKind> find_kind(std::string_view dtype) {
  for (const auto& [name, kind] : dtypes)
    if (name == dtype) return kind;
  return std::nullopt;
}

/// A tensor as its entry in the header describes it.
struct Entry {
  std::string name;
  std::optional<std::string> dtype;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;

  std::string what() const { return "tensor '" + printable(name) + "'"; }
};

struct Header {
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
};

/// Builds the header from nlohmann's events and stops at the first that the format has no place for, so that nothing
/// but a header takes memory.
class HeaderEvents final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Header header;
  std::string error;

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a boolean"); }
  bool number_float(double, const std::string& text) override { return refuse("the number " + text); }
  bool number_integer(std::int64_t number) override { return refuse("the number " + std::to_string(number)); }
  bool binary(binary_t&) override { return refuse("binary data"); }

  bool number_unsigned(std::uint64_t number) override {
    if (!list_) return refuse("the number " + std::to_string(number));
    if (list_->size() == Extents::capacity)
      return stop(
          fmt::format("{} has a {} of more than {} numbers", header.entries.back().what(), key_, list_->size()));
    list_->push_back(number);
    return true;
  }

  bool string(std::string& text) override {
    if (place_ == Place::metadata) {
      metadata_->second = std::move(text);
      return true;
    }
    if (place_ != Place::entry || key_ != "dtype") return refuse("a text");
    header.entries.back().dtype = std::move(text);
    return true;
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::outside) return go_to(Place::header);
    if (place_ != Place::header) return refuse("an object");
    if (key_ == metadata_key) return go_to(Place::metadata);
    header.entries.push_back({key_, {}, {}, {}});
    return go_to(Place::entry);
  }
  bool end_object() override {
    if (place_ == Place::header) return go_to(Place::outside);
    if (place_ == Place::entry) {
      const Entry& entry = header.entries.back();
      const char* const missing = !entry.dtype     ? "dtype"
                                  : !entry.shape   ? "shape"
                                  : !entry.offsets ? "data_offsets"
                                                   : nullptr;
      if (missing != nullptr) return stop(entry.what() + " has no " + missing);
      if (entry.offsets->size() != 2)
        return stop(
            fmt::format("{} has {} data_offsets; need a begin and an end", entry.what(), entry.offsets->size()));
    }
    return go_to(Place::header);
  }

  bool start_array(std::size_t) override {
    if (list_ != nullptr || place_ != Place::entry) return refuse("a list");
    Entry& entry = header.entries.back();
    if (key_ != "shape" && key_ != "data_offsets") return refuse("a list");
    list_ = &(key_ == "shape" ? entry.shape : entry.offsets).emplace();
    return true;
  }
  bool end_array() override {
    list_ = nullptr;
    return true;
  }

  bool key(std::string& text) override {
    if (++keys_ > max_keys) return stop(fmt::format("the header has more than {} keys", max_keys));
    if (place_ == Place::entry) {
      const Entry& entry = header.entries.back();
      const bool known = text == "dtype" || text == "shape" || text == "data_offsets";
      if (!known)
        return stop(fmt::format("{} has the member '{}'; known are dtype, shape and data_offsets", entry.what(),
                                printable(text)));
      if (text == "dtype"   ? entry.dtype.has_value()
          : text == "shape" ? entry.shape.has_value()
                            : entry.offsets.has_value())
        return stop(fmt::format("{} has {} twice", entry.what(), text));
    } else if (place_ == Place::metadata) {
      const auto [at, is_new] = header.metadata.emplace(text, "");
      if (!is_new) return twice(text);
      metadata_ = &*at;
    } else if (!names_.insert(text).second) {
      return twice(text);
    }
    key_ = std::move(text);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& exception) override {
    std::string text = exception.what();  // [json.exception.parse_error.101] parse error at ...
    if (const std::size_t end = text.find("] "); end != std::string::npos) text.erase(0, end + 2);
    return stop(fmt::format("the header is no JSON at byte {}: {}", position, printable(text)));
  }

 private:
  enum class Place : std::uint8_t { outside, header, metadata, entry };

  bool go_to(Place place) {
    place_ = place;
    return true;
  }
  bool stop(std::string text) {
    error = std::move(text);
    return false;
  }
  bool twice(const std::string& name) {
    return stop(fmt::format("the header has the key '{}' twice", printable(name)));
  }
  bool refuse(const std::string& found) {
    switch (place_) {
      case Place::outside:
        return stop(fmt::format("the header is {}; need an object", found));
      case Place::header:
        return stop(fmt::format("the header has {} at '{}'; need an object", found, printable(key_)));
      case Place::metadata:
        return stop(fmt::format("the metadata has {} at '{}'; need a text", found, printable(key_)));
      case Place::entry:
        break;
    }
    return stop(fmt::format("{} has {} in {}; need {}", header.entries.back().what(), found, key_,
                            key_ == "dtype" ? "a text" : "a list of whole numbers >= 0"));
  }

  Place place_ = Place::outside;
  std::string key_;
  std::vector<std::uint64_t>* list_ = nullptr;
  std::pair<const std::string, std::string>* metadata_ = nullptr;
  std::set<std::string> names_;
  std::size_t keys_ = 0;
};

struct StoredAt : StoredTensor {
  std::uint64_t begin = 0;
};

/// What the entries say, checked, in the order of their values.
std::vector<StoredAt> checked(const InputFile& file, const std::vector<Entry>& entries, std::uint64_t bytes) {
  std::vector<StoredAt> tensors;
  tensors.reserve(entries.size());
  for (const Entry& entry : entries) {
    const auto kind = find_kind(*entry.dtype);
    if (!kind)
      file.fail(fmt::format("{} has the dtype '{}'; known are {}", entry.what(), printable(*entry.dtype),
                            "BOOL, U8, I8, U16, I16, U32, I32, U64, I64, F16, BF16, F32 and F64"));
    StoredAt tensor{{entry.name, *kind, {}, 0}};
    for (const std::uint64_t extent : *entry.shape) {
      if (extent > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
        file.fail(fmt::format("{} claims an extent of {}, more than any memory holds", entry.what(), extent));
      tensor.shape.push_back(static_cast<std::int64_t>(extent));
    }
    tensor.bytes = stored_bytes(file, entry.what(), *kind, tensor.shape);
    const std::uint64_t end = (*entry.offsets)[1];
    tensor.begin = (*entry.offsets)[0];
    if (tensor.begin > end || end - tensor.begin != tensor.bytes)
      file.fail(fmt::format("{} has data_offsets [{}, {}]; need {} bytes for {} {}", entry.what(), tensor.begin, end,
                            tensor.bytes, *entry.dtype, tensor.shape));
    tensors.push_back(std::move(tensor));
  }
  std::stable_sort(tensors.begin(), tensors.end(), [](const StoredAt& a, const StoredAt& b) {
    return std::pair(a.begin, a.bytes) < std::pair(b.begin, b.bytes);
  });
  std::uint64_t end = 0;
  for (const StoredAt& tensor : tensors) {
    if (tensor.begin != end)
      file.fail(fmt::format("tensor '{}' begins at offset {}; need {}, where the one before ends: there is {}",
                            printable(tensor.name), tensor.begin, end, tensor.begin > end ? "a hole" : "an overlap"));
    end += tensor.bytes;
  }
  if (end != bytes)
    file.fail(fmt::format("the tensors end at offset {}, the file has {} bytes behind its header; need as many{}", end,
                          bytes, end > bytes ? ": it is truncated" : ""));
  return tensors;
}

struct Contents {
  std::vector<StoredAt> tensors;
  std::map<std::string, std::string> metadata;
};

Contents read_header(InputFile& file) {
  if (file.left() < 8) file.fail(fmt::format("found {} bytes; a safetensors file has at least 8", file.left()));
  const auto length = file.read_number<std::uint64_t>();
  if (length > max_header) file.fail(fmt::format("claims a header of {} bytes; need at most {}", length, max_header));
  if (length > file.left())
    file.fail(fmt::format("claims a header of {} bytes, {} are left; the file is truncated", length, file.left()));
  HeaderEvents events;
  {
    const std::string text = file.read_text(static_cast<std::size_t>(length));
    if (!text.starts_with('{')) file.fail("the header does not begin with {; this is no safetensors file");
    // nlohmann takes a zero byte for the end of the text.
    if (const std::size_t zero = text.find('\0'); zero != std::string::npos)
      file.fail(fmt::format("the header is no JSON at byte {}: it has a zero byte", zero + 1));
    if (!nlohmann::json::sax_parse(text, &events)) file.fail(events.error);
  }
  return {checked(file, events.header.entries, file.left()), std::move(events.header.metadata)};
}

constexpr const char* reader = "read_safetensors";

void check_text(const char* what, const std::string& text) {
  if (!is_utf8(text)) throw_as<ValueError>("write_safetensors: {} '{}' is not UTF-8", what, printable(text));
}

}  // namespace

TensorFile read_safetensors(InputFile& file) {
  Contents contents = read_header(file);
  TensorFile result;
  result.metadata = std::move(contents.metadata);
  for (const StoredAt& tensor : contents.tensors)
    result.tensors.emplace(tensor.name,
                           read_values(file, "tensor '" + printable(tensor.name) + "'", tensor.kind, tensor.shape));
  return result;
}

TensorFile read_safetensors(const std::string& path) {
  InputFile file(reader, path);
  return read_safetensors(file);
}

TensorFile parse_safetensors(std::string_view bytes, const std::string& name) {
  InputFile file(reader, bytes, name);
  return read_safetensors(file);
}

SafetensorsListing list_safetensors(const std::string& path) {
  InputFile file(reader, path);
  Contents contents = read_header(file);
  return {{contents.tensors.begin(), contents.tensors.end()}, std::move(contents.metadata)};
}

std::string_view safetensors_name(ElementKind kind) {
  return std::find_if(std::begin(dtypes), std::end(dtypes), [&](const auto& entry) { return entry.second == kind; })
      ->first;
}

void write_safetensors(const TensorFile& content, const std::function<void(std::string_view)>& write) {
  std::string text;
  const auto add = [&text](const std::string& key, const nlohmann::ordered_json& value) {
    text.append(text.empty() ? "{" : ",").append(nlohmann::json(key).dump()).append(":").append(value.dump());
  };
  for (const auto& [key, value] : content.metadata) {
    check_text("metadata", key);
    check_text("metadata", value);
  }
  if (!content.metadata.empty()) add(metadata_key, content.metadata);
  std::vector<const std::pair<const std::string, Tensor>*> sorted;
  for (const auto& entry : content.tensors) {
    check_text("tensor", entry.first);
    if (entry.first == metadata_key)
      throw ValueError("write_safetensors: a tensor is called __metadata__; need another name");
    if (!entry.second.defined()) throw_as<ValueError>("write_safetensors: tensor '{}' has no value", entry.first);
    sorted.push_back(&entry);
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return size_of(a->second.dtype()) > size_of(b->second.dtype());
  });
  std::uint64_t end = 0;
  for (const auto* const entry : sorted) {
    const Tensor& tensor = entry->second;
    const std::uint64_t begin = std::exchange(end, end + tensor.bytes());
    add(entry->first, {{"dtype", safetensors_name(kind_of(tensor.dtype()))},
                       {"shape", std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end())},
                       {"data_offsets", {begin, end}}});
  }
  text.append(text.empty() ? "{}" : "}");
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > max_header)
    throw_as<ValueError>("write_safetensors: names and metadata take {} bytes; need at most {}", text.size(),
                         max_header);
  const auto length = std::bit_cast<std::array<char, 8>>(std::uint64_t{text.size()});
  write({length.data(), length.size()});
  write(text);
  for (const auto* const entry : sorted) write(bytes_of(entry->second));
}

void write_safetensors(const std::string& path, const TensorFile& content) {
  WholeFile file(path);
  write_safetensors(content, [&file](std::string_view bytes) { file.append(bytes); });
  file.finish();
}

}  // namespace xgrad::nn
