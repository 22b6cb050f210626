#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <nn/saving/preparation.hpp>

#include <string>
#include <vector>

using namespace xgrad;

TEST_CASE("rows of a table become inputs by what was saved: columns, categories, scale, means for missing numbers") {
  const nn::Preparation fitted{.scalers = {{"inputs", nn::Scaler({10, 0, 0}, {2, 1, 1})}},
                               .columns = {"age", "colour"},
                               .encoders = {{"colour", nn::OrdinalEncoder({"black", "red"})}}};
  const nn::Preparation saved = nn::preparation_of(nn::metadata_of(fitted), "file");
  CHECK(saved.columns == fitted.columns);
  CHECK_FALSE(saved.empty());
  const nn::CsvTable table =
      nn::parse_csv("colour,age\nred,14\nblack,\n", "pets.csv", {.missing = nn::CsvMissing::keep});
  CHECK(expect::values(nn::inputs_of(saved, table)) == std::vector<double>{2, 0, 1, 0, 1, 0});
  nn::Preparation unscaled = saved;
  unscaled.scalers.clear();
  CHECK(expect::values(slice(nn::inputs_of(unscaled, table), 0, 0, 1)) == std::vector<double>{14, 0, 1});
  CHECK(expect::error_of([] {
          nn::preparation_of({{"xgrad.columns", "{}"}}, "file");
        }).starts_with("FileError: load: file: the metadata xgrad.columns is not what xgrad writes"));
  CHECK(expect::error_of([] { nn::metadata_of({.columns = {"\xFF"}}); }) ==
        "ValueError: save: a name of a class, category, column, scaler or encoder is not UTF-8");
}
