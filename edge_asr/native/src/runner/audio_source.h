// Samples of one input, as they come: float in [-1, 1], mono, at the model's rate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "byte_reader.h"
#include "mixer.h"
#include "options.h"
#include "resampler.h"
#include "wav.h"

namespace edge_asr::runner {

class AudioSource {
 public:
  // Reads the header where there is one. Throws BadInput: no such file, not audio, no such channel, ...
  AudioSource(const std::string& name, const AudioOptions& options, std::int32_t rate_hz);

  // The next samples, about a tenth of a second of a pipe and half a second of a file; none at the end. Throws BadInput;
  // of an input that ends too early, once all that is there was given.
  const std::vector<float>& next();

  // What a user should know of the samples so far. One line each, without the input's name.
  std::vector<std::string> warnings() const;

  const std::string& name() const { return reader_.name(); }

 private:
  void take(std::size_t bytes);
  void end();

  ByteReader reader_;
  WavFormat format_;
  std::size_t frame_bytes_;
  std::uint64_t left_;  // bytes of samples
  Mixer mixer_;
  std::optional<Resampler> resampler_;
  bool without_length_ = false;  // a file whose header was never finished
  bool over_ = false;
  bool cut_short_ = false;
  std::vector<unsigned char> bytes_;
  std::size_t held_ = 0;           // bytes of a frame that is not whole yet
  std::vector<float> interleaved_; // [frames, channels]
  std::vector<float> mono_;        // at the input's rate
  std::vector<float> samples_;
};

}  // namespace edge_asr::runner
