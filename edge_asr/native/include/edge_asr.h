/* edge-asr on a device: open a .pte, push PCM, read words. A C ABI without exceptions, globals or torch.
 *
 * An edge_asr_model is a checked file and what it says about itself: read-only, to be shared by any number of threads.
 * An edge_asr_program is the model loaded for running. It holds the state of ONE stream: use it from one thread at a
 * time, and load another for a second stream. An edge_asr_stream owns a program and a decoder: samples in, words out.
 * An edge_asr_decoder makes words of the steps of one stream, for a host that calls the steps itself.
 *
 * Every function that can fail returns an edge_asr_status and, where `error` is not NULL, one line for the user in it.
 * Strings are UTF-8. Pointers that functions return stay valid until the next call on the same object.
 */
#ifndef EDGE_ASR_H
#define EDGE_ASR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define EDGE_ASR_API __attribute__((visibility("default")))
#else
#define EDGE_ASR_API
#endif

#define EDGE_ASR_ABI_VERSION 2
#define EDGE_ASR_NEVER_SKIP 1.0f /* the threshold that keeps every frame */
#define EDGE_ASR_DEFAULT_THRESHOLD (-1.0f) /* the one the file names */

typedef struct edge_asr_model edge_asr_model;
typedef struct edge_asr_program edge_asr_program;
typedef struct edge_asr_decoder edge_asr_decoder;
typedef struct edge_asr_stream edge_asr_stream;

typedef enum {
  EDGE_ASR_OK = 0,
  EDGE_ASR_BAD_FILE = 1,     /* the .pte is missing, damaged, foreign, or of another version */
  EDGE_ASR_BAD_ARGUMENT = 2, /* NaN or integer-scaled samples, a threshold outside 0 to 1, a NULL handle */
  EDGE_ASR_NO_MEMORY = 3,
  EDGE_ASR_FAILED = 4 /* the program failed in a step, or broke its contract */
} edge_asr_status;

typedef struct {
  char message[512]; /* one line, always terminated */
} edge_asr_error;

/* What the file says about itself; see edge_asr/contract.py. */
typedef struct {
  int32_t contract_version;
  int32_t sample_rate_hz;
  int32_t chunk_samples; /* samples of a step */
  int32_t chunk_frames;  /* frames of a step */
  int32_t frame_samples; /* samples of a frame */
  int32_t vocabulary;    /* outputs of both heads */
  int32_t blank_id;
  float default_threshold;
  const char *json; /* the whole metadata, as the exporter wrote it; lives as long as the model */
} edge_asr_metadata;

EDGE_ASR_API int32_t edge_asr_abi_version(void);

/* Size of ExecuTorch's thread pool, and the CPUs that this thread and the pool may run on (NULL, 0: any). Both belong to
 * the process, as the pool does: call it before a program is loaded. While one is, another size or CPUs are refused. */
EDGE_ASR_API edge_asr_status edge_asr_set_threads(int32_t threads, const int32_t *cpus, size_t cpu_count,
                                                  edge_asr_error *error);

/* Check the whole file (layout, checksum, metadata). It stays open: programs are loaded from what was checked, whatever
 * file takes its name. Replace a model by writing another file and renaming it over the old one. A loaded program does
 * not notice a file that is written into or cut; loading one then fails, and while it loads may end the process with
 * SIGBUS. */
EDGE_ASR_API edge_asr_status edge_asr_model_open(const char *path, edge_asr_model **model, edge_asr_error *error);
EDGE_ASR_API void edge_asr_model_metadata(const edge_asr_model *model, edge_asr_metadata *metadata);
/* What each program loaded from it plans for its tensors, state included: not its weights, not the runtime's own. */
EDGE_ASR_API int64_t edge_asr_model_planned_bytes(const edge_asr_model *model);
EDGE_ASR_API const char *edge_asr_model_piece(const edge_asr_model *model, int32_t id); /* NULL outside the vocabulary */
EDGE_ASR_API void edge_asr_model_close(edge_asr_model *model); /* may come before its programs are closed; NULL is fine */

/* Outputs of one step (see edge_asr/contract.py); the arrays belong to the program and live until its next call. */
typedef struct {
  const float *partial;  /* [chunk_frames, vocabulary] log probabilities of the intermediate head */
  const float *keep;     /* [chunk_frames] 1 where the frame is kept for the upper stack */
  const float *final;    /* [rows, vocabulary] log probabilities of the final head */
  const int64_t *index;  /* [rows] frame of the stream that each row of `final` belongs to */
  int32_t rows;          /* 2 * chunk_frames at most; 0 where the upper stack did not run */
  int64_t waiting;       /* kept frames not yet through the upper stack */
} edge_asr_step;

EDGE_ASR_API edge_asr_status edge_asr_program_load(const edge_asr_model *model, edge_asr_program **program,
                                                   edge_asr_error *error);
/* pcm [chunk_samples]; frames: real ones among them; flush: 1 runs the upper stack on whatever waits. */
EDGE_ASR_API edge_asr_status edge_asr_program_step(edge_asr_program *program, const float *pcm, int32_t frames,
                                                   float threshold, int32_t flush, edge_asr_step *step,
                                                   edge_asr_error *error);
/* The next step is the first of a new stream, as the first after loading is. */
EDGE_ASR_API edge_asr_status edge_asr_program_reset(edge_asr_program *program, edge_asr_error *error);
EDGE_ASR_API void edge_asr_program_close(edge_asr_program *program);

typedef struct {
  const char *text;
  double start_s;    /* start of the frame that emitted its first piece */
  double end_s;      /* end of the last frame that emitted its last piece, or of the audio where that comes first */
  double confidence; /* 0 to 1: geometric mean over its pieces of the piece's highest frame probability */
} edge_asr_word;

/* They live until the next call on the decoder. */
typedef struct {
  const edge_asr_word *words;
  size_t count;
} edge_asr_words;

/* The decoder of one stream that a host steps itself. It takes every step's outputs, in order, and keeps no pointer. */
EDGE_ASR_API edge_asr_status edge_asr_decoder_open(const edge_asr_model *model, edge_asr_decoder **decoder,
                                                   edge_asr_error *error);
/* samples: real ones in the step's chunk; only the last chunk of a stream may end within a frame. new_words will not
 * change any more. A refused argument leaves the decoder as it was. After any other failure, only restart and close are
 * allowed. */
EDGE_ASR_API edge_asr_status edge_asr_decoder_add(edge_asr_decoder *decoder, const edge_asr_step *step, int32_t samples,
                                                  edge_asr_words *new_words, edge_asr_error *error);
/* The words that follow the final ones and may change. */
EDGE_ASR_API edge_asr_status edge_asr_decoder_partial_words(edge_asr_decoder *decoder, edge_asr_words *partial_words,
                                                            edge_asr_error *error);
/* The stream has ended and no frame waits: the last word is final. After it, only restart and close are allowed. */
EDGE_ASR_API edge_asr_status edge_asr_decoder_finish(edge_asr_decoder *decoder, edge_asr_words *new_words,
                                                     edge_asr_error *error);
/* The next step is the first of a new stream. */
EDGE_ASR_API edge_asr_status edge_asr_decoder_restart(edge_asr_decoder *decoder, edge_asr_error *error);
EDGE_ASR_API void edge_asr_decoder_close(edge_asr_decoder *decoder);

typedef struct {
  const uint8_t *keep; /* [frames] 1 where the frame is kept for the upper stack */
  int32_t frames;      /* real frames of the step */
  int32_t upper_ran;
  int64_t waiting;
  double latency_ms; /* wall clock of the step */
} edge_asr_step_info;

typedef struct {
  int64_t frames;      /* frames of audio */
  int64_t kept_frames; /* of them, kept for the upper stack */
  int64_t upper_runs;  /* steps in which the upper stack ran */
  int64_t steps;
  double audio_s;   /* seconds of audio consumed by the steps, padding excluded */
  double compute_s; /* wall clock inside the steps, and nothing else */
} edge_asr_counters;

/* What is known after some PCM. Words in `new_words` will not change any more; those in `partial_words` follow them and
 * may. All pointers live until the next call on the stream. */
typedef struct {
  const edge_asr_word *new_words;
  size_t new_word_count;
  const edge_asr_word *partial_words;
  size_t partial_word_count;
  const edge_asr_step_info *steps; /* taken by this call */
  size_t step_count;
  edge_asr_counters counters; /* since the start of the stream */
} edge_asr_update;

/* A stream and the program it owns. threshold: 0 to 1, EDGE_ASR_NEVER_SKIP or EDGE_ASR_DEFAULT_THRESHOLD. */
EDGE_ASR_API edge_asr_status edge_asr_stream_open(const edge_asr_model *model, float threshold,
                                                  edge_asr_stream **stream, edge_asr_error *error);
/* Any number of samples: mono at the model's rate, in [-1, 1]. A refused array leaves the stream as it was. */
EDGE_ASR_API edge_asr_status edge_asr_stream_accept(edge_asr_stream *stream, const float *pcm, size_t samples,
                                                    edge_asr_update *update, edge_asr_error *error);
/* End: run what waits. After it, or after a failure, only restart and close are allowed. */
EDGE_ASR_API edge_asr_status edge_asr_stream_finish(edge_asr_stream *stream, edge_asr_update *update,
                                                    edge_asr_error *error);
/* Begin anew with the same program: nothing is loaded again. */
EDGE_ASR_API edge_asr_status edge_asr_stream_restart(edge_asr_stream *stream, edge_asr_error *error);
/* Holds from the next step on. */
EDGE_ASR_API edge_asr_status edge_asr_stream_set_threshold(edge_asr_stream *stream, float threshold,
                                                           edge_asr_error *error);
EDGE_ASR_API void edge_asr_stream_close(edge_asr_stream *stream);

#ifdef __cplusplus
}
#endif

#endif /* EDGE_ASR_H */
