#include <autograd/check/report.hpp>
#include <autograd/text/json.hpp>

#include <nlohmann/json.hpp>

namespace xgrad {

namespace {

using Json = nlohmann::ordered_json;

Json list(const Extents& extents) { return Json::array_t(extents.begin(), extents.end()); }

void add_entry(Json& object, const GradientEntry& entry) {
  object.update({{"direction", entry.direction},
                 {"index", list(entry.index)},
                 {"numerical", entry.numerical},
                 {"analytical", entry.analytical},
                 {"absolute_error", entry.absolute_error},
                 {"relative_error", entry.relative_error},
                 {"noise", entry.noise},
                 {"tolerance", entry.tolerance},
                 {"step", entry.step},
                 {"left", entry.left},
                 {"right", entry.right}});
}

}  // namespace

std::string GradientReport::json() const {
  Json report = {
      {"ok", ok()},           {"order", order}, {"dtype", name_of(dtype)}, {"mode", mode}, {"evaluations", evaluations},
      {"rows", Json::array()}};
  for (const GradientRow& row : rows) {
    Json& object = report["rows"].emplace_back();
    object = {{"name", row.name},      {"shape", list(row.shape)}, {"verdict", name_of(row.verdict)},
              {"passed", passed(row)}, {"entries", row.entries},   {"directional", row.directional},
              {"failed", row.failed},  {"largest", row.largest},   {"note", row.note}};
    add_entry(object, row);
    object["others"] = Json::array();
    for (const GradientEntry& other : row.others) add_entry(object["others"].emplace_back(), other);
  }
  return json_text(std::move(report));
}

}  // namespace xgrad
