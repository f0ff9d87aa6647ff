// --bench: times and memory.
#pragma once

#include <string>
#include <vector>

#include "json_lines.h"
#include "memory_use.h"
#include "transcript.h"

namespace edge_asr::runner {

struct Bench {
  double before_main_ms = 0.0;   // CPU time that the system and the dynamic linker took to start the program
  double load_ms = 0.0;          // from there until a stream was ready
  double first_result_ms = 0.0;  // from the start of the program to the end of its first step
  std::int64_t after_load_bytes = 0;       // resident
  std::int64_t peak_after_load_bytes = 0;  // highest so far
  std::int64_t planned_bytes = 0;          // that the program plans for its tensors
  std::vector<double> step_ms;             // of all passes, in order
  std::vector<bool> step_is_upper;
  double audio_s = 0.0;
  double compute_s = 0.0;

  void take(const Transcript& transcript);
};

std::string bench_table(const Bench& bench, const Identity& identity);
std::string bench_line(const Bench& bench, const Identity& identity);

}  // namespace edge_asr::runner
