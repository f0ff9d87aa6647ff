#include "model.h"

#include <utility>

#include "failure.h"
#include "loaded_method.h"
#include "program_file.h"
#include "runtime_log.h"

namespace edge_asr {
namespace {

namespace et = executorch::runtime;
using executorch::extension::MmapDataLoader;

MmapDataLoader map_checked(const std::string& path) {
  keep_runtime_log_off_the_screen();
  check_program_file(path);
  // no mlock: it would make every page of the file resident, and for as long as it is mapped
  auto loader = MmapDataLoader::from(path.c_str(), MmapDataLoader::MlockConfig::NoMlock);
  if (!loader.ok()) throw bad_file(path + ": cannot be mapped into memory: copy it to a local disk");
  return std::move(loader.get());
}

et::Program verified(const std::string& path, MmapDataLoader& loader) {
  auto program = et::Program::load(&loader, et::Program::Verification::InternalConsistency);
  if (!program.ok()) throw bad_file(path + ": damaged, not a whole ExecuTorch program: copy or export it again");
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
    : path_(path),
      loader_(map_checked(path)),
      program_(verified(path, loader_)),
      json_(read_json(path, program_)),
      metadata_(metadata_of(path, json_)),
      planned_sizes_(sizes_of(path, program_)) {}

}  // namespace edge_asr
