// The command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace edge_asr::runner {

enum class SampleType { kInt16, kFloat32 };  // little-endian

constexpr std::uint32_t kMostChannels = 32;
constexpr std::uint32_t kLowestRateHz = 1'000, kHighestRateHz = 768'000;

// What the samples of an input are, and which of them are heard.
struct AudioOptions {
  std::uint32_t channel = 0;            // from 1; 0 is the mean of all
  std::optional<SampleType> raw;        // headerless samples of this type; none: WAV
  std::optional<std::int32_t> rate_hz;  // of raw samples; none: the model's
  std::int32_t channels = 1;            // of raw samples
};

struct Options {
  std::vector<std::string> inputs;        // files; `-` is standard input
  std::string model;                      // the .pte
  AudioOptions audio;
  float threshold;                        // as in edge_asr.h
  std::int32_t threads = 1;               // that compute
  std::vector<std::int32_t> cpus;         // that they may run on; none: any
  std::int64_t repeat = 1;                // passes over the inputs
  bool json = false;                      // one object an input
  bool json_steps = false;                // and one for each update on the way, which the words are in
  bool bench = false;                     // times and memory instead of text
};

// None where the user asked for help or for the version, which is printed then. Throws Trouble.
std::optional<Options> parse_options(int count, char** arguments);

}  // namespace edge_asr::runner
