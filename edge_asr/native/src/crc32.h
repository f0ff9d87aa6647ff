// CRC-32 as in zlib, PNG and Ethernet.
#pragma once

#include <cstddef>
#include <cstdint>

namespace edge_asr {

// Goes on from `crc`, the sum of the bytes before; 0 at the start.
std::uint32_t crc32(std::uint32_t crc, const unsigned char* bytes, std::size_t count);

}  // namespace edge_asr
