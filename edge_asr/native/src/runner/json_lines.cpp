#include "json_lines.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "memory_use.h"

namespace edge_asr::runner {
namespace {

using Json = nlohmann::ordered_json;

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

std::string line(const Json& object) {
  // a file's name need not be UTF-8
  return object.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

Json word_of(const HeardWord& word) {
  return {{"text", word.text},
          {"start_s", rounded(word.start_s)},
          {"end_s", rounded(word.end_s)},
          {"confidence", rounded(word.confidence)}};
}

Json words_of(const std::vector<HeardWord>& words) {
  Json all = Json::array();
  for (const HeardWord& word : words) all.push_back(word_of(word));
  return all;
}

Json new_words_of(const edge_asr_update& update) {
  Json words = Json::array();
  for (std::size_t i = 0; i < update.new_word_count; ++i) {
    const edge_asr_word& word = update.new_words[i];
    words.push_back(word_of({word.text, word.start_s, word.end_s, word.confidence}));
  }
  return words;
}

Json rounded_all(const std::vector<double>& values) {
  Json all = Json::array();
  for (const double value : values) all.push_back(rounded(value));
  return all;
}

// `0110`
std::string digits_of(const std::vector<bool>& flags) {
  std::string digits;
  for (const bool flag : flags) digits += flag ? '1' : '0';
  return digits;
}

Json model_of(const Identity& identity) {
  const Json metadata = Json::parse(identity.metadata);
  Json model{{"path", identity.model_path}, {"crc32", identity.model_crc32}};
  for (const char* key : {"contract_version", "precision", "lower_layers", "upper_layers", "training", "exporter"}) {
    model[key] = metadata.value(key, Json());
  }
  return model;
}

Json step_of(const edge_asr_step_info& step) {
  return {{"keep", digits_of(std::vector<bool>(step.keep, step.keep + step.frames))},
          {"upper_ran", step.upper_ran != 0},
          {"waiting", step.waiting},
          {"latency_ms", rounded(step.latency_ms)}};
}

}  // namespace

std::string file_line(const Identity& identity, const std::string& audio, std::int64_t pass, const Outcome& outcome,
                      const Transcript& transcript) {
  const edge_asr_counters& counters = transcript.counters;
  const MemoryUse memory = memory_use();
  Json object{{"audio", audio}, {"pass", pass}, {"interrupted", outcome.interrupted}, {"warnings", outcome.warnings}};
  if (!outcome.error.empty()) object["error"] = outcome.error;
  if (transcript.keeps_words) object.update({{"text", transcript.text}, {"words", words_of(transcript.words)}});
  object.update({{"frames", counters.frames},
                 {"kept_frames", counters.kept_frames},
                 {"upper_runs", counters.upper_runs},
                 {"steps", counters.steps},
                 {"audio_s", counters.audio_s},
                 {"compute_s", counters.compute_s},
                 {"decode_ms", rounded(transcript.calls_ms - 1e3 * counters.compute_s)},
                 {"cpu_s", 1e-3 * cpu_ms()}});
  if (transcript.keeps_steps) {
    object.update({{"step_ms", rounded_all(transcript.step_ms)}, {"step_upper", digits_of(transcript.step_is_upper)}});
  }
  object.update({{"load_ms", rounded(identity.load_ms)},
                 {"threshold", rounded(static_cast<double>(identity.threshold))},
                 {"threads", identity.threads},
                 {"backend", "native"},
                 {"model", model_of(identity)},
                 {"resident_bytes", memory.resident_bytes},
                 {"peak_resident_bytes", memory.peak_resident_bytes},
                 {"proportional_bytes", proportional_bytes()}});
  return line(object);
}

std::string error_line(const std::string& audio, std::int64_t pass, const std::string& error) {
  return line({{"audio", audio}, {"pass", pass}, {"error", error}});
}

std::string update_line(const std::string& audio, std::int64_t pass, const Transcript& transcript,
                        const edge_asr_update& update, double call_ms) {
  Json steps = Json::array();
  for (std::size_t i = 0; i < update.step_count; ++i) steps.push_back(step_of(update.steps[i]));
  return line({{"audio", audio},
               {"pass", pass},
               {"update", true},
               {"new_words", new_words_of(update)},
               {"partial", transcript.partial},
               {"audio_s", transcript.counters.audio_s},
               {"call_ms", rounded(call_ms)},
               {"steps", steps}});
}

double cpu_ms() {
  timespec taken{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &taken);
  return 1e3 * static_cast<double>(taken.tv_sec) + 1e-6 * static_cast<double>(taken.tv_nsec);
}

std::string crc32_of_trailer(const std::string& path) {
  std::array<unsigned char, 4> bytes{};
  std::ifstream file(path, std::ios::binary);
  file.seekg(-static_cast<std::streamoff>(bytes.size()), std::ios::end);
  file.read(reinterpret_cast<char*>(bytes.data()), bytes.size());
  std::array<char, 9> digits{};
  std::snprintf(digits.data(), digits.size(), "%02x%02x%02x%02x", bytes[3], bytes[2], bytes[1], bytes[0]);
  return digits.data();
}

}  // namespace edge_asr::runner
