// onnx_models FOLDER: writes models of all layers as ONNX, their inputs and their outputs, for run.sh.

#include "tests/exchange/exported_models.hpp"

#include <nn/exchange/onnx.hpp>
#include <nn/files/whole_file.hpp>
#include <nn/nn.hpp>

#include <fstream>
#include <string>

using namespace xgrad;

int main(int, char** arguments) {
  const std::string folder = arguments[1];
  std::ofstream list(folder + "/list");
  for (const ExportedModel& model : exported_models()) {
    const Tensor x = model.inputs(50), y = model.run(x);
    const std::string path = folder + "/" + model.name;
    nn::write_onnx(model.trace(), path + ".onnx");
    nn::WholeFile(path + ".inputs").write(nn::bytes_of(x));
    nn::WholeFile(path + ".outputs").write(nn::bytes_of(y));
    list << model.name << ' ' << name_of(x.dtype());
    for (const std::int64_t extent : x.shape()) list << ' ' << extent;
    list << '\n';
  }
}
