// Where the memory of this process is, as Linux tells it.
#pragma once

#include <cstdint>
#include <string>

namespace edge_asr::runner {

// Bytes; 0 where the system does not say.
struct MemoryUse {
  std::int64_t resident_bytes;       // now
  std::int64_t peak_resident_bytes;  // since the process began
};

MemoryUse memory_use();

// Resident now, with shared pages divided among their users. Bytes; 0 where the system does not say.
std::int64_t proportional_bytes();

// What is resident now, by what it belongs to. Bytes.
struct MemoryMap {
  std::int64_t libraries;  // code, constants and tables of the program and its shared libraries
  std::int64_t model;      // pages of the .pte that are still mapped
  std::int64_t heap;       // and what else is anonymous: packed weights, planned tensors, the runtime's own
  std::int64_t stack;
};

MemoryMap memory_map(const std::string& model_path);

// Libraries' pages that only starting and loading needed (symbol tables, initializers) are given back: the system reads
// them again from the page cache should they be wanted. For a program that has loaded all it will.
void release_library_pages();

}  // namespace edge_asr::runner
