#include <doctest/doctest.h>
#include <nn/training/progress.hpp>

#include <chrono>
#include <sstream>
#include <streambuf>
#include <thread>

using xgrad::nn::Progress;

TEST_CASE("a terminal shows one line that is redrawn within its width and removed at the end") {
  std::ostringstream stream;
  {
    Progress progress(100, "batches", false, stream, 60);
    progress.update(10, "epoch 1/3  loss 2.31");
    for (int i = 0; i < 1000; ++i) progress.update(11, "dropped: too soon");
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
    progress.update(50, std::string(200, 'x'));
    progress.print("epoch 1/3 done");
  }
  const std::string text = stream.str();
  CHECK(text.find("epoch 1/3  loss 2.31  10/100 batches  ") == 0);
  CHECK(text.find(" batches/s  ") != std::string::npos);
  CHECK(text.find("dropped") == std::string::npos);
  CHECK(text.find(std::string(59, 'x')) != std::string::npos);
  CHECK(text.find(std::string(60, 'x')) == std::string::npos);
  CHECK(text.ends_with("\r\033[Kepoch 1/3 done\n"));
}

TEST_CASE("the time left follows from the rate") {
  std::ostringstream stream;
  Progress progress(3, "steps", false, stream, 80);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  progress.update(1, "");
  // One step took between 1 and 2 seconds, so two steps take 3 or 4.
  const std::string text = stream.str();
  CAPTURE(text);
  CHECK((text.find("  3 s left") != std::string::npos || text.find("  4 s left") != std::string::npos));
}

TEST_CASE("what is no terminal gets plain lines only, and quiet gets nothing") {
  std::ostringstream plain, quiet;
  for (auto [stream, silent, columns] : {std::tuple{&plain, false, 0}, std::tuple{&quiet, true, 80}}) {
    Progress progress(100, "batches", silent, *stream, columns);
    progress.update(10, "epoch 1/3");
    progress.print("epoch 1/3 done");
  }
  CHECK(plain.str() == "epoch 1/3 done\n");
  CHECK(quiet.str().empty());
}

TEST_CASE("begin counts anew, with another total and unit") {
  std::ostringstream stream;
  Progress progress(100, "batches", false, stream, 80);
  progress.begin(7, "steps");
  progress.update(2, "epoch 1");
  CHECK(stream.str().starts_with("epoch 1  2/7 steps"));
}

TEST_CASE("a stream that throws does not end the program when progress ends") {
  struct Full : std::streambuf {
    int sync() override { return -1; }
  } full;
  std::ostream stream(&full);
  CHECK_NOTHROW([&] {
    const Progress progress(0, "", false, stream, 80);
    stream.exceptions(std::ios::badbit | std::ios::failbit);
  }());
  CHECK(stream.bad());
}
