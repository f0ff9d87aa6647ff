// A stream of speech: samples in, words out. The same semantics as edge_asr/recognizer.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "edge_asr.h"
#include "program.h"
#include "time_line.h"

namespace edge_asr {

// Owns its program. Use it from one thread at a time.
class Stream {
 public:
  Stream(std::unique_ptr<Program> program, float threshold);  // throws Failure

  // What they return lives until the next call. Throw Failure; a refused array leaves the stream as it was, and after
  // any other failure it is over, as it is after `finish`.
  edge_asr_update accept(const float* pcm, std::size_t samples);
  edge_asr_update finish();

  void restart();
  void set_threshold(float threshold);

 private:
  void require_open() const;
  void check(const float* pcm, std::size_t samples) const;
  void begin_answer();
  void step(bool flush);
  void count(const edge_asr_step& step, std::int32_t frames, std::int64_t samples, double step_s);
  edge_asr_update answer();

  std::unique_ptr<Program> program_;
  float threshold_;
  TimeLine line_;
  bool over_ = false;

  std::vector<float> chunk_;
  std::size_t filled_ = 0;      // samples of the chunk that are real
  std::int64_t accepted_ = 0;   // samples since the start of the stream
  std::int64_t consumed_ = 0;   // of them, those that went through a step
  std::int64_t waiting_ = 0;    // kept frames not yet through the upper stack
  edge_asr_counters counters_{};

  // the answer to the last call
  std::vector<Word> new_words_, partial_words_;
  std::vector<edge_asr_word> new_word_views_, partial_word_views_;
  std::vector<edge_asr_step_info> steps_;
  std::vector<std::uint8_t> keep_;  // of all steps in `steps_`
};

}  // namespace edge_asr
