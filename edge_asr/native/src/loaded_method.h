// One method of a program, and its memory.
#pragma once

#include <executorch/extension/memory_allocator/malloc_memory_allocator.h>
#include <executorch/runtime/executor/program.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "failure.h"

namespace edge_asr {

// Bytes of each buffer that a method plans. Throws Failure.
std::vector<std::size_t> planned_sizes(const executorch::runtime::Program& program, const char* method);

// Planned buffers, and allocators, of one method.
class Memory {
 public:
  explicit Memory(const std::vector<std::size_t>& sizes);  // throws std::bad_alloc

  std::vector<executorch::runtime::Span<std::uint8_t>> buffers_of(const executorch::runtime::MethodMeta& method) const;
  executorch::runtime::MemoryAllocator* for_loading() { return &for_loading_; }
  executorch::runtime::MemoryAllocator* for_kernels() { return &for_kernels_; }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  std::vector<std::unique_ptr<std::uint8_t, Free>> buffers_;
  executorch::extension::MallocMemoryAllocator for_loading_;
  executorch::extension::MallocMemoryAllocator for_kernels_;  // scratch of a kernel, freed after each call
};

// The right to XNNPACK's weight cache, through which the delegates of a program share packed weights: the small upper
// block then finds those of the large one, packed and warm in the processor's caches. The process has one such cache,
// and all calls that go through it wait for each other: so one program at a time has it, and the others, which streams
// beside the first load, pack for each delegate.
class WeightCacheTurn {
 public:
  WeightCacheTurn() : mine_(!taken_.exchange(true)) {}
  ~WeightCacheTurn() {
    if (mine_) taken_ = false;
  }
  WeightCacheTurn(const WeightCacheTurn&) = delete;
  WeightCacheTurn& operator=(const WeightCacheTurn&) = delete;

  bool mine() const { return mine_; }

 private:
  static std::atomic<bool> taken_;
  bool mine_;
};

// A tensor's shape and type, for comparison.
struct TensorShape {
  executorch::aten::ScalarType type;
  std::vector<std::int32_t> sizes;
};

template <typename T>
struct Values {
  const T* first;
  std::size_t count;

  const T* begin() const { return first; }
  const T* end() const { return first + count; }
};

class LoadedMethod {
 public:
  // `memory` and the program must outlive it, and the turn where `weight_cache` is said to be its. Throws Failure where
  // the runtime refuses the method.
  LoadedMethod(const executorch::runtime::Program& program, const char* name, Memory& memory, bool weight_cache);
  LoadedMethod(const LoadedMethod&) = delete;
  LoadedMethod& operator=(const LoadedMethod&) = delete;

  // Whether inputs and outputs are tensors of these shapes.
  bool has_signature(const std::vector<TensorShape>& inputs, const std::vector<TensorShape>& outputs) const;

  // Copies `values` into the input, which must have the shape [count], or [1, count] where `as_row`. Throws Failure.
  void set_input(std::size_t index, const float* values, std::size_t count, bool as_row);
  void set_input(std::size_t index, float value) { set_input(index, &value, 1, /*as_row=*/false); }
  void set_input(std::size_t index, std::int64_t value);

  void execute();  // throws Failure

  // All elements of an output; they live until the next run. Throws Failure where it is
  // no tensor of T.
  template <typename T>
  Values<T> output(std::size_t index) const;

 private:
  void set_tensor(std::size_t index, executorch::aten::ScalarType type, const void* values, std::size_t count,
                  bool as_row);

  std::vector<executorch::runtime::Span<std::uint8_t>> buffers_;
  executorch::runtime::HierarchicalAllocator planned_;
  executorch::runtime::MemoryManager manager_;
  std::optional<executorch::runtime::Method> method_;
};

// What the user hears of a method that cannot be loaded.
Failure cannot_load(const std::string& path, const Failure& reason);

}  // namespace edge_asr
