// executorch::extension::Module with its defaults beside our native runtime, step by step, output by output.
//   streams_of_one_module MODEL [THRESHOLD PCM]...
// PCM is raw float32 samples. One Module and one native program hear all streams, one after the other. Prints for each
// stream its steps, the frames it kept, the frames it resolved, and the first of these; fails at the first difference.
#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "edge_asr.h"

namespace {

using executorch::extension::from_blob;
using executorch::extension::Module;
using executorch::runtime::EValue;
using Outputs = std::vector<EValue>;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

void must(edge_asr_status status, const edge_asr_error& error) {
  if (status != EDGE_ASR_OK) fail(error.message);
}

std::vector<float> samples_of(const char* path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) fail(std::string("cannot read ") + path);
  std::vector<float> samples(static_cast<std::size_t>(file.tellg()) / sizeof(float));
  file.seekg(0).read(reinterpret_cast<char*>(samples.data()), static_cast<std::streamsize>(samples.size() * sizeof(float)));
  return samples;
}

struct Input {
  std::vector<float> pcm;  // [chunk_samples]
  std::int64_t frames;
  float threshold;
  std::int64_t flush;
  std::int64_t reset;
};

Outputs executed(Module& module, Input& input) {
  constexpr auto kLong = executorch::aten::ScalarType::Long;
  const auto length = static_cast<executorch::aten::SizesType>(input.pcm.size());
  auto outputs = module.execute("step", {from_blob(input.pcm.data(), {1, length}), from_blob(&input.frames, {1}, kLong),
                                         from_blob(&input.threshold, {1}), from_blob(&input.flush, {1}, kLong),
                                         from_blob(&input.reset, {1}, kLong)});
  if (!outputs.ok()) fail(std::string("step: ") + executorch::runtime::to_string(outputs.error()));
  return outputs.get();
}

template <typename T>
void require_same(const Outputs& outputs, std::size_t at, const T* expected, std::size_t count, const std::string& where) {
  const auto& tensor = outputs.at(at).toTensor();
  if (static_cast<std::size_t>(tensor.numel()) < count ||
      std::memcmp(tensor.const_data_ptr<T>(), expected, count * sizeof(T)) != 0) {
    fail(where + ": output " + std::to_string(at) + " is another one");
  }
}

struct Heard {
  long steps = 0, kept = 0, resolved = 0, first = -1;
};

class Pair {
 public:
  explicit Pair(const char* path) : module_(path, Module::LoadMode::Mmap) {
    must(edge_asr_set_threads(1, nullptr, 0, &error_), error_);
    must(edge_asr_model_open(path, &model_, &error_), error_);
    edge_asr_model_metadata(model_, &metadata_);
    must(edge_asr_program_load(model_, &program_, &error_), error_);
  }

  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  ~Pair() {
    edge_asr_program_close(program_);
    edge_asr_model_close(model_);
  }

  Heard hear(const std::vector<float>& samples, float threshold, const std::string& name) {
    must(edge_asr_program_reset(program_, &error_), error_);
    Heard heard;
    const auto chunk = static_cast<std::size_t>(metadata_.chunk_samples);
    for (std::size_t start = 0; start < samples.size(); start += chunk) {
      const std::size_t count = std::min(chunk, samples.size() - start);
      Input input{std::vector<float>(chunk), 0, threshold, start + chunk >= samples.size(), start == 0};
      std::memcpy(input.pcm.data(), samples.data() + start, count * sizeof(float));
      const auto frame = static_cast<std::size_t>(metadata_.frame_samples);
      input.frames = static_cast<std::int64_t>((count + frame - 1) / frame);
      step(input, heard, name + ", step " + std::to_string(heard.steps));
    }
    return heard;
  }

 private:
  void step(Input& input, Heard& heard, const std::string& where) {
    edge_asr_step native{};
    must(edge_asr_program_step(program_, input.pcm.data(), static_cast<std::int32_t>(input.frames), input.threshold,
                               static_cast<std::int32_t>(input.flush), &native, &error_), error_);
    const Outputs outputs = executed(module_, input);
    const auto real = static_cast<std::size_t>(input.frames), rows = static_cast<std::size_t>(native.rows);
    const auto vocabulary = static_cast<std::size_t>(metadata_.vocabulary);
    require_same(outputs, 0, native.partial, real * vocabulary, where);
    require_same(outputs, 1, native.keep, real, where);
    require_same(outputs, 2, native.final, rows * vocabulary, where);
    require_same(outputs, 3, native.index, rows, where);
    require_same(outputs, 4, &native.waiting, 1, where);
    const auto& index = outputs[3].toTensor();
    if (static_cast<std::size_t>(index.numel()) > rows && index.const_data_ptr<std::int64_t>()[rows] >= 0) {
      fail(where + ": more frames are resolved");
    }
    for (std::size_t row = 0; row < real; ++row) heard.kept += native.keep[row] > 0.5F;
    if (heard.first < 0 && rows > 0) heard.first = native.index[0];
    heard.resolved += native.rows;
    heard.steps += 1;
  }

  Module module_;
  edge_asr_error error_{};
  edge_asr_metadata metadata_{};
  edge_asr_model* model_ = nullptr;
  edge_asr_program* program_ = nullptr;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 4 || count % 2 != 0) fail("usage: streams_of_one_module MODEL [THRESHOLD PCM]...");
  Pair pair(arguments[1]);
  for (int at = 2; at < count; at += 2) {
    const std::string name = "stream " + std::to_string(at / 2);
    const Heard heard = pair.hear(samples_of(arguments[at + 1]), std::strtof(arguments[at], nullptr), name);
    std::printf("%ld\t%ld\t%ld\t%ld\n", heard.steps, heard.kept, heard.resolved, heard.first);
  }
}
