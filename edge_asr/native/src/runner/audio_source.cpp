#include "audio_source.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "containers.h"
#include "interrupt.h"
#include "trouble.h"

namespace edge_asr::runner {
namespace {

constexpr std::uint32_t kFileBlocksPerS = 2;
constexpr std::uint32_t kPipeBlocksPerS = 10;  // of what is waited for
constexpr float kInt16Scale = 1.0F / 32'768.0F;

std::size_t bytes_of(SampleType type) { return type == SampleType::kInt16 ? 2 : 4; }

WavFormat raw_format(ByteReader& reader, const AudioOptions& options, std::int32_t rate_hz) {
  const auto& head = reader.peek(4);
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  for (const std::string_view magic : {"RIFF", "fLaC", "OggS"}) {
    if (text == magic) throw BadInput(reader.name(), "this has a header, it is not raw PCM: leave out --raw");
  }
  return {*options.raw, static_cast<std::uint32_t>(options.channels),
          static_cast<std::uint32_t>(options.rate_hz.value_or(rate_hz)), kToTheEnd};
}

WavFormat checked_format(ByteReader& reader, const AudioOptions& options, std::int32_t rate_hz) {
  const WavFormat format = options.raw ? raw_format(reader, options, rate_hz) : read_wav_header(reader);
  const std::string channels = std::to_string(format.channels);
  if (format.channels < 1 || format.channels > kMostChannels) {
    throw BadInput(reader.name(), channels + " channels, 1 to 32 are read: its header may be damaged");
  }
  if (format.rate_hz < kLowestRateHz || format.rate_hz > kHighestRateHz) {
    throw BadInput(reader.name(), "at " + std::to_string(format.rate_hz) +
                                      " Hz, 1000 to 768000 Hz is read: its header may be damaged");
  }
  if (options.channel > format.channels) {
    throw BadInput(reader.name(), "it has " + channels + (format.channels == 1 ? " channel" : " channels") +
                                      ", no channel " + std::to_string(options.channel));
  }
  return format;
}

float sample_at(const unsigned char* from, SampleType type) {
  if (type == SampleType::kInt16) {
    const auto value = static_cast<std::int16_t>(static_cast<std::uint16_t>(from[0] | (from[1] << 8)));
    return static_cast<float>(value) * kInt16Scale;
  }
  const std::uint32_t bits = std::uint32_t{from[0]} | std::uint32_t{from[1]} << 8 | std::uint32_t{from[2]} << 16 |
                             std::uint32_t{from[3]} << 24;
  float value = 0.0F;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

std::string seconds(std::uint64_t bytes, std::size_t frame_bytes, std::uint32_t rate_hz) {
  const double value = static_cast<double>(bytes) / static_cast<double>(frame_bytes) / rate_hz;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", value);
  return text.data();
}

}  // namespace

AudioSource::AudioSource(const std::string& name, const AudioOptions& options, std::int32_t rate_hz)
    : reader_(name),
      format_(checked_format(reader_, options, rate_hz)),
      frame_bytes_(format_.channels * bytes_of(format_.type)),
      left_(format_.bytes),
      mixer_(format_.channels, options.channel) {
  if (format_.rate_hz != static_cast<std::uint32_t>(rate_hz)) {
    resampler_.emplace(static_cast<std::int32_t>(format_.rate_hz), rate_hz);
  }
  without_length_ = !options.raw && left_ == kToTheEnd && reader_.is_regular_file();  // a pipe never has one
  const std::uint32_t blocks_per_s = reader_.is_regular_file() ? kFileBlocksPerS : kPipeBlocksPerS;
  bytes_.resize(std::max<std::size_t>(1, format_.rate_hz / blocks_per_s) * frame_bytes_);
}

const std::vector<float>& AudioSource::next() {
  samples_.clear();
  while (samples_.empty() && !over_) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(bytes_.size() - held_, left_));
    const std::size_t got = most > 0 ? reader_.read_some(bytes_.data() + held_, most) : 0;
    if (got == 0) {
      end();
    } else {
      take(got);
    }
  }
  if (samples_.empty() && cut_short_) {
    cut_short_ = false;
    throw BadInput(name(), "cut short: its header promises " + seconds(format_.bytes, frame_bytes_, format_.rate_hz) +
                               ", it ends after " + seconds(format_.bytes - left_, frame_bytes_, format_.rate_hz) +
                               ": copy or record it again");
  }
  return samples_;
}

void AudioSource::take(std::size_t bytes) {
  left_ -= left_ == kToTheEnd ? 0 : bytes;
  held_ += bytes;
  const std::size_t whole = held_ - held_ % frame_bytes_;
  const std::size_t sample_bytes = bytes_of(format_.type);
  interleaved_.resize(whole / sample_bytes);
  for (std::size_t i = 0; i < interleaved_.size(); ++i) {
    interleaved_[i] = sample_at(bytes_.data() + i * sample_bytes, format_.type);
  }
  held_ -= whole;
  std::copy_n(bytes_.data() + whole, held_, bytes_.data());
  if (!resampler_) return mixer_.mix(interleaved_, samples_);
  mono_.clear();
  mixer_.mix(interleaved_, mono_);
  resampler_->process(mono_.data(), mono_.size(), samples_);
}

void AudioSource::end() {
  over_ = true;
  cut_short_ = left_ != kToTheEnd && left_ + held_ >= frame_bytes_ && !interrupted();
  if (resampler_) resampler_->finish(samples_);
}

std::vector<std::string> AudioSource::warnings() const {
  std::vector<std::string> found = mixer_.warnings();
  if (without_length_) {
    found.insert(found.begin(), "its WAV header has no length (recorder killed?): read to the end");
  }
  return found;
}

}  // namespace edge_asr::runner
