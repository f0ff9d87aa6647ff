// The objects of --json, one on each line.
#pragma once

#include <cstdint>
#include <string>

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

std::string file_line(const Identity& identity, const std::string& audio, std::int64_t pass, bool interrupted,
                      const Transcript& transcript);

// One answer of the stream on the way, and how long the library took for it.
std::string update_line(const std::string& audio, std::int64_t pass, const Transcript& transcript,
                        const edge_asr_update& update, double call_ms);

// CPU time of this process so far.
double cpu_ms();

// The last eight digits of a file that was found whole.
std::string crc32_of_trailer(const std::string& path);

}  // namespace edge_asr::runner
