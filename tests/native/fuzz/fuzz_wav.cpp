// Damaged WAV files and raw samples against the runner's reader, and what it reads against the C ABI.
// usage: fuzz_wav fuzz|read NOTE FIRST COUNT MODEL FILE...
//
// read: the files as they are, one a case; of each it prints `samples <tab> case <tab> number <tab> CRC-32 as float32`.
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audio_source.h"
#include "cases.h"
#include "crc32.h"
#include "recognizer.h"
#include "trouble.h"

namespace {

using edge_asr::runner::AudioOptions;
using edge_asr::runner::AudioSource;
using edge_asr::runner::BadInput;
using edge_asr::runner::Model;
using edge_asr::runner::SampleType;
using edge_asr::runner::Stream;
using edge_asr::runner::Trouble;
using fuzz::Bytes;
using fuzz::Cases;
using fuzz::Chance;
using fuzz::MemoryFile;

constexpr std::size_t kStructure = 128;  // bytes of a WAV file in which its chunks begin

constexpr std::size_t kMostTimes = 16;  // as many samples as there were, at the lowest rate

AudioOptions layout(Chance& chance) {
  AudioOptions options;
  switch (chance.below(10)) {
    case 0: case 1: options.raw = SampleType::kInt16; break;
    case 2: options.raw = SampleType::kFloat32; break;
    default: break;  // WAV
  }
  if (options.raw && chance.one_in(2)) options.rate_hz = 8'000 * static_cast<std::int32_t>(1 + chance.below(6));
  if (options.raw && chance.one_in(2)) options.channels = static_cast<std::int32_t>(1 + chance.below(4));
  if (chance.one_in(8)) options.channel = static_cast<std::uint32_t>(1 + chance.below(2));
  return options;
}

// Reads to the end, as the runner does, and streams what comes. Throws Trouble.
void hear(AudioSource& source, Stream& stream, std::size_t file_bytes, Cases& cases) {
  std::size_t total = 0;
  stream.restart();
  for (const auto* samples = &source.next(); !samples->empty(); samples = &source.next()) {
    total += samples->size();
    if (total > kMostTimes * (file_bytes / 2 + 1)) return cases.wrong("more samples than the file has");
    stream.accept(samples->data(), samples->size());
  }
  const edge_asr_counters counters = stream.finish().counters;
  const auto frames_at_least = static_cast<std::int64_t>(total / 16'000);  // a frame is far shorter than a second
  if (counters.frames < frames_at_least || (total == 0) != (counters.frames == 0)) cases.wrong("samples were lost");
  cases.count("heard");
}

void try_one(Cases& cases, const Bytes& whole, const Bytes& other, Stream& stream, Chance& chance) {
  const MemoryFile file(fuzz::damaged(whole, other, kStructure, chance.one_in(2), chance));
  const bool from_stdin = chance.one_in(4);
  if (::lseek(file.descriptor(), 0, SEEK_SET) != 0) std::abort();
  if (from_stdin && ::dup2(file.descriptor(), STDIN_FILENO) < 0) std::abort();
  try {
    AudioSource source(from_stdin ? "-" : file.path(), layout(chance), 16'000);
    hear(source, stream, file.read().size(), cases);
  } catch (const Trouble& trouble) {
    cases.expect_line(trouble.what());
    if (trouble.code() != edge_asr::runner::kFailed) cases.wrong("another exit code");
    cases.count("refused: " + fuzz::kind_of(trouble.what(), from_stdin ? "stdin" : file.path()));
  }
}

void read(Cases& cases, std::uint64_t number, const std::string& path) {
  AudioSource source(path, AudioOptions{}, 16'000);
  std::size_t total = 0;
  std::uint32_t sum = 0;
  try {
    for (const auto* samples = &source.next(); !samples->empty(); samples = &source.next()) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(samples->data());
      sum = edge_asr::crc32(sum, bytes, samples->size() * sizeof(float));
      total += samples->size();
    }
  } catch (const BadInput&) {  // of a file that was cut short, at its end
  }
  std::printf("samples\t%" PRIu64 "\t%zu\t%08" PRIx32 "\n", number, total, sum);
  cases.count("read");
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 7) return 2;
  const std::string mode = arguments[1];
  Cases cases(arguments[2], std::strtoull(arguments[3], nullptr, 10), std::strtoull(arguments[4], nullptr, 10));
  const std::vector<std::string> paths(arguments + 6, arguments + count);
  if (mode == "read") {
    cases.run([&](std::uint64_t number) { read(cases, number, paths.at(number)); });
    return cases.report();
  }
  std::vector<Bytes> files;
  for (const std::string& path : paths) files.push_back(fuzz::read_file(path));
  const Model model(arguments[5]);
  Stream stream(model, EDGE_ASR_DEFAULT_THRESHOLD);
  cases.run([&](std::uint64_t number) {
    Chance chance(number);
    try_one(cases, files[number % files.size()], files[(number + 1) % files.size()], stream, chance);
  });
  return cases.report();
}
