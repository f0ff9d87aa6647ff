#include "decoder.h"

#include <string>

#include "failure.h"

namespace edge_asr {

void view(const std::vector<Word>& words, std::vector<edge_asr_word>& views) {
  views.clear();
  for (const Word& word : words) views.push_back({word.text.c_str(), word.start_s, word.end_s, word.confidence});
}

Decoder::Decoder(const Metadata& metadata)
    : line_(metadata), chunk_samples_(metadata.chunk_samples), block_frames_(metadata.block_frames()) {}

edge_asr_words Decoder::add(const edge_asr_step& step, std::int32_t samples) {
  require_open();
  check(step, samples);
  words_.clear();
  over_ = true;  // should it fail
  line_.add(step, samples, words_);
  over_ = false;
  return answer();
}

edge_asr_words Decoder::partial_words() {
  require_open();
  words_.clear();
  line_.partial_words(words_);
  return answer();
}

edge_asr_words Decoder::finish() {
  require_open();
  words_.clear();
  line_.finish(words_);
  over_ = true;
  return answer();
}

void Decoder::restart() {
  line_.restart();
  over_ = false;
}

void Decoder::require_open() const {
  if (over_) throw bad_argument("this decoder is over: restart it, or open another");
}

void Decoder::check(const edge_asr_step& step, std::int32_t samples) const {
  if (samples < 0 || samples > chunk_samples_) {
    throw bad_argument("samples of a step must lie between 0 and " + std::to_string(chunk_samples_) + ", not " +
                       std::to_string(samples));
  }
  if (step.rows < 0 || step.rows > block_frames_) {
    throw bad_argument("rows of a step must lie between 0 and " + std::to_string(block_frames_) + ", not " +
                       std::to_string(step.rows));
  }
  if (samples > 0 && (step.partial == nullptr || step.keep == nullptr)) {
    throw bad_argument("the step's partial or keep is NULL");
  }
  if (step.rows > 0 && (step.final == nullptr || step.index == nullptr)) {
    throw bad_argument("the step's final or index is NULL");
  }
}

edge_asr_words Decoder::answer() {
  view(words_, views_);
  return {views_.data(), views_.size()};
}

}  // namespace edge_asr
