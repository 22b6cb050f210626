/// Runs a saved model on a file of inputs, and writes what it predicts.

#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/data/csv.hpp>
#include <nn/data/data.hpp>
#include <nn/data/idx.hpp>
#include <nn/data/write_csv.hpp>
#include <nn/files/npy.hpp>
#include <nn/saving/graph_model.hpp>
#include <nn/saving/model_file.hpp>

#include "command_line.hpp"
#include "csv_flags.hpp"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

constexpr std::int64_t piece = 1000;  // rows at a time

nn::Rows rows_in(const std::string& path, nn::CsvOptions options, DType dtype) {
  const std::string ending = std::filesystem::path(path).extension().string();
  if (ending == ".npy") return nn::read_npy(path);
  if (ending != ".csv") return nn::read_idx(path);
  if (options.header == nn::CsvHeader::present) options.header = nn::CsvHeader::detect;
  const nn::CsvTable table = nn::read_csv(path, options);
  return table.numbers(table.columns(), dtype);
}

Tensor predictions(const nn::SavedModel& saved, const std::string& path, nn::CsvOptions options) {
  const auto& [model, preparation, metadata] = saved;
  const auto& input = model.graph().values[model.graph().input];
  Shape example = input.shape;
  example.erase(0);
  // A model of a table takes the columns that it was trained on, wherever they stand.
  const bool of_table = !preparation.columns.empty();
  if (of_table) {
    if (!options.columns.empty()) throw examples::UsageError("--columns: the model knows the columns of its table");
    options.columns = preparation.columns;
    options.missing = nn::CsvMissing::keep;
  }
  const nn::Rows inputs = of_table ? nn::Rows(nn::inputs_of(preparation, nn::read_csv(path, options), input.dtype))
                                   : rows_in(path, options, input.dtype).reshape_rows(example);
  const auto none = preparation.scalers.end();
  const auto in = of_table ? none : preparation.scalers.find("inputs"), out = preparation.scalers.find("targets");
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < inputs.rows(); first += piece) {
    const nn::Rows part = inputs.subset(first, std::min(first + piece, inputs.rows()));
    Tensor x = part.all(is_floating(input.dtype) ? std::optional(input.dtype) : std::nullopt);
    if (in != none) x = in->second.apply(x);
    const Tensor y = model(x);
    parts.push_back(out == none ? y : out->second.invert(y));
  }
  return parts.size() == 1 ? parts[0] : concatenate(parts, 0);
}

bool is_npy(const std::string& path) { return std::filesystem::path(path).extension() == ".npy"; }

void write(const std::string& path, const Tensor& y, const std::vector<std::string>& classes) {
  if (is_npy(path)) return nn::write_npy(path, y);
  const std::int64_t columns = y.rank() == 1 ? 1 : y.shape().back();
  const bool named = static_cast<std::int64_t>(classes.size()) == columns;
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < columns; ++i)
    names.push_back(named ? classes[static_cast<std::size_t>(i)] : fmt::format("output_{}", i));
  std::vector<nn::CsvColumn> table = nn::csv_columns(names, reshape(y, {-1, columns}));
  if (named) {
    std::vector<std::string> predicted;
    const Tensor best = argmax(y, -1);
    for (const std::int64_t i : best.values<std::int64_t>()) predicted.push_back(classes[static_cast<std::size_t>(i)]);
    table.insert(table.begin(), {"class", predicted});
  }
  nn::write_csv(path, table);
}

}  // namespace

int main(int argc, char** argv) {
  std::string model, inputs, output;
  examples::CommandLine line("predict", "runs a saved model on a file of inputs");
  line.flag("model", model, "a .safetensors file that was saved with the model's graph");
  line.flag("inputs", inputs, "rows of inputs: .csv, with the columns of a table that it was trained on, .npy or IDX");
  line.flag("output", output, "where the predictions go: .csv, with the names of classes, or .npy");
  const examples::CsvFlags csv(line);
  return line.run(argc, argv, [&] {
    if (model.empty() || inputs.empty() || output.empty())
      throw examples::UsageError("--model, --inputs and --output are needed");
    if (model.ends_with(".onnx"))
      throw examples::UsageError("--model is of ONNX; `convert --from " + model + " --to model.safetensors` reads it");
    const std::string ending = std::filesystem::path(output).extension().string();
    if (!ending.empty() && ending != ".csv" && !is_npy(output))
      throw examples::UsageError("unknown kind of file " + output + "; known are .csv and .npy");
    const Pause pause;
    const nn::SavedModel saved = nn::load_model(model);
    const Tensor y = predictions(saved, inputs, csv.options());
    write(output, y, saved.preparation.classes);
    line.out() << y.shape(0) << " rows, " << to_string(y.shape()) << '\n';
    line.result("rows", y.shape(0));
  });
}
