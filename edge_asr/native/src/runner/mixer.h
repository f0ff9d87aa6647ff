// One channel, or the mean of all, and what its level says of the recording.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edge_asr::runner {

constexpr std::uint32_t kMix = 0;  // in place of a channel's number, which counts from 1

class Mixer {
 public:
  // `channel` is kMix or one of 1 to `channels`.
  Mixer(std::uint32_t channels, std::uint32_t channel);

  // Appends one sample for each frame of `samples` [frames, channels] to `mono`.
  void mix(const std::vector<float>& samples, std::vector<float>& mono);

  // What a user should know of all that was mixed; none where nothing was.
  std::vector<std::string> warnings() const;

 private:
  void average(const std::vector<float>& samples, float* mixed);
  void look_for_clipping(const float* samples, std::size_t count);
  bool cancels_out() const;

  std::uint32_t channel_;
  std::vector<double> energy_;  // of each channel, where several are mixed
  double mono_energy_ = 0.0;    // of their mean
  float peak_ = 0.0F;            // of the mono signal
  std::int64_t samples_ = 0;     // that were looked at for clipping: all, or those of the channel
  std::int64_t full_scale_ = 0;  // of them
};

}  // namespace edge_asr::runner
