/// Lists what is in a model's file, or converts it: safetensors, .npz, .npy, ONNX, and C for boards.

#ifdef XGRAD_EXCHANGE
#include <nn/exchange/onnx.hpp>
#endif
#include <nn/files/npy.hpp>
#include <nn/files/npz.hpp>
#include <nn/files/safetensors.hpp>
#include <nn/saving/graph_model.hpp>
#include <nn/saving/model_file.hpp>
#include <nn/saving/write_c.hpp>

#include <autograd/tensor/error.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/numbers.hpp>
#include <autograd/text/table.hpp>
#include <autograd/text/words.hpp>

#include "command_line.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

using namespace xgrad;

namespace {

using Listing = nn::SafetensorsListing;

struct Format {
  std::string ending;
  std::function<Listing(const std::string& path)> list;         // without the values
  std::function<nn::TensorFile(const std::string& path)> read;  // none: only written
  std::function<void(const std::string& path, const nn::TensorFile& content, const std::string& source)> write;
};

std::string stem(const std::string& path) { return std::filesystem::path(path).stem().string(); }

Listing list_array(const std::string& path) {
  nn::InputFile file("read_npy", path);
  nn::StoredTensor array = nn::list_npy(file);
  if (file.left() != array.bytes)
    file.fail(fmt::format("found {} bytes behind the header; need {}", file.left(), array.bytes));
  array.name = stem(path);
  return {{array}, {}};
}

void write_array(const std::string& path, const nn::TensorFile& content) {
  if (content.tensors.size() != 1)
    throw_as<ValueError>("{} tensors for {}; an .npy file has one: choose it by --tensor", content.tensors.size(),
                         path);
  nn::write_npy(path, content.tensors.begin()->second);
}

#ifdef XGRAD_EXCHANGE
nn::TensorFile read_model_of_onnx(const std::string& path) {
  nn::OnnxModel onnx = nn::read_onnx(path);
  const nn::ModelGraph::Value& input = onnx.model.graph().values[onnx.model.graph().input];
  Shape example = input.shape;
  example.erase(0);
  nn::TensorFile content = nn::file_of(onnx.model, {.graph = nn::trace(onnx.model, example, input.dtype)});
  content.metadata.merge(onnx.metadata);
  return content;
}

Listing list_model_of_onnx(const std::string& path) {
  const nn::TensorFile content = read_model_of_onnx(path);
  Listing listing{{}, content.metadata};
  for (const auto& [name, tensor] : content.tensors)
    listing.tensors.push_back({name, nn::kind_of(tensor.dtype()), tensor.shape(), tensor.bytes()});
  return listing;
}

void write_model_as_onnx(const std::string& path, const nn::TensorFile& content, const std::string& source) {
  nn::OnnxOptions options{.name = stem(path), .metadata = content.metadata};
  options.metadata.erase("xgrad.graph");
  nn::write_onnx(nn::saved_graph(content, source), path, options);
}
#endif

void write_model_as_c(const std::string& path, const nn::TensorFile& content, const std::string& source) {
  nn::write_c(nn::saved_graph(content, source), path,
              {.name = stem(path), .preparation = nn::preparation_of(content.metadata, source)});
}

const std::vector<Format> formats = {
    {".safetensors", nn::list_safetensors, [](const auto& path) { return nn::read_safetensors(path); },
     [](const auto& path, const auto& content, const auto&) { nn::write_safetensors(path, content); }},
    {".npz",
     [](const auto& path) {
       return Listing{nn::list_npz(path), {}};
     },
     [](const auto& path) {
       return nn::TensorFile{nn::read_npz(path), {}};
     },
     [](const auto& path, const auto& content, const auto&) { nn::write_npz(path, content.tensors); }},
    {".npy", list_array,
     [](const auto& path) {
       return nn::TensorFile{{{stem(path), nn::read_npy(path)}}, {}};
     },
     [](const auto& path, const auto& content, const auto&) { write_array(path, content); }},
#ifdef XGRAD_EXCHANGE
    {".onnx", list_model_of_onnx, read_model_of_onnx, write_model_as_onnx},
#endif
    {".c", {}, {}, write_model_as_c},
};

const Format& format_of(const std::string& path) {
  const std::string ending = std::filesystem::path(path).extension().string();
  std::vector<std::string> known;
  for (const Format& format : formats) {
    if (format.ending == ending) return format;
    known.push_back(format.ending);
  }
  throw examples::UsageError("unknown kind of file " + path + "; known are " + joined(known));
}

void show(Listing listing, std::ostream& out) {
  std::sort(listing.tensors.begin(), listing.tensors.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  TextTable table = {{"name", "dtype", "shape", "numbers", "bytes"}};
  std::uint64_t numbers = 0, bytes = 0;
  for (const nn::StoredTensor& tensor : listing.tensors) {
    const std::uint64_t size = tensor.bytes / nn::element_size(tensor.kind);
    table.push_back({tensor.name, std::string(nn::name_of(tensor.kind)), to_string(tensor.shape),
                     with_separators(static_cast<double>(size)), with_separators(static_cast<double>(tensor.bytes))});
    numbers += size;
    bytes += tensor.bytes;
  }
  table.push_back(
      {"total", "", "", with_separators(static_cast<double>(numbers)), with_separators(static_cast<double>(bytes))});
  out << aligned(table, 3);
  for (const auto& [key, text] : listing.metadata)
    out << key << ": " << (text.size() > 200 ? fmt::format("{} bytes", text.size()) : text) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  std::string from, to, tensor;
  examples::CommandLine line("convert", "lists a file of tensors, or converts it");
  line.flag("from", from, "the file: .safetensors, .npz, .npy or .onnx");
  line.flag("to", to,
            "the file to write: .safetensors, .npz, .npy; .onnx or .c of a model that was saved with its graph");
  line.flag("tensor", tensor, "only this one");
  return line.run(argc, argv, [&] {
    if (from.empty()) throw examples::UsageError("--from is missing: which file?");
    const Format& source = format_of(from);
    if (!to.empty()) format_of(to);
    if (!source.read) throw examples::UsageError(source.ending + " is only written");
    Listing listing;
    if (to.empty() || !tensor.empty()) listing = source.list(from);
    if (!tensor.empty()) {
      std::vector<std::string> names;
      for (const nn::StoredTensor& one : listing.tensors) names.push_back(one.name);
      if (std::erase_if(listing.tensors, [&](const auto& one) { return one.name != tensor; }) == names.size())
        throw_as<ValueError>("{} has no tensor {}{}", from, tensor, did_you_mean(tensor, names));
      listing.metadata.clear();
    }
    if (to.empty()) {
      line.result("tensors", static_cast<std::int64_t>(listing.tensors.size()));
      return show(std::move(listing), line.out());
    }
    nn::TensorFile content = source.read(from);
    if (!tensor.empty()) content = {{*content.tensors.find(tensor)}, {}};
    line.result("tensors", static_cast<std::int64_t>(content.tensors.size()));
    format_of(to).write(to, content, from);
  });
}
