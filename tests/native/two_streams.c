/* Streams beside each other, through the C ABI alone: two in turn, then two on two threads, each against a stream of its
 * own that ran before. usage: two_streams MODEL PCM PCM, where PCM is raw float32 samples. Also what a caller may do
 * wrong: no handles, NaN, a stream that is over. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge_asr.h"

enum { TEXT_BYTES = 65536, BLOCK_SAMPLES = 1000, PASSES = 5 };

typedef struct {
  float *samples;
  size_t count;
} recording;

typedef struct {
  char bytes[TEXT_BYTES];
} text;

static void check(int good, const char *what) {
  if (good) return;
  fprintf(stderr, "failed: %s\n", what);
  exit(1);
}

static void must(edge_asr_status status, const edge_asr_error *error) {
  check(status == EDGE_ASR_OK, error->message);
}

static recording read_samples(const char *path) {
  recording found = {NULL, 0};
  FILE *file = fopen(path, "rb");
  check(file != NULL && fseek(file, 0, SEEK_END) == 0, path);
  const long bytes = ftell(file);
  rewind(file);
  found.count = (size_t)bytes / sizeof(float);
  found.samples = malloc((size_t)bytes);
  check(found.samples != NULL && fread(found.samples, sizeof(float), found.count, file) == found.count, path);
  fclose(file);
  return found;
}

/* Everything that an update says goes into the text, so that texts are equal only where updates are. */
static void append(text *to, const edge_asr_update *update) {
  size_t used = strlen(to->bytes);
  for (size_t i = 0; i < update->new_word_count; ++i) {
    const edge_asr_word *word = &update->new_words[i];
    used += (size_t)snprintf(to->bytes + used, sizeof to->bytes - used, " %s@%.2f:%.6f", word->text, word->start_s,
                             (double)word->confidence);
    check(used < sizeof to->bytes, "a text is too long");
  }
  for (size_t i = 0; i < update->partial_word_count; ++i) {
    used += (size_t)snprintf(to->bytes + used, sizeof to->bytes - used, " (%s)", update->partial_words[i].text);
    check(used < sizeof to->bytes, "a text is too long");
  }
}

/* Pushes the next block; 0 at the end, which finishes the stream. */
static int push(edge_asr_stream *stream, const recording *audio, size_t *at, text *heard) {
  edge_asr_error error;
  edge_asr_update update;
  const size_t left = audio->count - *at;
  const size_t block = left < BLOCK_SAMPLES ? left : BLOCK_SAMPLES;
  if (left > 0) {
    must(edge_asr_stream_accept(stream, audio->samples + *at, block, &update, &error), &error);
  } else {
    must(edge_asr_stream_finish(stream, &update, &error), &error);
  }
  append(heard, &update);
  *at += block;
  return left > 0;
}

static void hear(edge_asr_stream *stream, const recording *audio, text *heard) {
  size_t at = 0;
  heard->bytes[0] = '\0';
  while (push(stream, audio, &at, heard)) {
  }
}

static edge_asr_stream *open_stream(const edge_asr_model *model) {
  edge_asr_error error;
  edge_asr_stream *stream;
  must(edge_asr_stream_open(model, EDGE_ASR_DEFAULT_THRESHOLD, &stream, &error), &error);
  return stream;
}

static void test_in_turn(const edge_asr_model *model, const recording *audio, const text *alone) {
  edge_asr_stream *streams[2] = {open_stream(model), open_stream(model)};
  static text heard[2];
  size_t at[2] = {0, 0};
  int going[2] = {1, 1};
  while (going[0] || going[1]) {
    for (int i = 0; i < 2; ++i) {
      if (going[i]) going[i] = push(streams[i], &audio[i], &at[i], &heard[i]);
    }
  }
  for (int i = 0; i < 2; ++i) {
    check(strcmp(heard[i].bytes, alone[i].bytes) == 0, "streams in turn disturb each other");
    edge_asr_stream_close(streams[i]);
  }
}

typedef struct {
  const char *path;
  const recording *audio;
  const text *alone;
} job;

/* Opens the model anew, as a second recognizer does, and goes over the recording again and again. */
static void *run_job(void *given) {
  const job *work = given;
  edge_asr_error error;
  edge_asr_model *model;
  text *heard = malloc(sizeof *heard);
  check(heard != NULL, "no memory");
  must(edge_asr_model_open(work->path, &model, &error), &error);
  edge_asr_stream *stream = open_stream(model);
  edge_asr_model_close(model); /* the stream keeps what it needs of it */
  for (int pass = 0; pass < PASSES; ++pass) {
    if (pass > 0) must(edge_asr_stream_restart(stream, &error), &error);
    hear(stream, work->audio, heard);
    check(strcmp(heard->bytes, work->alone->bytes) == 0, "recognizers on two threads disturb each other");
  }
  edge_asr_stream_close(stream);
  free(heard);
  return NULL;
}

static void test_on_two_threads(const char *path, const recording *audio, const text *alone) {
  pthread_t threads[2];
  job jobs[2];
  for (int i = 0; i < 2; ++i) {
    jobs[i] = (job){path, &audio[i], &alone[i]};
    check(pthread_create(&threads[i], NULL, run_job, &jobs[i]) == 0, "no thread");
  }
  for (int i = 0; i < 2; ++i) check(pthread_join(threads[i], NULL) == 0, "no join");
}

static void test_misuse(const edge_asr_model *model, const recording *audio, const text *alone) {
  edge_asr_error error;
  edge_asr_update update;
  edge_asr_stream *stream = NULL;
  edge_asr_model *none = NULL;
  check(edge_asr_model_open(NULL, &none, &error) == EDGE_ASR_BAD_ARGUMENT && none == NULL, "a NULL path");
  check(edge_asr_model_open("/nowhere.pte", &none, NULL) == EDGE_ASR_BAD_FILE && none == NULL, "no error wanted");
  check(edge_asr_stream_open(NULL, 0.5f, &stream, &error) == EDGE_ASR_BAD_ARGUMENT && stream == NULL, "a NULL model");
  check(edge_asr_stream_open(model, 1.5f, &stream, &error) == EDGE_ASR_BAD_ARGUMENT && stream == NULL, "threshold 1.5");
  check(strstr(error.message, "threshold") != NULL, "the message says what is wrong");
  check(edge_asr_stream_open(model, NAN, &stream, &error) == EDGE_ASR_BAD_ARGUMENT, "threshold NaN");
  check(edge_asr_stream_accept(NULL, audio->samples, 1, &update, &error) == EDGE_ASR_BAD_ARGUMENT, "a NULL stream");
  check(edge_asr_set_threads(0, NULL, 0, &error) == EDGE_ASR_BAD_ARGUMENT, "no threads");
  edge_asr_stream_close(NULL);
  edge_asr_program_close(NULL);
  edge_asr_model_close(NULL);

  /* a refused array leaves the stream as it was */
  const float wrong[3][2] = {{0.0f, NAN}, {INFINITY, 0.0f}, {0.0f, 20000.0f}};
  static text heard;
  size_t at = 0;
  stream = open_stream(model);
  check(edge_asr_set_threads(2, NULL, 0, &error) == EDGE_ASR_BAD_ARGUMENT, "another pool under a loaded program");
  check(strstr(error.message, "close it first") != NULL, "the message says what to do");
  check(edge_asr_set_threads(1, NULL, 0, &error) == EDGE_ASR_OK, "the pool that is there");
  do {
    for (int i = 0; i < 3; ++i) {
      check(edge_asr_stream_accept(stream, wrong[i], 2, &update, &error) == EDGE_ASR_BAD_ARGUMENT, "bad samples");
    }
    check(edge_asr_stream_accept(stream, NULL, 0, &update, &error) == EDGE_ASR_OK, "no samples");
  } while (push(stream, audio, &at, &heard));
  check(strcmp(heard.bytes, alone->bytes) == 0, "refused samples change the text");
  check(edge_asr_stream_accept(stream, audio->samples, 1, &update, &error) == EDGE_ASR_BAD_ARGUMENT, "a stream is over");
  check(edge_asr_stream_finish(stream, &update, &error) == EDGE_ASR_BAD_ARGUMENT, "a stream ends once");
  edge_asr_stream_close(stream);
  check(edge_asr_set_threads(2, NULL, 0, &error) == EDGE_ASR_OK, "another pool once nothing is loaded");
}

int main(int count, char **arguments) {
  edge_asr_error error;
  edge_asr_model *model;
  static text alone[2];
  check(count == 4, "usage: two_streams MODEL PCM PCM");
  must(edge_asr_set_threads(1, NULL, 0, &error), &error);
  must(edge_asr_model_open(arguments[1], &model, &error), &error);
  recording audio[2] = {read_samples(arguments[2]), read_samples(arguments[3])};
  edge_asr_stream *stream = open_stream(model);
  for (int i = 0; i < 2; ++i) {
    hear(stream, &audio[i], &alone[i]);
    must(edge_asr_stream_restart(stream, &error), &error);
  }
  edge_asr_stream_close(stream);
  check(alone[0].bytes[0] != '\0' && strcmp(alone[0].bytes, alone[1].bytes) != 0, "recordings with different text");

  test_in_turn(model, audio, alone);
  test_on_two_threads(arguments[1], audio, alone);
  test_misuse(model, audio, alone);
  edge_asr_model_close(model);
  for (int i = 0; i < 2; ++i) free(audio[i].samples);
  puts("alike");
  return 0;
}
