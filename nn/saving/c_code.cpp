#include <autograd/tensor/format.hpp>
#include <nn/saving/c_code.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace xgrad::nn {

void refuse_c(const std::string& what) { throw ValueError("write_c: " + what); }

Strides strides_of(const Shape& shape) {
  Strides strides(shape.rank(), 1);
  for (std::size_t axis = shape.rank(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

Strides broadcast_strides(const Shape& shape, const Shape& to) {
  const Strides own = strides_of(shape);
  Strides strides(to.rank(), 0);
  for (std::size_t axis = 0; axis < shape.rank(); ++axis)
    if (shape[axis] != 1) strides[to.rank() - shape.rank() + axis] = own[axis];
  return strides;
}

std::string place(const Strides& strides, std::int64_t offset) {
  std::string text;
  for (std::size_t axis = 0; axis < strides.size(); ++axis)
    if (strides[axis] != 0)
      text += fmt::format("{}i{}{}", text.empty() ? "" : " + ", axis,
                          strides[axis] == 1 ? "" : fmt::format(" * {}", strides[axis]));
  if (offset != 0 || text.empty()) text += fmt::format("{}{}", text.empty() ? "" : " + ", offset);
  return text;
}

CCode::CCode(const ModelGraph& graph) : graph_(graph), wide_(graph.values[graph.output].dtype == float64) {}

std::string CCode::literal(double number) const {
  if (std::isnan(number)) return "NAN";
  if (std::isinf(number)) return number > 0 ? "INFINITY" : "-INFINITY";
  char text[40];
  const auto end = wide_ ? std::to_chars(text, text + sizeof text, number).ptr
                         : std::to_chars(text, text + sizeof text, static_cast<float>(number)).ptr;
  std::string digits(text, end);
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  return wide_ ? digits : digits + "f";
}

void CCode::nest(const Shape& extents, const std::function<void()>& f, std::size_t first) {
  const std::size_t before = depth_;
  for (std::size_t axis = 0; axis < extents.rank(); ++axis) {
    line(fmt::format("for (int i{0} = 0; i{0} < {1}; ++i{0}) {{", first + axis, extents[axis]));
    ++depth_;
  }
  f();
  while (depth_ > before) {
    --depth_;
    line("}");
  }
}

std::string CCode::at(std::size_t i, const Strides& strides, std::int64_t offset) const {
  return fmt::format("({})[{}]", names[i], place(strides, offset));
}

std::string CCode::call(const std::string& name, const std::string& x) {
  const auto add = [&](const std::string& function_name, const std::string& text) {
    const std::string helper = fmt::format("static {0} x_{1}({0} x) {{\n  {2}\n}}\n", number(), function_name, text);
    if (std::find(helpers.begin(), helpers.end(), helper) == helpers.end()) helpers.push_back(helper);
  };
  const std::string one = literal(1), zero = literal(0), exp = function("exp"), log1p = function("log1p");
  // e to the power of -|x| does not overflow.
  const std::string sigmoid = fmt::format("const {0} e = {1}({2}(x) * -{3});", number(), exp, function("fabs"), one);
  if (name == "sigmoid" || name == "swish")
    add("sigmoid", fmt::format("{} return x < {} ? e / ({} + e) : {} / ({} + e);", sigmoid, zero, one, one, one));
  if (name == "softplus" || name == "mish")
    add("softplus", fmt::format("return x < {0} ? {1}({2}(x)) : x + {1}({2}(-x));", zero, log1p, exp));
  if (name == "swish") add("swish", "return x * x_sigmoid(x);");
  if (name == "mish") add("mish", fmt::format("return x * {}(x_softplus(x));", function("tanh")));
  return fmt::format("x_{}({})", name, x);
}

}  // namespace xgrad::nn
