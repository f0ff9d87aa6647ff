#include "mixer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace edge_asr::runner {
namespace {

constexpr float kFullScale = 32'767.0F / 32'768.0F;
constexpr float kQuietest = 16.0F / 32'768.0F;  // a peak below it leaves 16-bit samples too few values
constexpr double kClippedShare = 0.001;
constexpr double kCancelled = 0.01;  // of the loudest channel's energy: 20 dB

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 128> line{};
  std::snprintf(line.data(), line.size(), pattern, values...);
  return line.data();
}

}  // namespace

Mixer::Mixer(std::uint32_t channels, std::uint32_t channel) : channel_(channel), energy_(channels) {}

void Mixer::mix(const std::vector<float>& samples, std::vector<float>& mono) {
  const std::size_t channels = energy_.size();
  const std::size_t before = mono.size();
  mono.resize(before + samples.size() / channels);
  float* const mixed = mono.data() + before;
  const std::size_t frames = mono.size() - before;
  if (channel_ != kMix || channels == 1) {
    const std::size_t first = channel_ != kMix ? channel_ - 1 : 0;
    for (std::size_t i = 0; i < frames; ++i) mixed[i] = samples[first + i * channels];
    look_for_clipping(mixed, frames);
  } else {
    average(samples, mixed);
    look_for_clipping(samples.data(), samples.size());
  }
  for (std::size_t i = 0; i < frames; ++i) peak_ = std::max(peak_, std::abs(mixed[i]));
}

void Mixer::average(const std::vector<float>& samples, float* mixed) {
  const std::size_t channels = energy_.size();
  for (std::size_t at = 0; at < samples.size(); at += channels) {
    double sum = 0.0;
    for (std::size_t i = 0; i < channels; ++i) {
      const auto sample = static_cast<double>(samples[at + i]);
      energy_[i] += sample * sample;
      sum += sample;
    }
    const auto mean = static_cast<float>(sum / static_cast<double>(channels));
    mono_energy_ += static_cast<double>(mean) * static_cast<double>(mean);
    *mixed++ = mean;
  }
}

void Mixer::look_for_clipping(const float* samples, std::size_t count) {
  std::int64_t full_scale = 0;
  for (std::size_t i = 0; i < count; ++i) full_scale += std::abs(samples[i]) >= kFullScale;
  full_scale_ += full_scale;
  samples_ += static_cast<std::int64_t>(count);
}

bool Mixer::cancels_out() const {
  const double loudest = *std::max_element(energy_.begin(), energy_.end());
  return loudest > 0.0 && mono_energy_ < kCancelled * loudest;
}

std::vector<std::string> Mixer::warnings() const {
  std::vector<std::string> found;
  if (samples_ == 0) return found;
  if (cancels_out()) {
    const auto loudest = std::max_element(energy_.begin(), energy_.end()) - energy_.begin();
    found.push_back(format("channels cancel out in the mix: try --channel %ld", static_cast<long>(loudest + 1)));
  } else if (peak_ == 0.0F) {
    found.push_back("digital silence: every sample is 0; check the microphone or --channel");
  } else if (peak_ < kQuietest) {
    const double dbfs = 20 * std::log10(static_cast<double>(peak_));
    found.push_back(format("too quiet: the peak is %.0f dBFS; raise the input gain", dbfs));
  }
  const double share = static_cast<double>(full_scale_) / static_cast<double>(samples_);
  if (share >= kClippedShare) {
    found.push_back(format("clipped: %.1f %% of the samples are at full scale; lower the input gain", 100 * share));
  }
  return found;
}

}  // namespace edge_asr::runner
