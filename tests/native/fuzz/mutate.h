// Damage to a file, decided by a number alone: the same number does the same damage on any machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fuzz {

using Bytes = std::vector<unsigned char>;

// SplitMix64: the standard library's distributions differ from one library to the next.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next();
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : static_cast<std::size_t>(next() % limit); }
  bool one_in(std::size_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

// `whole`, damaged once to three times: bits flipped, blocks overwritten, extreme numbers in place of lengths, and,
// unless `size_stays`, cut, spliced with `other`, bytes put in or taken out, the head followed by garbage, or garbage
// alone. Half of the damage falls on the first `structure` bytes, where offsets and lengths are; most of the rest is
// weights or samples. Never `whole` itself.
Bytes damaged(const Bytes& whole, const Bytes& other, std::size_t structure, bool size_stays, Chance& chance);

}  // namespace fuzz
