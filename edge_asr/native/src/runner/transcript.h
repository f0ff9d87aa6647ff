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
  bool keeps_words;  // to the end, with the text: a microphone may go on for days
  bool keeps_steps;
  bool has_words = false;  // final ones

  std::string new_text = "";  // words that the last answer made final; each follows a space but the input's first
  std::string partial = "";   // the words after it, which may still change
  edge_asr_counters counters{};

  double calls_ms = 0.0;  // wall clock inside the library: the steps, and decoding

  std::string text = "";              // all final words
  std::vector<HeardWord> words{};     // the same
  std::vector<double> step_ms{};      // latency of each step
  std::vector<bool> step_is_upper{};  // whether the upper layers ran in it

  // Takes an answer of the stream, which took that long; true where text has changed.
  bool take(const edge_asr_update& update, double call_ms);
};

}  // namespace edge_asr::runner
