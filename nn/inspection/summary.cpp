#include <autograd/tensor/format.hpp>
#include <autograd/text/table.hpp>
#include <nn/inspection/summary.hpp>

#include <set>
#include <string>

namespace xgrad::nn {

namespace {

/// 1,628,240
std::string with_separators(double count) {
  std::string digits = fmt::format("{:.0f}", count);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

double size_of(const Tensor& x) { return static_cast<double>(x.size()); }
double bytes_of(const Tensor& x) { return static_cast<double>(x.bytes()); }

/// The sum of f over the parameters of a module.
double total(const Module& module, const auto& f) {
  double sum = 0;
  for (const Tensor& parameter : module.parameters()) sum += f(parameter);
  return sum;
}

class Listing final : public LayerObserver {
 public:
  void called(const Module& layer, const char* kind, const Tensor& output, double flops) override {
    // Parameters count once, however often their layer is called.
    const bool counts = layer.path().empty() || listed_.insert(layer.path()).second;
    add(layer.path().empty() ? "-" : layer.path(), kind, output, counts ? total(layer, size_of) : 0, flops,
        bytes_of(output));
    flops_ += flops;
    bytes_ += bytes_of(output);
  }

  std::string text(const Module& model, const Tensor& output) {
    add("total", "", output, total(model, size_of), flops_, bytes_);
    const double frozen = total(model, [](const Tensor& x) { return x.is_leaf() ? 0 : size_of(x); });
    return fmt::format("{}parameters take {} bytes{}\n", aligned(table_, 3), with_separators(total(model, bytes_of)),
                       frozen > 0 ? "; " + with_separators(frozen) + " parameters are frozen" : "");
  }

 private:
  void add(const std::string& path, const char* kind, const Tensor& output, double parameters, double flops,
           double bytes) {
    table_.push_back({path, kind, to_string(output.shape()), with_separators(parameters), with_separators(flops),
                      with_separators(bytes)});
  }

  TextTable table_ = {{"layer", "kind", "output", "parameters", "flops", "bytes"}};
  std::set<std::string> listed_;
  double flops_ = 0;
  double bytes_ = 0;
};

}  // namespace

std::string summary_of_call(const Module& model, const std::function<Tensor(const Tensor&)>& call,
                            const Tensor& input) {
  const Pause pause;
  Listing listing;
  return listing.text(model, call(input));
}

Tensor example_input(const Module& model, const Shape& shape) {
  Shape batch = shape;
  batch.insert(0, 1);
  const std::vector<Tensor> parameters = model.parameters();
  return zeros(batch, parameters.empty() ? default_dtype() : parameters.front().dtype());
}

}  // namespace xgrad::nn
