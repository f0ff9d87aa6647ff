#include "bench.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace edge_asr::runner {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMb = 1e6;

struct Quantiles {
  std::size_t count;
  double p50, p90, p99;
};

// Nearest rank; zeros of nothing.
Quantiles quantiles(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
    return values[std::max<std::size_t>(rank, 1) - 1];
  };
  return {values.size(), at(0.50), at(0.90), at(0.99)};
}

enum class Which { kAll, kUpper, kLower };

// All steps but the first, which finds everything cold.
Quantiles warm(const Bench& bench, Which which) {
  std::vector<double> chosen;
  for (std::size_t i = 1; i < bench.step_ms.size(); ++i) {
    if (which == Which::kAll || bench.step_is_upper[i] == (which == Which::kUpper)) chosen.push_back(bench.step_ms[i]);
  }
  return quantiles(std::move(chosen));
}

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(), pattern, values...);
  return line.data();
}

std::string row(const char* label, const std::string& value) { return format("%-26s  ", label) + value + "\n"; }
std::string row_ms(const char* label, double value) { return row(label, format("%.1f ms", value)); }
std::string row_mb(const char* label, std::int64_t bytes) {
  return row(label, format("%.2f MB", static_cast<double>(bytes) / kMb));
}
std::string row_steps(const char* label, const Quantiles& of) {
  return row(label, format("p50 %.2f, p90 %.2f, p99 %.2f ms (%zu steps)", of.p50, of.p90, of.p99, of.count));
}

double rtf(const Bench& bench) { return bench.audio_s > 0.0 ? bench.compute_s / bench.audio_s : 0.0; }

Json as_json(const Quantiles& of) {
  return {{"count", of.count}, {"p50_ms", of.p50}, {"p90_ms", of.p90}, {"p99_ms", of.p99}};
}

}  // namespace

void Bench::take(const Transcript& transcript) {
  step_ms.insert(step_ms.end(), transcript.step_ms.begin(), transcript.step_ms.end());
  step_is_upper.insert(step_is_upper.end(), transcript.step_is_upper.begin(), transcript.step_is_upper.end());
  audio_s += transcript.counters.audio_s;
  compute_s += transcript.counters.compute_s;
}

std::string bench_table(const Bench& bench, const Identity& identity) {
  const MemoryUse use = memory_use();
  const MemoryMap map = memory_map(identity.model_path);
  return row_ms("before main", bench.before_main_ms) +
         row_ms("load", bench.load_ms) +
         row_ms("start to first result", bench.first_result_ms) +
         row_ms("first step", bench.step_ms.empty() ? 0.0 : bench.step_ms.front()) +
         row_steps("warm steps", warm(bench, Which::kAll)) +
         row_steps("  with the upper layers", warm(bench, Which::kUpper)) +
         row_steps("  without", warm(bench, Which::kLower)) +
         row("real-time factor", format("%.4f (%.2f s of compute for %.1f s of audio)", rtf(bench), bench.compute_s,
                                        bench.audio_s)) +
         row_mb("peak resident memory", use.peak_resident_bytes) +
         row_mb("  while loading", bench.peak_after_load_bytes) +
         row_mb("  once loaded", bench.after_load_bytes) +
         row_mb("resident now", use.resident_bytes) +
         row_mb("  planned tensors", bench.planned_bytes) +
         row_mb("  weights and heap", map.heap - bench.planned_bytes) +
         row_mb("  libraries' pages", map.libraries) +
         row_mb("  model file's pages", map.model) +
         row_mb("  stack", map.stack);
}

std::string bench_line(const Bench& bench, const Identity& identity) {
  const MemoryUse use = memory_use();
  const MemoryMap map = memory_map(identity.model_path);
  const Json object{
      {"before_main_ms", bench.before_main_ms},
      {"load_ms", bench.load_ms},
      {"first_result_ms", bench.first_result_ms},
      {"first_step_ms", bench.step_ms.empty() ? 0.0 : bench.step_ms.front()},
      {"warm_steps", as_json(warm(bench, Which::kAll))},
      {"warm_steps_with_upper", as_json(warm(bench, Which::kUpper))},
      {"warm_steps_without_upper", as_json(warm(bench, Which::kLower))},
      {"rtf", rtf(bench)},
      {"audio_s", bench.audio_s},
      {"compute_s", bench.compute_s},
      {"cpu_s", 1e-3 * cpu_ms()},
      {"peak_resident_bytes", use.peak_resident_bytes},
      {"peak_while_loading_bytes", bench.peak_after_load_bytes},
      {"resident_once_loaded_bytes", bench.after_load_bytes},
      {"resident_bytes", use.resident_bytes},
      {"proportional_bytes", proportional_bytes()},
      {"planned_bytes", bench.planned_bytes},
      {"heap_bytes", map.heap - bench.planned_bytes},
      {"library_bytes", map.libraries},
      {"model_file_bytes", map.model},
      {"stack_bytes", map.stack},
      {"threads", identity.threads},
      {"threshold", identity.threshold},
      {"backend", "native"},
      {"model_crc32", identity.model_crc32},
  };
  return object.dump() + "\n";
}

}  // namespace edge_asr::runner
