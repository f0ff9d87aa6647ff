#include "loaded_method.h"

#include <executorch/runtime/backend/backend_options_map.h>

#include <algorithm>
#include <array>
#include <new>
#include <type_traits>
#include <utility>

namespace edge_asr {
namespace {

namespace et = executorch::runtime;
using executorch::aten::ScalarType;

constexpr std::size_t kReadPastEnd = 64;  // XNNPACK's kernels may read a vector past the end of an input
constexpr char kXnnpack[] = "XnnpackBackend";
constexpr int kWorkspacePerModel = 1;  // WorkspaceSharingMode::PerModel

Failure as_failure(et::Error error) {
  const bool memory = error == et::Error::MemoryAllocationFailed || error == et::Error::DelegateMemoryAllocationFailed;
  return Failure(memory ? EDGE_ASR_NO_MEMORY : EDGE_ASR_FAILED, et::to_string(error));
}

void require(et::Error error) {
  if (error != et::Error::Ok) throw as_failure(error);
}

template <typename T>
T require(et::Result<T>&& result) {
  require(result.error());
  return std::move(result.get());
}

template <typename T>
constexpr ScalarType type_of() {
  if constexpr (std::is_same_v<T, float>) return ScalarType::Float;
  if constexpr (std::is_same_v<T, std::int64_t>) return ScalarType::Long;
  if constexpr (std::is_same_v<T, std::uint8_t>) return ScalarType::Byte;
}

bool matches(const et::Result<et::TensorInfo>& found, const TensorShape& expected) {
  if (!found.ok() || found->scalar_type() != expected.type) return false;
  const auto sizes = found->sizes();
  return std::equal(sizes.begin(), sizes.end(), expected.sizes.begin(), expected.sizes.end());
}

// XNNPACK's scratch memory: one for the delegates of a program, as they run one after the other, and none shared
// between programs, as those would then wait for each other.
et::Method load(const et::Program& program, const char* name, et::MemoryManager& manager, bool weight_cache) {
  et::BackendOptions<2> options;
  require(options.set_option("workspace_sharing_mode", kWorkspacePerModel));
  require(options.set_option("weight_cache_enabled", weight_cache));
  et::LoadBackendOptionsMap by_backend;
  require(by_backend.set_options(kXnnpack, options.view()));
  return require(program.load_method(name, &manager, nullptr, nullptr, &by_backend));
}

}  // namespace

std::vector<std::size_t> planned_sizes(const et::Program& program, const char* method) {
  const et::MethodMeta meta = require(program.method_meta(method));
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < meta.num_memory_planned_buffers(); ++i) {
    const std::int64_t size = require(meta.memory_planned_buffer_size(i));
    if (size < 0) throw as_failure(et::Error::InvalidProgram);
    sizes.push_back(static_cast<std::size_t>(size));
  }
  return sizes;
}

Memory::Memory(const std::vector<std::size_t>& sizes) {
  for (const std::size_t size : sizes) {
    buffers_.emplace_back(static_cast<std::uint8_t*>(std::calloc(1, size + kReadPastEnd)));
    if (!buffers_.back()) throw std::bad_alloc();
  }
}

std::vector<et::Span<std::uint8_t>> Memory::buffers_of(const et::MethodMeta& method) const {
  std::vector<et::Span<std::uint8_t>> spans;
  for (std::size_t i = 0; i < method.num_memory_planned_buffers(); ++i) {
    const auto size = static_cast<std::size_t>(require(method.memory_planned_buffer_size(i)));
    spans.emplace_back(buffers_.at(i).get(), size);
  }
  return spans;
}

std::atomic<bool> WeightCacheTurn::taken_{false};

LoadedMethod::LoadedMethod(const et::Program& program, const char* name, Memory& memory, bool weight_cache)
    : buffers_(memory.buffers_of(require(program.method_meta(name)))),
      planned_(et::Span<et::Span<std::uint8_t>>(buffers_.data(), buffers_.size())),
      manager_(memory.for_loading(), &planned_, memory.for_kernels()),
      method_(load(program, name, manager_, weight_cache)) {}

bool LoadedMethod::has_signature(const std::vector<TensorShape>& inputs,
                                 const std::vector<TensorShape>& outputs) const {
  const et::MethodMeta meta = method_->method_meta();
  if (meta.num_inputs() != inputs.size() || meta.num_outputs() != outputs.size()) return false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!matches(meta.input_tensor_meta(i), inputs[i])) return false;
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!matches(meta.output_tensor_meta(i), outputs[i])) return false;
  }
  return true;
}

void LoadedMethod::set_input(std::size_t index, const float* values, std::size_t count, bool as_row) {
  set_tensor(index, ScalarType::Float, values, count, as_row);
}

void LoadedMethod::set_input(std::size_t index, std::int64_t value) {
  set_tensor(index, ScalarType::Long, &value, 1, /*as_row=*/false);
}

void LoadedMethod::set_tensor(std::size_t index, ScalarType type, const void* values, std::size_t count,
                              bool as_row) {
  const auto length = static_cast<std::int32_t>(count);
  std::array<std::int32_t, 2> sizes{as_row ? 1 : length, length};
  std::array<std::int32_t, 2> strides{as_row ? length : 1, 1};
  std::array<std::uint8_t, 2> dim_order{0, 1};
  executorch::aten::TensorImpl tensor(type, as_row ? 2 : 1, sizes.data(), const_cast<void*>(values), dim_order.data(),
                                      strides.data());
  require(method_->set_input(executorch::aten::Tensor(&tensor), index));
}

void LoadedMethod::execute() { require(method_->execute()); }

template <typename T>
Values<T> LoadedMethod::output(std::size_t index) const {
  if (index >= method_->outputs_size()) throw as_failure(et::Error::InvalidProgram);
  const et::EValue& value = method_->get_output(index);
  if (!value.isTensor()) throw as_failure(et::Error::InvalidType);
  const auto& tensor = value.toTensor();
  const auto* first = tensor.const_data_ptr<void>();
  if (tensor.scalar_type() != type_of<T>() || first == nullptr) throw as_failure(et::Error::InvalidType);
  return {static_cast<const T*>(first), static_cast<std::size_t>(tensor.numel())};
}

template Values<float> LoadedMethod::output<float>(std::size_t) const;
template Values<std::int64_t> LoadedMethod::output<std::int64_t>(std::size_t) const;
template Values<std::uint8_t> LoadedMethod::output<std::uint8_t>(std::size_t) const;

Failure cannot_load(const std::string& path, const Failure& reason) {
  if (reason.status() == EDGE_ASR_NO_MEMORY) return Failure(EDGE_ASR_NO_MEMORY, path + ": not enough memory to load it");
  return bad_file(path + ": this ExecuTorch cannot load it (" + reason.what() +
                  "): export it again with the version installed here");
}

}  // namespace edge_asr
