#include "descriptors.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

namespace edge_asr::runner {
namespace {

int access_mode(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  return flags < 0 ? -1 : flags & O_ACCMODE;
}

// The number in `/dev/fd/N` and its like; -1 in another name.
int number_in(const std::string& name) {
  if (name == "/dev/stdin") return STDIN_FILENO;
  for (const std::string folder : {"/dev/fd/", "/proc/self/fd/"}) {
    const std::string number = name.substr(0, folder.size()) == folder ? name.substr(folder.size()) : "";
    if (!number.empty() && number.size() < 6 && number.find_first_not_of("0123456789") == std::string::npos) {
      return std::atoi(number.c_str());
    }
  }
  return -1;
}

}  // namespace

void hold_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (access_mode(descriptor) >= 0) continue;
    ::open("/dev/null", descriptor == STDOUT_FILENO ? O_RDONLY : O_WRONLY);  // takes the lowest number, which is this
  }
}

bool can_read(int descriptor) {
  const int mode = access_mode(descriptor);
  return mode == O_RDONLY || mode == O_RDWR;
}

bool can_write(int descriptor) {
  const int mode = access_mode(descriptor);
  return mode == O_WRONLY || mode == O_RDWR;
}

int open_to_read(const std::string& name) {
  const int opened = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  const bool is_socket = opened < 0 && errno == ENXIO;  // which has a number, and cannot be opened by its name
  const int number = is_socket ? number_in(name) : -1;
  return number >= 0 ? ::fcntl(number, F_DUPFD_CLOEXEC, 0) : opened;
}

int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    if (written < 0 && errno == EAGAIN) {
      pollfd wanted{descriptor, POLLOUT, 0};
      ::poll(&wanted, 1, -1);
    } else if (written < 0 && errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace edge_asr::runner
