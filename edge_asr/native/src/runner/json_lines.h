// The objects of --json, one on each line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "edge_asr.h"
#include "options.h"
#include "transcript.h"

namespace edge_asr::runner {

// What ran, as each line tells it.
struct Identity {
  std::string model_path;
  std::string model_crc32;  // as in the file's trailer, eight hexadecimal digits
  std::string metadata;     // JSON, as the exporter wrote it
  float threshold;          // in use
  std::int32_t threads;
  double load_ms;  // from the start of the program to a stream that is ready
};

// What became of one input.
struct Outcome {
  bool interrupted = false;
  std::vector<std::string> warnings;  // without the input's name
  std::string error;                  // the same; empty where it was heard to its end
};

// The text is in it as far as the transcript keeps it.
std::string file_line(const Identity& identity, const std::string& audio, std::int64_t pass, const Outcome& outcome,
                      const Transcript& transcript);

// An input of which nothing was heard.
std::string error_line(const std::string& audio, std::int64_t pass, const std::string& error);

// One answer of the stream on the way, and how long the library took for it: what is new in it, and nothing from before.
std::string update_line(const std::string& audio, std::int64_t pass, const Transcript& transcript,
                        const edge_asr_update& update, double call_ms);

// CPU time of this process so far.
double cpu_ms();

// The last eight digits of a file that was found whole.
std::string crc32_of_trailer(const std::string& path);

}  // namespace edge_asr::runner
