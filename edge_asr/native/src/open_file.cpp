#include "open_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "failure.h"

namespace edge_asr {
namespace {

Failure unreadable(const std::string& path, int number) {
  if (number == ENOENT || number == ENOTDIR) return bad_file(path + ": no such model file");
  return bad_file(path + ": cannot be read (" + std::strerror(number) + ")");
}

void require_regular_file(const std::string& path, const struct stat& about) {
  if (S_ISDIR(about.st_mode)) throw bad_file(path + ": a folder, not a model: name the .pte file in it");
  if (!S_ISREG(about.st_mode)) throw bad_file(path + ": a pipe or device, not a model: name a .pte file");
  if (about.st_size == 0) throw bad_file(path + ": the model file is empty (0 bytes): copy or export it again");
}

}  // namespace

// O_NONBLOCK: a named pipe would otherwise be waited for
OpenFile::OpenFile(const std::string& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) throw unreadable(path_, errno);
  try {
    if (::fstat(descriptor_, &about_) != 0) throw unreadable(path_, errno);
    require_regular_file(path_, about_);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

OpenFile::~OpenFile() { ::close(descriptor_); }

std::size_t OpenFile::read(std::uint64_t offset, unsigned char* bytes, std::size_t count) const {
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = ::pread(descriptor_, bytes + done, count - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw unreadable(path_, errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

bool OpenFile::has_changed() const {
  struct stat now {};
  if (::fstat(descriptor_, &now) != 0) return true;
  return now.st_size != about_.st_size || now.st_mtim.tv_sec != about_.st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != about_.st_mtim.tv_nsec;
}

}  // namespace edge_asr
