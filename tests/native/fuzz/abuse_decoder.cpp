// A decoder of the C ABI: it says what a stream says, bit for bit, and answers what a caller can do wrong, short of
// lying about the size of its arrays. usage: abuse_decoder MODEL
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "abuse.h"
#include "edge_asr.h"

namespace {

using abuse::error;
using abuse::kMax;
using abuse::kMin;

constexpr float kThreshold = 0.5F;
constexpr edge_asr_step kNothing{};  // outputs of a step without frames

edge_asr_step result;
edge_asr_words words;

// Words, bit for bit.
std::string bytes_of(const edge_asr_word* first, std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const double numbers[]{first[i].start_s, first[i].end_s, first[i].confidence};
    bytes.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
    bytes += std::string(first[i].text) + " ";
  }
  return bytes;
}

std::string said_by_stream(const edge_asr_model* model, const std::vector<float>& pcm) {
  edge_asr_stream* stream = abuse::streaming(model, kThreshold);
  edge_asr_update update;
  OK(edge_asr_stream_accept(stream, pcm.data(), pcm.size(), &update, &error));
  std::string bytes = bytes_of(update.new_words, update.new_word_count);
  bytes += bytes_of(update.partial_words, update.partial_word_count);
  OK(edge_asr_stream_finish(stream, &update, &error));
  bytes += bytes_of(update.new_words, update.new_word_count);
  edge_asr_stream_close(stream);
  HOLDS(!bytes.empty());
  return bytes;
}

// A program's steps over whole chunks, then flushed until no frame waits.
std::string said_by_decoder(edge_asr_program* program, edge_asr_decoder* decoder, const edge_asr_metadata& about,
                            const std::vector<float>& pcm) {
  const auto chunk = static_cast<std::size_t>(about.chunk_samples);
  std::string bytes;
  for (std::size_t at = 0; at < pcm.size(); at += chunk) {
    OK(edge_asr_program_step(program, pcm.data() + at, about.chunk_frames, kThreshold, 0, &result, &error));
    OK(edge_asr_decoder_add(decoder, &result, about.chunk_samples, &words, &error));
    bytes += bytes_of(words.words, words.count);
  }
  OK(edge_asr_decoder_partial_words(decoder, &words, &error));
  bytes += bytes_of(words.words, words.count);
  while (result.waiting > 0) {
    OK(edge_asr_program_step(program, pcm.data(), 0, kThreshold, 1, &result, &error));
    OK(edge_asr_decoder_add(decoder, &result, 0, &words, &error));
    bytes += bytes_of(words.words, words.count);
  }
  OK(edge_asr_decoder_finish(decoder, &words, &error));
  return bytes + bytes_of(words.words, words.count);
}

void null_pointers(const edge_asr_model* model, edge_asr_decoder* decoder) {
  auto* none = reinterpret_cast<edge_asr_decoder*>(1);
  REFUSED(edge_asr_decoder_open(nullptr, &none, &error));
  HOLDS(none == nullptr);
  REFUSED(edge_asr_decoder_open(model, nullptr, &error));
  REFUSED(edge_asr_decoder_add(nullptr, &kNothing, 0, &words, &error));
  REFUSED(edge_asr_decoder_partial_words(nullptr, &words, &error));
  REFUSED(edge_asr_decoder_finish(nullptr, &words, &error));
  REFUSED(edge_asr_decoder_restart(nullptr, &error));
  HOLDS(edge_asr_decoder_restart(nullptr, nullptr) == EDGE_ASR_BAD_ARGUMENT);
  edge_asr_decoder_close(nullptr);
  REFUSED(edge_asr_decoder_add(decoder, nullptr, 0, &words, &error));
  REFUSED(edge_asr_decoder_add(decoder, &kNothing, 0, nullptr, &error));
  REFUSED(edge_asr_decoder_partial_words(decoder, nullptr, &error));
  REFUSED(edge_asr_decoder_finish(decoder, nullptr, &error));
}

void sizes(const edge_asr_metadata& about, edge_asr_decoder* decoder) {
  for (const std::int32_t samples : {kMin, -1, 1, about.chunk_samples, about.chunk_samples + 1, kMax}) {
    std::memset(&words, 0xAA, sizeof words);
    REFUSED(edge_asr_decoder_add(decoder, &kNothing, samples, &words, &error));
    HOLDS(words.words == nullptr && words.count == 0);
  }
  for (const std::int32_t rows : {kMin, -1, 1, 2 * about.chunk_frames + 1, kMax}) {
    edge_asr_step wrong = kNothing;
    wrong.rows = rows;
    REFUSED(edge_asr_decoder_add(decoder, &wrong, 0, &words, &error));
  }
}

void is_over(edge_asr_decoder* decoder) {
  for (int twice = 0; twice < 2; ++twice) {
    REFUSED(edge_asr_decoder_add(decoder, &kNothing, 0, &words, &error));
    REFUSED(edge_asr_decoder_partial_words(decoder, &words, &error));
    REFUSED(edge_asr_decoder_finish(decoder, &words, &error));
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  edge_asr_model* model = abuse::opened(arguments[1]);
  edge_asr_metadata about;
  edge_asr_model_metadata(model, &about);
  edge_asr_program* program = nullptr;
  edge_asr_decoder* decoder = nullptr;
  OK(edge_asr_program_load(model, &program, &error));
  OK(edge_asr_decoder_open(model, &decoder, &error));
  const auto pcm = abuse::noise(6 * static_cast<std::size_t>(about.chunk_samples), 6);
  const std::string expected = said_by_stream(model, pcm);

  null_pointers(model, decoder);
  edge_asr_model_close(model);  // before what was opened of it
  HOLDS(said_by_decoder(program, decoder, about, pcm) == expected);
  is_over(decoder);

  OK(edge_asr_decoder_restart(decoder, &error));
  OK(edge_asr_program_reset(program, &error));
  OK(edge_asr_decoder_partial_words(decoder, &words, &error));
  HOLDS(words.count == 0);
  sizes(about, decoder);
  HOLDS(said_by_decoder(program, decoder, about, pcm) == expected);  // what was refused has left nothing

  OK(edge_asr_decoder_restart(decoder, &error));
  edge_asr_step broken = kNothing;
  broken.waiting = 7;  // frames, of which none was kept
  FAILS(edge_asr_decoder_add(decoder, &broken, 0, &words, &error));
  is_over(decoder);
  edge_asr_program_close(program);  // a decoder needs no program
  OK(edge_asr_decoder_restart(decoder, &error));
  OK(edge_asr_decoder_finish(decoder, &words, &error));
  HOLDS(words.count == 0);
  edge_asr_decoder_close(decoder);
  std::puts("every misuse has its answer");
  return 0;
}
