#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace xgrad {

/// A document as text. JSON has no word for numbers that are not finite: NaN, what is not known, is null; infinite ones
/// are "inf" and "-inf". So put numbers in as they are. Bytes of strings that are not UTF-8 become U+FFFD.
std::string json_text(nlohmann::ordered_json document, int indent = 2);

/// A number for files that are read back bit by bit: itself, or "inf", "-inf", "nan", for which JSON has no word.
nlohmann::json json_of_number(double value);
/// The number that json_of_number was given; nlohmann's exception for what is neither number nor text.
double number_of_json(const nlohmann::json& value);

}  // namespace xgrad
