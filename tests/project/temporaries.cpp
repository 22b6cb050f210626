#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <filesystem>
#include <regex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// What a temporary gives is not a reference into it: `const Tensor& g = tape.backward(loss)[w]` holds a tensor, and
// `for (auto& c : t.categories("y").categories())` runs over strings that are there.

using namespace xgrad;

namespace {

/// Functions of a class whose values users hold that give a reference to what it owns, on temporaries as well.
/// Exempt: those of objects that others own, or that are valid for a call by their documentation (Call, Inputs,
/// Program).
std::vector<std::string> references_into_temporaries(std::string text) {
  for (std::size_t begin = text.find("\n private:"); begin != std::string::npos; begin = text.find("\n private:"))
    text.erase(begin, text.find("\n};", begin) - begin);
  static const std::regex accessor(
      R"(\n +(const [\w:<>, ]+& |std::span<const [\w:]+> )(operator\[\]|\w+)\([^()]*\) const( \{|;))");
  std::vector<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), accessor), end; match != end; ++match)
    found.push_back((*match)[2]);
  return found;
}

template <class T>
constexpr bool is_value = !std::is_reference_v<T>;

}  // namespace

TEST_CASE("no header has a function that gives a reference into a temporary") {
  const std::filesystem::path root = XGRAD_SOURCE_DIR;
  const std::vector<std::string> exempt = {"autograd/tape/call.hpp", "autograd/tape/recorder.hpp",
                                           "autograd/tensor/tensors.hpp", "autograd/kernels/pointwise/program.hpp",
                                           "autograd/functional/recording.hpp"};
  std::size_t headers = 0;
  for (const char* folder : {"autograd", "nn"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string path = entry.path().lexically_relative(root).string();
      if (!path.ends_with(".hpp") || std::find(exempt.begin(), exempt.end(), path) != exempt.end()) continue;
      ++headers;
      const std::string text = content_of(entry.path());
      for (const std::string& name : references_into_temporaries(text))
        FAIL_CHECK(path << ": " << name << " needs `const&`, and an overload for `const&&` by value");
    }
  CHECK(headers > 80);
}

TEST_CASE("the rule about temporaries finds what breaks it") {
  CHECK(references_into_temporaries("\n  const Tensor& operator[](const Tensor& x) const;").size() == 1);
  CHECK(references_into_temporaries("\n  const std::vector<std::string>& columns() const { return c_; }").size() == 1);
  CHECK(references_into_temporaries("\n  std::span<const std::uint8_t> bytes() const;").size() == 1);
  CHECK(references_into_temporaries("\n  const Shape& shape() const& { return shape_; }").empty());
  CHECK(references_into_temporaries("\n  Shape shape() const&& { return shape_; }").empty());
}

static_assert(is_value<decltype(std::declval<Gradients>()[std::declval<Tensor>()])>);
static_assert(is_value<decltype(std::declval<Tensors>()[0])>);
static_assert(is_value<decltype(std::declval<Tensor>().shape())>);
static_assert(is_value<decltype(std::declval<Tensor>().label())>);
static_assert(is_value<decltype(std::declval<Tensor>().requires_gradient())>);
static_assert(is_value<decltype(std::declval<GradientReport>()["x"])>);
static_assert(is_value<decltype(std::declval<nn::OrdinalEncoder>().categories())>);
static_assert(is_value<decltype(std::declval<nn::Dataset>().inputs())>);
static_assert(is_value<decltype(std::declval<nn::SGD>().parameters())>);
static_assert(is_value<decltype(std::declval<nn::Diagnosis>().layer("x"))>);
static_assert(std::is_reference_v<decltype(std::declval<const Gradients&>()[std::declval<Tensor>()])>);

TEST_CASE("what backward gives may be held by a reference to one of its gradients") {
  const Tensor w = expect::leaf(tensor({2.0, 3.0}));
  Tape tape;
  const Tensor& g = tape.backward(sum(square(w)))[w];
  const Tensor noise = zeros({2});  // takes the memory of what is gone
  CHECK(expect::values(g) == std::vector<double>{4, 6});
}

TEST_CASE("a loop over a member of a temporary runs over what is there") {
  std::string all;
  const nn::CsvTable table =
      nn::parse_csv("x,y\n1,some long name of a class\n2,another long name of a class\n", "t.csv");
  for (const std::string& category : table.categories("y").categories()) all += category + ";";
  CHECK(all == "another long name of a class;some long name of a class;");
  std::int64_t product = 1;
  for (const std::int64_t extent : relu(zeros({2, 3, 5})).shape()) product *= extent;
  CHECK(product == 30);
  const std::string& label = Tensor(zeros({1})).label("a label that is too long to stand in place").label();
  CHECK(label == "a label that is too long to stand in place");
}
