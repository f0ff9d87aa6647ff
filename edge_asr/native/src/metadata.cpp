#include "metadata.h"

#include <nlohmann/json.hpp>

#include "failure.h"

namespace edge_asr {
namespace {

using Json = nlohmann::json;

constexpr int kLargest = 1 << 24;  // of any count: beyond it, a product of two might not fit an int64
constexpr int kDeepest = 8;        // of what nests: values are copied and printed by recursion, and a stack has an end

bool is_count(const Json& values, const char* key, int lowest) {
  const auto found = values.find(key);
  return found != values.end() && found->is_number_integer() && *found >= lowest && *found <= kLargest;
}

bool are_pieces(const Json& values) {
  const auto found = values.find("pieces");
  if (found == values.end() || !found->is_array() || found->empty() || found->size() > kLargest) return false;
  for (const Json& piece : *found) {
    if (!piece.is_string()) return false;
  }
  return true;
}

bool is_threshold(const Json& values, const char* key) {
  const auto found = values.find(key);
  return found != values.end() && found->is_number() && *found >= 0.0 && *found <= 1.0;
}

bool follows_contract(const Json& values) {
  for (const char* key : {"sample_rate_hz", "chunk_samples", "chunk_frames", "frame_samples"}) {
    if (!is_count(values, key, 1)) return false;
  }
  return is_count(values, "blank_id", 0) && are_pieces(values) && is_threshold(values, "default_threshold");
}

}  // namespace

std::string other_contract(long version) {
  const char* way_out = version > kContractVersion ? "upgrade edge-asr, or export" : "export";
  return "made for contract " + std::to_string(version) + ", this edge-asr reads contract " +
         std::to_string(kContractVersion) + ": " + way_out + " the checkpoint again";
}

Metadata parse_metadata(const std::string& json) {
  bool too_deep = false;
  const auto look = [&](int depth, Json::parse_event_t, Json&) { return !(too_deep = too_deep || depth > kDeepest); };
  const Json values = Json::parse(json, look, /*allow_exceptions=*/false);
  if (too_deep || !values.is_object() || values.value("format", Json()) != "edge-asr" ||
      !is_count(values, "contract_version", 0)) {
    throw bad_file("not a model made by edge-asr (its metadata is missing or foreign)");
  }
  const int version = values["contract_version"];
  if (version != kContractVersion) throw bad_file(other_contract(version));
  const Failure breach = bad_file("its metadata does not follow contract " + std::to_string(version));
  if (!follows_contract(values)) throw breach;
  Metadata metadata{
      version,
      values["sample_rate_hz"],
      values["chunk_samples"],
      values["chunk_frames"],
      values["frame_samples"],
      values["blank_id"],
      values["pieces"],
      values["default_threshold"],
  };
  const auto frames_of_chunk = (std::int64_t{metadata.chunk_samples} + metadata.frame_samples - 1) / metadata.frame_samples;
  if (metadata.blank_id >= metadata.vocabulary() || frames_of_chunk > metadata.chunk_frames) throw breach;
  return metadata;
}

}  // namespace edge_asr
