#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <nn/data/features.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace xgrad;
using expect::error_of;
using Texts = std::vector<std::string>;

namespace {

nn::CsvTable parse_pets(const std::string& text) {
  return nn::parse_csv(text, "pets.csv", {.missing = nn::CsvMissing::keep});
}

const std::string pets = "age,colour,name\n3,red,a\n,black,b\n1.5,,c\n";

}  // namespace

TEST_CASE("numbers stay, texts are one-hot, and what is missing is NaN or zeros") {
  const nn::Features features = nn::Features::fit(parse_pets(pets), {"colour", "age"});
  CHECK(features.names() == Texts{"colour = black", "colour = red", "age"});
  const Tensor x = features.apply(parse_pets(pets), float64);
  CHECK(x.shape() == Shape{3, 3});
  const std::vector<double> values = expect::values(x);
  CHECK(std::vector<double>(values.begin(), values.begin() + 5) == std::vector<double>{0, 1, 3, 1, 0});
  CHECK(std::isnan(values[5]));
  CHECK(std::vector<double>(values.begin() + 6, values.end()) == std::vector<double>{0, 0, 1.5});
  CHECK(features.apply(parse_pets(pets)).dtype() == float32);
}

TEST_CASE("another table has the columns anywhere, and no category that the fit did not see") {
  const nn::Features features = nn::Features::fit(parse_pets(pets), {"colour", "age"});
  CHECK(expect::values(features.apply(parse_pets("x,age,colour\n?,7,black\n"))) == std::vector<double>{1, 0, 7});
  CHECK(error_of([&] { features.apply(parse_pets("age,colour\n1,blue\n")); }) ==
        "FileError: pets.csv:2:3: unknown category 'blue' in column 'colour'; need one of 'black', 'red'");
  CHECK(error_of([&] {
          features.apply(parse_pets("age\n1\n"));
        }).starts_with("FileError: pets.csv:1:1: no column 'colour'"));
  CHECK(error_of([&] { features.apply(parse_pets("age,colour\nold,red\n")); }) ==
        "FileError: pets.csv:2:1: 'old' in column 'age'; need a number");
  CHECK(error_of([&] {
          nn::Features::fit(parse_pets("a\nx\nx\n"), {"a"});
        }).starts_with("FileError: pets.csv:2:1: column 'a' has one class only"));
}
