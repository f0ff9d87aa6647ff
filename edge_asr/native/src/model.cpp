#include "model.h"

#include <utility>

#include "failure.h"
#include "loaded_method.h"
#include "program_file.h"
#include "runtime_log.h"

namespace edge_asr {
namespace {

namespace et = executorch::runtime;

et::Program verified(const OpenFile& file, ProgramLoader& loader) {
  const std::string& path = file.path();
  keep_runtime_log_off_the_screen();
  check_program_file(file);
  auto program = et::Program::load(&loader, et::Program::Verification::InternalConsistency);
  if (!program.ok()) throw bad_file(path + ": damaged, not a whole ExecuTorch program: copy or export it again");
  loader.program_is_loaded();
  std::string absent;
  for (const char* name : {kMetadataMethod, kStepMethod}) {
    if (!program->method_meta(name).ok()) absent += std::string(absent.empty() ? "" : ", ") + name;
  }
  if (!absent.empty()) {
    throw bad_file(path + ": not a model made by edge-asr (it has no " + absent + "): export it with edge-asr");
  }
  return std::move(program.get());
}

std::string read_json(const std::string& path, const et::Program& program) {
  try {
    Memory memory(planned_sizes(program, kMetadataMethod));
    LoadedMethod method(program, kMetadataMethod, memory, /*weight_cache=*/false);
    method.execute();
    const auto bytes = method.output<std::uint8_t>(0);
    return std::string(bytes.begin(), bytes.end());
  } catch (const Failure& failure) {
    throw cannot_load(path, failure);
  }
}

std::vector<std::size_t> sizes_of(const std::string& path, const et::Program& program) {
  try {
    return planned_sizes(program, kStepMethod);
  } catch (const Failure& failure) {
    throw cannot_load(path, failure);
  }
}

Metadata metadata_of(const std::string& path, const std::string& json) {
  try {
    return parse_metadata(json);
  } catch (const Failure& failure) {
    throw bad_file(path + ": " + failure.what());
  }
}

}  // namespace

Model::Model(const std::string& path)
    : file_(path),
      loader_(file_),
      program_(verified(file_, loader_)),
      json_(read_json(path, program_)),
      metadata_(metadata_of(path, json_)),
      planned_sizes_(sizes_of(path, program_)) {}

void Model::require_unchanged() const {
  if (file_.has_changed()) {
    throw bad_file(path() + ": overwritten while it was in use: open it again, and replace models by renaming");
  }
}

}  // namespace edge_asr
