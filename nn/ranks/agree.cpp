#include <autograd/tensor/format.hpp>
#include <nn/ranks/agree.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace xgrad::nn {

void together(Ranks* ranks, const std::function<void(Ranks* others)>& work) {
  if (ranks == nullptr || ranks->size() == 1) return work(nullptr);
  const auto tell = [ranks](std::string_view text) {
    MessageWriter message;
    message << false << text;
    ranks->gather(message.bytes());
  };
  try {
    work(ranks);
    agree(*ranks, [](MessageWriter&) {});  // that nobody has thrown since the last time
  } catch (const RankError&) {             // all know it
    throw;
  } catch (const std::exception& error) {
    tell(error.what());
    throw;
  } catch (...) {
    tell("an exception that is no std::exception");
    throw;
  }
}

std::vector<std::string> agree(Ranks& ranks, const std::function<void(MessageWriter& message)>& own) {
  MessageWriter message;
  message << true;
  own(message);
  std::vector<std::string> all = ranks.gather(message.bytes());
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    MessageReader reader(all[rank]);
    if (!reader.read<bool>()) throw_as<RankError>("rank {}: {}", rank, reader.read<std::string>());
    all[rank].erase(0, sizeof(bool));
  }
  return all;
}

std::string of_first(Ranks& ranks, const std::function<void(MessageWriter& message)>& own) {
  std::vector<std::string> all = agree(ranks, [&](MessageWriter& message) {
    if (ranks.rank() == 0) own(message);
  });
  return std::move(all.front());
}

void require_same(Ranks& ranks, const std::string& who, const std::string& need, const std::vector<Particular>& own) {
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
        throw_as<RankError>("{}: rank {} has {} where rank 0 has {}; {}", who, rank, name, of_first[i].name, need);
      if (here != there || missing || extra)
        throw_as<RankError>("{}: {} is {} on rank {} and {} on rank 0; {}", who, name, here, rank, there, need);
    }
  }
}

}  // namespace xgrad::nn
