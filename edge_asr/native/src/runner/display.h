// What a person sees while the program works.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "live_text.h"
#include "options.h"
#include "transcript.h"

namespace edge_asr::runner {

// The text of one input on stdout: live on a terminal that can, word by word once final elsewhere, nothing beside --json.
class Display {
 public:
  Display(const Options& options, const std::string& name);  // throws Trouble

  void heard(const Transcript& transcript);  // after each answer. Throws Trouble
  void finish();                             // ends the line. Throws Trouble
  void abandon() noexcept;                   // ends it where text is on it, for a message that follows

 private:
  bool text_;
  std::optional<LiveText> live_;
  bool begun_ = false;  // text is on the line
};

// One line on stderr, where that is a terminal and the text is not seen to come.
class Progress {
 public:
  explicit Progress(const Options& options);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void heard(std::int64_t pass, double new_s);
  void clear();  // for a line that follows

 private:
  std::int64_t repeat_;
  bool shown_;
  double heard_s_ = 0.0;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace edge_asr::runner
