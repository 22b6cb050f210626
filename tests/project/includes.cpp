#include "tests/support/folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

// Rooms from the ground up. Includes go one way: to a lower room, or within one. An entry is a folder, or a file
// without its ending that stands apart from its folder's room.
namespace {

const std::vector<std::string> rooms = {
    "autograd/text/",
    "autograd/tensor/",
    "autograd/parallel/",
    "autograd/kernels/simd/",
    "autograd/kernels/pointwise/",
    "autograd/kernels/gemm/",
    "autograd/kernels/",
    "autograd/tape/",
    "autograd/pointwise",
    "autograd/xtensor",
    "autograd/ops/",
    "autograd/functional/",
    "autograd/check/",
    "autograd/table/",
    "autograd/autograd",
    "nn/files/",
    "nn/layers/",
    "nn/losses/",
    "nn/optimizers/",
    "nn/data/",
    "nn/saving/",
    "nn/graph/",
    "nn/ranks/",
    "nn/training/",
    "nn/inspection/",
    "nn/doctor/",
    "nn/report/",
    "nn/exchange/",
    "nn/distributed/",
    "nn/table/",
    "nn/nn",
    "examples/",
    "examples/playground/",
    "examples/playground",
    "tests/",
};

/// A tool for raw loops, and the rooms of the library that may hold it.
struct Tool {
  std::string name;
  std::regex use;
  std::vector<std::string> homes;
};

const std::vector<Tool>& tools() {
  static const std::vector<Tool> list = {
      {"TBB", std::regex(R"(#\s*include\s*[<"](tbb|oneapi)/|\btbb::)"), {"autograd/parallel/"}},
      {"SIMD",
       std::regex(R"(#\s*include\s*[<"](xsimd/|[a-z]*mmintrin|x86intrin)|\bxsimd::|\bvector_size\b|\b_mm[0-9]*_)"),
       {"autograd/kernels/"}},
      {"BLAS",
       std::regex(R"(#\s*include\s*[<"](cblas|openblas|lapacke|xflens/|xtensor-blas/)|\bcblas_)"),
       {"autograd/kernels/gemm/"}},
      {"raw loops",
       std::regex(R"(\b__builtin_(prefetch|assume_aligned|ia32|shuffle)|\b__restrict)"
                  R"(|#\s*pragma\s+(GCC\s+(ivdep|unroll)|omp|clang\s+loop))"),
       {"autograd/kernels/"}},
  };
  return list;
}

/// A header that users include, and what it may bring of others' headers, whose cost every user pays.
struct Door {
  std::string path;
  std::vector<std::string> brings;
};

const std::vector<Door> doors = {
    {"autograd/autograd.hpp", {}},
    {"autograd/pointwise.hpp", {"xsimd/", "immintrin.h"}},
    {"autograd/xtensor.hpp", {"xtensor/"}},
    {"nn/nn.hpp", {}},
};

const std::string first_header = "autograd/tensor/needs_cplusplus20.hpp";

constexpr std::size_t max_names_in_a_room = 20;  // a header and its source counted once

/// Path below the root -> text.
using Sources = std::map<std::string, std::string>;

std::string stem_of(const std::string& path) { return path.substr(0, path.rfind('.')); }
std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

/// The room's number: of the longest entry that fits.
std::optional<std::size_t> room_of(const std::string& path) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < rooms.size(); ++i) {
    const bool fits = rooms[i].ends_with('/') ? path.starts_with(rooms[i]) : stem_of(path) == rooms[i];
    if (fits && (!best || rooms[i].size() > rooms[*best].size())) best = i;
  }
  return best;
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
  if (starts_with_any(include, {"xtensor", "xtl/", "xflens/"}) && path.ends_with(".hpp") &&
      path != "autograd/xtensor.hpp")
    return "only autograd/xtensor.hpp and sources include xtensor";
  if (!is_ours(include)) return "";
  if (path.starts_with("nn/") && include.starts_with("autograd/kernels/")) return "nn uses no kernels";
  const std::optional<std::size_t> from = room_of(path), to = room_of(include);
  if (!to) return "the included file has no room";
  return from && *to > *from ? "the included file is in a higher room" : "";
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

/// A name with a folder or an ending is of no header of the standard library.
bool is_of_others(const std::string& include) {
  return !is_ours(include) && (include.find('/') != std::string::npos || include.ends_with(".h"));
}

/// What a door brings of others' headers that it may not, by way of all that it includes.
void find_burdens(const Sources& sources, const Door& door, const std::string& path, std::set<std::string>& seen,
                  std::vector<std::string>& found) {
  const auto source = sources.find(path);
  if (source == sources.end() || !seen.insert(path).second) return;
  for (const std::string& include : includes_of(source->second)) {
    if (is_of_others(include) && !starts_with_any(include, door.brings))
      found.push_back(door.path + " brings " + include + " by way of " + path);
    find_burdens(sources, door, include, seen, found);
  }
}

std::vector<std::string> violations(const Sources& sources) {
  std::vector<std::string> found;
  std::map<std::string, bool> done;
  std::map<std::string, std::set<std::string>> names;
  for (const auto& [path, text] : sources) names[folder_of(path)].insert(stem_of(path));
  for (const auto& [path, text] : sources) {
    if (!room_of(path)) found.push_back(path + ": the file has no room");
    for (const std::string& include : includes_of(text)) {
      const std::string reason = objection(path, include);
      if (!reason.empty()) found.push_back(path + " includes " + include + ": " + reason);
    }
    const bool of_library = starts_with_any(path, {"autograd/", "nn/"});
    for (const Tool& tool : tools())
      if (of_library && !starts_with_any(path, tool.homes) && std::regex_search(text, tool.use))
        found.push_back(path + ": " + tool.name + " outside of " + tool.homes.front());
    if (starts_with_any(path, {"tests/autograd/", "tests/nn/"}) && !names.contains(folder_of(path.substr(6))))
      found.push_back(path + ": a test of no room");
    std::vector<std::string> open;
    find_cycles(sources, path, open, done, found);
  }
  for (const Door& door : doors) {
    const auto source = sources.find(door.path);
    if (source != sources.end() && includes_of(source->second).at(0) != first_header)
      found.push_back(door.path + " does not begin with " + first_header);
    std::set<std::string> seen;
    find_burdens(sources, door, door.path, seen, found);
  }
  for (const auto& [room, stems] : names)
    if (stems.size() > max_names_in_a_room)
      found.push_back(room + ": " + std::to_string(stems.size()) + " names in one room");
  return found;
}

Sources read_tree() {
  const std::filesystem::path root = XGRAD_SOURCE_DIR;
  Sources sources;
  for (const char* folder : {"autograd", "nn", "examples", "tests"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".hpp" && extension != ".cpp") continue;
      sources[std::filesystem::relative(entry.path(), root).generic_string()] = content_of(entry.path());
    }
  }
  return sources;
}

}  // namespace

TEST_CASE("includes of the source tree go one way") {
  const Sources sources = read_tree();
  for (const Door& door : doors) REQUIRE(sources.contains(door.path));
  REQUIRE(sources.contains(first_header));
  std::size_t of_ours = 0;
  for (const auto& [path, text] : sources) {
    const std::vector<std::string> includes = includes_of(text);
    of_ours += static_cast<std::size_t>(std::count_if(includes.begin(), includes.end(), is_ours));
  }
  CHECK(of_ours > sources.size());
  for (const std::string& violation : violations(sources)) FAIL_CHECK(violation);
}

TEST_CASE("every kind of trespass is found when it is planted") {
  const std::string first = "#include <" + first_header + ">\n";
  CHECK(violations({{"autograd/tape/tape.hpp", "#include <autograd/tensor/tensor.hpp>\n#include <vector>\n"},
                    {"autograd/tape/sweep.cpp", "#include <autograd/tape/tape.hpp>\n#include <xtensor/xarray.hpp>\n"},
                    {"autograd/xtensor.hpp", first + "#include <xtensor/xarray.hpp>\n"},
                    {"autograd/kernels/simd/simd.hpp", "#include <xsimd/xsimd.hpp>\n"},
                    {"autograd/kernels/gemm/blas.cpp", "#include <xtensor-blas/xlinalg.hpp>\n"},
                    {"autograd/parallel/parallel.cpp", "#include <tbb/parallel_for.h>\n"},
                    {"nn/layers/linear.cpp", "#include <autograd/autograd.hpp>\n#include <nn/layers/linear.hpp>\n"}})
            .empty());

  Sources crowd;
  for (char name = 'a'; name <= 'u'; ++name) crowd[std::string("nn/data/") + name + ".cpp"] = "";
  const std::vector<std::pair<Sources, std::string>> planted = {
      {{{"autograd/tensor/shape.hpp", "// text\n  #  include \"autograd/tape/tape.hpp\"\n"}},
       "autograd/tensor/shape.hpp includes autograd/tape/tape.hpp: the included file is in a higher room"},
      {{{"autograd/kernels/gemm/gemm.cpp", "#include <autograd/tape/tape.hpp>"}},
       "autograd/kernels/gemm/gemm.cpp includes autograd/tape/tape.hpp: the included file is in a higher room"},
      {{{"autograd/pointwise.cpp", "#include <autograd/ops/layout.hpp>"}},
       "autograd/pointwise.cpp includes autograd/ops/layout.hpp: the included file is in a higher room"},
      {{{"autograd/tape/sweep.cpp", "#include <nn/layers/module.hpp>"}},
       "autograd/tape/sweep.cpp includes nn/layers/module.hpp: the included file is in a higher room"},
      {{{"nn/layers/module.hpp", "#include <nn/training/training.hpp>"}},
       "nn/layers/module.hpp includes nn/training/training.hpp: the included file is in a higher room"},
      {{{"autograd/tensor/tensor.hpp", "#include <xtensor/xarray.hpp>"}},
       "autograd/tensor/tensor.hpp includes xtensor/xarray.hpp: only autograd/xtensor.hpp and sources include xtensor"},
      {{{"nn/optimizers/sgd.cpp", "#include <autograd/kernels/vector.hpp>"}},
       "nn/optimizers/sgd.cpp includes autograd/kernels/vector.hpp: nn uses no kernels"},
      {{{"nn/data/data.cpp", "#include <tbb/parallel_for.h>"}}, "nn/data/data.cpp: TBB outside of autograd/parallel/"},
      {{{"autograd/ops/reduce.cpp", "#include <immintrin.h>"}},
       "autograd/ops/reduce.cpp: SIMD outside of autograd/kernels/"},
      {{{"nn/graph/pass.cpp", "typedef float V __attribute__((vector_size(32)));"}},
       "nn/graph/pass.cpp: SIMD outside of autograd/kernels/"},
      {{{"nn/graph/pass.cpp", "xsimd::batch<float> v;"}}, "nn/graph/pass.cpp: SIMD outside of autograd/kernels/"},
      {{{"nn/layers/init.cpp", "#include <cblas.h>"}}, "nn/layers/init.cpp: BLAS outside of autograd/kernels/gemm/"},
      {{{"nn/data/data.cpp", "void f(float* p) { __builtin_prefetch(p); }"}},
       "nn/data/data.cpp: raw loops outside of autograd/kernels/"},
      {{{"autograd/extras.hpp", ""}}, "autograd/extras.hpp: the file has no room"},
      {crowd, "nn/data/: 21 names in one room"},
      {{{"tests/nn/optimizer/sgd.cpp", ""}, {"nn/optimizers/sgd.cpp", ""}},
       "tests/nn/optimizer/sgd.cpp: a test of no room"},
      {{{"nn/nn.hpp", first + "#include <nn/layers/module.hpp>"},
        {"nn/layers/module.hpp", "#include <autograd/tensor/format.hpp>"},
        {"autograd/tensor/format.hpp", "#include <fmt/core.h>\n#include <string>"}},
       "nn/nn.hpp brings fmt/core.h by way of autograd/tensor/format.hpp"},
      {{{"nn/nn.hpp", "#include <nn/layers/module.hpp>\n#include <autograd/tensor/needs_cplusplus20.hpp>"}},
       "nn/nn.hpp does not begin with autograd/tensor/needs_cplusplus20.hpp"},
      {{{"autograd/ops/a.hpp", "#include <autograd/ops/b.hpp>"},
        {"autograd/ops/b.hpp", "#include <autograd/ops/a.hpp>"}},
       "autograd/ops/a.hpp includes itself through autograd/ops/b.hpp"}};
  for (const auto& [sources, expected] : planted) CHECK(violations(sources) == std::vector<std::string>{expected});
}
