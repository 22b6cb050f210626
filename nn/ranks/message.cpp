#include <autograd/tensor/format.hpp>
#include <nn/ranks/message.hpp>
#include <nn/ranks/ranks.hpp>

#include <cstring>

namespace xgrad::nn {

MessageWriter& MessageWriter::operator<<(std::string_view text) {
  *this << std::uint64_t{text.size()};
  bytes_ += text;
  return *this;
}

MessageWriter& MessageWriter::operator<<(const Tensor& x) {
  *this << x.defined();
  if (!x.defined()) return *this;
  *this << static_cast<std::uint8_t>(x.dtype()) << std::vector<std::int64_t>(x.shape().begin(), x.shape().end());
  bytes_.append(static_cast<const char*>(x.untyped_data()), x.size() * size_of(x.dtype()));
  return *this;
}

MessageReader& MessageReader::operator>>(std::string& text) {
  text = take(read<std::uint64_t>());
  return *this;
}

MessageReader& MessageReader::operator>>(Tensor& x) {
  x = Tensor();
  if (!read<bool>()) return *this;
  const auto dtype = static_cast<DType>(read<std::uint8_t>());
  Shape shape;
  for (const std::int64_t extent : read<std::vector<std::int64_t>>()) shape.push_back(extent);
  x = Tensor::uninitialized(shape, dtype);
  const std::size_t bytes = x.size() * size_of(dtype);
  if (bytes > 0) std::memcpy(x.untyped_fresh_data(), take(bytes).data(), bytes);
  return *this;
}

std::string_view MessageReader::take(std::size_t count) {
  if (count > left_.size())
    throw_as<RankError>("ranks: a message ends {} bytes too early; need ranks of one build", count - left_.size());
  const std::string_view taken = left_.substr(0, count);
  left_.remove_prefix(count);
  return taken;
}

}  // namespace xgrad::nn
