#include <autograd/text/json.hpp>

#include <cmath>
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

}  // namespace xgrad
