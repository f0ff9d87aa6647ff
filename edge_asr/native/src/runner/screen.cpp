#include "screen.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "descriptors.h"
#include "trouble.h"

namespace edge_asr::runner {
namespace {

int screen = STDERR_FILENO;

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

void require_stdout() {
  if (!can_write(STDOUT_FILENO)) throw Trouble("stdout is closed: send it to a file, or to /dev/null");
}

void print(const std::string& text) {
  const int error = write_all(STDOUT_FILENO, text);
  if (error == EPIPE) throw Trouble("stdout: nobody reads any more", kPipeClosed);
  if (error != 0) throw Trouble(std::string("stdout: ") + std::strerror(error));
}

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

bool terminal_takes_escapes() {
  return is_set("TERM") && std::string_view(std::getenv("TERM")) != "dumb" && !is_set("NO_COLOR");
}

std::string on_one_line(std::string text) {
  const auto is_control = [](char byte) { return static_cast<unsigned char>(byte) < ' ' || byte == '\x7f'; };
  std::replace_if(text.begin(), text.end(), is_control, ' ');
  return text;
}

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

void complain(const std::string& line) { write_all(screen, "edge-asr-run: " + on_one_line(line) + "\n"); }

void show(const std::string& text) {
  if (::isatty(screen) == 1) write_all(screen, text);
}

bool verbose() { return is_set("EDGE_ASR_VERBOSE") && std::string_view(std::getenv("EDGE_ASR_VERBOSE")) != "0"; }

}  // namespace edge_asr::runner
