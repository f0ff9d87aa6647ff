// What a caller of the C ABI can do wrong, short of lying about the size of its arrays: a status and a line, and what
// was right before goes on. usage: abuse_abi MODEL BREAKING, where BREAKING is a program that breaks its contract
// when the first sample of a chunk asks for it; see tests/native/programs.py.
#include <sched.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "abuse.h"
#include "edge_asr.h"

namespace {

using abuse::error;
using abuse::kMax;
using abuse::kMin;
using abuse::noise;
using abuse::opened;
using abuse::streaming;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

edge_asr_update update;
edge_asr_step result;

std::string said() {
  std::string text;
  for (std::size_t i = 0; i < update.new_word_count; ++i) text += std::string(update.new_words[i].text) + " ";
  return text;
}

// Everything a stream says of some samples, from its beginning.
std::string heard(edge_asr_stream* stream, const std::vector<float>& pcm) {
  OK(edge_asr_stream_accept(stream, pcm.data(), pcm.size(), &update, &error));
  std::string text = said();
  OK(edge_asr_stream_finish(stream, &update, &error));
  return text + said() + std::to_string(update.counters.kept_frames) + "/" + std::to_string(update.counters.frames);
}

void threads() {
  cpu_set_t before, after;
  HOLDS(sched_getaffinity(0, sizeof before, &before) == 0);
  for (const std::int32_t count : {0, -1, kMin, 1'025, kMax}) REFUSED(edge_asr_set_threads(count, nullptr, 0, &error));
  const std::int32_t none_here[]{CPU_SETSIZE - 1}, negative[]{0, -1}, beyond[]{0, CPU_SETSIZE}, huge[]{kMax};
  REFUSED(edge_asr_set_threads(1, nullptr, 3, &error));
  REFUSED(edge_asr_set_threads(1, none_here, 1, &error));
  REFUSED(edge_asr_set_threads(1, negative, 2, &error));
  REFUSED(edge_asr_set_threads(1, beyond, 2, &error));
  REFUSED(edge_asr_set_threads(1, huge, 1, &error));
  HOLDS(sched_getaffinity(0, sizeof after, &after) == 0 && CPU_EQUAL(&before, &after));
  HOLDS(edge_asr_set_threads(0, nullptr, 0, nullptr) == EDGE_ASR_BAD_ARGUMENT);
  std::vector<std::int32_t> often;
  for (std::int32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &before)) often.insert(often.end(), 10'000, cpu);
  }
  OK(edge_asr_set_threads(2, often.data(), often.size(), &error));
  OK(edge_asr_set_threads(3, nullptr, 0, &error));
  OK(edge_asr_set_threads(1, nullptr, 0, &error));
}

void null_pointers(const edge_asr_model* model) {
  edge_asr_metadata metadata;
  std::memset(&metadata, 0xAA, sizeof metadata);
  edge_asr_model_metadata(nullptr, &metadata);
  HOLDS(metadata.vocabulary == 0 && metadata.json == nullptr);
  edge_asr_model_metadata(model, nullptr);
  HOLDS(edge_asr_model_planned_bytes(nullptr) == 0);
  HOLDS(edge_asr_model_piece(nullptr, 0) == nullptr);
  const float one = 0.0F;
  auto* no_model = reinterpret_cast<edge_asr_model*>(1);
  auto* no_program = reinterpret_cast<edge_asr_program*>(1);
  auto* no_stream = reinterpret_cast<edge_asr_stream*>(1);
  REFUSED(edge_asr_model_open(nullptr, &no_model, &error));
  HOLDS(no_model == nullptr);
  REFUSED(edge_asr_model_open("model.pte", nullptr, &error));
  REFUSED(edge_asr_program_load(nullptr, &no_program, &error));
  HOLDS(no_program == nullptr);
  REFUSED(edge_asr_program_load(model, nullptr, &error));
  REFUSED(edge_asr_program_step(nullptr, &one, 1, 0.5F, 0, &result, &error));
  REFUSED(edge_asr_program_reset(nullptr, &error));
  REFUSED(edge_asr_stream_open(nullptr, 0.5F, &no_stream, &error));
  HOLDS(no_stream == nullptr);
  REFUSED(edge_asr_stream_open(model, 0.5F, nullptr, &error));
  REFUSED(edge_asr_stream_accept(nullptr, &one, 1, &update, &error));
  REFUSED(edge_asr_stream_finish(nullptr, &update, &error));
  REFUSED(edge_asr_stream_restart(nullptr, &error));
  REFUSED(edge_asr_stream_set_threshold(nullptr, 0.5F, &error));
  HOLDS(edge_asr_stream_restart(nullptr, nullptr) == EDGE_ASR_BAD_ARGUMENT);
  edge_asr_model_close(nullptr);
  edge_asr_program_close(nullptr);
  edge_asr_stream_close(nullptr);
}

void paths() {
  edge_asr_model* model = nullptr;
  const std::string wrong[]{"/nowhere/model.pte", "/", "/dev/null", "", "\xFF\xFE\x01.pte", std::string(10'000, 'x')};
  for (const std::string& path : wrong) {
    BAD_FILE(edge_asr_model_open(path.c_str(), &model, &error));
    HOLDS(model == nullptr);
  }
  HOLDS(edge_asr_model_open("/nowhere/model.pte", &model, nullptr) == EDGE_ASR_BAD_FILE);
}

void metadata(const edge_asr_model* model) {
  edge_asr_metadata about;
  edge_asr_model_metadata(model, &about);
  HOLDS(about.vocabulary > 1 && about.json != nullptr && edge_asr_model_planned_bytes(model) > 0);
  for (const std::int32_t id : {kMin, -1, about.vocabulary, kMax}) HOLDS(edge_asr_model_piece(model, id) == nullptr);
  for (std::int32_t id = 0; id < about.vocabulary; ++id) HOLDS(edge_asr_model_piece(model, id) != nullptr);
}

void thresholds(const edge_asr_model* model) {
  edge_asr_stream* stream = nullptr;
  for (const float wrong : {kNan, kInfinity, -kInfinity, -0.5F, -1.5F, 1.000001F, 1e30F, -1e-30F}) {
    REFUSED(edge_asr_stream_open(model, wrong, &stream, &error));
    HOLDS(stream == nullptr);
  }
  stream = streaming(model, 0.25F);
  const auto pcm = noise(30'000, 2);
  const std::string before = heard(stream, pcm);
  OK(edge_asr_stream_restart(stream, &error));
  for (const float wrong : {kNan, kInfinity, -0.5F, 2.0F}) {
    REFUSED(edge_asr_stream_set_threshold(stream, wrong, &error));
  }
  HOLDS(heard(stream, pcm) == before);
  for (const float right : {0.0F, -0.0F, 1.0F, EDGE_ASR_DEFAULT_THRESHOLD}) {
    OK(edge_asr_stream_set_threshold(stream, right, &error));
    OK(edge_asr_stream_restart(stream, &error));
    heard(stream, pcm);
  }
  edge_asr_stream_close(stream);
}

// One step's outputs, bit for bit.
std::string outputs_of(const edge_asr_metadata& about) {
  const auto rows = static_cast<std::size_t>(about.chunk_frames);
  const auto width = static_cast<std::size_t>(about.vocabulary);
  std::string bytes(reinterpret_cast<const char*>(result.partial), rows * width * sizeof(float));
  bytes.append(reinterpret_cast<const char*>(result.keep), rows * sizeof(float));
  const auto resolved = static_cast<std::size_t>(result.rows);
  bytes.append(reinterpret_cast<const char*>(result.final), resolved * width * sizeof(float));
  bytes.append(reinterpret_cast<const char*>(result.index), resolved * sizeof(std::int64_t));
  return bytes + std::to_string(result.rows) + " " + std::to_string(result.waiting);
}

void steps(const edge_asr_model* model) {
  edge_asr_metadata about;
  edge_asr_model_metadata(model, &about);
  edge_asr_program *program = nullptr, *fresh = nullptr;
  OK(edge_asr_program_load(model, &program, &error));
  OK(edge_asr_program_load(model, &fresh, &error));
  const auto chunk = static_cast<std::size_t>(about.chunk_samples);
  const auto pcm = noise(chunk, 3);
  REFUSED(edge_asr_program_step(program, nullptr, 1, 0.5F, 0, &result, &error));
  REFUSED(edge_asr_program_step(program, pcm.data(), 1, 0.5F, 0, nullptr, &error));
  for (const std::int32_t frames : {kMin, -1, about.chunk_frames + 1, kMax}) {
    std::memset(&result, 0xAA, sizeof result);
    REFUSED(edge_asr_program_step(program, pcm.data(), frames, 0.5F, 0, &result, &error));
    HOLDS(result.partial == nullptr && result.rows == 0);
  }
  for (const float wrong : {kNan, kInfinity, -0.5F, 1.5F}) {
    REFUSED(edge_asr_program_step(program, pcm.data(), 1, wrong, 0, &result, &error));
  }
  // what no stream lets through: the outputs may be anything, and a reset clears the state
  for (const float sample : {kNan, kInfinity, -kInfinity, 3e38F, -3e38F, 1e-45F}) {
    const std::vector<float> bad(chunk, sample);
    for (const std::int32_t frames : {about.chunk_frames, 0, 1}) {
      for (const std::int32_t flush : {0, 1, kMin}) {
        edge_asr_program_step(program, bad.data(), frames, EDGE_ASR_NEVER_SKIP, flush, &result, &error);
      }
    }
  }
  OK(edge_asr_program_reset(program, &error));
  for (int i = 0; i < 12; ++i) {
    const auto next = noise(chunk, static_cast<std::uint64_t>(100 + i));
    OK(edge_asr_program_step(program, next.data(), about.chunk_frames, 0.5F, i == 11, &result, &error));
    const std::string found = outputs_of(about);
    OK(edge_asr_program_step(fresh, next.data(), about.chunk_frames, 0.5F, i == 11, &result, &error));
    HOLDS(found == outputs_of(about));
  }
  edge_asr_program_close(program);
  edge_asr_program_close(fresh);
}

void samples(const edge_asr_model* model) {
  edge_asr_stream* stream = streaming(model);
  const auto pcm = noise(40'000, 4);
  const std::string before = heard(stream, pcm);
  OK(edge_asr_stream_restart(stream, &error));
  OK(edge_asr_stream_accept(stream, nullptr, 0, &update, &error));
  OK(edge_asr_stream_accept(stream, pcm.data(), 0, &update, &error));
  REFUSED(edge_asr_stream_accept(stream, nullptr, 1, &update, &error));
  REFUSED(edge_asr_stream_accept(stream, pcm.data(), 1, nullptr, &error));
  for (const float sample : {kNan, -kNan, kInfinity, -kInfinity, 3e38F, -65.0F}) {
    std::vector<float> bad(pcm.begin(), pcm.begin() + 12'000);  // more than a chunk
    bad.back() = sample;
    REFUSED(edge_asr_stream_accept(stream, bad.data(), bad.size(), &update, &error));
    HOLDS(update.step_count == 0 && update.counters.steps == 0);
  }
  HOLDS(heard(stream, pcm) == before);
  edge_asr_stream_close(stream);
}

void order(const char* path, const edge_asr_model* model) {
  edge_asr_stream* stream = streaming(model);
  const auto pcm = noise(30'000, 5);
  OK(edge_asr_stream_finish(stream, &update, &error));  // of no samples
  HOLDS(update.counters.frames == 0 && update.new_word_count == 0);
  for (int twice = 0; twice < 2; ++twice) {
    REFUSED(edge_asr_stream_finish(stream, &update, &error));
    REFUSED(edge_asr_stream_accept(stream, pcm.data(), pcm.size(), &update, &error));
    REFUSED(edge_asr_stream_accept(stream, nullptr, 0, &update, &error));
  }
  OK(edge_asr_stream_restart(stream, &error));
  REFUSED(edge_asr_stream_finish(stream, nullptr, &error));
  const std::string before = heard(stream, pcm);
  OK(edge_asr_stream_restart(stream, &error));
  OK(edge_asr_stream_restart(stream, &error));
  OK(edge_asr_stream_accept(stream, pcm.data(), 20'000, &update, &error));
  OK(edge_asr_stream_restart(stream, &error));  // in the middle
  HOLDS(heard(stream, pcm) == before);
  edge_asr_stream_close(stream);

  edge_asr_model* closed = opened(path);  // the model before what was loaded from it
  edge_asr_program* program = nullptr;
  OK(edge_asr_program_load(closed, &program, &error));
  stream = streaming(closed);
  edge_asr_model_close(closed);
  HOLDS(heard(stream, pcm) == before);
  OK(edge_asr_program_step(program, pcm.data(), 1, 0.5F, 1, &result, &error));
  edge_asr_program_close(program);
  edge_asr_stream_close(stream);
}

void broken_contracts(const char* path) {
  edge_asr_model* model = opened(path);
  edge_asr_stream* stream = streaming(model);
  const std::vector<float> good(5'000, 0.1F);
  const std::string before = heard(stream, good);
  for (const float trigger : {20.0F, 30.0F, 40.0F, 50.0F}) {
    const std::vector<float> bad(640, trigger);
    OK(edge_asr_stream_restart(stream, &error));
    OK(edge_asr_stream_accept(stream, good.data(), 640, &update, &error));
    if (edge_asr_stream_accept(stream, bad.data(), bad.size(), &update, &error) == EDGE_ASR_OK) {
      FAILS(edge_asr_stream_finish(stream, &update, &error));
    }
    REFUSED(edge_asr_stream_accept(stream, good.data(), 1, &update, &error));
    REFUSED(edge_asr_stream_finish(stream, &update, &error));
    OK(edge_asr_stream_restart(stream, &error));
    HOLDS(heard(stream, good) == before);
  }
  edge_asr_stream_close(stream);
  edge_asr_model_close(model);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  threads();
  paths();
  edge_asr_model* model = opened(arguments[1]);
  null_pointers(model);
  metadata(model);
  thresholds(model);
  steps(model);
  samples(model);
  order(arguments[1], model);
  edge_asr_model_close(model);
  broken_contracts(arguments[2]);
  std::puts("every misuse has its answer");
  return 0;
}
