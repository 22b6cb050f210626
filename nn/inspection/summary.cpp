#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/table.hpp>
#include <nn/inspection/summary.hpp>

#include <set>
#include <string>

namespace xgrad::nn {

namespace {

/// 1,628,240
std::string with_separators(std::size_t count) {
  std::string digits = fmt::format("{}", count);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

class Listing final : public LayerObserver {
 public:
  void called(const Module& layer, const char* kind, const Tensor& output, double flops) override {
    // Parameters count once, however often their layer is called.
    const bool counts = layer.path().empty() || listed_.insert(layer.path()).second;
    const auto whole_flops = static_cast<std::size_t>(flops);
    add(layer.path().empty() ? "-" : layer.path(), kind, output, counts ? layer.parameter_count() : 0, whole_flops,
        output.bytes());
    flops_ += whole_flops;
    bytes_ += output.bytes();
  }

  std::string text(const Module& model, const Tensor& output) {
    add("total", "", output, model.parameter_count(), flops_, bytes_);
    std::size_t bytes = 0, frozen = 0;
    for (const Tensor& parameter : model.parameters()) {
      bytes += parameter.bytes();
      if (!parameter.is_leaf()) frozen += parameter.size();
    }
    return fmt::format("{}parameters take {} bytes{}\n", aligned(table_, 3), with_separators(bytes),
                       frozen > 0 ? "; " + with_separators(frozen) + " parameters are frozen" : "");
  }

 private:
  void add(const std::string& path, const char* kind, const Tensor& output, std::size_t parameters, std::size_t flops,
           std::size_t bytes) {
    table_.push_back({path, kind, to_string(output.shape()), with_separators(parameters), with_separators(flops),
                      with_separators(bytes)});
  }

  TextTable table_ = {{"layer", "kind", "output", "parameters", "flops", "bytes"}};
  std::set<std::string> listed_;
  std::size_t flops_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

std::string summary_of_call(const Module& model, const std::function<Tensor()>& call) {
  const Pause pause;
  Listing listing;
  return listing.text(model, call());
}

Tensor example_input(const Module& model, const Shape& shape) {
  if (shape.rank() == Shape::capacity)
    throw_as<ShapeError>("summary: examples of shape {}; need at most {} axes, beside the batch's", shape,
                         Shape::capacity - 1);
  Shape batch = shape;
  batch.insert(0, 1);
  const std::vector<Tensor> parameters = model.parameters();
  return zeros(batch, parameters.empty() ? default_dtype() : parameters.front().dtype());
}

}  // namespace xgrad::nn
