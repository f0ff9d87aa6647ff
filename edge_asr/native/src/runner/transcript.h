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
  std::vector<HeardWord> words;   // final ones
  std::string final;              // their text
  std::string partial;            // the words after it, which may still change
  std::vector<double> step_ms;    // latency of each step
  std::vector<bool> step_is_upper;  // whether the upper layers ran in it
  edge_asr_counters counters{};

  // Takes an answer of the stream; true where text has changed.
  bool take(const edge_asr_update& update);
};

}  // namespace edge_asr::runner
