// org.edge_asr.jni.NativeProgram over the C ABI of edge_asr/native: a desktop JVM runs a .pte on ExecuTorch.
#include <jni.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "edge_asr.h"

namespace {

struct Close {
  void operator()(edge_asr_model* model) const { edge_asr_model_close(model); }
  void operator()(edge_asr_program* program) const { edge_asr_program_close(program); }
};

struct Loaded {
  std::unique_ptr<edge_asr_model, Close> model;
  std::unique_ptr<edge_asr_program, Close> program;
  edge_asr_metadata metadata{};
};

Loaded& loaded(jlong handle) { return *reinterpret_cast<Loaded*>(static_cast<std::intptr_t>(handle)); }

bool refused(JNIEnv* env, edge_asr_status status, const edge_asr_error& error) {
  if (status == EDGE_ASR_OK) return false;
  const jclass type = env->FindClass("org/edge_asr/jni/NativeFailure");
  if (type != nullptr) env->ThrowNew(type, error.message);
  return true;
}

}  // namespace

extern "C" {

JNIEXPORT jlong JNICALL Java_org_edge_1asr_jni_NativeProgram_open(JNIEnv* env, jclass, jbyteArray path, jint threads) {
  std::vector<char> name(static_cast<std::size_t>(env->GetArrayLength(path)) + 1);
  env->GetByteArrayRegion(path, 0, static_cast<jsize>(name.size() - 1), reinterpret_cast<jbyte*>(name.data()));
  edge_asr_error error{};
  if (refused(env, edge_asr_set_threads(threads, nullptr, 0, &error), error)) return 0;
  auto made = std::make_unique<Loaded>();
  edge_asr_model* model = nullptr;
  if (refused(env, edge_asr_model_open(name.data(), &model, &error), error)) return 0;
  made->model.reset(model);
  edge_asr_model_metadata(model, &made->metadata);
  edge_asr_program* program = nullptr;
  if (refused(env, edge_asr_program_load(model, &program, &error), error)) return 0;
  made->program.reset(program);
  return static_cast<jlong>(reinterpret_cast<std::intptr_t>(made.release()));
}

JNIEXPORT jbyteArray JNICALL Java_org_edge_1asr_jni_NativeProgram_json(JNIEnv* env, jclass, jlong handle) {
  const char* json = loaded(handle).metadata.json;
  jsize size = 0;
  while (json[size] != '\0') ++size;
  const jbyteArray bytes = env->NewByteArray(size);
  if (bytes != nullptr) env->SetByteArrayRegion(bytes, 0, size, reinterpret_cast<const jbyte*>(json));
  return bytes;
}

// Fills the arrays, `final_` and `index` with room for 2 * chunk_frames rows, the others for chunk_frames; returns how many
// rows of those two there are, and what waits in the upper half.
JNIEXPORT jlong JNICALL Java_org_edge_1asr_jni_NativeProgram_step(JNIEnv* env, jclass, jlong handle, jfloatArray pcm,
                                                                 jint frames, jfloat threshold, jboolean flush,
                                                                 jfloatArray partial, jbooleanArray keep,
                                                                 jfloatArray final_, jlongArray index) {
  Loaded& own = loaded(handle);
  std::vector<float> samples(static_cast<std::size_t>(own.metadata.chunk_samples));
  env->GetFloatArrayRegion(pcm, 0, own.metadata.chunk_samples, samples.data());
  if (env->ExceptionCheck()) return 0;
  edge_asr_step step{};
  edge_asr_error error{};
  const edge_asr_status status =
      edge_asr_program_step(own.program.get(), samples.data(), frames, threshold, flush ? 1 : 0, &step, &error);
  if (refused(env, status, error)) return 0;
  const jsize rows = own.metadata.chunk_frames;
  std::vector<jboolean> kept(static_cast<std::size_t>(rows));
  std::transform(step.keep, step.keep + rows, kept.begin(),
                 [](float value) { return static_cast<jboolean>(value > 0.5F ? JNI_TRUE : JNI_FALSE); });
  static_assert(sizeof(jlong) == sizeof(std::int64_t));
  env->SetFloatArrayRegion(partial, 0, rows * own.metadata.vocabulary, step.partial);
  env->SetBooleanArrayRegion(keep, 0, rows, kept.data());
  env->SetFloatArrayRegion(final_, 0, step.rows * own.metadata.vocabulary, step.final);
  env->SetLongArrayRegion(index, 0, step.rows, reinterpret_cast<const jlong*>(step.index));
  return static_cast<jlong>((step.waiting << 32) | step.rows);
}

JNIEXPORT void JNICALL Java_org_edge_1asr_jni_NativeProgram_restart(JNIEnv* env, jclass, jlong handle) {
  edge_asr_error error{};
  refused(env, edge_asr_program_reset(loaded(handle).program.get(), &error), error);
}

JNIEXPORT void JNICALL Java_org_edge_1asr_jni_NativeProgram_free(JNIEnv*, jclass, jlong handle) {
  delete &loaded(handle);
}

}  // extern "C"
