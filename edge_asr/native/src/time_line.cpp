#include "time_line.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "failure.h"

namespace edge_asr {
namespace {

constexpr std::string_view kWordStart = "\xE2\x96\x81";  // ▁

std::vector<std::string> split(std::string_view piece) {
  std::vector<std::string> parts;
  for (std::size_t cut = piece.find(kWordStart); cut != std::string_view::npos; cut = piece.find(kWordStart)) {
    parts.emplace_back(piece.substr(0, cut));
    piece.remove_prefix(cut + kWordStart.size());
  }
  parts.emplace_back(piece);
  return parts;
}

}  // namespace

Pieces::Pieces(const Metadata& metadata) : blank_id_(metadata.blank_id) {
  for (const std::string& piece : metadata.pieces) parts_.push_back(split(piece));
}

void Collapser::add(const Frame& frame, std::vector<Span>& words) {
  const std::optional<Frame> previous = previous_;
  previous_ = frame;
  if (frame.token == pieces_->blank_id()) return;
  if (previous && previous->number == frame.number - 1 && previous->token == frame.token) {
    extend_run(frame);
    return;
  }
  in_run_ = false;
  bool opens_word = false;
  for (const std::string& text : pieces_->parts(frame.token)) {
    if (opens_word) finish(words);
    opens_word = true;
    if (text.empty()) continue;
    parts_.push_back({&text, frame.number, frame.number, frame.log_probability});
    in_run_ = true;
  }
}

void Collapser::extend_run(const Frame& frame) {
  if (!in_run_) return;  // a piece without letters belongs to no word's sound
  parts_.back().last_frame = frame.number;
  parts_.back().log_probability = std::max(parts_.back().log_probability, frame.log_probability);
}

void Collapser::finish(std::vector<Span>& words) {
  in_run_ = false;
  if (parts_.empty()) return;
  std::string text;
  double sum = 0.0;
  for (const Part& part : parts_) {
    text += *part.text;
    sum += part.log_probability;
  }
  const double confidence = std::min(1.0, std::exp(sum / static_cast<double>(parts_.size())));
  words.push_back({std::move(text), parts_.front().first_frame, parts_.back().last_frame, confidence});
  parts_.clear();
}

TimeLine::TimeLine(const Metadata& metadata)
    : vocabulary_(metadata.vocabulary()),
      frame_samples_(metadata.frame_samples),
      sample_rate_hz_(metadata.sample_rate_hz),
      pieces_(std::make_unique<const Pieces>(metadata)),
      resolved_(pieces_.get()) {}

void TimeLine::add(const edge_asr_step& step, std::int64_t samples, std::vector<Word>& words) {
  const std::int64_t frames = (samples + frame_samples_ - 1) / frame_samples_;
  for (std::int64_t row = 0; row < frames; ++row) {
    if (step.keep[row] > 0.5F) waiting_.push_back(best(step.partial + row * vocabulary_, frames_ + row));
  }
  frames_ += frames;
  samples_ += samples;
  std::vector<Span> spans;
  for (std::int32_t row = 0; row < step.rows; ++row) {
    const std::int64_t number = step.index[row];
    if (waiting_.empty() || waiting_.front().number != number) {
      throw failed("the model resolved frame " + std::to_string(number) + ", which was not next: export it again");
    }
    waiting_.pop_front();
    resolved_.add(best(step.final + std::ptrdiff_t{row} * vocabulary_, number), spans);
  }
  if (step.waiting != static_cast<std::int64_t>(waiting_.size())) {
    throw failed("the model says that " + std::to_string(step.waiting) + " frames wait, and " +
                 std::to_string(waiting_.size()) + " do: export it again");
  }
  append(std::move(spans), words);
}

void TimeLine::partial_words(std::vector<Word>& words) const {
  Collapser ahead = resolved_;
  std::vector<Span> spans;
  for (const Frame& frame : waiting_) ahead.add(frame, spans);
  ahead.finish(spans);
  append(std::move(spans), words);
}

void TimeLine::finish(std::vector<Word>& words) {
  std::vector<Span> spans;
  resolved_.finish(spans);
  append(std::move(spans), words);
}

void TimeLine::restart() {
  frames_ = samples_ = 0;
  resolved_ = Collapser(pieces_.get());
  waiting_.clear();
}

Frame TimeLine::best(const float* log_probabilities, std::int64_t number) const {
  const float* end = log_probabilities + vocabulary_;
  if (!std::all_of(log_probabilities, end, [](float value) { return std::isfinite(value); })) {
    throw failed("the model gave a log probability that is not finite for frame " + std::to_string(number) +
                 ": export it again");
  }
  const float* highest = std::max_element(log_probabilities, end);
  return {number, static_cast<std::int32_t>(highest - log_probabilities), *highest};
}

void TimeLine::append(std::vector<Span>&& spans, std::vector<Word>& words) const {
  for (Span& span : spans) {
    const std::int64_t end = std::min((span.last_frame + 1) * frame_samples_, samples_);
    words.push_back({std::move(span.text), static_cast<double>(span.first_frame * frame_samples_) / sample_rate_hz_,
                     static_cast<double>(end) / sample_rate_hz_, span.confidence});
  }
}

}  // namespace edge_asr
