#include "byte_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "interrupt.h"
#include "trouble.h"

namespace edge_asr::runner {

ByteReader::ByteReader(const std::string& name)
    : name_(name == "-" ? "stdin" : name),
      descriptor_(name == "-" ? STDIN_FILENO : ::open(name.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) {
    if (errno == ENOENT || errno == ENOTDIR) throw Trouble(name_ + ": no such audio file");
    throw Trouble(name_ + ": cannot be read (" + std::strerror(errno) + ")");
  }
  struct stat about {};
  const bool known = ::fstat(descriptor_, &about) == 0;
  regular_ = known && S_ISREG(about.st_mode);
  const bool folder = known && S_ISDIR(about.st_mode);
  const bool empty = regular_ && about.st_size == 0;
  if (!folder && !empty) return;
  if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
  throw Trouble(name_ + (folder ? ": a folder, not an audio file: name one of its files"
                                : ": the file is empty (0 bytes): record or copy it again"));
}

ByteReader::~ByteReader() {
  if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
}

std::size_t ByteReader::read_some(unsigned char* bytes, std::size_t most) {
  if (!peeked_.empty()) {
    const std::size_t count = std::min(most, peeked_.size());
    std::copy_n(peeked_.begin(), count, bytes);
    peeked_.erase(peeked_.begin(), peeked_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }
  while (!interrupted()) {
    const ssize_t got = ::read(descriptor_, bytes, most);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw Trouble(name_ + ": cannot be read (" + std::strerror(errno) + ")");
  }
  return 0;
}

std::size_t ByteReader::read_all(unsigned char* bytes, std::size_t count) {
  std::size_t done = 0;
  while (done < count) {
    const std::size_t got = read_some(bytes + done, count - done);
    if (got == 0) break;
    done += got;
  }
  return done;
}

const std::vector<unsigned char>& ByteReader::peek(std::size_t count) {
  if (peeked_.size() < count) {
    std::vector<unsigned char> bytes(count);
    bytes.resize(read_all(bytes.data(), count));
    peeked_ = std::move(bytes);
  }
  return peeked_;
}

bool ByteReader::skip(std::uint64_t count) {
  std::array<unsigned char, 4'096> nowhere{};
  while (count > 0) {
    const std::size_t got = read_some(nowhere.data(), std::min<std::uint64_t>(count, nowhere.size()));
    if (got == 0) return false;
    count -= got;
  }
  return true;
}

}  // namespace edge_asr::runner
