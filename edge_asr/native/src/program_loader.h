// Gives ExecuTorch the parts of a checked .pte, through the descriptor by which it was checked.
#pragma once

#include <executorch/runtime/core/data_loader.h>

#include <cstddef>

#include "open_file.h"

namespace edge_asr {

// What a backend packs its weights from is mapped, and unmapped once it has: it is most of the file. The program and its
// constants, a tenth of a megabyte that is read for as long as the program runs, are copied: a file that is overwritten
// or cut under a running program would otherwise change what it computes, or end the process with a bus error.
class ProgramLoader final : public executorch::runtime::DataLoader {
 public:
  explicit ProgramLoader(const OpenFile& file) : file_(file) {}  // the file must outlive it

  executorch::runtime::Result<executorch::runtime::FreeableBuffer> load(std::size_t offset, std::size_t size,
                                                                        const SegmentInfo& segment) const override;
  executorch::runtime::Error load_into(std::size_t offset, std::size_t size, const SegmentInfo& segment,
                                       void* buffer) const override;
  executorch::runtime::Result<std::size_t> size() const override;

  // All that is loaded from here on is what backends pack from: a copy of it would stay in the heap.
  void program_is_loaded() { program_loaded_ = true; }

 private:
  bool holds(std::size_t offset, std::size_t size) const;

  const OpenFile& file_;
  bool program_loaded_ = false;
};

}  // namespace edge_asr
