#include "interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>

namespace edge_asr::runner {
namespace {

// `timeout` sends its signal twice, and a closed terminal may: that is one wish, not two.
constexpr std::int64_t kOneWishMs = 100;

volatile std::sig_atomic_t came = 0;
std::int64_t came_at_ms = 0;            // written before `came`, by the handler alone
std::array<int, 2> wake{-1, -1};        // a pipe: a signal may come between a look at the flag and a wait

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000;
}

void note(int signal) {
  const int error = errno;
  const std::int64_t at_ms = now_ms();
  if (came == 0) {
    came_at_ms = at_ms;
    came = signal;
    const ssize_t woken = ::write(wake[1], "", 1);
    static_cast<void>(woken);
  } else if (at_ms - came_at_ms > kOneWishMs) {
    ::signal(signal, SIG_DFL);
    ::kill(::getpid(), signal);
  }
  errno = error;
}

}  // namespace

void catch_interrupts() {
  if (::pipe2(wake.data(), O_CLOEXEC | O_NONBLOCK) != 0) wake = {-1, -1};
  struct sigaction action {};
  action.sa_handler = note;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&action.sa_mask, signal);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    const bool ignored = ::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_IGN;
    if (signal != SIGHUP || !ignored) ::sigaction(signal, &action, nullptr);
  }
}

bool interrupted() { return came != 0; }

int interrupt_signal() { return came; }

void wait_readable(int descriptor) {
  std::array<pollfd, 2> wanted{{{descriptor, POLLIN, 0}, {wake[0], POLLIN, 0}}};
  while (!interrupted() && ::poll(wanted.data(), wanted.size(), -1) < 0 && errno == EINTR) {
  }
}

}  // namespace edge_asr::runner
