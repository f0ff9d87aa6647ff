// From inputs to what is printed of them.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "audio_source.h"
#include "bench.h"
#include "display.h"
#include "json_lines.h"
#include "options.h"
#include "recognizer.h"
#include "transcript.h"
#include "trouble.h"

namespace edge_asr::runner {

// When the program began, as far as it can tell.
struct Start {
  double before_main_ms = cpu_ms();
  std::chrono::steady_clock::time_point main = std::chrono::steady_clock::now();

  double ms() const;
};

class Run {
 public:
  // Loads the model. Throws Trouble.
  Run(const Options& options, const Start& start);

  // Goes over the inputs until a signal comes. False where one of them is bad, which is told at its turn. Throws Trouble.
  bool all();

 private:
  // Calls the library, whose errors do not name the input.
  template <typename Call>
  void step(const std::string& name, Call call);

  bool one(const std::string& name, std::int64_t pass);
  void hear(AudioSource& source, Outcome& outcome);
  void listen(AudioSource& source);
  void take(const edge_asr_update& update, double call_ms);
  void tell(const Outcome& outcome, const std::string& shown_name);

  const Options& options_;
  const Start& start_;
  Model model_;
  std::optional<Stream> stream_;
  Identity identity_{};
  Bench bench_;
  Progress progress_;
  bool used_ = false;  // the stream: the next input needs a restart

  // of the input that is heard
  std::string name_;
  std::int64_t pass_ = 0;
  bool came_ = false;  // samples
  Transcript transcript_{false, false};
  std::optional<Display> display_;
};

}  // namespace edge_asr::runner
