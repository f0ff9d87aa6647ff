// The command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace edge_asr::runner {

enum class SampleType { kInt16, kFloat32 };  // little-endian

struct Options {
  std::vector<std::string> inputs;        // files; `-` is standard input
  std::string model;                      // the .pte
  std::optional<SampleType> raw;          // headerless samples of this type; none: WAV
  float threshold;                        // as in edge_asr.h
  std::int32_t threads = 1;               // that compute
  std::vector<std::int32_t> cpus;         // that they may run on; none: any
  std::int64_t repeat = 1;                // passes over the inputs
  bool json = false;                      // one object a file
  bool json_steps = false;                // and one for each update on the way
  bool bench = false;                     // times and memory instead of text
};

// None where the user asked for help or for the version, which is printed then. Throws Trouble.
std::optional<Options> parse_options(int count, char** arguments);

}  // namespace edge_asr::runner
