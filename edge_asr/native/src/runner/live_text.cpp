#include "live_text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace edge_asr::runner {
namespace {

constexpr char kDim[] = "\x1b[2m";
constexpr char kPlain[] = "\x1b[0m";
constexpr char kClearLine[] = "\r\x1b[K";
constexpr std::size_t kUsualColumns = 80;

bool opens_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }  // of UTF-8

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), opens_character));
}

// Byte at which character `number` begins; the size where there are fewer.
std::size_t byte_of(const std::string& text, std::size_t number) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (opens_character(text[at]) && number-- == 0) break;
  }
  return at;
}

}  // namespace

void LiveText::show(const std::string& new_text, const std::string& partial) {
  const std::size_t width = std::max<std::size_t>(columns_(), 2) - 1;
  std::string out = kClearLine;
  last_line_ += new_text;
  while (characters(last_line_) > width) {
    const std::size_t full = byte_of(last_line_, width);
    const std::size_t space = last_line_.rfind(' ', full);
    const bool between_words = space != std::string::npos && space > 0;
    const std::size_t cut = between_words ? space : full;
    out += last_line_.substr(0, cut) + "\n";
    last_line_.erase(0, cut + (between_words ? 1 : 0));
  }
  out += last_line_;
  const std::size_t room = width - characters(last_line_);
  const std::string ahead = (last_line_.empty() || partial.empty() ? "" : " ") + partial;
  const std::size_t length = characters(ahead);
  const std::string shown = length > room ? ahead.substr(byte_of(ahead, length - room)) : ahead;
  if (!shown.empty()) out += kDim + shown + kPlain;
  write_(out);
}

void LiveText::finish() {
  show("", "");
  write_("\n");
}

std::size_t columns_of(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsualColumns;
}

}  // namespace edge_asr::runner
