#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What tests ask of SVG and HTML documents that are XML.
namespace xml {

inline constexpr std::array<std::pair<std::string_view, char>, 5> entities = {
    {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}}};

/// Text with its entities resolved; an unknown one becomes `?!`.
inline std::string decoded(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto entity = std::find_if(entities.begin(), entities.end(),
                                     [&](const auto& candidate) { return text.starts_with(candidate.first); });
    if (entity != entities.end())
      result += entity->second;
    else if (text[0] == '&')
      result += "?!";
    else
      result += text[0];
    text.remove_prefix(entity != entities.end() ? entity->first.size() : 1);
  }
  return result;
}

/// Why a document is not well-formed, or "": elements close in order, attributes are in quotes and given once, `<` and
/// `&` are nowhere else. For documents without comments and CDATA.
inline std::string fault(std::string_view document) {
  std::vector<std::string> open;
  std::size_t roots = 0;
  while (!document.empty()) {
    const std::size_t tag = std::min(document.find('<'), document.size());
    if (decoded(document.substr(0, tag)).find("?!") != std::string::npos)
      return std::string("bare & in '").append(document.substr(0, tag)).append("'");
    document.remove_prefix(tag);
    if (document.empty()) break;
    std::size_t end = 1;
    char quote = 0;
    std::vector<std::string> names;
    for (; end < document.size() && (quote != 0 || document[end] != '>'); ++end) {
      const char c = document[end];
      if (c == '<') return "< inside of a tag: " + std::string(document.substr(0, end));
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '=') {
        std::size_t first = end;
        while (std::isspace(static_cast<unsigned char>(document[first - 1]))) --first;
        const std::size_t last = first;
        while (!std::isspace(static_cast<unsigned char>(document[first - 1]))) --first;
        names.emplace_back(document.substr(first, last - first));
        if (std::count(names.begin(), names.end(), names.back()) > 1) return names.back() + " given twice";
      }
    }
    if (end == document.size()) return "a tag does not end";
    const std::string_view inside = document.substr(1, end - 1);
    document.remove_prefix(end + 1);
    if (inside.starts_with('?') || inside.starts_with('!')) continue;
    if (decoded(inside).find("?!") != std::string::npos) return std::string("bare & in <").append(inside).append(">");
    const std::string name(inside.substr(0, inside.find_first_of(" \t\n")));
    if (inside.starts_with('/')) {
      if (open.empty() || "/" + open.back() != inside)
        return std::string("<").append(inside).append("> closes <").append(open.empty() ? "" : open.back()).append(">");
      open.pop_back();
    } else {
      roots += open.empty();
      if (!inside.ends_with('/')) open.push_back(name);
    }
  }
  return open.empty() ? roots == 1 ? "" : std::to_string(roots) + " roots" : "<" + open.back() + "> stays open";
}

/// What stands between each `before` and the next `after`, resolved.
inline std::vector<std::string> between(std::string_view document, std::string_view before, std::string_view after) {
  std::vector<std::string> found;
  for (std::size_t at = document.find(before); at != std::string_view::npos; at = document.find(before, at)) {
    at += before.size();
    found.push_back(decoded(document.substr(at, document.find(after, at) - at)));
  }
  return found;
}

}  // namespace xml
