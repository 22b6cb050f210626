#include <autograd/tensor/format.hpp>
#include <nn/ranks/agree.hpp>

#include <algorithm>
#include <exception>

namespace xgrad::nn {

std::vector<std::string> agree(Ranks& ranks, const std::function<void(MessageWriter& message)>& own) {
  MessageWriter message;
  std::exception_ptr error;
  const auto fail = [&](std::string_view text) {
    error = std::current_exception();
    message = MessageWriter();
    message << false << text;
  };
  try {
    message << true;
    own(message);
  } catch (const std::exception& thrown) {
    fail(thrown.what());
  } catch (...) {
    fail("an exception that is no std::exception");
  }
  std::vector<std::string> all = ranks.gather(message.bytes());
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    MessageReader reader(all[rank]);
    if (reader.read<bool>()) {
      all[rank].erase(0, sizeof(bool));
      continue;
    }
    if (static_cast<std::int64_t>(rank) == ranks.rank()) std::rethrow_exception(error);
    throw_as<RankError>("rank {}: {}", rank, reader.read<std::string>());
  }
  return all;
}

void require_same(Ranks& ranks, const char* who, const std::vector<Particular>& own) {
  const std::vector<std::string> messages = agree(ranks, [&](MessageWriter& message) {
    for (const Particular& particular : own) message << true << particular.name << particular.value;
    message << false;
  });
  std::vector<Particular> of_first;
  for (std::size_t rank = 0; rank < messages.size(); ++rank) {
    MessageReader reader(messages[rank]);
    std::vector<Particular> list;
    while (reader.read<bool>()) {
      auto name = reader.read<std::string>();
      list.push_back({std::move(name), reader.read<std::string>()});
    }
    if (rank == 0) of_first = list;
    for (std::size_t i = 0; i < std::max(list.size(), of_first.size()); ++i) {
      const bool missing = i >= list.size(), extra = i >= of_first.size();
      const std::string &name = missing ? of_first[i].name : list[i].name, none = "missing";
      const std::string &here = missing ? none : list[i].value, &there = extra ? none : of_first[i].value;
      if (!missing && !extra && name != of_first[i].name)
        throw_as<RankError>("{}: rank {} has {} where rank 0 has {}; need the same on every rank", who, rank, name,
                            of_first[i].name);
      if (here != there || missing || extra)
        throw_as<RankError>("{}: {} is {} on rank {} and {} on rank 0; need the same on every rank", who, name, here,
                            rank, there);
    }
  }
}

}  // namespace xgrad::nn
