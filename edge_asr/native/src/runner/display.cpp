#include "display.h"

#include <unistd.h>

#include "screen.h"
#include "trouble.h"

namespace edge_asr::runner {
namespace {

constexpr char kDim[] = "\x1b[2m";
constexpr char kPlain[] = "\x1b[0m";
constexpr char kClearLine[] = "\r\x1b[K";
constexpr std::chrono::milliseconds kBetweenProgress{200};

}  // namespace

Display::Display(const Options& options, const std::string& name) : text_(!options.json && !options.bench) {
  if (!text_ || !stdout_is_terminal() || !terminal_takes_escapes()) return;
  live_.emplace(print, [] { return columns_of(STDOUT_FILENO); });
  if (options.inputs.size() > 1) print(kDim + on_one_line(name) + kPlain + "\n");
}

void Display::heard(const Transcript& transcript) {
  if (live_) {
    live_->show(transcript.new_text, transcript.partial);
  } else if (text_ && !transcript.new_text.empty()) {
    print(transcript.new_text);
  }
  begun_ = begun_ || live_ || (text_ && transcript.has_words);
}

void Display::finish() {
  if (live_) {
    live_->finish();
  } else if (text_) {
    print("\n");
  }
  begun_ = false;
}

void Display::abandon() noexcept {
  try {
    if (begun_) print("\n");
  } catch (const Trouble&) {  // stdout is what went wrong
  }
}

Progress::Progress(const Options& options)
    : repeat_(options.repeat),
      shown_((options.json || options.bench || !stdout_is_terminal()) && terminal_takes_escapes()),
      last_(std::chrono::steady_clock::now()) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (shown_) show(kClearLine);
}

void Progress::heard(std::int64_t pass, double new_s) {
  heard_s_ += new_s;
  const auto now = std::chrono::steady_clock::now();
  if (!shown_ || now - last_ < kBetweenProgress) return;
  last_ = now;
  const std::string of = repeat_ > 1 ? "pass " + std::to_string(pass) + " of " + std::to_string(repeat_) + ", " : "";
  show(kClearLine + of + std::to_string(static_cast<std::int64_t>(heard_s_)) + " s of audio");
}

}  // namespace edge_asr::runner
