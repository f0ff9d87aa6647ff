#include "metadata.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "failure.h"

namespace edge_asr {
namespace {

using Json = nlohmann::json;
using Event = Json::parse_event_t;

constexpr int kDeepest = 8;  // objects and arrays in one another
constexpr std::int64_t kLargestVersion = (1 << 24) - 1;
constexpr std::int64_t kMostFrames = 4'096;
constexpr std::int64_t kMostFrameSamples = 4'096;
constexpr std::int64_t kMostLayers = 1'024;
constexpr std::size_t kMostPieces = 65'536;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Finds what nlohmann's parser takes, and other readers do not: deep nesting, and a key that stands twice in an object.
class Strictness {
 public:
  bool look(int depth, Event event, const Json& parsed) {
    if (odd_) return false;
    const bool opens = event == Event::object_start || event == Event::array_start;
    odd_ = opens && depth >= kDeepest;
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key) odd_ = !keys_.back().insert(parsed.get<std::string>()).second;
    return !odd_;
  }
  bool odd() const { return odd_; }

 private:
  bool odd_ = false;
  std::vector<std::set<std::string>> keys_;  // of each open object
};

// Discarded where the text is not JSON as RFC 8259 has it.
Json parsed(const std::string& text) {
  // nlohmann's parser skips a byte order mark, and ends at a NUL
  if (text.compare(0, kByteOrderMark.size(), kByteOrderMark) == 0 || text.find('\0') != std::string::npos) {
    return Json(Json::value_t::discarded);
  }
  Strictness strictness;
  const auto look = [&](int depth, Event event, Json& value) { return strictness.look(depth, event, value); };
  Json values = Json::parse(text, look, /*allow_exceptions=*/false);
  return strictness.odd() ? Json(Json::value_t::discarded) : values;
}

std::optional<std::int64_t> integer(const Json& values, const char* key, std::int64_t lowest, std::int64_t highest) {
  const auto found = values.find(key);
  if (found == values.end() || !found->is_number_integer()) return std::nullopt;
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > std::uint64_t{INT64_MAX}) return std::nullopt;
  const auto value = found->get<std::int64_t>();
  return value >= lowest && value <= highest ? std::optional(value) : std::nullopt;
}

bool are_pieces(const Json& values) {
  const auto found = values.find("pieces");
  if (found == values.end() || !found->is_array() || found->size() < 2 || found->size() > kMostPieces) return false;
  for (const Json& piece : *found) {
    if (!piece.is_string() || piece.get_ref<const std::string&>().find('\0') != std::string::npos) return false;
  }
  return true;
}

bool is_threshold(const Json& values) {
  const auto found = values.find("default_threshold");
  return found != values.end() && found->is_number() && found->get<double>() >= 0.0 && found->get<double>() <= 1.0;
}

bool is_precision(const Json& values) {
  const auto found = values.find("precision");
  return found != values.end() && (*found == "int8" || *found == "int4" || *found == "fp32");
}

bool are_texts(const Json& values, const char* key) {
  const auto found = values.find(key);
  if (found == values.end() || !found->is_object()) return false;
  for (const Json& text : *found) {
    if (!text.is_string()) return false;
  }
  return true;
}

// The first key, in the order of the table in edge_asr/contract.py, that is missing or not as the table says.
const char* broken_key(const Json& values) {
  const auto is_integer = [&](const char* key, std::int64_t lowest, std::int64_t highest) {
    return integer(values, key, lowest, highest).has_value();
  };
  if (!is_integer("sample_rate_hz", 8'000, 48'000)) return "sample_rate_hz";
  if (!is_integer("chunk_frames", 1, kMostFrames)) return "chunk_frames";
  if (!is_integer("frame_samples", 1, kMostFrameSamples)) return "frame_samples";
  const std::int64_t samples = values["chunk_frames"].get<std::int64_t>() * values["frame_samples"].get<std::int64_t>();
  if (!is_integer("chunk_samples", samples, samples)) return "chunk_samples";
  if (!are_pieces(values)) return "pieces";
  if (!is_integer("blank_id", 0, static_cast<std::int64_t>(values["pieces"].size()) - 1)) return "blank_id";
  if (!is_threshold(values)) return "default_threshold";
  if (!is_precision(values)) return "precision";
  if (!is_integer("lower_layers", 0, kMostLayers)) return "lower_layers";
  if (!is_integer("upper_layers", 1, kMostLayers)) return "upper_layers";
  if (!are_texts(values, "training")) return "training";
  if (!are_texts(values, "exporter")) return "exporter";
  return nullptr;
}

}  // namespace

std::string other_contract(long version) {
  const char* way_out = version > kContractVersion ? "upgrade edge-asr, or export" : "export";
  return "made for contract " + std::to_string(version) + ", this edge-asr reads contract " +
         std::to_string(kContractVersion) + ": " + way_out + " the checkpoint again";
}

Metadata parse_metadata(const std::string& json) {
  const Json values = parsed(json);
  std::optional<std::int64_t> version;
  if (values.is_object() && values.value("format", Json()) == "edge-asr") {
    version = integer(values, "contract_version", 0, kLargestVersion);
  }
  if (!version) throw bad_file("not a model made by edge-asr (its metadata is missing or foreign)");
  if (*version != kContractVersion) throw bad_file(other_contract(static_cast<long>(*version)));
  if (const char* broken = broken_key(values)) {
    throw bad_file("its metadata does not follow contract " + std::to_string(*version) + " (" + broken +
                   "): export it again");
  }
  return {
      static_cast<int>(*version),
      values["sample_rate_hz"],
      values["chunk_samples"],
      values["chunk_frames"],
      values["frame_samples"],
      values["blank_id"],
      values["pieces"],
      values["default_threshold"],
  };
}

}  // namespace edge_asr
