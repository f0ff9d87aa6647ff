// Reads time_line.jsonl from stdin; prints for each line, as JSON, what the native time line makes of its steps.
#include <cstdio>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "failure.h"
#include "metadata.h"
#include "time_line.h"

namespace {

using edge_asr::TimeLine;
using edge_asr::Word;
using Json = nlohmann::json;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

float number_of(const Json& value) {
  if (value.is_number()) return value.get<float>();
  if (value == "NaN") return kNan;
  return value == "Infinity" ? kInfinity : -kInfinity;
}

std::vector<float> numbers_of(const Json& rows) {
  std::vector<float> numbers;
  for (const Json& row : rows) {
    for (const Json& value : row) numbers.push_back(number_of(value));
  }
  return numbers;
}

Json listed(const std::vector<Word>& words) {
  Json list = Json::array();
  for (const Word& word : words) list.push_back(Json::array({word.text, word.start_s, word.end_s, word.confidence}));
  return list;
}

// With a row more than the step has frames, which must not count.
Json answer(TimeLine& line, const Json& step, std::size_t pieces) {
  std::vector<float> partial = numbers_of(step["partial"]);
  partial.insert(partial.end(), pieces, kNan);
  auto keep = step["keep"].get<std::vector<float>>();
  keep.push_back(1.0F);
  const std::vector<float> final = numbers_of(step["final"]);
  const auto index = step["index"].get<std::vector<std::int64_t>>();
  edge_asr_step result{partial.data(), keep.data(), final.data(), index.data(), static_cast<std::int32_t>(index.size()),
                       step["waiting"].get<std::int64_t>()};
  std::vector<Word> words, partial_words;
  try {
    line.add(result, step["samples"].get<std::int64_t>(), words);
  } catch (const edge_asr::Failure& failure) {
    return {{"refused", failure.what()}, {"status", static_cast<int>(failure.status())}};
  }
  line.partial_words(partial_words);
  return {{"words", listed(words)}, {"partial_words", listed(partial_words)}};
}

Json replay(const Json& vector) {
  edge_asr::Metadata metadata{};
  metadata.sample_rate_hz = vector["sample_rate_hz"];
  metadata.frame_samples = vector["frame_samples"];
  metadata.blank_id = vector["blank_id"];
  metadata.pieces = vector["pieces"].get<std::vector<std::string>>();
  TimeLine line(metadata);
  Json steps = Json::array();
  for (const Json& step : vector["steps"]) {
    steps.push_back(answer(line, step, metadata.pieces.size()));
    if (steps.back().contains("refused")) return {{"steps", steps}};
  }
  std::vector<Word> words;
  line.finish(words);
  return {{"steps", steps}, {"finish", listed(words)}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::printf("%s\n", replay(Json::parse(line)).dump(-1, ' ', /*ensure_ascii=*/true).c_str());
  }
}
