#include "stream.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>

#include "decoder.h"
#include "failure.h"

namespace edge_asr {
namespace {

constexpr float kLargestSample = 64.0F;  // float audio may exceed 1 a little; beyond this it was scaled as integers are

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(), pattern, values...);
  return line.data();
}

}  // namespace

Stream::Stream(std::unique_ptr<Program> program, float threshold)
    : program_(std::move(program)),
      threshold_(checked_threshold(threshold, program_->model().metadata())),
      line_(program_->model().metadata()),
      chunk_(static_cast<std::size_t>(program_->model().metadata().chunk_samples)) {}

edge_asr_update Stream::accept(const float* pcm, std::size_t samples) {
  require_open();
  check(pcm, samples);
  begin_answer();
  for (std::size_t done = 0; done < samples;) {
    const std::size_t count = std::min(samples - done, chunk_.size() - filled_);
    std::copy_n(pcm + done, count, chunk_.data() + filled_);
    filled_ += count;
    done += count;
    if (filled_ == chunk_.size()) step(/*flush=*/false);
  }
  accepted_ += static_cast<std::int64_t>(samples);
  if (!steps_.empty()) {
    partial_words_.clear();
    line_.partial_words(partial_words_);
  }
  return answer();
}

edge_asr_update Stream::finish() {
  require_open();
  begin_answer();
  if (filled_ > 0) step(/*flush=*/true);
  while (waiting_ > 0) {
    const std::int64_t before = waiting_;
    step(/*flush=*/true);
    if (waiting_ >= before) {
      over_ = true;
      throw failed("the model does not end its stream (flushing resolves no frame): export it again");
    }
  }
  line_.finish(new_words_);
  partial_words_.clear();
  over_ = true;
  return answer();
}

void Stream::restart() {
  program_->reset();
  line_.restart();
  filled_ = 0;
  accepted_ = consumed_ = waiting_ = 0;
  counters_ = {};
  begin_answer();
  partial_words_.clear();
  over_ = false;
}

void Stream::set_threshold(float threshold) { threshold_ = checked_threshold(threshold, program_->model().metadata()); }

void Stream::require_open() const {
  if (over_) throw bad_argument("this stream is over: restart it, or open another");
}

void Stream::check(const float* pcm, std::size_t samples) const {
  const float* end = pcm + samples;
  // counted, without a way out of the loop: so it takes a vector of samples at a time
  std::size_t in_range = 0;
  for (const float* sample = pcm; sample != end; ++sample) in_range += std::fabs(*sample) <= kLargestSample;
  if (in_range == samples) return;
  const float* bad = std::find_if(pcm, end, [](float sample) { return !std::isfinite(sample); });
  if (bad != end) {
    const double at_s =
        static_cast<double>(accepted_ + (bad - pcm)) / static_cast<double>(program_->model().metadata().sample_rate_hz);
    throw bad_argument(
        format("the PCM sample at %.2f s is not a finite number (NaN or infinite): mend its source", at_s));
  }
  float peak = 0.0F;
  for (const float* sample = pcm; sample != end; ++sample) peak = std::max(peak, std::fabs(*sample));
  throw bad_argument(
      format("float PCM must lie in [-1, 1], this reaches %.0f: scale it, 16-bit samples by 1/32768",
             static_cast<double>(peak)));
}

void Stream::begin_answer() {
  new_words_.clear();
  steps_.clear();
  keep_.clear();
}

// Runs the chunk as far as it is filled, zeros after that.
void Stream::step(bool flush) {
  const Metadata& metadata = program_->model().metadata();
  const auto samples = static_cast<std::int64_t>(std::exchange(filled_, 0));
  std::fill(chunk_.begin() + samples, chunk_.end(), 0.0F);
  const auto frames = static_cast<std::int32_t>((samples + metadata.frame_samples - 1) / metadata.frame_samples);
  over_ = true;  // should it fail
  const auto started = std::chrono::steady_clock::now();
  const edge_asr_step result = program_->step(chunk_.data(), frames, threshold_, flush);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
  count(result, frames, samples, taken.count());
  line_.add(result, samples, new_words_);
  over_ = false;
}

void Stream::count(const edge_asr_step& step, std::int32_t frames, std::int64_t samples, double step_s) {
  std::int64_t kept = 0;
  for (std::int32_t row = 0; row < frames; ++row) {
    const bool keep = step.keep[row] > 0.5F;
    keep_.push_back(keep);
    kept += keep;
  }
  waiting_ = step.waiting;
  consumed_ += samples;
  steps_.push_back({nullptr, frames, step.rows > 0, step.waiting, 1e3 * step_s});
  counters_.frames += frames;
  counters_.kept_frames += kept;
  counters_.upper_runs += step.rows > 0;
  counters_.steps += 1;
  counters_.audio_s = static_cast<double>(consumed_) / program_->model().metadata().sample_rate_hz;
  counters_.compute_s += step_s;
}

edge_asr_update Stream::answer() {
  view(new_words_, new_word_views_);
  view(partial_words_, partial_word_views_);
  const std::uint8_t* keep = keep_.data();
  for (edge_asr_step_info& info : steps_) {
    info.keep = keep;
    keep += info.frames;
  }
  return {new_word_views_.data(), new_word_views_.size(), partial_word_views_.data(), partial_word_views_.size(),
          steps_.data(),          steps_.size(),          counters_};
}

}  // namespace edge_asr
