#include <autograd/ops/update.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/creation.hpp>
#include <nn/ranks/gradient_sum.hpp>
#include <nn/ranks/rank_nodes.hpp>
#include <nn/ranks/row_sum.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace xgrad::nn {

namespace {

constexpr std::size_t line_elements = 16;                // owners' shares begin at cache lines
constexpr std::size_t most_under_way = 8;                // buckets, whose memory there is besides the gradients'
constexpr std::chrono::microseconds between_looks{500};  // of the thread that carries them on

/// Elements of a leaf's gradient, and where they stand in a bucket.
struct Piece {
  std::size_t leaf;
  std::size_t first;
  std::size_t count;
  std::size_t place;
};

struct Bucket {
  DType dtype;
  std::size_t size = 0;
  std::vector<Piece> pieces = {};
};

/// In the order in which they are full when gradients come in the order of the leaves.
std::vector<Bucket> buckets_of(std::span<const Tensor> leaves, std::size_t bytes) {
  std::vector<Bucket> buckets;
  for (const DType dtype : {float32, float64}) {
    const std::size_t capacity = std::max<std::size_t>(1, bytes / size_of(dtype));
    Bucket small{dtype};
    for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
      const Tensor& tensor = leaves[leaf];
      if (tensor.dtype() != dtype || tensor.size() == 0) continue;
      if (const std::size_t count = tensor.size(); 2 * count <= capacity) {
        if (small.size + count > capacity) buckets.push_back(std::exchange(small, {dtype}));
        small.pieces.push_back({leaf, 0, count, small.size});
        small.size += count;
        continue;
      }
      const std::size_t pieces = kernels::divide_up(tensor.size(), capacity);
      const std::size_t most = kernels::divide_up(tensor.size(), pieces);
      for (std::size_t first = 0; first < tensor.size(); first += most) {
        const std::size_t count = std::min(most, tensor.size() - first);
        buckets.push_back({dtype, count, {{leaf, first, count, 0}}});
      }
    }
    if (small.size > 0) buckets.push_back(std::move(small));
  }
  std::stable_sort(buckets.begin(), buckets.end(), [](const Bucket& before, const Bucket& after) {
    return before.pieces.back().leaf < after.pieces.back().leaf;
  });
  return buckets;
}

std::span<const std::byte> bytes_of(const Tensor& x, std::size_t first, std::size_t elements) {
  const std::size_t element = size_of(x.dtype());
  return {static_cast<const std::byte*>(x.untyped_data()) + first * element, elements * element};
}
std::span<std::byte> writable_bytes_of(Tensor& x, std::size_t first, std::size_t elements) {
  const std::size_t element = size_of(x.dtype());
  return {static_cast<std::byte*>(x.untyped_fresh_data()) + first * element, elements * element};
}

/// A tensor for so many elements: this one, if it has as many.
void make_room(Tensor& x, std::size_t elements, DType dtype) {
  if (!x.defined() || x.dtype() != dtype || x.size() < elements)
    x = Tensor::uninitialized({static_cast<std::int64_t>(elements)}, dtype);
}

void copy(const Tensor& from, std::size_t at, std::size_t count, Tensor& to, std::size_t first) {
  constexpr std::uint8_t alone = 0;
  const ValuesFrom values = {from, at};
  sum_in_tree(to, first, count, {&values, 1}, {&alone, 1});
}

}  // namespace

class GradientSum::Work {
 public:
  Work(Ranks& ranks, const PartTree& tree, std::span<const Tensor> leaves, std::size_t bucket_bytes)
      : ranks_(ranks),
        tree_(tree),
        nodes_(ranks, tree),
        own_(share_of(tree.parts(), ranks.size(), ranks.rank())),
        leaves_(leaves.begin(), leaves.end()),
        buckets_(buckets_of(leaves, bucket_bytes)),
        open_(buckets_.size()),
        buckets_of_leaf_(leaves.size()),
        told_(leaves.size() * own_parts()),
        gradients_(told_.size()) {
    for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
      index_.insert(leaves[leaf].body_or_null(), static_cast<std::uint32_t>(leaf));
      sums_.push_back(Tensor::uninitialized(leaves[leaf].shape(), leaves[leaf].dtype()));
    }
    for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket)
      for (const Piece& piece : buckets_[bucket].pieces) {
        buckets_of_leaf_[piece.leaf].push_back({bucket, piece.first, piece.count});
        open_[bucket] += own_parts() * piece.count;
      }
    // Nothing that may fail for want of memory is left for later, when other ranks wait.
    for (std::size_t bucket = 0; bucket < std::min(most_under_way, buckets_.size()); ++bucket)
      prepare(free_.emplace_back(), buckets_[bucket]);
  }

  ~Work() {
    if (begun_ && !taken_) try {
        for (std::int64_t part = own_.first; part < own_.last; ++part) end(part);
        carry_to_end();
      } catch (...) {  // the transport fails: nobody waits
      }
    stop();
  }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  void begin() { begun_ = true; }

  void add(std::int64_t part, const Gradients::Entry& entry) {
    const std::uint32_t leaf = index_.find(entry.tensor().body_or_null());
    if (leaf == TensorIndex::none) return;
    const Tensor gradient = entry.gradient();
    const std::lock_guard<std::mutex> lock(mutex_);
    tell(leaf, part, gradient, gradient.size());
  }
  void add(std::int64_t part, const Tensor& tensor, const Tensor& gradient, std::int64_t rows) {
    const std::uint32_t leaf = index_.find(tensor.body_or_null());
    if (leaf == TensorIndex::none) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    tell(leaf, part, gradient, gradient.size() / gradient.extent(0) * static_cast<std::size_t>(rows));
  }

  void end(std::int64_t part) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (std::size_t leaf = 0; leaf < leaves_.size(); ++leaf) tell(leaf, part, Tensor(), leaves_[leaf].size());
  }

  Gradients take() {
    begun_ = true;
    carry_to_end();
    taken_ = true;
    Gradients gradients;
    for (std::size_t leaf = 0; leaf < leaves_.size(); ++leaf) gradients.set(leaves_[leaf], std::move(sums_[leaf]));
    return gradients;
  }

 private:
  /// A bucket that is under way.
  struct Moving {
    const Bucket* bucket = nullptr;
    std::vector<std::size_t> to_sizes, from_sizes, result_sizes;
    Tensor to, from, result;
    Tensor own;  // what this rank does not send: `to`, or a gradient
    std::size_t own_first = 0;
    std::unique_ptr<Transfer> exchange = nullptr, share = nullptr;  // the first to end
  };
  struct Share {
    std::size_t first;
    std::size_t count;
  };

  std::size_t own_parts() const { return static_cast<std::size_t>(own_.size()); }

  /// What a rank owns of so many elements.
  Share share(std::size_t size, std::int64_t rank) const {
    const std::size_t lines = (size + line_elements - 1) / line_elements;
    const Run run = share_of(static_cast<std::int64_t>(lines), ranks_.size(), rank);
    const std::size_t first = std::min(size, static_cast<std::size_t>(run.first) * line_elements);
    return {first, std::min(size, static_cast<std::size_t>(run.last) * line_elements) - first};
  }

  std::size_t place_of(std::size_t leaf, std::int64_t part) const {
    return leaf * own_parts() + static_cast<std::size_t>(part - own_.first);
  }

  /// The first elements of the gradient that a part has of a leaf. Under the lock.
  void tell(std::size_t leaf, std::int64_t part, const Tensor& gradient, std::size_t elements) {
    std::size_t& told = told_[place_of(leaf, part)];
    if (elements <= told) return;
    if (told == 0) gradients_[place_of(leaf, part)] = gradient;
    const std::size_t before = std::exchange(told, elements);
    bool filled = false;
    for (const auto& [bucket, first, count] : buckets_of_leaf_[leaf]) {
      const std::size_t begin = std::max(before, first), end = std::min(elements, first + count);
      if (begin >= end || (open_[bucket] -= end - begin) > 0) continue;
      filled = true;
      ++full_;
    }
    // When all are full, this rank has no more to do than to wait: then it carries on by itself.
    if (!filled || !begun_ || full_ == buckets_.size()) return;
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    changed_.notify_one();
  }

  void prepare(Moving& moving, const Bucket& bucket) const {
    moving.bucket = &bucket;
    const std::size_t own = share(bucket.size, ranks_.rank()).count;
    make_room(moving.to, nodes_.own.size() * bucket.size, bucket.dtype);
    make_room(moving.from, (nodes_.all.size() - nodes_.own.size()) * own, bucket.dtype);
    make_room(moving.result, bucket.size, bucket.dtype);
    const std::size_t element = size_of(bucket.dtype);
    for (auto* const sizes : {&moving.to_sizes, &moving.from_sizes, &moving.result_sizes})
      sizes->resize(nodes_.of_rank.size());
    for (std::size_t rank = 0; rank < nodes_.of_rank.size(); ++rank) {
      const std::size_t theirs = share(bucket.size, static_cast<std::int64_t>(rank)).count * element;
      moving.to_sizes[rank] = nodes_.own.size() * theirs;
      moving.from_sizes[rank] =
          static_cast<std::int64_t>(rank) == ranks_.rank() ? 0 : nodes_.of_rank[rank] * own * element;
      moving.result_sizes[rank] = theirs;
    }
  }

  /// The sums of this rank's nodes over what the owner has of the piece, to where the owner's stand.
  void pack(const Piece& piece, const Share& owner, Tensor& to) const {
    const std::size_t begin = std::max(piece.place, owner.first);
    const std::size_t end = std::min(piece.place + piece.count, owner.first + owner.count);
    if (begin >= end) return;
    const std::size_t in_leaf = piece.first + begin - piece.place;
    for (std::size_t node = 0; node < nodes_.own.size(); ++node) {
      const std::size_t place = nodes_.own.size() * owner.first + node * owner.count + begin - owner.first;
      std::vector<Run> parts;
      std::vector<ValuesFrom> terms;
      for (std::int64_t part = nodes_.own[node].first; part < nodes_.own[node].last; ++part) {
        const Tensor& gradient = gradients_[place_of(piece.leaf, part)];
        if (!gradient.defined()) continue;
        parts.push_back({part, part + 1});
        terms.push_back({gradient, in_leaf});
      }
      if (terms.empty())  // -0.0 is what changes no number that it is added to
        copy(full({static_cast<std::int64_t>(end - begin)}, -0.0, to.dtype()), 0, end - begin, to, place);
      else
        sum_in_tree(to, place, end - begin, terms, tree_.closings(parts));
    }
  }

  /// Whether a bucket is a piece of one gradient, which stands in that as it leaves.
  bool stands(const Bucket& bucket) const {
    return own_parts() == 1 && bucket.pieces.size() == 1 &&
           gradients_[place_of(bucket.pieces.front().leaf, own_.first)].defined();
  }

  /// Sends the next bucket to its owners.
  void start() {
    Moving moving;
    if (!free_.empty()) {
      moving = std::move(free_.front());
      free_.pop_front();
    }
    prepare(moving, buckets_[next_]);
    const Bucket& bucket = *moving.bucket;
    const Share mine = share(bucket.size, ranks_.rank());
    std::span<const std::byte> to;
    if (stands(bucket)) {
      const Piece& piece = bucket.pieces.front();
      moving.own = gradients_[place_of(piece.leaf, own_.first)];
      moving.own_first = piece.first + mine.first;
      to = bytes_of(moving.own, piece.first, piece.count);
    } else {
      for (const Piece& piece : bucket.pieces)
        for (std::int64_t rank = 0; rank < ranks_.size(); ++rank) pack(piece, share(bucket.size, rank), moving.to);
      moving.own = moving.to;
      moving.own_first = nodes_.own.size() * mine.first;
      to = bytes_of(moving.to, 0, nodes_.own.size() * bucket.size);
    }
    Moving& started = under_way_.emplace_back(std::move(moving));
    const std::size_t others = nodes_.all.size() - nodes_.own.size();
    started.exchange = ranks_.start_exchange(
        to, started.to_sizes, writable_bytes_of(started.from, 0, others * mine.count), started.from_sizes);
    ++next_;
  }

  /// Sends its owner's sums to all.
  void add_up_and_share(Moving& moving) {
    moving.exchange.reset();
    const Bucket& bucket = *moving.bucket;
    const Share mine = share(bucket.size, ranks_.rank());
    const bool alone = bucket.pieces.size() == 1;  // then the sum comes to its place at once
    Tensor& result = alone ? sums_[bucket.pieces.front().leaf] : moving.result;
    const std::size_t first = alone ? bucket.pieces.front().first : 0;
    if (mine.count > 0) {
      std::vector<ValuesFrom> terms;
      std::size_t own = moving.own_first, from = 0;
      for (std::size_t rank = 0; rank < nodes_.of_rank.size(); ++rank) {
        const bool here = static_cast<std::int64_t>(rank) == ranks_.rank();
        std::size_t& at = here ? own : from;
        for (std::size_t node = 0; node < nodes_.of_rank[rank]; ++node, at += mine.count)
          terms.push_back({here ? moving.own : moving.from, at});
      }
      sum_in_tree(result, first + mine.first, mine.count, terms, nodes_.closings);
    }
    moving.own = Tensor();
    moving.share = ranks_.start_share(writable_bytes_of(result, first, bucket.size), moving.result_sizes);
  }

  /// Under the lock.
  bool may_start() const { return under_way_.size() < most_under_way && next_ < buckets_.size() && open_[next_] == 0; }
  bool starts() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return may_start();
  }

  /// Does what can be done without waiting; whether there was anything.
  bool carry_on() {
    bool moved = false;
    for (; starts(); moved = true) start();
    // Shares begin in the order of the buckets.
    for (; shared_ < under_way_.size() && under_way_[shared_].exchange->over(); moved = true)
      add_up_and_share(under_way_[shared_++]);
    for (; shared_ > 0 && under_way_.front().share->over(); moved = true) {
      Moving& moving = under_way_.front();
      moving.share.reset();
      if (moving.bucket->pieces.size() > 1)
        for (const Piece& piece : moving.bucket->pieces)
          copy(moving.result, piece.place, piece.count, sums_[piece.leaf], piece.first);
      free_.push_back(std::move(moving));
      under_way_.pop_front();
      --shared_;
    }
    return moved;
  }

  bool over() const { return next_ == buckets_.size() && under_way_.empty(); }

  /// What the thread does.
  void run() {
    try {
      const kernels::SerialScope serial;
      const auto called = [this] { return stopped_ || may_start(); };
      for (;;) {
        const bool moved = carry_on();
        if (over()) return;
        std::unique_lock<std::mutex> lock(mutex_);
        if (under_way_.empty())
          changed_.wait(lock, called);
        else if (!moved)
          changed_.wait_for(lock, between_looks, called);
        if (stopped_) return;
      }
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  void stop() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  /// In place of the thread: there is nothing else to do.
  void carry_to_end() {
    stop();
    if (error_ != nullptr) std::rethrow_exception(error_);
    while (!over())
      if (!carry_on()) (shared_ < under_way_.size() ? under_way_[shared_].exchange : under_way_.front().share)->wait();
  }

  Ranks& ranks_;
  const PartTree tree_;
  const RankNodes nodes_;
  const Run own_;  // parts
  const std::vector<Tensor> leaves_;
  const std::vector<Bucket> buckets_;
  TensorIndex index_;  // of leaves

  std::mutex mutex_;  // of these
  std::condition_variable changed_;
  std::vector<std::size_t> open_;  // of each bucket: elements that parts have not told yet
  std::size_t full_ = 0;           // buckets
  struct InBucket {
    std::size_t bucket, first, count;  // of the leaf's elements
  };
  std::vector<std::vector<InBucket>> buckets_of_leaf_;
  std::vector<std::size_t> told_;  // elements of each leaf, of each own part
  std::vector<Tensor> gradients_;  // alike; read without the lock, once all of a bucket are there
  bool stopped_ = false;

  // Of whoever carries on: the thread, and when it has stopped, who waits.
  std::vector<Tensor> sums_;
  std::size_t next_ = 0;  // bucket to start
  std::deque<Moving> free_, under_way_;
  std::size_t shared_ = 0;  // of those under way, the first ones
  std::exception_ptr error_;

  bool begun_ = false, taken_ = false;
  std::thread thread_;
};

GradientSum::GradientSum(Ranks& ranks, const PartTree& tree, std::span<const Tensor> leaves, std::size_t bucket_bytes)
    : work_(std::make_unique<Work>(ranks, tree, leaves, bucket_bytes)) {}
GradientSum::~GradientSum() = default;
void GradientSum::begin() { work_->begin(); }
void GradientSum::add(std::int64_t part, const Gradients::Entry& entry) { work_->add(part, entry); }
void GradientSum::add(std::int64_t part, const Tensor& leaf, const Tensor& gradient, std::int64_t rows) {
  work_->add(part, leaf, gradient, rows);
}
void GradientSum::end(std::int64_t part) { work_->end(part); }
Gradients GradientSum::take() { return work_->take(); }

Gradients sum_over_ranks(Ranks& ranks, const PartTree& tree, std::span<const Gradients* const> own,
                         std::span<const SharedLeaf> leaves, std::size_t bucket_bytes) {
  std::vector<Tensor> dense;
  for (const auto& [leaf, rows] : leaves)
    if (!rows) dense.push_back(leaf);
  GradientSum sum(ranks, tree, dense, bucket_bytes);
  std::int64_t part = share_of(tree.parts(), ranks.size(), ranks.rank()).first;
  for (const Gradients* const gradients : own) {
    for (const Gradients::Entry& entry : *gradients) sum.add(part, entry);
    sum.end(part++);
  }
  const Gradients of_dense = sum.take();
  std::vector<RowGradient> of_rows = sum_of_rows(ranks, tree, own, leaves);
  Gradients all;
  for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf)
    if (leaves[leaf].rows)
      all.set(leaves[leaf].tensor, std::move(of_rows[leaf]));
    else
      all.set(*of_dense.entry(leaves[leaf].tensor));
  return all;
}

}  // namespace xgrad::nn
