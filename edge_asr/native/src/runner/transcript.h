// What was heard of one input, and what it cost.
#pragma once

#include <string>
#include <vector>

#include "edge_asr.h"

namespace edge_asr::runner {

struct HeardWord {
  std::string text;
  double start_s;
  double end_s;
  double confidence;
};

struct Transcript {
  bool detailed;            // whether words and steps are kept: a microphone may go on for days
  std::string final = "";   // text that will not change any more
  std::string partial = ""; // the words after it, which may
  edge_asr_counters counters{};

  double calls_ms = 0.0;  // wall clock inside the library: the steps, and decoding

  std::vector<HeardWord> words{};     // final ones
  std::vector<double> step_ms{};      // latency of each step
  std::vector<bool> step_is_upper{};  // whether the upper layers ran in it

  // Takes an answer of the stream, which took that long; true where text has changed.
  bool take(const edge_asr_update& update, double call_ms);

 private:
  void take_details(const edge_asr_update& update);
};

}  // namespace edge_asr::runner
