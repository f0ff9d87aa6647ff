#include "byte_reader.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "descriptors.h"
#include "interrupt.h"
#include "trouble.h"

namespace edge_asr::runner {

ByteReader::ByteReader(const std::string& name)
    : name_(name == "-" ? "stdin" : name), descriptor_(name == "-" ? STDIN_FILENO : open_to_read(name)) {
  if (descriptor_ < 0) {
    if (errno == ENOENT || errno == ENOTDIR) throw BadInput(name_, "no such audio file");
    throw BadInput(name_, std::string("cannot be read (") + std::strerror(errno) + ")");
  }
  if (name == "-" && !can_read(descriptor_)) throw BadInput(name_, "it is closed: pipe audio into it, or name a file");
  struct stat about {};
  const bool known = ::fstat(descriptor_, &about) == 0;
  regular_ = known && S_ISREG(about.st_mode);
  const bool folder = known && S_ISDIR(about.st_mode);
  const bool empty = regular_ && about.st_size == 0;
  if (!folder && !empty) return;
  if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
  throw BadInput(name_, folder ? "a folder, not an audio file: name one of its files"
                               : "the file is empty (0 bytes): record or copy it again");
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
  for (;;) {
    wait_readable(descriptor_);
    const std::size_t count = allowed(most);
    if (count == 0) return 0;
    const ssize_t got = ::read(descriptor_, bytes, count);
    if (got >= 0) {
      if (last_) *last_ -= static_cast<std::size_t>(got);
      return static_cast<std::size_t>(got);
    }
    if (errno == EINTR || (errno == EAGAIN && !interrupted())) continue;
    if (interrupted()) return 0;  // such as a terminal that was closed
    throw BadInput(name_, std::string("cannot be read (") + std::strerror(errno) + ")");
  }
}

// A pipe may go on for ever: when a signal comes, its end is set to what was spoken before it.
std::size_t ByteReader::allowed(std::size_t most) {
  if (interrupted() && !last_) {
    int waiting = 0;
    const bool known = !regular_ && ::ioctl(descriptor_, FIONREAD, &waiting) == 0;
    last_ = known && waiting > 0 ? static_cast<std::size_t>(waiting) : 0;
  }
  return last_ ? std::min(most, *last_) : most;
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

std::optional<std::uint64_t> ByteReader::bytes_left() const {
  struct stat about {};
  const off_t at = regular_ ? ::lseek(descriptor_, 0, SEEK_CUR) : -1;
  if (at < 0 || ::fstat(descriptor_, &about) != 0) return std::nullopt;
  return peeked_.size() + static_cast<std::uint64_t>(std::max<off_t>(about.st_size - at, 0));
}

}  // namespace edge_asr::runner
