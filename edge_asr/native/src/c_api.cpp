// The C ABI: exceptions end here.
#include <cstring>
#include <memory>
#include <new>
#include <numeric>
#include <vector>

#include "decoder.h"
#include "edge_asr.h"
#include "failure.h"
#include "model.h"
#include "program.h"
#include "stream.h"
#include "threads.h"

struct edge_asr_model {
  std::shared_ptr<const edge_asr::Model> model;
};

struct edge_asr_program {
  std::unique_ptr<edge_asr::Program> program;
};

struct edge_asr_decoder {
  edge_asr::Decoder decoder;
};

struct edge_asr_stream {
  edge_asr::Stream stream;
};

namespace {

using edge_asr::bad_argument;
using edge_asr::Failure;

void tell(edge_asr_error* error, const char* line) noexcept {
  if (error == nullptr) return;
  const std::size_t length = strnlen(line, sizeof error->message - 1);
  std::memcpy(error->message, line, length);
  error->message[length] = '\0';
}

template <typename Work>
edge_asr_status guarded(edge_asr_error* error, Work work) noexcept {
  tell(error, "");
  try {
    work();
    return EDGE_ASR_OK;
  } catch (const Failure& failure) {
    tell(error, failure.what());
    return failure.status();
  } catch (const std::bad_alloc&) {
    tell(error, "out of memory");
    return EDGE_ASR_NO_MEMORY;
  } catch (const std::exception& unforeseen) {
    tell(error, unforeseen.what());
    return EDGE_ASR_FAILED;
  } catch (...) {
    tell(error, "internal error");
    return EDGE_ASR_FAILED;
  }
}

void require(bool given, const char* what) {
  if (!given) throw bad_argument(std::string(what) + " is NULL");
}

}  // namespace

std::int32_t edge_asr_abi_version(void) { return EDGE_ASR_ABI_VERSION; }

edge_asr_status edge_asr_set_threads(int32_t threads, const int32_t* cpus, size_t cpu_count, edge_asr_error* error) {
  return guarded(error, [&] {
    require(cpus != nullptr || cpu_count == 0, "cpus");
    edge_asr::set_threads(threads, std::vector<std::int32_t>(cpus, cpus + cpu_count));
  });
}

edge_asr_status edge_asr_model_open(const char* path, edge_asr_model** model, edge_asr_error* error) {
  return guarded(error, [&] {
    require(model != nullptr, "model");
    *model = nullptr;
    require(path != nullptr, "path");
    *model = new edge_asr_model{std::make_shared<const edge_asr::Model>(path)};
  });
}

void edge_asr_model_metadata(const edge_asr_model* model, edge_asr_metadata* metadata) {
  if (metadata == nullptr) return;
  *metadata = {};
  if (model == nullptr) return;
  const edge_asr::Metadata& found = model->model->metadata();
  metadata->contract_version = found.contract_version;
  metadata->sample_rate_hz = found.sample_rate_hz;
  metadata->chunk_samples = found.chunk_samples;
  metadata->chunk_frames = found.chunk_frames;
  metadata->frame_samples = found.frame_samples;
  metadata->vocabulary = found.vocabulary();
  metadata->blank_id = found.blank_id;
  metadata->default_threshold = found.default_threshold;
  metadata->json = model->model->json().c_str();
}

int64_t edge_asr_model_planned_bytes(const edge_asr_model* model) {
  if (model == nullptr) return 0;
  const auto& sizes = model->model->planned_sizes();
  return static_cast<int64_t>(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}));
}

const char* edge_asr_model_piece(const edge_asr_model* model, int32_t id) {
  if (model == nullptr) return nullptr;
  const edge_asr::Metadata& metadata = model->model->metadata();
  return id >= 0 && id < metadata.vocabulary() ? metadata.pieces[static_cast<std::size_t>(id)].c_str() : nullptr;
}

void edge_asr_model_close(edge_asr_model* model) { delete model; }

edge_asr_status edge_asr_program_load(const edge_asr_model* model, edge_asr_program** program, edge_asr_error* error) {
  return guarded(error, [&] {
    require(program != nullptr, "program");
    *program = nullptr;
    require(model != nullptr, "model");
    *program = new edge_asr_program{edge_asr::Program::load(model->model)};
  });
}

edge_asr_status edge_asr_program_step(edge_asr_program* program, const float* pcm, int32_t frames, float threshold,
                                      int32_t flush, edge_asr_step* step, edge_asr_error* error) {
  return guarded(error, [&] {
    require(step != nullptr, "step");
    *step = {};
    require(program != nullptr, "program");
    require(pcm != nullptr, "pcm");
    *step = program->program->step(pcm, frames, threshold, flush != 0);
  });
}

edge_asr_status edge_asr_program_reset(edge_asr_program* program, edge_asr_error* error) {
  return guarded(error, [&] {
    require(program != nullptr, "program");
    program->program->reset();
  });
}

void edge_asr_program_close(edge_asr_program* program) { delete program; }

edge_asr_status edge_asr_decoder_open(const edge_asr_model* model, edge_asr_decoder** decoder, edge_asr_error* error) {
  return guarded(error, [&] {
    require(decoder != nullptr, "decoder");
    *decoder = nullptr;
    require(model != nullptr, "model");
    *decoder = new edge_asr_decoder{edge_asr::Decoder(model->model->metadata())};
  });
}

edge_asr_status edge_asr_decoder_add(edge_asr_decoder* decoder, const edge_asr_step* step, int32_t samples,
                                     edge_asr_words* new_words, edge_asr_error* error) {
  return guarded(error, [&] {
    require(new_words != nullptr, "new_words");
    *new_words = {};
    require(decoder != nullptr, "decoder");
    require(step != nullptr, "step");
    *new_words = decoder->decoder.add(*step, samples);
  });
}

edge_asr_status edge_asr_decoder_partial_words(edge_asr_decoder* decoder, edge_asr_words* partial_words,
                                               edge_asr_error* error) {
  return guarded(error, [&] {
    require(partial_words != nullptr, "partial_words");
    *partial_words = {};
    require(decoder != nullptr, "decoder");
    *partial_words = decoder->decoder.partial_words();
  });
}

edge_asr_status edge_asr_decoder_finish(edge_asr_decoder* decoder, edge_asr_words* new_words, edge_asr_error* error) {
  return guarded(error, [&] {
    require(new_words != nullptr, "new_words");
    *new_words = {};
    require(decoder != nullptr, "decoder");
    *new_words = decoder->decoder.finish();
  });
}

edge_asr_status edge_asr_decoder_restart(edge_asr_decoder* decoder, edge_asr_error* error) {
  return guarded(error, [&] {
    require(decoder != nullptr, "decoder");
    decoder->decoder.restart();
  });
}

void edge_asr_decoder_close(edge_asr_decoder* decoder) { delete decoder; }

edge_asr_status edge_asr_stream_open(const edge_asr_model* model, float threshold, edge_asr_stream** stream,
                                     edge_asr_error* error) {
  return guarded(error, [&] {
    require(stream != nullptr, "stream");
    *stream = nullptr;
    require(model != nullptr, "model");
    edge_asr::checked_threshold(threshold, model->model->metadata());  // before the loading, which takes long
    *stream = new edge_asr_stream{edge_asr::Stream(edge_asr::Program::load(model->model), threshold)};
  });
}

edge_asr_status edge_asr_stream_accept(edge_asr_stream* stream, const float* pcm, size_t samples,
                                       edge_asr_update* update, edge_asr_error* error) {
  return guarded(error, [&] {
    require(update != nullptr, "update");
    *update = {};
    require(stream != nullptr, "stream");
    require(pcm != nullptr || samples == 0, "pcm");
    *update = stream->stream.accept(pcm, samples);
  });
}

edge_asr_status edge_asr_stream_finish(edge_asr_stream* stream, edge_asr_update* update, edge_asr_error* error) {
  return guarded(error, [&] {
    require(update != nullptr, "update");
    *update = {};
    require(stream != nullptr, "stream");
    *update = stream->stream.finish();
  });
}

edge_asr_status edge_asr_stream_restart(edge_asr_stream* stream, edge_asr_error* error) {
  return guarded(error, [&] {
    require(stream != nullptr, "stream");
    stream->stream.restart();
  });
}

edge_asr_status edge_asr_stream_set_threshold(edge_asr_stream* stream, float threshold, edge_asr_error* error) {
  return guarded(error, [&] {
    require(stream != nullptr, "stream");
    stream->stream.set_threshold(threshold);
  });
}

void edge_asr_stream_close(edge_asr_stream* stream) { delete stream; }
