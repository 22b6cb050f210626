#pragma once

/// What the system does with files while one lives, on this thread: the tests' own write, fsync and rename stand before
/// the system's (faulty_disk.cpp).
class FaultyDisk {
 public:
  enum class Fault {
    no_space,     ///< write: half of it, then ENOSPC
    short_write,  ///< write: half of it, which is no error
    interrupted,  ///< write: EINTR
    write_error,  ///< write: EIO
    sync_error,   ///< fsync: EIO
    rename_error  ///< rename: EIO
  };
  /// The fault happens at the n-th call, from 0, of the function that it befalls.
  FaultyDisk(Fault fault, int n);
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  bool happened() const { return happened_; }
  /// Whether it happens in this call.
  bool happens(bool befalls) {
    if (!befalls || happened_ || n_-- > 0) return false;
    return happened_ = true;
  }
  Fault fault() const { return fault_; }
  bool full() const { return happened_ && fault_ == Fault::no_space; }
  static FaultyDisk* current();

 private:
  Fault fault_;
  int n_;
  bool happened_ = false;
};
