// Another sample rate, block by block. The same filter as android_demo's Resampler.kt: both must hear the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edge_asr::runner {

// A sinc filter under a Kaiser window, with one row of weights for each phase between two samples. It passes up to 0.85 of
// the lower Nyquist frequency unchanged, and stops what lies beyond the lower one (below -80 dB). The first sample stays
// where it is: no delay.
class Resampler {
 public:
  Resampler(std::int32_t from_hz, std::int32_t to_hz);  // both above zero

  // Appends to `out` what is known after these samples.
  void process(const float* samples, std::size_t count, std::vector<float>& out);

  // Appends the rest once the input has ended. In all there are as many seconds as went in.
  void finish(std::vector<float>& out);

 private:
  void hold(const float* samples, std::size_t count);
  float output(std::int64_t place, std::int64_t remainder) const;
  double dot(std::int64_t phase, std::size_t from) const;

  std::int64_t up_, down_;  // `up_` samples come out for each `down_` that go in
  std::int64_t phases_;
  std::int64_t reach_;          // samples on either side of an output's place that count
  std::vector<float> weights_;  // [phases_ + 1, 2 * reach_]
  std::vector<float> held_;     // samples from number `held_from_` on
  std::int64_t held_from_;
  std::int64_t taken_ = 0;
  std::int64_t given_ = 0;
};

}  // namespace edge_asr::runner
