#include "containers.h"

#include <string_view>

namespace edge_asr::runner {
namespace {

using namespace std::string_view_literals;

struct Kind {
  std::size_t at;
  std::string_view magic;
  const char* name;
};

constexpr Kind kKinds[] = {
    {0, "fLaC"sv, "a FLAC file"},        {0, "OggS"sv, "an Ogg file"},
    {0, "ID3"sv, "an MP3 file"},         {4, "ftyp"sv, "an MP4 file (such as m4a)"},
    {0, "\x1a\x45\xdf\xa3"sv, "a WebM or Matroska file"}, {0, "RF64"sv, "an RF64 file"},
    {0, "FORM"sv, "an AIFF file"},       {0, ".snd"sv, "an AU file"},
    {0, "caff"sv, "a CAF file"},         {0, "riff"sv, "a Wave64 file"},
    {0, "#!AMR"sv, "an AMR file"},       {0, "\x30\x26\xb2\x75"sv, "a WMA file"},
};

// The header of an MPEG audio frame: eleven bits set, then a version, a layer, a bit rate and a sample rate that exist.
bool is_mpeg_audio(std::string_view head) {
  if (head.size() < 3) return false;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(head[at]); };
  const bool has_sync = byte(0) == 0xFF && (byte(1) & 0xE0) == 0xE0;
  const bool is_layer = (byte(1) & 0x18) != 0x08 && ((byte(1) & 0x06) != 0 || (byte(1) & 0xF0) == 0xF0);  // or AAC in ADTS
  return has_sync && is_layer && (byte(2) & 0xF0) != 0xF0 && (byte(2) & 0x0C) != 0x0C;
}

std::string quoted(const std::string& name) {
  constexpr char kPlain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+,:@%";
  if (!name.empty() && name[0] != '-' && name.find_first_not_of(kPlain) == std::string::npos) return name;
  std::string text = "'";
  for (const char byte : name) text += byte == '\'' ? "'\\''" : std::string(1, byte);
  return text + "'";
}

}  // namespace

std::string kind_of(const std::vector<unsigned char>& head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  for (const Kind& kind : kKinds) {
    if (text.size() >= kind.at && text.substr(kind.at, kind.magic.size()) == kind.magic) return kind.name;
  }
  return is_mpeg_audio(text) ? "an MP3 or AAC file" : "";
}

std::string conversion(const std::string& name) {
  return ": convert it: ffmpeg -v error -i " + (name == "stdin" ? "-" : quoted(name)) + " -f wav - | edge-asr-run -";
}

}  // namespace edge_asr::runner
