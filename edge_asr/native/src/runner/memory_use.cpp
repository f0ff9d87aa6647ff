#include "memory_use.h"

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace edge_asr::runner {
namespace {

constexpr std::int64_t kKib = 1'024;

// `VmRSS:     5120 kB` -> 5120, where the line begins with `key`.
bool kib_of(const std::string& line, const char* key, std::int64_t& kib) {
  if (line.compare(0, std::strlen(key), key) != 0) return false;
  kib = std::strtoll(line.c_str() + std::strlen(key), nullptr, 10);
  return true;
}

// The line of /proc/self/smaps that opens a mapping: range, rights, offset, device, inode, what is mapped.
bool opens_mapping(const std::string& line, std::string& path) {
  std::istringstream fields(line);
  std::string range, rights, offset, device, inode;
  fields >> range >> rights >> offset >> device >> inode;
  if (range.find('-') == std::string::npos || inode.empty()) return false;
  path.clear();
  std::getline(fields >> std::ws, path);
  return true;
}

std::string real_path(const std::string& path) {
  char found[PATH_MAX];
  return ::realpath(path.c_str(), found) != nullptr ? found : path;
}

bool has_text_relocations(const dl_phdr_info& object) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    if (object.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + object.dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_TEXTREL) return true;
      if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0) return true;
    }
  }
  return false;
}

// Only what the file never differs from: segments that are not writable, which the loader does not write to either.
int release(dl_phdr_info* object, std::size_t, void*) {
  if (has_text_relocations(*object)) return 0;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t start = object->dlpi_addr + segment.p_vaddr;
    const std::uintptr_t first = start / page * page;
    const std::uintptr_t last = (start + segment.p_filesz) / page * page;  // what follows may be another segment's
    if (last > first) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

MemoryUse memory_use() {
  MemoryUse use{};
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    kib_of(line, "VmRSS:", use.resident_bytes);
    kib_of(line, "VmHWM:", use.peak_resident_bytes);
  }
  return {use.resident_bytes * kKib, use.peak_resident_bytes * kKib};
}

std::int64_t proportional_bytes() {
  std::int64_t kib = 0;
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string line; std::getline(rollup, line);) {
    if (kib_of(line, "Pss:", kib)) break;
  }
  return kib * kKib;
}

MemoryMap memory_map(const std::string& model_path) {
  MemoryMap map{};
  const std::string model = real_path(model_path);
  std::int64_t* part = &map.heap;
  std::ifstream smaps("/proc/self/smaps");
  for (std::string line, path; std::getline(smaps, line);) {
    std::int64_t kib = 0;
    if (kib_of(line, "Rss:", kib)) {
      *part += kib * kKib;
    } else if (opens_mapping(line, path)) {
      if (path == model) part = &map.model;
      else if (path.rfind("[stack", 0) == 0) part = &map.stack;
      else if (path.rfind('/', 0) == 0) part = &map.libraries;
      else part = &map.heap;
    }
  }
  return map;
}

void release_library_pages() { dl_iterate_phdr(release, nullptr); }

}  // namespace edge_asr::runner
