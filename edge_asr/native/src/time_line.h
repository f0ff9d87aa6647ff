// CTC greedy decoding on the merged time line: skipped frames, waiting frames and resolved frames in one sequence.
// The same collapse as edge_asr/ctc.py; its page says what and why.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge_asr.h"
#include "metadata.h"

namespace edge_asr {

struct Word {
  std::string text;
  double start_s;
  double end_s;  // never after the audio's end
  double confidence;
};

// A kept frame on the line.
struct Frame {
  std::int64_t number;  // counted from the start of the stream
  std::int32_t token;   // the head's best id
  double log_probability;
};

// A word that is complete, in frames.
struct Span {
  std::string text;
  std::int64_t first_frame;
  std::int64_t last_frame;
  double confidence;
};

// What a piece adds: letters to the open word, or, before them, the end of words.
class Pieces {
 public:
  explicit Pieces(const Metadata& metadata);

  // The text of a piece, cut at each `▁`; some parts are empty.
  const std::vector<std::string>& parts(std::int32_t token) const { return parts_[static_cast<std::size_t>(token)]; }
  std::int32_t blank_id() const { return blank_id_; }

 private:
  std::vector<std::vector<std::string>> parts_;
  std::int32_t blank_id_;
};

// CTC collapse of kept frames, in order, into words. Frame numbers that are missing are blank. A copy goes on alone.
class Collapser {
 public:
  explicit Collapser(const Pieces* pieces) : pieces_(pieces) {}

  void add(const Frame& frame, std::vector<Span>& words);  // appends the words that this frame completes
  void finish(std::vector<Span>& words);                   // the open word, if there is one, is complete

 private:
  // A run of one token inside one word.
  struct Part {
    const std::string* text;
    std::int64_t first_frame;
    std::int64_t last_frame;
    double log_probability;  // the highest of its frames
  };

  void extend_run(const Frame& frame);

  const Pieces* pieces_;
  std::optional<Frame> previous_;
  std::vector<Part> parts_;  // of the word that may still grow
  bool in_run_ = false;      // the last part ends at the previous frame, so that a repeat belongs to it
};

// Words from the results of the steps, incrementally. Keeps the frames that wait and the pieces of the last word, and
// no other frame: memory grows with neither silence nor speech.
class TimeLine {
 public:
  explicit TimeLine(const Metadata& metadata);

  // Takes one step's result, whose chunk had `samples` real ones; appends the words that are final from now on. Only the
  // last chunk of a stream may end in a frame. Throws Failure where the result breaks the contract: frames resolved out
  // of order or never kept, a log probability that is not finite, another number of waiting frames.
  void add(const edge_asr_step& step, std::int64_t samples, std::vector<Word>& words);
  void partial_words(std::vector<Word>& words) const;  // what follows the final words; any of it may change
  void finish(std::vector<Word>& words);               // nothing waits: the last word is final, too
  void restart();

 private:
  Frame best(const float* log_probabilities, std::int64_t number) const;
  void append(std::vector<Span>&& spans, std::vector<Word>& words) const;

  std::int32_t vocabulary_;
  std::int64_t frame_samples_;
  double sample_rate_hz_;
  std::unique_ptr<const Pieces> pieces_;
  std::int64_t frames_ = 0;
  std::int64_t samples_ = 0;
  Collapser resolved_;
  std::deque<Frame> waiting_;
};

}  // namespace edge_asr
