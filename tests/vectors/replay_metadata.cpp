// Reads metadata texts, one a line, in hexadecimal; prints of each what the native runtime reads, or its refusal, as JSON.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "failure.h"
#include "metadata.h"

namespace {

using Json = nlohmann::ordered_json;

std::string bytes_of(const std::string& hexadecimal) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hexadecimal.size(); at += 2) {
    bytes += static_cast<char>(std::stoi(hexadecimal.substr(at, 2), nullptr, 16));
  }
  return bytes;
}

Json answer(const std::string& text) {
  try {
    const edge_asr::Metadata found = edge_asr::parse_metadata(text);
    return {{"accepted",
             {{"sample_rate_hz", found.sample_rate_hz},
              {"chunk_samples", found.chunk_samples},
              {"chunk_frames", found.chunk_frames},
              {"frame_samples", found.frame_samples},
              {"blank_id", found.blank_id},
              {"pieces", found.pieces},
              {"default_threshold", found.default_threshold}}}};
  } catch (const edge_asr::Failure& failure) {
    return {{"status", static_cast<int>(failure.status())}, {"refused", failure.what()}};
  }
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) std::printf("%s\n", answer(bytes_of(line)).dump(-1, ' ', /*ensure_ascii=*/true).c_str());
}
