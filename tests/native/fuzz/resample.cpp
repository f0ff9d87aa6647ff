// Samples of another rate through the runner's resampler. usage: resample FROM_HZ TO_HZ SEED < float32 > float32
//
// The input goes in cut at random; SEED 0 leaves it whole.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "resampler.h"

int main(int count, char** arguments) {
  if (count != 4) return 2;
  const auto seed = static_cast<unsigned>(std::atoi(arguments[3]));
  std::vector<float> in(1 << 22), out;
  in.resize(std::fread(in.data(), sizeof(float), in.size(), stdin));
  edge_asr::runner::Resampler resampler(std::atoi(arguments[1]), std::atoi(arguments[2]));
  std::mt19937 chance(seed);
  for (std::size_t at = 0; at < in.size();) {
    const std::size_t most = chance() % 2 == 0 ? 3 : 1'500;
    const std::size_t cut = seed == 0 ? in.size() : std::min<std::size_t>(chance() % most, in.size() - at);
    const std::vector<float> block(in.begin() + static_cast<long>(at), in.begin() + static_cast<long>(at + cut));
    resampler.process(block.data(), block.size(), out);
    at += cut;
  }
  resampler.finish(out);
  if (out.empty()) return 0;
  return std::fwrite(out.data(), sizeof(float), out.size(), stdout) == out.size() ? 0 : 1;
}
