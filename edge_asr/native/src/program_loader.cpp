#include "program_loader.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "failure.h"

namespace edge_asr {
namespace {

namespace et = executorch::runtime;

constexpr std::size_t kAlignment = 64;  // of copies; programs ask for 16, vectors of a kernel for 64 at most

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

void unmap(void*, void* data, std::size_t size) {
  const std::size_t before = reinterpret_cast<std::uintptr_t>(data) % page_bytes();
  ::munmap(static_cast<unsigned char*>(data) - before, size + before);
}

void release(void*, void* data, std::size_t) { std::free(data); }

}  // namespace

et::Result<et::FreeableBuffer> ProgramLoader::load(std::size_t offset, std::size_t size,
                                                   const SegmentInfo& segment) const {
  if (!holds(offset, size)) return et::Error::InvalidArgument;
  if (size == 0) return et::FreeableBuffer(nullptr, 0, nullptr);
  if (program_loaded_) {
    const std::size_t before = offset % page_bytes();
    void* const pages = ::mmap(nullptr, size + before, PROT_READ, MAP_PRIVATE, file_.descriptor(),
                               static_cast<off_t>(offset - before));
    if (pages != MAP_FAILED) return et::FreeableBuffer(static_cast<unsigned char*>(pages) + before, size, unmap);
  }  // some file systems map nothing: then it is copied too
  void* const copy = std::aligned_alloc(kAlignment, (size + kAlignment - 1) / kAlignment * kAlignment);
  if (copy == nullptr) return et::Error::MemoryAllocationFailed;
  et::FreeableBuffer buffer(copy, size, release);
  const et::Error error = load_into(offset, size, segment, copy);
  if (error != et::Error::Ok) return error;
  return buffer;
}

et::Error ProgramLoader::load_into(std::size_t offset, std::size_t size, const SegmentInfo&, void* buffer) const {
  if (!holds(offset, size)) return et::Error::InvalidArgument;
  try {
    const std::size_t done = file_.read(offset, static_cast<unsigned char*>(buffer), size);
    return done == size ? et::Error::Ok : et::Error::AccessFailed;
  } catch (const Failure&) {
    return et::Error::AccessFailed;
  }
}

et::Result<std::size_t> ProgramLoader::size() const { return static_cast<std::size_t>(file_.size()); }

bool ProgramLoader::holds(std::size_t offset, std::size_t size) const {
  return offset <= file_.size() && size <= file_.size() - offset;
}

}  // namespace edge_asr
