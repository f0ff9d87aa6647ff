// Samples of one input, as they come: float in [-1, 1], mono, at the model's rate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "byte_reader.h"
#include "options.h"

namespace edge_asr::runner {

class AudioSource {
 public:
  // Reads the header where there is one. Throws Trouble: no such file, not audio, not mono, at another rate, ...
  AudioSource(const std::string& name, std::optional<SampleType> raw, std::int32_t rate_hz);

  // The next samples, about a tenth of a second of a pipe and half a second of a file; none at the end. Throws Trouble.
  const std::vector<float>& next();

  const std::string& name() const { return reader_.name(); }

 private:
  void convert(std::size_t samples);

  ByteReader reader_;
  SampleType type_;
  std::uint64_t left_;  // bytes of samples
  std::vector<unsigned char> bytes_;
  std::size_t held_ = 0;  // bytes of a sample that is not whole yet
  std::vector<float> samples_;
};

// Look at the headers of all regular files, before anything that takes long. Throws Trouble.
void check_inputs(const std::vector<std::string>& names, std::optional<SampleType> raw, std::int32_t rate_hz);

}  // namespace edge_asr::runner
