#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace xgrad {

/// A document as text. JSON has no word for numbers that are not finite: NaN, what is not known, is null; infinite ones
/// are "inf" and "-inf". So put numbers in as they are. Bytes of strings that are not UTF-8 become U+FFFD.
std::string json_text(nlohmann::ordered_json document, int indent = 2);

}  // namespace xgrad
