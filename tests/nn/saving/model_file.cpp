#include "tests/nn/files/memory_peak.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <nn/files/safetensors.hpp>
#include <nn/nn.hpp>
#include <nn/saving/model_file.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace xgrad;

namespace {

struct Net : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(3, 4));
  nn::BatchNorm norm = add("norm", nn::BatchNorm(4));
  nn::PReLU bend = add("bend", nn::PReLU());
  nn::Embedding words = add("words", nn::Embedding(5, 4));
  nn::Linear output = add("output", nn::Linear(4, 2));
  Tensor operator()(const Tensor& x) const { return output(bend(norm(hidden(x)))); }
};

Net random_net(std::uint64_t seed_of_values) {
  Net net;
  std::uint64_t i = seed_of_values;
  for (Tensor& parameter : net.parameters()) parameter.assign(expect::random_tensor(parameter.shape(), ++i, float32));
  for (nn::NamedTensor& buffer : net.named_buffers())
    buffer.tensor.assign(expect::random_tensor(buffer.tensor.shape(), ++i, float32, 0.5, 2));
  return net;
}

std::vector<double> all_values(const nn::Module& model) {
  std::vector<double> values;
  for (const auto& [name, tensor] : nn::tensors_of(model).tensors)
    for (const double value : expect::values(tensor)) values.push_back(value);
  return values;
}

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : nn::read_safetensors(path).tensors) names.push_back(name);
  return names;
}

}  // namespace

TEST_CASE("a model that is saved and loaded has the same bits, buffers too") {
  const Folder folder;
  const Net net = random_net(1);
  nn::save(net, folder.file("net"));
  CHECK(names_in(folder.file("net")) ==
        std::vector<std::string>{"bend.slope", "hidden.bias", "hidden.weight", "norm.bias", "norm.running_mean",
                                 "norm.running_var", "norm.weight", "output.bias", "output.weight", "words.weight"});
  Net other = random_net(100);
  const Tensor weight = other.hidden.weight;
  const nn::LoadReport report = nn::load(other, folder.file("net"));
  CHECK(report.complete());
  CHECK(report.loaded.size() == 10);
  CHECK(report.text().empty());
  CHECK(expect::same_bits(all_values(other), all_values(net)));
  CHECK(weight.is(other.hidden.weight));
  CHECK(weight.is_leaf());
  CHECK(folder.entries() == 1);
}

TEST_CASE("a model is saved without a copy, and loaded with one: at most twice the file's memory") {
  if (!MemoryPeak::is_exact) {
    MESSAGE("skipped: under a sanitizer memory is not the program's alone");
    return;
  }
  const Folder folder;
  struct Wide : nn::Module {
    nn::Linear layer = add("layer", nn::Linear(2048, 6144));  // 48 MiB
  } model;
  for (const nn::Naming naming : {nn::Naming::ours, nn::Naming::torch}) {
    const double copies = naming == nn::Naming::torch ? 1 : 0;  // (out, in)
    {
      const MemoryPeak peak;
      nn::save(model, folder.file("wide"), {.naming = naming});
      CHECK(peak.risen() < 48 * copies + 4);
    }
    const MemoryPeak peak;
    nn::load(model, folder.file("wide"), {.naming = naming});
    CHECK(peak.risen() < 48 * (1 + copies) + 4);
  }
}

TEST_CASE("tied weights are stored once, and every handle sees what is loaded") {
  struct Tied : nn::Module {
    nn::Linear a = add("a", nn::Linear(2, 2));
    nn::Linear b = add("b", a);
  };
  const Folder folder;
  nn::save(Tied(), folder.file("tied"));
  CHECK(names_in(folder.file("tied")) == std::vector<std::string>{"a.bias", "a.weight"});
  Tied tied;
  nn::load(tied, folder.file("tied"));
  CHECK(tied.a.weight.is(tied.b.weight));
}

TEST_CASE("parameters that share their values are loaded in their order") {
  struct Sharing : nn::Module {
    Tensor a = parameter("a", zeros({300, 300}));
    Tensor b = parameter("b", detach(a));
    Tensor c = parameter("c", detach(a));
  } model;
  nn::TensorFile file;
  for (const auto& [name, value] : {std::pair{"a", 1.0}, {"b", 2.0}, {"c", 3.0}})
    file.tensors.emplace(name, full({300, 300}, value));
  const Folder folder;
  nn::write_safetensors(folder.file("sharing"), file);
  nn::load(model, folder.file("sharing"));
  for (const Tensor& x : {model.a, model.b, model.c}) CHECK(expect::values(x) == std::vector<double>(90000, 3));
}

TEST_CASE("a strict load refuses what does not fit, names the nearest, and leaves the model as it was") {
  const Folder folder;
  const std::string path = folder.file("net");
  Net net = random_net(1);
  nn::TensorFile file = nn::tensors_of(random_net(2));
  file.tensors["hiden.weight"] = file.tensors.at("hidden.weight");
  file.tensors.erase("hidden.weight");
  file.tensors["norm.bias"] = zeros({5});
  file.tensors["output.bias"] = zeros({2}, int64);
  nn::write_safetensors(path, file);
  const std::vector<double> before = all_values(net);
  CHECK(expect::error_of([&] { nn::load(net, path); }) ==
        "FileError: load: " + path +
            " does not fit the model; need the same names and shapes, or .strict = false:\n"
            "missing hidden.weight; did you mean hiden.weight?\n"
            "unexpected hiden.weight; did you mean hidden.weight?\n"
            "norm.bias is float32 (5,) in the file and float32 (4,) in the model\n"
            "output.bias is int64 (2,) in the file and float32 (2,) in the model");
  CHECK(expect::same_bits(all_values(net), before));

  const nn::LoadReport report = nn::load(net, path, {.strict = false});
  CHECK_FALSE(report.complete());
  CHECK(report.missing == std::vector<std::string>{"hidden.weight"});
  CHECK(report.unexpected == std::vector<std::string>{"hiden.weight"});
  REQUIRE(report.mismatched.size() == 2);
  CHECK(report.mismatched[0].name == "norm.bias");
  CHECK(report.loaded.size() == 7);
  CHECK(expect::values(net.output.weight) == expect::values(random_net(2).output.weight));
  CHECK(expect::values(net.hidden.weight) == expect::values(random_net(1).hidden.weight));
}

TEST_CASE("a damaged file leaves the model as it was") {
  const Folder folder;
  nn::save(random_net(2), folder.file("net"));
  std::filesystem::resize_file(folder / "net", std::filesystem::file_size(folder / "net") - 1);
  Net net = random_net(1);
  CHECK(expect::contains(expect::error_of([&] { nn::load(net, folder.file("net"), {.strict = false}); }), "truncated"));
  CHECK(expect::same_bits(all_values(net), all_values(random_net(1))));
}

TEST_CASE("PyTorch's names and orientation: weights (out, in), PReLU's weight, a count of batches that is ignored") {
  const Folder folder;
  const Net net = random_net(1);
  nn::save(net, folder.file("net"), {.naming = nn::Naming::torch});
  nn::TensorFile file = nn::read_safetensors(folder.file("net"));
  CHECK(file.tensors.at("hidden.weight").shape() == Shape{4, 3});
  CHECK(file.tensors.at("hidden.weight").item({3, 1}) == net.hidden.weight.item({1, 3}));
  CHECK(file.tensors.at("words.weight").shape() == Shape{5, 4});  // a table is a table
  CHECK(file.tensors.contains("bend.weight"));
  CHECK_FALSE(file.tensors.contains("bend.slope"));
  file.tensors["norm.num_batches_tracked"] = tensor(7, int64);
  nn::write_safetensors(folder.file("net"), file);
  Net other = random_net(9);
  CHECK(nn::load(other, folder.file("net"), {.naming = nn::Naming::torch}).complete());
  CHECK(expect::same_bits(all_values(other), all_values(net)));
  CHECK(expect::contains(expect::error_of([&] { nn::load(other, folder.file("net")); }),
                         "hidden.weight is float32 (4, 3) in the file and float32 (3, 4) in the model"));
}

TEST_CASE("values come in the model's dtype") {
  const Folder folder;
  Net wide = random_net(1);
  wide.to(float64);
  nn::save(wide, folder.file("wide"));
  Net net = random_net(2);
  nn::load(net, folder.file("wide"));
  CHECK(net.hidden.weight.dtype() == float32);
  CHECK(expect::same_bits(all_values(net), all_values(random_net(1))));
  nn::save(net, folder.file("narrow"));
  nn::load(wide, folder.file("narrow"));
  CHECK(wide.hidden.weight.dtype() == float64);
}

TEST_CASE("scalers, encoders and class names are saved with the model, every bit of them") {
  const Folder folder;
  nn::Linear model(2, 2);
  const nn::Scaler scaler({0.1, -1e-300}, {1.0 / 3, 5e22});
  nn::save(model, folder.file("m"),
           {.preparation = {.scalers = {{"inputs", scaler}},
                            .encoders = {{"colour", nn::OrdinalEncoder({"grün", "a,\"b\""})}},
                            .classes = {"no", "yes"}},
            .metadata = {{"author", "somebody"}}});
  const nn::LoadReport report = nn::load(model, folder.file("m"));
  CHECK(report.preparation.scalers.at("inputs").centers() == scaler.centers());
  CHECK(report.preparation.scalers.at("inputs").spreads() == scaler.spreads());
  CHECK(report.preparation.encoders.at("colour").categories() == std::vector<std::string>{"grün", "a,\"b\""});
  CHECK(report.preparation.classes == std::vector<std::string>{"no", "yes"});
  CHECK(report.metadata.at("author") == "somebody");
  CHECK(nn::load(model, folder.file("m"), {.strict = false}).complete());

  CHECK(expect::error_of([&] {
          nn::save(model, folder.file("n"), {.metadata = {{"xgrad.classes", ""}}});
        }) == "ValueError: save: the metadata key xgrad.classes is taken; need one that does not begin with xgrad.");
  CHECK(expect::error_of([&] { nn::save(model, folder.file("n"), {.preparation = {.classes = {"\xFF"}}}); }) ==
        "ValueError: save: a name of a class, category, column, scaler or encoder is not UTF-8");
  nn::TensorFile file = nn::tensors_of(model);
  for (const auto& [key, text] :
       std::vector<std::pair<std::string, std::string>>{{"xgrad.classes", "[1]"},
                                                        {"xgrad.classes", "["},
                                                        {"xgrad.encoders", R"({"a":["x","x"]})"},
                                                        {"xgrad.scalers", R"({"a":{"centers":[1]}})"},
                                                        {"xgrad.scalers", R"({"a":{"centers":[1],"spreads":[0]}})"}}) {
    file.metadata = {{key, text}};
    nn::write_safetensors(folder.file("bad"), file);
    CHECK(expect::contains(expect::error_of([&] { nn::load(model, folder.file("bad")); }),
                           "FileError: load: " + folder.file("bad") + ": the metadata " + key));
  }
}
