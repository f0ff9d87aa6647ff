#include "resampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace edge_asr::runner {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kZeroCrossings = 36;      // on either side, of a filter at the lower Nyquist frequency
constexpr double kKaiser = 8.0;            // about 80 dB
constexpr double kMiddle = 0.925;          // of the slope, which ends at the lower Nyquist frequency
constexpr std::int64_t kMostPhases = 1024; // where a ratio needs more, outputs lie between two of them

double sinc(double x) { return x == 0.0 ? 1.0 : std::sin(kPi * x) / (kPi * x); }

// The modified Bessel function of order zero, by its series.
double bessel(double x) {
  double sum = 1.0, term = 1.0;
  for (int n = 1; term > sum * 1e-12; ++n) {
    term *= (x / 2 / n) * (x / 2 / n);
    sum += term;
  }
  return sum;
}

// Weights of the samples around a place `fraction` of the way between two. They sum to 1: a constant stays as it is.
std::vector<double> weights_of_phase(double fraction, double cutoff, std::int64_t reach) {
  std::vector<double> row(static_cast<std::size_t>(2 * reach));
  for (std::int64_t at = 0; at < 2 * reach; ++at) {
    const double distance = static_cast<double>(at - reach + 1) - fraction;  // in samples of the input
    const double position = distance / (kZeroCrossings / cutoff);
    if (std::abs(position) >= 1) continue;
    row[static_cast<std::size_t>(at)] =
        sinc(distance * cutoff * kMiddle) * bessel(kKaiser * std::sqrt(1 - position * position));
  }
  const double sum = std::accumulate(row.begin(), row.end(), 0.0);
  for (double& weight : row) weight /= sum;
  return row;
}

}  // namespace

Resampler::Resampler(std::int32_t from_hz, std::int32_t to_hz) {
  const std::int32_t common = std::gcd(from_hz, to_hz);
  up_ = to_hz / common;
  down_ = from_hz / common;
  phases_ = std::min(up_, kMostPhases);
  const double cutoff = std::min(1.0, static_cast<double>(to_hz) / from_hz);  // as a part of the input's Nyquist frequency
  reach_ = static_cast<std::int64_t>(std::ceil(kZeroCrossings / cutoff));
  for (std::int64_t phase = 0; phase <= phases_; ++phase) {
    const double fraction = static_cast<double>(phase) / static_cast<double>(phases_);
    for (const double weight : weights_of_phase(fraction, cutoff, reach_)) weights_.push_back(static_cast<float>(weight));
  }
  held_from_ = -reach_;  // silence before the beginning
  held_.resize(static_cast<std::size_t>(reach_));
}

void Resampler::process(const float* samples, std::size_t count, std::vector<float>& out) {
  hold(samples, count);
  taken_ += static_cast<std::int64_t>(count);
  for (; given_ * down_ / up_ + reach_ < taken_; ++given_) {
    out.push_back(output(given_ * down_ / up_, given_ * down_ % up_));
  }
}

void Resampler::finish(std::vector<float>& out) {
  const std::vector<float> silence(static_cast<std::size_t>(reach_ + 1));
  hold(silence.data(), silence.size());
  for (; given_ * down_ / up_ < taken_; ++given_) out.push_back(output(given_ * down_ / up_, given_ * down_ % up_));
}

void Resampler::hold(const float* samples, std::size_t count) {
  const std::int64_t first = given_ * down_ / up_ - reach_ + 1;  // the earliest sample that still counts
  const std::int64_t spare = std::clamp<std::int64_t>(first - held_from_, 0, static_cast<std::int64_t>(held_.size()));
  held_.erase(held_.begin(), held_.begin() + spare);
  held_from_ += spare;
  held_.insert(held_.end(), samples, samples + count);
}

// The sample at `place` and `remainder` / up_ of the way to the next.
float Resampler::output(std::int64_t place, std::int64_t remainder) const {
  const std::int64_t exact = remainder * phases_;
  const std::int64_t phase = exact / up_;
  const double between = static_cast<double>(exact % up_) / static_cast<double>(up_);
  const auto from = static_cast<std::size_t>(place - reach_ + 1 - held_from_);
  const double sample = dot(phase, from);
  return static_cast<float>(between == 0.0 ? sample : sample + between * (dot(phase + 1, from) - sample));
}

double Resampler::dot(std::int64_t phase, std::size_t from) const {
  const auto width = static_cast<std::size_t>(2 * reach_);
  const float* row = weights_.data() + static_cast<std::size_t>(phase) * width;
  double sum = 0.0;
  for (std::size_t at = 0; at < width; ++at) sum += static_cast<double>(row[at]) * static_cast<double>(held_[from + at]);
  return sum;
}

}  // namespace edge_asr::runner
