// Bytes of a file or of standard input, in order, as they come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edge_asr::runner {

class ByteReader {
 public:
  // `-` is standard input. Throws Trouble where it cannot be opened, is a folder, or is empty.
  explicit ByteReader(const std::string& name);
  ~ByteReader();
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;

  // What is there, at most `most` bytes, waiting for the first of them; none at the end, or after Ctrl-C. Throws Trouble.
  std::size_t read_some(unsigned char* bytes, std::size_t most);

  // Up to `count` bytes, fewer only at the end.
  std::size_t read_all(unsigned char* bytes, std::size_t count);

  // The next bytes, which stay to be read; fewer than `count` only at the end.
  const std::vector<unsigned char>& peek(std::size_t count);

  // False where there were not so many.
  bool skip(std::uint64_t count);

  const std::string& name() const { return name_; }  // for messages
  bool is_regular_file() const { return regular_; }

 private:
  std::string name_;
  int descriptor_;
  bool regular_ = false;
  std::vector<unsigned char> peeked_;
};

}  // namespace edge_asr::runner
