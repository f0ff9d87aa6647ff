// The header of a WAV file.
#pragma once

#include <cstdint>

#include "byte_reader.h"
#include "options.h"

namespace edge_asr::runner {

constexpr std::uint64_t kToTheEnd = UINT64_MAX;

struct WavFormat {
  SampleType type;
  std::uint32_t channels;
  std::uint32_t rate_hz;
  std::uint64_t bytes;  // of samples; kToTheEnd where the recorder could not know
};

// Reads up to the first sample. Throws BadInput where it is no WAV file, is cut short, or holds another kind of samples.
WavFormat read_wav_header(ByteReader& reader);

}  // namespace edge_asr::runner
