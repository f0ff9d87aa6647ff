// The header of a WAV file.
#pragma once

#include <cstdint>

#include "byte_reader.h"
#include "options.h"

namespace edge_asr::runner {

struct WavFormat {
  SampleType type;
  std::uint32_t channels;
  std::uint32_t rate_hz;
  std::uint64_t bytes;  // of samples; as many as come, where a recorder could not know
};

// Reads up to the first sample. Throws Trouble where it is no WAV file, is cut short, or holds another kind of samples.
WavFormat read_wav_header(ByteReader& reader);

}  // namespace edge_asr::runner
