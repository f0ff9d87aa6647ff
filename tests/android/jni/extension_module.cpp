// org.pytorch.executorch.Module on a desktop: executorch::extension::Module, made and called as ExecuTorch's JNI layer for
// Android does (extension/android/jni/jni_layer.cpp), with its defaults, and no way to ask for others.
#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <jni.h>

#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

// What libexecutorch_threadpool.so exports and the wheel has no header for.
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  bool _unsafe_reset_threadpool(std::uint32_t thread_count);
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

namespace {

using executorch::aten::ScalarType;
using executorch::extension::Module;
using executorch::extension::TensorPtr;
using executorch::runtime::Error;
using executorch::runtime::EValue;

// A Java exception is on its way when it is thrown: what called this returns at once.
struct Thrown {};

Module& module_of(jlong handle) { return *reinterpret_cast<Module*>(static_cast<std::intptr_t>(handle)); }

std::string text_of(JNIEnv* env, jbyteArray bytes) {
  std::string text(static_cast<std::size_t>(env->GetArrayLength(bytes)), '\0');
  env->GetByteArrayRegion(bytes, 0, static_cast<jsize>(text.size()), reinterpret_cast<jbyte*>(text.data()));
  return text;
}

void throw_to_java(JNIEnv* env, Error error, const std::string& details) {
  const jclass type = env->FindClass("org/pytorch/executorch/ExecutorchRuntimeException");
  if (type == nullptr) return;
  const jmethodID make = env->GetMethodID(type, "<init>", "(ILjava/lang/String;)V");
  const jstring text = env->NewStringUTF(details.c_str());
  if (make == nullptr || text == nullptr) return;
  env->Throw(static_cast<jthrowable>(env->NewObject(type, make, static_cast<jint>(error), text)));
}

[[noreturn]] void fail(JNIEnv* env, Error error, const std::string& details) {
  throw_to_java(env, error, details);
  throw Thrown{};
}

std::string coded(const char* what, Error error) {
  std::ostringstream text;
  text << what << " [Native Error: 0x" << std::hex << std::uppercase << static_cast<std::uint32_t>(error) << "]";
  return text.str();
}

Module::LoadMode load_mode(jint number) {
  switch (number) {
    case 0: return Module::LoadMode::File;
    case 2: return Module::LoadMode::MmapUseMlock;
    case 3: return Module::LoadMode::MmapUseMlockIgnoreErrors;
    default: return Module::LoadMode::Mmap;
  }
}

TensorPtr input_of(JNIEnv* env, jint type, jobject shape, jobject data) {
  const auto sizes = static_cast<jlongArray>(shape);
  std::vector<jlong> longs(static_cast<std::size_t>(env->GetArrayLength(sizes)));
  env->GetLongArrayRegion(sizes, 0, static_cast<jsize>(longs.size()), longs.data());
  return executorch::extension::from_blob(env->GetDirectBufferAddress(data), {longs.begin(), longs.end()},
                                          static_cast<ScalarType>(type));
}

// A call without arguments runs on ones.
std::vector<TensorPtr> sample_inputs(JNIEnv* env, Module& module, const std::string& method) {
  const Error loaded = module.load_method(method);
  if (loaded != Error::Ok) fail(env, loaded, coded("Cannot get method names", loaded));
  const auto meta = module.method_meta(method);
  std::vector<TensorPtr> tensors;
  for (std::size_t i = 0; i < meta->num_inputs(); ++i) {
    const auto info = meta->input_tensor_meta(i);
    if (!info.ok()) fail(env, info.error(), "input of method: " + method);
    tensors.push_back(executorch::extension::ones({info->sizes().begin(), info->sizes().end()}, info->scalar_type()));
  }
  return tensors;
}

// The memory is the method's own: it is overwritten by the method's next call, and gone with the module.
jobject output_of(JNIEnv* env, jclass type, const EValue& value) {
  const auto& tensor = value.toTensor();
  const std::vector<jlong> sizes(tensor.sizes().begin(), tensor.sizes().end());
  const jlongArray shape = env->NewLongArray(static_cast<jsize>(sizes.size()));
  if (shape == nullptr) throw Thrown{};
  env->SetLongArrayRegion(shape, 0, static_cast<jsize>(sizes.size()), sizes.data());
  const jobject data = env->NewDirectByteBuffer(tensor.mutable_data_ptr<void>(), static_cast<jlong>(tensor.nbytes()));
  const jmethodID make =
      env->GetStaticMethodID(type, "nativeNewTensor", "(Ljava/nio/ByteBuffer;[JI)Lorg/pytorch/executorch/Tensor;");
  if (data == nullptr || make == nullptr) throw Thrown{};
  return env->CallStaticObjectMethod(type, make, data, shape, static_cast<jint>(tensor.scalar_type()));
}

jobjectArray run(JNIEnv* env, Module& module, const std::string& method, const std::vector<TensorPtr>& tensors) {
  const std::vector<EValue> inputs(tensors.begin(), tensors.end());
  const auto outputs = module.execute(method, inputs);
  if (!outputs.ok()) fail(env, outputs.error(), "Execution failed for method: " + method);
  const jclass type = env->FindClass("org/pytorch/executorch/Tensor");
  if (type == nullptr) throw Thrown{};
  const jobjectArray array = env->NewObjectArray(static_cast<jsize>(outputs->size()), type, nullptr);
  for (std::size_t i = 0; array != nullptr && i < outputs->size(); ++i) {
    env->SetObjectArrayElement(array, static_cast<jsize>(i), output_of(env, type, outputs.get()[i]));
  }
  return array;
}

}  // namespace

extern "C" {

JNIEXPORT jlong JNICALL Java_org_pytorch_executorch_Module_create(JNIEnv* env, jclass, jbyteArray path, jint mode,
                                                                 jint threads) {
  auto module = std::make_unique<Module>(text_of(env, path), load_mode(mode), nullptr);
  auto* pool = executorch::extension::threadpool::get_threadpool();
  if (pool != nullptr && threads > 0) pool->_unsafe_reset_threadpool(static_cast<std::uint32_t>(threads));
  return static_cast<jlong>(reinterpret_cast<std::intptr_t>(module.release()));
}

JNIEXPORT jobjectArray JNICALL Java_org_pytorch_executorch_Module_methods(JNIEnv* env, jclass, jlong handle) {
  const auto names = module_of(handle).method_names();
  if (!names.ok()) {
    throw_to_java(env, Error::InvalidArgument, coded("Cannot get load module", names.error()));
    return nullptr;
  }
  const jobjectArray array =
      env->NewObjectArray(static_cast<jsize>(names->size()), env->FindClass("java/lang/String"), nullptr);
  jsize at = 0;
  for (const std::string& name : names.get()) env->SetObjectArrayElement(array, at++, env->NewStringUTF(name.c_str()));
  return array;
}

JNIEXPORT jint JNICALL Java_org_pytorch_executorch_Module_load(JNIEnv* env, jclass, jlong handle, jbyteArray method) {
  return static_cast<jint>(module_of(handle).load_method(text_of(env, method)));
}

JNIEXPORT jobjectArray JNICALL Java_org_pytorch_executorch_Module_run(JNIEnv* env, jclass, jlong handle,
                                                                     jbyteArray method, jintArray types,
                                                                     jobjectArray shapes, jobjectArray data) {
  try {
    Module& module = module_of(handle);
    const std::string name = text_of(env, method);
    std::vector<jint> codes(static_cast<std::size_t>(env->GetArrayLength(types)));
    env->GetIntArrayRegion(types, 0, static_cast<jsize>(codes.size()), codes.data());
    if (codes.empty()) return run(env, module, name, sample_inputs(env, module, name));
    std::vector<TensorPtr> tensors;
    for (jsize i = 0; i < static_cast<jsize>(codes.size()); ++i) {
      tensors.push_back(input_of(env, codes[static_cast<std::size_t>(i)], env->GetObjectArrayElement(shapes, i),
                                 env->GetObjectArrayElement(data, i)));
    }
    return run(env, module, name, tensors);
  } catch (const Thrown&) {
    return nullptr;
  }
}

JNIEXPORT void JNICALL Java_org_pytorch_executorch_Module_free(JNIEnv*, jclass, jlong handle) {
  delete &module_of(handle);
}

}  // extern "C"
