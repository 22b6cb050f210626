#include <autograd/text/json.hpp>
#include <autograd/text/numbers.hpp>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace xgrad {

namespace {

using Json = nlohmann::ordered_json;

void name_infinities(Json& value) {
  if (value.is_structured())
    for (Json& part : value) name_infinities(part);
  else if (value.is_number_float() && std::isinf(value.get<double>()))
    value = value > 0 ? "inf" : "-inf";
}

}  // namespace

std::string json_text(Json document, int indent) {
  name_infinities(document);
  return document.dump(indent, ' ', false, Json::error_handler_t::replace);  // which writes NaN as null
}

nlohmann::json json_of_number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(exact_number(value));
}

double number_of_json(const nlohmann::json& value) {
  if (!value.is_string()) return value.get<double>();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return value == "inf" ? infinity : value == "-inf" ? -infinity : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace xgrad
