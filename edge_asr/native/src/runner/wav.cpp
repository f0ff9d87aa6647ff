#include "wav.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "containers.h"
#include "trouble.h"

namespace edge_asr::runner {
namespace {

constexpr std::uint32_t kPcm = 1, kFloat = 3, kExtensible = 0xFFFE;
constexpr std::uint32_t kPipedBytes = 0x7FFFF000;    // and more, or 0, from a recorder into a pipe, which cannot know
constexpr std::size_t kFormatBytes = 40;             // of the longest `fmt ` chunk that means something to us

using Bytes = unsigned char;

std::uint32_t little_endian(const Bytes* bytes, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) value |= std::uint32_t{bytes[i]} << (8 * i);
  return value;
}

struct Chunk {
  std::array<Bytes, 8> head{};

  std::string_view id() const { return {reinterpret_cast<const char*>(head.data()), 4}; }
  std::uint32_t size() const { return little_endian(head.data() + 4, 4); }
};

BadInput no_wav(const ByteReader& reader, const std::vector<Bytes>& head) {
  const std::string kind = kind_of(head);
  if (!kind.empty()) return {reader.name(), kind + ", not WAV" + conversion(reader.name())};
  return {reader.name(), "not a WAV file: where it is headerless samples, say --raw s16le"};
}

BadInput damaged_header(const ByteReader& reader) {
  return {reader.name(), "its WAV header is damaged or cut short: record or copy it again"};
}

SampleType sample_type(const ByteReader& reader, const std::array<Bytes, kFormatBytes>& format, std::size_t count) {
  std::uint32_t code = little_endian(format.data(), 2);
  const std::uint32_t bits = little_endian(format.data() + 14, 2);
  if (code == kExtensible && count >= kFormatBytes) code = little_endian(format.data() + 24, 2);
  if (code == kPcm && bits == 16) return SampleType::kInt16;
  if (code == kFloat && bits == 32) return SampleType::kFloat32;
  throw BadInput(reader.name(), "samples of format " + std::to_string(code) + " with " + std::to_string(bits) +
                                    " bits, not 16-bit PCM or 32-bit float" + conversion(reader.name()));
}

WavFormat parse_format(ByteReader& reader, std::uint32_t size) {
  std::array<Bytes, kFormatBytes> format{};
  const std::size_t wanted = std::min<std::size_t>(size, format.size());
  const std::size_t count = reader.read_all(format.data(), wanted);
  if (count < 16 || count < wanted || !reader.skip(size - wanted + (size & 1))) {
    throw damaged_header(reader);
  }
  const WavFormat parsed{sample_type(reader, format, count), little_endian(format.data() + 2, 2),
                         little_endian(format.data() + 4, 4), 0};
  return parsed;
}

// How many bytes of samples follow, where the header says `stated`. A file of gigabytes may mean what it says.
std::uint64_t data_bytes(const ByteReader& reader, std::uint32_t stated) {
  if (stated > 0 && (stated < kPipedBytes || stated <= reader.bytes_left().value_or(0))) return stated;
  return kToTheEnd;
}

}  // namespace

WavFormat read_wav_header(ByteReader& reader) {
  const std::vector<Bytes> head = reader.peek(kMagicBytes);
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  if (text.substr(0, 4) != "RIFF" || (text.size() == 12 && text.substr(8, 4) != "WAVE")) throw no_wav(reader, head);
  reader.skip(kMagicBytes);
  std::optional<WavFormat> format;
  for (Chunk chunk; reader.read_all(chunk.head.data(), chunk.head.size()) == chunk.head.size();) {
    if (chunk.id() == "fmt ") {
      format = parse_format(reader, chunk.size());
    } else if (chunk.id() == "data" && format) {
      format->bytes = data_bytes(reader, chunk.size());
      return *format;
    } else if (!reader.skip(std::uint64_t{chunk.size()} + (chunk.size() & 1))) {
      break;
    }
  }
  throw damaged_header(reader);
}

}  // namespace edge_asr::runner
