#include <autograd/check/report.hpp>

#include <cmath>
#include <nlohmann/json.hpp>

namespace xgrad {

namespace {

using Json = nlohmann::ordered_json;

/// JSON knows neither NaN nor infinity.
Json number(double x) {
  if (std::isnan(x)) return nullptr;
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  return x;
}

Json list(const auto& extents) {
  Json numbers = Json::array();
  for (const std::int64_t extent : extents) numbers.push_back(extent);
  return numbers;
}

void add_entry(Json& object, const GradientEntry& entry) {
  object["direction"] = entry.direction;
  object["index"] = list(entry.index);
  object["numerical"] = number(entry.numerical);
  object["analytical"] = number(entry.analytical);
  object["absolute_error"] = number(entry.absolute_error);
  object["relative_error"] = number(entry.relative_error);
  object["noise"] = number(entry.noise);
  object["tolerance"] = number(entry.tolerance);
  object["step"] = number(entry.step);
  object["left"] = number(entry.left);
  object["right"] = number(entry.right);
}

}  // namespace

std::string GradientReport::json() const {
  Json report;
  report["ok"] = ok();
  report["order"] = order;
  report["dtype"] = name_of(dtype);
  report["mode"] = mode;
  report["evaluations"] = evaluations;
  report["rows"] = Json::array();
  for (const GradientRow& row : rows) {
    Json object;
    object["name"] = row.name;
    object["shape"] = list(row.shape);
    object["verdict"] = name_of(row.verdict);
    object["passed"] = passed(row);
    object["entries"] = row.entries;
    object["directional"] = row.directional;
    object["failed"] = row.failed;
    object["largest"] = number(row.largest);
    object["note"] = row.note;
    add_entry(object, row);
    object["others"] = Json::array();
    for (const GradientEntry& other : row.others) add_entry(object["others"].emplace_back(), other);
    report["rows"].push_back(std::move(object));
  }
  // A label of a tensor may be any bytes.
  return report.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace xgrad
