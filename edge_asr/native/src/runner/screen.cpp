#include "screen.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "interrupt.h"
#include "trouble.h"

namespace edge_asr::runner {
namespace {

int screen = STDERR_FILENO;

// An errno, or 0.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno != EINTR) return errno;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

void print(const std::string& text) {
  const int error = write_all(STDOUT_FILENO, text);
  if (error == EPIPE) throw Trouble("stdout: nobody reads any more", kPipeClosed);
  if (error != 0) throw Trouble(std::string("stdout: ") + std::strerror(error));
}

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

void keep_libraries_off_the_screen() {
#ifndef EDGE_ASR_SANITIZED  // whose reports are what it is built for
  if (verbose()) return;
  const int copy = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (copy >= 0 && nowhere >= 0) {
    ::dup2(nowhere, STDERR_FILENO);
    screen = copy;
  }
  if (nowhere >= 0) ::close(nowhere);
#endif
}

void complain(const std::string& line) {
  std::string one = "edge-asr-run: " + line;
  std::replace_if(one.begin(), one.end(), [](unsigned char c) { return c < ' '; }, ' ');
  write_all(screen, one + "\n");
}

void show(const std::string& text) {
  if (::isatty(screen) == 1) write_all(screen, text);
}

bool verbose() {
  const char* setting = std::getenv("EDGE_ASR_VERBOSE");
  return setting != nullptr && *setting != '\0' && std::string_view(setting) != "0";
}

}  // namespace edge_asr::runner
