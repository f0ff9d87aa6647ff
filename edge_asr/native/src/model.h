// A checked file: what it says about itself, and the program that others load their methods from.
#pragma once

#include <executorch/runtime/executor/program.h>

#include <cstddef>
#include <string>
#include <vector>

#include "metadata.h"
#include "open_file.h"
#include "program_loader.h"

namespace edge_asr {

// Methods of a program, as edge_asr/contract.py names them.
constexpr char kStepMethod[] = "step";
constexpr char kMetadataMethod[] = "metadata";

// Read-only once made; any number of threads may use it.
class Model {
 public:
  // Throws Failure where the file is missing, damaged, foreign, or of another contract.
  explicit Model(const std::string& path);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const std::string& path() const { return file_.path(); }
  const Metadata& metadata() const { return metadata_; }
  const std::string& json() const { return json_; }
  const executorch::runtime::Program& program() const { return program_; }
  // Throws Failure where somebody has written into the file since it was checked: loading a program reads it again.
  void require_unchanged() const;
  // Of the buffers that `step` plans, its state among them.
  const std::vector<std::size_t>& planned_sizes() const { return planned_sizes_; }

 private:
  OpenFile file_;
  ProgramLoader loader_;  // the program loads its segments through it
  executorch::runtime::Program program_;
  std::string json_;
  Metadata metadata_;
  std::vector<std::size_t> planned_sizes_;
};

}  // namespace edge_asr
