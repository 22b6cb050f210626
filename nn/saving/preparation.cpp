#include <autograd/tensor/format.hpp>
#include <nn/data/features.hpp>
#include <nn/saving/preparation.hpp>

#include <nlohmann/json.hpp>

namespace xgrad::nn {

namespace {

using Json = nlohmann::json;

constexpr const char* scalers_key = "xgrad.scalers";
constexpr const char* columns_key = "xgrad.columns";
constexpr const char* encoders_key = "xgrad.encoders";
constexpr const char* classes_key = "xgrad.classes";

}  // namespace

Tensor inputs_of(const Preparation& preparation, const CsvTable& table, DType dtype) {
  const Tensor x = Features{preparation.columns, preparation.encoders}.apply(table, dtype);
  const auto scaler = preparation.scalers.find("inputs");
  return scaler == preparation.scalers.end() ? x : scaler->second.apply(scaler->second.fill(x));
}

std::map<std::string, std::string> metadata_of(const Preparation& preparation) {
  Json scalers = Json::object(), encoders = Json::object();
  for (const auto& [name, scaler] : preparation.scalers)
    scalers[name] = {{"centers", scaler.centers()}, {"spreads", scaler.spreads()}};
  for (const auto& [name, encoder] : preparation.encoders) encoders[name] = encoder.categories();
  std::map<std::string, std::string> metadata;
  try {
    if (!scalers.empty()) metadata[scalers_key] = scalers.dump();
    if (!preparation.columns.empty()) metadata[columns_key] = Json(preparation.columns).dump();
    if (!encoders.empty()) metadata[encoders_key] = encoders.dump();
    if (!preparation.classes.empty()) metadata[classes_key] = Json(preparation.classes).dump();
  } catch (const Json::exception&) {
    throw ValueError("save: a name of a class, category, column, scaler or encoder is not UTF-8");
  }
  return metadata;
}

Preparation preparation_of(const std::map<std::string, std::string>& metadata, const std::string& file) {
  Preparation preparation;
  const auto read = [&](const char* key, const auto& take) {
    const auto found = metadata.find(key);
    if (found == metadata.end()) return;
    try {
      take(Json::parse(found->second));
    } catch (const Json::exception& error) {
      throw_as<FileError>("load: {}: the metadata {} is not what xgrad writes: {}", file, key, error.what());
    } catch (const ValueError& error) {
      throw_as<FileError>("load: {}: the metadata {}: {}", file, key, error.what());
    }
  };
  read(scalers_key, [&](const Json& list) {
    for (const auto& [name, scaler] : list.get<std::map<std::string, Json>>())
      preparation.scalers.emplace(name, Scaler(scaler.at("centers").get<std::vector<double>>(),
                                               scaler.at("spreads").get<std::vector<double>>()));
  });
  read(columns_key, [&](const Json& list) { preparation.columns = list.get<std::vector<std::string>>(); });
  read(encoders_key, [&](const Json& list) {
    for (const auto& [name, categories] : list.get<std::map<std::string, std::vector<std::string>>>())
      preparation.encoders.emplace(name, OrdinalEncoder(categories));
  });
  read(classes_key, [&](const Json& list) { preparation.classes = list.get<std::vector<std::string>>(); });
  return preparation;
}

}  // namespace xgrad::nn
