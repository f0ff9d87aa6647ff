// What the drivers that misuse the C ABI share: expectations that end the process with a line, noise, opened handles.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "edge_asr.h"
#include "mutate.h"

namespace abuse {

constexpr std::int32_t kMin = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();

inline edge_asr_error error;

[[noreturn]] inline void failed(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "%s:%d: %s (last message: %s)\n", file, line, what.c_str(), error.message);
  std::exit(1);
}

inline void expect(const char* file, int line, bool good, const char* what) {
  if (!good) failed(file, line, what);
}

// A status, and a line where it is an error.
inline void expect(const char* file, int line, edge_asr_status found, edge_asr_status wanted, const char* what) {
  if (found != wanted) failed(file, line, std::string(what) + " gives status " + std::to_string(found));
  const std::string message = error.message;
  if (message.empty() != (wanted == EDGE_ASR_OK)) {
    failed(file, line, std::string(what) + ": no line, or one without need");
  }
  if (message.find('\n') != std::string::npos) failed(file, line, std::string(what) + ": two lines");
}

#define OK(call) abuse::expect(__FILE__, __LINE__, call, EDGE_ASR_OK, #call)
#define REFUSED(call) abuse::expect(__FILE__, __LINE__, call, EDGE_ASR_BAD_ARGUMENT, #call)
#define BAD_FILE(call) abuse::expect(__FILE__, __LINE__, call, EDGE_ASR_BAD_FILE, #call)
#define FAILS(call) abuse::expect(__FILE__, __LINE__, call, EDGE_ASR_FAILED, #call)
#define HOLDS(what) abuse::expect(__FILE__, __LINE__, what, #what)

inline std::vector<float> noise(std::size_t samples, std::uint64_t seed) {
  fuzz::Chance chance(seed);
  std::vector<float> pcm(samples);
  for (float& sample : pcm) sample = static_cast<float>(chance.below(2'001)) / 1'000.0F - 1.0F;
  return pcm;
}

inline edge_asr_model* opened(const char* path) {
  edge_asr_model* model = nullptr;
  OK(edge_asr_model_open(path, &model, &error));
  HOLDS(model != nullptr);
  return model;
}

inline edge_asr_stream* streaming(const edge_asr_model* model, float threshold = EDGE_ASR_DEFAULT_THRESHOLD) {
  edge_asr_stream* stream = nullptr;
  OK(edge_asr_stream_open(model, threshold, &stream, &error));
  HOLDS(stream != nullptr);
  return stream;
}

}  // namespace abuse
