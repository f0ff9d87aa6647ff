#include "audio_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "trouble.h"
#include "wav.h"

namespace edge_asr::runner {
namespace {

constexpr int kFileBlocksPerS = 2;
constexpr int kPipeBlocksPerS = 10;  // of what is waited for
constexpr float kInt16Scale = 1.0F / 32'768.0F;

std::size_t bytes_of(SampleType type) { return type == SampleType::kInt16 ? 2 : 4; }

WavFormat raw_format(ByteReader& reader, SampleType type, std::int32_t rate_hz) {
  const auto& head = reader.peek(4);
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  for (const std::string_view magic : {"RIFF", "fLaC", "OggS"}) {
    if (text == magic) throw Trouble(reader.name() + ": this has a header, it is not raw PCM: leave out --raw");
  }
  return {type, 1, static_cast<std::uint32_t>(rate_hz), UINT64_MAX};
}

WavFormat checked_format(ByteReader& reader, std::optional<SampleType> raw, std::int32_t rate_hz) {
  const WavFormat format = raw ? raw_format(reader, *raw, rate_hz) : read_wav_header(reader);
  const std::string wanted = std::to_string(rate_hz);
  const std::string convert = ": convert it: ffmpeg -i IN -ar " + wanted + " -ac 1 OUT.wav";
  if (format.channels != 1) {
    throw Trouble(reader.name() + ": " + std::to_string(format.channels) + " channels, the model wants one" + convert);
  }
  if (format.rate_hz != static_cast<std::uint32_t>(rate_hz)) {
    throw Trouble(reader.name() + ": at " + std::to_string(format.rate_hz) + " Hz, the model wants " + wanted + " Hz" +
                  convert);
  }
  return format;
}

}  // namespace

AudioSource::AudioSource(const std::string& name, std::optional<SampleType> raw, std::int32_t rate_hz)
    : reader_(name) {
  const WavFormat format = checked_format(reader_, raw, rate_hz);
  type_ = format.type;
  left_ = format.bytes;
  const int blocks_per_s = reader_.is_regular_file() ? kFileBlocksPerS : kPipeBlocksPerS;
  const auto samples = static_cast<std::size_t>(std::max(1, rate_hz / blocks_per_s));
  bytes_.resize(samples * bytes_of(type_));
  samples_.reserve(samples);
}

const std::vector<float>& AudioSource::next() {
  samples_.clear();
  while (samples_.empty()) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(bytes_.size() - held_, left_));
    const std::size_t got = most > 0 ? reader_.read_some(bytes_.data() + held_, most) : 0;
    if (got == 0) break;
    left_ -= left_ == UINT64_MAX ? 0 : got;
    held_ += got;
    convert(held_ / bytes_of(type_));
  }
  return samples_;
}

void AudioSource::convert(std::size_t samples) {
  const unsigned char* from = bytes_.data();
  for (std::size_t i = 0; i < samples; ++i, from += bytes_of(type_)) {
    if (type_ == SampleType::kInt16) {
      const auto value = static_cast<std::int16_t>(static_cast<std::uint16_t>(from[0] | (from[1] << 8)));
      samples_.push_back(static_cast<float>(value) * kInt16Scale);
    } else {
      const std::uint32_t bits = std::uint32_t{from[0]} | std::uint32_t{from[1]} << 8 | std::uint32_t{from[2]} << 16 |
                                 std::uint32_t{from[3]} << 24;
      float value = 0.0F;
      std::memcpy(&value, &bits, sizeof value);
      samples_.push_back(value);
    }
  }
  held_ -= samples * bytes_of(type_);
  std::copy_n(from, held_, bytes_.data());
}

void check_inputs(const std::vector<std::string>& names, std::optional<SampleType> raw, std::int32_t rate_hz) {
  for (const std::string& name : names) {
    struct stat about {};
    const bool unreadable = name != "-" && ::stat(name.c_str(), &about) != 0;
    if (unreadable || (name != "-" && !S_ISFIFO(about.st_mode) && !S_ISCHR(about.st_mode))) {
      AudioSource(name, raw, rate_hz);
    }
  }
}

}  // namespace edge_asr::runner
