// What every driver does around its cases: say which one runs, end one that hangs, count, and tell what went wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "mutate.h"

namespace fuzz {

Bytes read_file(const std::string& path);

// A file in memory, with a path that others can open.
class MemoryFile {
 public:
  explicit MemoryFile(const Bytes& bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  Bytes read() const;

 private:
  int descriptor_;
  std::string path_;
};

// Cases `first` to `first + count - 1`. Before each, its number is written to the file `note`, so that whoever started
// the process knows which one ended it; one that takes longer than kCaseS ends it with SIGALRM.
class Cases {
 public:
  static constexpr unsigned kCaseS = 20;

  Cases(const std::string& note, std::uint64_t first, std::uint64_t count);

  void run(const std::function<void(std::uint64_t)>& one);

  void count(const std::string& what) { ++counts_[what]; }
  // The case ended otherwise than it should.
  void wrong(const std::string& what);
  // Wrong unless `message` is one line that says something.
  void expect_line(const std::string& message);

  // Prints `count <tab> number <tab> what` for each count; the exit status of the driver.
  int report() const;

 private:
  int note_;
  std::uint64_t first_, count_, current_ = 0, wrong_ = 0;
  std::map<std::string, std::uint64_t> counts_;
};

// A message without the numbers and the path in it, to count messages by.
std::string kind_of(std::string message, const std::string& path);

}  // namespace fuzz
