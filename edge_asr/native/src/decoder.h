// The decoder of one stream whose steps a host calls itself: a time line, and views of its words for the C ABI.
#pragma once

#include <cstdint>
#include <vector>

#include "edge_asr.h"
#include "metadata.h"
#include "time_line.h"

namespace edge_asr {

// Fills `views` anew with views of `words`, which live as long as these.
void view(const std::vector<Word>& words, std::vector<edge_asr_word>& views);

// Use it from one thread at a time.
class Decoder {
 public:
  explicit Decoder(const Metadata& metadata);

  // What they return lives until the next call. Throw Failure; a refused argument leaves the decoder as it was, and
  // after any other failure it is over, as it is after `finish`.
  edge_asr_words add(const edge_asr_step& step, std::int32_t samples);
  edge_asr_words partial_words();
  edge_asr_words finish();

  void restart();

 private:
  void require_open() const;
  void check(const edge_asr_step& step, std::int32_t samples) const;
  edge_asr_words answer();

  TimeLine line_;
  std::int32_t chunk_samples_;
  std::int32_t block_frames_;
  bool over_ = false;

  // the answer to the last call
  std::vector<Word> words_;
  std::vector<edge_asr_word> views_;
};

}  // namespace edge_asr
