#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

// Includes go one way, from a later layer to an earlier one or within a layer. An entry is a file without its ending,
// or a folder. Every header of autograd/ and nn/ stands here; a source may stand above its header.
namespace {

const std::vector<std::vector<std::string>> layers = {
    {"autograd/error"},
    {"autograd/dtype"},
    {"autograd/shape"},
    {"autograd/memory", "autograd/blas", "autograd/tape_id"},
    {"autograd/tensor"},
    {"autograd/kernels/"},
    {"autograd/operation"},
    {"autograd/tape", "autograd/gradients", "autograd/recorder"},
    {"autograd/pointwise", "autograd/random", "autograd/xtensor", "autograd/update", "autograd/parallel_parts",
     "autograd/background_task", "autograd/ops/"},
    {"autograd/op_table", "autograd/gradient_check", "autograd/gradient_report", "autograd/numerical_derivative",
     "autograd/gradient_experiment", "autograd/gradient_finding", "autograd/gradient_precision",
     "autograd/op_table_check", "autograd/functional"},
    {"autograd/autograd"},
    {"nn/"},
    {"examples/"},
    {"tests/"},
};

/// Path below the root -> text.
using Sources = std::map<std::string, std::string>;

std::optional<std::size_t> layer_of(const std::string& path) {
  const std::string stem = path.substr(0, path.rfind('.'));
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    for (const std::string& entry : layers[layer])
      if (entry == stem || (entry.ends_with('/') && path.starts_with(entry))) return layer;
  }
  return std::nullopt;
}

std::vector<std::string> includes_of(const std::string& text) {
  static const std::regex line("(^|\n)[ \t]*#[ \t]*include[ \t]*[<\"]([^>\"]+)[>\"]");
  std::vector<std::string> includes;
  for (std::sregex_iterator match(text.begin(), text.end(), line), end; match != end; ++match)
    includes.push_back((*match)[2]);
  return includes;
}

bool is_ours(const std::string& include) {
  return include.starts_with("autograd/") || include.starts_with("nn/") || include.starts_with("examples/") ||
         include.starts_with("tests/");
}

bool starts_with_any(const std::string& text, const std::vector<std::string>& starts) {
  return std::any_of(starts.begin(), starts.end(), [&](const std::string& start) { return text.starts_with(start); });
}

/// What is wrong with one include of a file, or "".
std::string objection(const std::string& path, const std::string& include) {
  const bool header = path.ends_with(".hpp");
  if (starts_with_any(include, {"xtensor", "xtl/", "xflens/"}) && header && path != "autograd/xtensor.hpp")
    return "only autograd/xtensor.hpp and sources include xtensor";
  if (starts_with_any(include, {"tbb/", "oneapi/"}) && !path.starts_with("autograd/kernels/parallel."))
    return "only autograd/kernels/parallel uses TBB";
  if (!is_ours(include)) return "";
  if (path.starts_with("nn/") && include.starts_with("autograd/kernels/")) return "nn uses no kernels";

  const std::optional<std::size_t> to = layer_of(include);
  if (!to) return "the included file has no layer";
  std::optional<std::size_t> from = layer_of(path);
  // A source without a header of its name stands at the top of its folder.
  if (!from && !header) from = layer_of("autograd/autograd");
  if (!from) return "the file has no layer";
  return *to > *from ? "the included file is in a later layer" : "";
}

/// Walks the includes of a header depth first and reports the way back to a header that is still open.
void find_cycles(const Sources& sources, const std::string& path, std::vector<std::string>& open,
                 std::map<std::string, bool>& done, std::vector<std::string>& found) {
  if (done[path]) return;
  if (std::find(open.begin(), open.end(), path) != open.end()) {
    found.push_back(path + " includes itself through " + open.back());
    return;
  }
  const auto source = sources.find(path);
  if (source == sources.end()) return;
  open.push_back(path);
  for (const std::string& include : includes_of(source->second)) find_cycles(sources, include, open, done, found);
  open.pop_back();
  done[path] = true;
}

std::vector<std::string> violations(const Sources& sources) {
  std::vector<std::string> found;
  std::map<std::string, bool> done;
  for (const auto& [path, text] : sources) {
    if (path.ends_with(".hpp") && !layer_of(path)) found.push_back(path + ": the file has no layer");
    for (const std::string& include : includes_of(text)) {
      const std::string reason = objection(path, include);
      if (!reason.empty()) found.push_back(path + " includes " + include + ": " + reason);
    }
    std::vector<std::string> open;
    find_cycles(sources, path, open, done, found);
  }
  return found;
}

Sources read_tree() {
  const std::filesystem::path root = XGRAD_SOURCE_DIR;
  Sources sources;
  for (const char* folder : {"autograd", "nn"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".hpp" && extension != ".cpp") continue;
      std::ifstream file(entry.path());
      std::ostringstream text;
      text << file.rdbuf();
      sources[std::filesystem::relative(entry.path(), root).generic_string()] = text.str();
    }
  }
  return sources;
}

}  // namespace

TEST_CASE("includes of the source tree go one way") {
  const Sources sources = read_tree();
  REQUIRE(sources.contains("autograd/tensor.hpp"));
  std::size_t of_ours = 0;
  for (const auto& [path, text] : sources) {
    const std::vector<std::string> includes = includes_of(text);
    of_ours += static_cast<std::size_t>(std::count_if(includes.begin(), includes.end(), is_ours));
  }
  CHECK(of_ours > sources.size());
  for (const std::string& violation : violations(sources)) FAIL_CHECK(violation);
}

TEST_CASE("a planted back edge, cycle, unknown header or foreign include is found") {
  CHECK(violations({{"autograd/tape.hpp", "#include <autograd/tensor.hpp>\n#include <vector>\n"},
                    {"autograd/sweep.cpp", "#include <autograd/tape.hpp>\n#include <xtensor/xarray.hpp>\n"},
                    {"autograd/xtensor.hpp", "#include <xtensor/xarray.hpp>\n"},
                    {"nn/linear.cpp", "#include <autograd/autograd.hpp>\n#include <nn/linear.hpp>\n"}})
            .empty());

  const std::vector<std::pair<Sources, std::string>> planted = {
      {{{"autograd/shape.hpp", "// text\n  #  include \"autograd/tensor.hpp\"\n"}},
       "autograd/shape.hpp includes autograd/tensor.hpp: the included file is in a later layer"},
      {{{"autograd/kernels/gemm.cpp", "#include <autograd/tape.hpp>"}},
       "autograd/kernels/gemm.cpp includes autograd/tape.hpp: the included file is in a later layer"},
      {{{"autograd/ops/linear.hpp", "#include <autograd/op_table.hpp>"}},
       "autograd/ops/linear.hpp includes autograd/op_table.hpp: the included file is in a later layer"},
      {{{"autograd/sweep.cpp", "#include <nn/module.hpp>"}},
       "autograd/sweep.cpp includes nn/module.hpp: the included file is in a later layer"},
      {{{"autograd/tensor.hpp", "#include <xtensor/xarray.hpp>"}},
       "autograd/tensor.hpp includes xtensor/xarray.hpp: only autograd/xtensor.hpp and sources include xtensor"},
      {{{"nn/optimizers.cpp", "#include <autograd/kernels/vector.hpp>"}},
       "nn/optimizers.cpp includes autograd/kernels/vector.hpp: nn uses no kernels"},
      {{{"nn/data.cpp", "#include <tbb/parallel_for.h>"}},
       "nn/data.cpp includes tbb/parallel_for.h: only autograd/kernels/parallel uses TBB"},
      {{{"autograd/extras.hpp", ""}}, "autograd/extras.hpp: the file has no layer"},
      {{{"autograd/ops/a.hpp", "#include <autograd/ops/b.hpp>"},
        {"autograd/ops/b.hpp", "#include <autograd/ops/a.hpp>"}},
       "autograd/ops/a.hpp includes itself through autograd/ops/b.hpp"}};
  for (const auto& [sources, expected] : planted) CHECK(violations(sources) == std::vector<std::string>{expected});
}
