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

#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

using namespace xgrad;

namespace {

struct Format {
  std::string ending;
  std::function<nn::TensorFile(const std::string& path)> read;  // none: only written
  std::function<void(const std::string& path, const nn::TensorFile& content)> write;
};

nn::TensorFile one_array(const std::string& path) {
  return {{{std::filesystem::path(path).stem().string(), nn::read_npy(path)}}, {}};
}

void write_one_array(const std::string& path, const nn::TensorFile& content) {
  if (content.tensors.size() != 1)
    throw_as<ValueError>("convert: {} tensors for {}; an .npy file has one: choose it by --tensor",
                         content.tensors.size(), path);
  nn::write_npy(path, content.tensors.begin()->second);
}

#ifdef XGRAD_EXCHANGE
nn::TensorFile model_of_onnx(const std::string& path) {
  nn::OnnxModel onnx = nn::read_onnx(path);
  const nn::ModelGraph::Value& input = onnx.model.graph().values[onnx.model.graph().input];
  Shape example = input.shape;
  example.erase(0);
  nn::TensorFile content = nn::file_of(onnx.model, {.graph = nn::trace(onnx.model, example, input.dtype)});
  content.metadata.merge(onnx.metadata);
  return content;
}

void write_model_as_onnx(const std::string& path, const nn::TensorFile& content) {
  nn::OnnxOptions options{.name = std::filesystem::path(path).stem().string(), .metadata = content.metadata};
  options.metadata.erase("xgrad.graph");
  nn::write_onnx(nn::saved_graph(content, path), path, options);
}
#endif

const std::vector<Format> formats = {
    {".safetensors", [](const std::string& path) { return nn::read_safetensors(path); },
     [](const std::string& path, const nn::TensorFile& content) { nn::write_safetensors(path, content); }},
    {".npz",
     [](const std::string& path) {
       return nn::TensorFile{nn::read_npz(path), {}};
     },
     [](const std::string& path, const nn::TensorFile& content) { nn::write_npz(path, content.tensors); }},
    {".npy", one_array, write_one_array},
#ifdef XGRAD_EXCHANGE
    {".onnx", model_of_onnx, write_model_as_onnx},
#endif
    {".c",
     {},
     [](const std::string& path, const nn::TensorFile& content) {
       nn::write_c(nn::saved_graph(content, path), path,
                   {.name = std::filesystem::path(path).stem().string(),
                    .preparation = nn::preparation_of(content.metadata, path)});
     }},
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

void list(const nn::TensorFile& content, std::ostream& out) {
  TextTable table = {{"name", "dtype", "shape", "numbers", "bytes"}};
  std::size_t numbers = 0, bytes = 0;
  for (const auto& [name, tensor] : content.tensors) {
    table.push_back({name, std::string(name_of(tensor.dtype())), to_string(tensor.shape()),
                     with_separators(static_cast<double>(tensor.size())),
                     with_separators(static_cast<double>(tensor.bytes()))});
    numbers += tensor.size();
    bytes += tensor.bytes();
  }
  table.push_back(
      {"total", "", "", with_separators(static_cast<double>(numbers)), with_separators(static_cast<double>(bytes))});
  out << aligned(table, 3);
  for (const auto& [key, text] : content.metadata)
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
    nn::TensorFile content = source.read(from);
    if (!tensor.empty()) {
      const auto found = content.tensors.find(tensor);
      std::vector<std::string> names;
      for (const auto& [name, values] : content.tensors) names.push_back(name);
      if (found == content.tensors.end())
        throw_as<ValueError>("convert: {} has no tensor {}{}", from, tensor, did_you_mean(tensor, names));
      content = {{*found}, {}};
    }
    line.result("tensors", static_cast<std::int64_t>(content.tensors.size()));
    if (to.empty())
      list(content, line.out());
    else
      format_of(to).write(to, content);
  });
}
