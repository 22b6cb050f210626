#pragma once

#include "tests/support/folder.hpp"

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>
#include <string>
#include <vector>

// The public functions that a header declares, by a reader of our own headers' style: no macro, no nested template
// trick. Functions in namespaces below xgrad and xgrad::nn come with their name, members as `Class::name`, constructors
// as `Class`.
namespace declarations {

/// Without comments, preprocessor lines and the contents of literals.
inline std::string code_of(const std::string& text) {
  std::string code;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool line_begins = i == 0 || text[i - 1] == '\n';
    if (text.compare(i, 2, "//") == 0 || (line_begins && text[i] == '#')) {
      while (i < text.size() && text[i] != '\n') ++i;
      code += '\n';
    } else if (text[i] == '"' ||
               (text[i] == '\'' && (i == 0 || std::isalnum(static_cast<unsigned char>(text[i - 1])) == 0))) {
      const char quote = text[i];
      for (++i; i < text.size() && text[i] != quote; ++i)
        if (text[i] == '\\') ++i;
      code += "\"\"";
    } else {
      code += text[i];
    }
  }
  return code;
}

/// Behind the bracket that closes the one at `open`.
inline std::size_t behind_bracket(const std::string& code, std::size_t open) {
  const char begin = code[open];
  const char end = begin == '{' ? '}' : begin == '(' ? ')' : begin == '[' ? ']' : '>';
  int depth = 0;
  for (std::size_t i = open; i < code.size(); ++i) {
    if (code[i] == begin) ++depth;
    if (code[i] == end && !(end == '>' && i > 0 && code[i - 1] == '-') && --depth == 0) return i + 1;
  }
  return code.size();
}

/// Without `template <...>` and `requires ...`, which may hold parentheses, at its beginning.
inline std::string plain(std::string statement) {
  static const std::regex access(R"(\b(public|private|protected):)");
  statement = std::regex_replace(statement, access, "");
  const auto trim = [&statement] {
    statement.erase(0, std::min(statement.find_first_not_of(" \n\t"), statement.size()));
  };
  trim();
  while (statement.starts_with("template")) {
    statement.erase(0, behind_bracket(statement, statement.find('<')));
    trim();
    if (statement.starts_with("requires")) {
      const std::size_t open = statement.find('(');
      statement.erase(0, open == std::string::npos ? 0 : behind_bracket(statement, open));
      trim();
    }
  }
  while (statement.starts_with("[[")) {
    statement.erase(0, statement.find("]]") + 2);
    trim();
  }
  return statement;
}

/// The name of the function that a statement declares, or "".
inline std::string function_name(const std::string& statement) {
  static const std::regex no_function(R"(^(using|static_assert|friend class|typedef|namespace|enum|extern|return)\b)");
  static const std::regex not_written(R"(=\s*(default|delete)\s*$)");
  if (std::regex_search(statement, no_function) || std::regex_search(statement, not_written)) return "";
  static const std::regex operator_name(R"(operator\s*(\(\)|\[\]|[^\s\w(]+|bool)\s*\()");
  std::smatch match;
  if (std::regex_search(statement, match, operator_name)) return "operator" + match[1].str();
  std::size_t open = 0;
  for (int angles = 0; open < statement.size() && (statement[open] != '(' || angles > 0); ++open)
    angles += statement[open] == '<' ? 1 : statement[open] == '>' ? -1 : 0;
  if (open >= statement.size() || statement.substr(0, open).find('=') != std::string::npos) return "";
  std::size_t end = open;
  while (end > 0 && statement[end - 1] == ' ') --end;
  std::size_t begin = end;
  while (begin > 0 &&
         (std::isalnum(static_cast<unsigned char>(statement[begin - 1])) != 0 || statement[begin - 1] == '_'))
    --begin;
  if (begin > 0 && statement[begin - 1] == '~') return "";
  const std::string name = statement.substr(begin, end - begin);
  return name == "decltype" || name == "requires" || name == "noexcept" ? "" : name;
}

inline void read_scope(const std::string& code, const std::string& class_name, bool is_public,
                       std::set<std::string>& names) {
  std::string statement;
  int parentheses = 0;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = code[i];
    parentheses += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (parentheses > 0 || (c != ';' && c != '{' && c != ':')) {
      statement += c;
      continue;
    }
    if (c == ':') {
      static const std::regex label(R"((^|\s)(public|private|protected)\s*$)");
      std::smatch match;
      if (std::regex_search(statement, match, label) && (i + 1 >= code.size() || code[i + 1] != ':')) {
        is_public = match[2] == "public";
        statement.clear();
      } else {
        statement += c;
      }
      continue;
    }
    const std::string one = plain(statement);
    static const std::regex type(R"(^(class|struct)\s+(?:\[\[\w+\]\]\s*)?(\w+)[^()]*$)");
    static const std::regex space(R"(^namespace(\s+[\w:]+)?\s*$)");
    std::smatch match;
    if (c == '{') {
      const std::size_t behind = behind_bracket(code, i);
      const std::string inside = code.substr(i + 1, behind - i - 2);
      if (std::regex_search(one, match, space)) {
        const std::string name = match[1];
        if (name.find("kernels") == std::string::npos && !name.empty()) read_scope(inside, "", true, names);
      } else if (std::regex_search(one, match, type)) {
        if (is_public) read_scope(inside, match[2], match[1] == "struct", names);
      } else if (is_public && (one.find('=') > one.find('(') || one.find("operator") < one.find('('))) {
        const std::string name = function_name(one);
        // A constructor's members come with braces of their own: what follows is read on.
        if (!name.empty()) names.insert(class_name.empty() || name == class_name ? name : class_name + "::" + name);
      }
      i = behind - 1;
      statement.clear();
      continue;
    }
    if (is_public) {
      const std::string name = function_name(one);
      const bool is_friend = one.starts_with("friend");
      if (!name.empty())
        names.insert(class_name.empty() || name == class_name || is_friend ? name : class_name + "::" + name);
    }
    statement.clear();
  }
}

/// Of a header and of all that it includes, kernels excepted.
inline void read_header(const std::string& root, const std::string& header, std::set<std::string>& seen,
                        std::set<std::string>& names) {
  if (header.find("/kernels/") != std::string::npos || !seen.insert(header).second) return;
  const std::string text = content_of(root + "/" + header);
  read_scope(code_of(text), "", true, names);
  static const std::regex include("#include <((?:autograd|nn)/[^>]+)>");
  for (std::sregex_iterator match(text.begin(), text.end(), include), end; match != end; ++match)
    read_header(root, (*match)[1], seen, names);
}

/// Of the doors, less those that come in through `but`.
inline std::set<std::string> public_functions(const std::string& root, const std::vector<std::string>& doors,
                                              const std::vector<std::string>& but = {}) {
  std::set<std::string> names, seen, left_out;
  for (const std::string& door : but) read_header(root, door, seen, left_out);
  for (const std::string& door : doors) read_header(root, door, seen, names);
  return names;
}

}  // namespace declarations
