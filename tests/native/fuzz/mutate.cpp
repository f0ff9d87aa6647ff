#include "mutate.h"

#include <algorithm>
#include <array>

namespace fuzz {
namespace {

constexpr std::size_t kHead = 64;             // bytes in which any header of ours begins
constexpr std::size_t kLargestBlock = 4'096;  // of one overwrite

unsigned char byte(Chance& chance) { return static_cast<unsigned char>(chance.next()); }

Bytes garbage(std::size_t count, Chance& chance) {
  Bytes bytes(count);
  for (unsigned char& one : bytes) one = byte(chance);
  return bytes;
}

// The head, the structure, or anywhere; a valid position where there is one.
std::size_t place(const Bytes& bytes, std::size_t structure, Chance& chance) {
  const std::array<std::size_t, 4> ends{kHead, structure, bytes.size(), bytes.size()};
  return chance.below(std::min(ends[chance.below(ends.size())], bytes.size()));
}

void cut(Bytes& bytes, std::size_t structure, Chance& chance) {
  const std::size_t from_end = chance.below(std::min(kHead, bytes.size()) + 1);
  bytes.resize(chance.one_in(3) ? bytes.size() - from_end : place(bytes, structure, chance));
}

void flip_bits(Bytes& bytes, std::size_t structure, Chance& chance) {
  for (std::size_t flips = 1 + chance.below(8); flips > 0 && !bytes.empty(); --flips) {
    unsigned char& at = bytes[place(bytes, structure, chance)];
    at = static_cast<unsigned char>(at ^ (1U << chance.below(8)));
  }
}

void overwrite(Bytes& bytes, std::size_t structure, Chance& chance) {
  const std::size_t first = place(bytes, structure, chance);
  const std::size_t most = std::size_t{1} << chance.below(13);
  const std::size_t count = std::min({1 + chance.below(most), kLargestBlock, bytes.size() - first});
  const std::size_t kind = chance.below(3);
  for (std::size_t i = 0; i < count; ++i) {
    bytes[first + i] = kind == 0 ? std::uint8_t{0} : kind == 1 ? std::uint8_t{0xFF} : byte(chance);
  }
}

void splice(Bytes& bytes, const Bytes& other, std::size_t structure, Chance& chance) {
  const std::size_t first = place(bytes, structure, chance);
  const std::size_t from = chance.one_in(2) ? std::min(first, other.size()) : chance.below(other.size() + 1);
  bytes.resize(first);
  bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
}

void write_extreme_length(Bytes& bytes, std::size_t structure, Chance& chance) {
  const auto size = static_cast<std::uint64_t>(bytes.size());
  const std::array<std::uint64_t, 14> extremes{
      0, 1, 2, size - 1, size, size + 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE,
      0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF};
  const std::uint64_t value = extremes[chance.below(extremes.size())];
  const std::size_t width = std::array<std::size_t, 3>{2, 4, 8}[chance.below(3)];
  std::size_t first = place(bytes, structure, chance);
  if (!chance.one_in(4)) first -= first % 4;  // where such fields are
  for (std::size_t i = 0; i < width && first + i < bytes.size(); ++i) {
    bytes[first + i] = static_cast<unsigned char>(value >> (8 * i));
  }
}

void put_in(Bytes& bytes, std::size_t structure, Chance& chance) {
  const Bytes extra = garbage(1 + chance.below(300), chance);
  const std::size_t first = place(bytes, structure, chance);
  bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(first), extra.begin(), extra.end());
}

void take_out(Bytes& bytes, std::size_t structure, Chance& chance) {
  const std::size_t first = place(bytes, structure, chance);
  const std::size_t count = std::min(1 + chance.below(300), bytes.size() - first);
  const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(first);
  bytes.erase(from, from + static_cast<std::ptrdiff_t>(count));
}

void keep_only_the_head(Bytes& bytes, Chance& chance) {
  bytes.resize(std::min(bytes.size(), chance.below(kHead + 1)));
  const Bytes extra = garbage(chance.one_in(3) ? 0 : chance.below(20'000), chance);
  bytes.insert(bytes.end(), extra.begin(), extra.end());
}

void damage_once(Bytes& bytes, const Bytes& other, std::size_t structure, bool size_stays, Chance& chance) {
  switch (chance.below(size_stays ? 5 : 11)) {
    case 0: case 1: flip_bits(bytes, structure, chance); break;
    case 2: case 3: write_extreme_length(bytes, structure, chance); break;
    case 4: overwrite(bytes, structure, chance); break;
    case 5: case 6: cut(bytes, structure, chance); break;
    case 7: splice(bytes, other, structure, chance); break;
    case 8: put_in(bytes, structure, chance); break;
    case 9: take_out(bytes, structure, chance); break;
    default:
      if (chance.one_in(3)) bytes = garbage(chance.below(20'000), chance);
      else keep_only_the_head(bytes, chance);
  }
}

}  // namespace

std::uint64_t Chance::next() {
  state_ += 0x9E3779B97F4A7C15;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
  return mixed ^ (mixed >> 31);
}

Bytes damaged(const Bytes& whole, const Bytes& other, std::size_t structure, bool size_stays, Chance& chance) {
  Bytes bytes;
  do {
    bytes = whole;
    const std::size_t times = std::array<std::size_t, 6>{1, 1, 1, 1, 2, 3}[chance.below(6)];
    for (std::size_t i = 0; i < times; ++i) damage_once(bytes, other, structure, size_stays, chance);
  } while (bytes == whole);  // some damage writes what was there
  return bytes;
}

}  // namespace fuzz
