// Bytes of a file or of standard input, in order, as they come. Each is read once: nothing seeks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace edge_asr::runner {

class ByteReader {
 public:
  // `-` is standard input. Throws BadInput where it cannot be opened, is a folder, or is empty.
  explicit ByteReader(const std::string& name);
  ~ByteReader();
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;

  // What is there, at most `most` bytes, waiting for the first of them; none at the end. After a signal comes only what
  // lies in the pipe already, and nothing more of a file. Throws BadInput.
  std::size_t read_some(unsigned char* bytes, std::size_t most);

  // Up to `count` bytes, fewer only at the end.
  std::size_t read_all(unsigned char* bytes, std::size_t count);

  // The next bytes, which stay to be read; fewer than `count` only at the end.
  const std::vector<unsigned char>& peek(std::size_t count);

  // False where there were not so many.
  bool skip(std::uint64_t count);

  const std::string& name() const { return name_; }  // for messages
  bool is_regular_file() const { return regular_; }

  // How many follow, where it is a regular file.
  std::optional<std::uint64_t> bytes_left() const;

 private:
  std::size_t allowed(std::size_t most);

  std::string name_;
  int descriptor_;
  bool regular_ = false;
  std::vector<unsigned char> peeked_;
  std::optional<std::size_t> last_;  // bytes that are still read, once a signal has come
};

}  // namespace edge_asr::runner
