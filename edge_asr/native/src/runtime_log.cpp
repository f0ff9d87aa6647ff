#include "runtime_log.h"

#include <executorch/runtime/platform/platform.h>
#include <executorch/runtime/platform/runtime.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>

namespace edge_asr {
namespace {

void emit(et_timestamp_t, et_pal_log_level_t level, const char* filename, const char*, std::size_t line,
          const char* message, std::size_t length) {
  if (!verbose()) return;
  std::fprintf(stderr, "executorch %c %s:%zu] %.*s\n", static_cast<char>(level), filename, line,
               static_cast<int>(length), message);
}

}  // namespace

bool verbose() {
  const char* setting = std::getenv("EDGE_ASR_VERBOSE");
  return setting != nullptr && *setting != '\0' && std::string_view(setting) != "0";
}

void keep_runtime_log_off_the_screen() {
  static std::once_flag taken;
  std::call_once(taken, [] {
    executorch::runtime::register_pal(executorch::runtime::PalImpl::create(&emit, __FILE__));
    executorch::runtime::runtime_init();
  });
}

}  // namespace edge_asr
