// The same checks, in the same words, as edge_asr/backends/program_file.py.
#include "program_file.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "crc32.h"
#include "failure.h"
#include "metadata.h"

namespace edge_asr {
namespace {

constexpr char kAgain[] = "copy or export it again";
constexpr std::size_t kBlockBytes = 1 << 16;
constexpr std::string_view kFileMagic = "ET";
constexpr std::string_view kHeaderMagic = "eh00";
constexpr std::string_view kTrailerMagic = "EASRSUM1";
constexpr std::size_t kTrailerBytes = 12;    // the magic, and the sum as a little-endian uint32
constexpr std::size_t kHeadBytes = 40;       // root offset, file magic, extended header with the size of the segments
constexpr std::size_t kShortHeadBytes = 32;  // the same without that size
constexpr std::string_view kOurMetadata = "\"format\": \"edge-asr\", \"contract_version\": ";
constexpr std::size_t kMostVersionDigits = 9;

std::uint64_t little_endian(const unsigned char* bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value |= std::uint64_t{bytes[i]} << (8 * i);
  return value;
}

std::string_view text_at(const unsigned char* bytes, std::size_t count) {
  return {reinterpret_cast<const char*>(bytes), count};
}

// Bytes that the program's own header promises; none where it is too short or too old to say.
std::optional<std::uint64_t> promised_size(const std::string& path, const unsigned char* head, std::size_t count) {
  const std::size_t magic_bytes = count > 4 ? std::min(count - 4, kFileMagic.size()) : 0;
  if (text_at(head + 4, magic_bytes) != kFileMagic.substr(0, magic_bytes)) {
    throw bad_file(path + ": not an ExecuTorch program: expected a .pte made by edge-asr");
  }
  if (count < kShortHeadBytes) return UINT64_MAX;
  if (text_at(head + 8, 4) != kHeaderMagic) return std::nullopt;
  const std::uint64_t header_bytes = little_endian(head + 12, 4);
  const std::uint64_t program_bytes = little_endian(head + 16, 8);
  const std::uint64_t segments_offset = little_endian(head + 24, 8);
  const bool states_segments = header_bytes >= kHeadBytes - 8 && count >= kHeadBytes;
  const std::uint64_t segments_bytes = states_segments ? little_endian(head + 32, 8) : 0;
  if (segments_bytes > UINT64_MAX - segments_offset) return UINT64_MAX;
  return std::max(program_bytes, segments_offset + segments_bytes);
}

void check_header(const OpenFile& file) {
  const std::string& path = file.path();
  const std::uint64_t size = file.size();
  std::array<unsigned char, kHeadBytes> head{};
  const std::size_t count = file.read(0, head.data(), head.size());
  const auto needed = promised_size(path, head.data(), count);
  if (needed && size < *needed) {
    throw bad_file(path + ": the model file is cut short (" + std::to_string(size) + " bytes): " + kAgain);
  }
}

// True where the file has a trailer and its sum is right.
bool has_right_checksum(const OpenFile& file) {
  const std::string& path = file.path();
  std::array<unsigned char, kTrailerBytes> trailer{};
  if (file.size() < trailer.size()) return false;
  std::uint64_t left = file.size() - trailer.size();
  file.read(left, trailer.data(), trailer.size());
  if (text_at(trailer.data(), kTrailerMagic.size()) != kTrailerMagic) return false;
  const auto stated = static_cast<std::uint32_t>(little_endian(trailer.data() + kTrailerMagic.size(), 4));
  std::uint32_t found = 0;
  std::vector<unsigned char> block(kBlockBytes);
  for (std::uint64_t offset = 0; left > 0;) {
    const std::size_t count = file.read(offset, block.data(), std::min<std::uint64_t>(block.size(), left));
    if (count == 0) throw bad_file(path + ": cannot be read (it changed meanwhile)");
    found = crc32(found, block.data(), count);
    offset += count;
    left -= count;
  }
  if (found == stated) return true;
  std::array<char, 64> sums{};
  std::snprintf(sums.data(), sums.size(), "checksum %08" PRIx32 ", written as %08" PRIx32, found, stated);
  throw bad_file(path + ": damaged (" + sums.data() + "): bytes have changed on the way: " + kAgain);
}

// The number that a text begins with, where a comma follows it.
std::optional<long> version_at(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > kMostVersionDigits || digits == text.size() || text[digits] != ',') return std::nullopt;
  return std::strtol(std::string(text.substr(0, digits)).c_str(), nullptr, 10);
}

// The contract that a file without a trailer says it was made for, found by its text.
std::optional<long> stated_contract(const OpenFile& file) {
  constexpr std::size_t kOverlap = kOurMetadata.size() + kMostVersionDigits + 1;
  std::vector<unsigned char> block(kBlockBytes);
  for (std::uint64_t offset = 0;; offset += block.size() - kOverlap) {
    const std::size_t count = file.read(offset, block.data(), block.size());
    const std::string_view text = text_at(block.data(), count);
    for (std::size_t at = text.find(kOurMetadata); at != std::string_view::npos; at = text.find(kOurMetadata, at + 1)) {
      if (const auto version = version_at(text.substr(at + kOurMetadata.size()))) return version;
    }
    if (count < block.size()) return std::nullopt;
  }
}

}  // namespace

void check_program_file(const OpenFile& file) {
  const std::string& path = file.path();
  check_header(file);
  if (has_right_checksum(file)) return;
  const auto version = stated_contract(file);
  if (!version) {
    throw bad_file(path + ": not a model made by edge-asr (it has no checksum): export it with edge-asr");
  }
  if (*version != kContractVersion) throw bad_file(path + ": " + other_contract(*version));
  throw bad_file(path + ": the model file is cut short or damaged (no checksum at its end): " + kAgain);
}

}  // namespace edge_asr
