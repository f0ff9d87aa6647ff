#include "threads.h"

#include <sched.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "failure.h"
#include "runtime_log.h"

// What libexecutorch_threadpool.so exports and the wheel has no header for.
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  std::size_t get_thread_count() const;
  bool _unsafe_reset_threadpool(std::uint32_t thread_count);
  void _unsafe_destroy_threadpool();
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

namespace edge_asr {
namespace {

constexpr std::int32_t kMostThreads = 1'024;

void stay_on(const std::vector<std::int32_t>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const std::int32_t cpu : cpus) {
    if (cpu < 0 || cpu >= CPU_SETSIZE) throw bad_argument("there is no CPU " + std::to_string(cpu));
    CPU_SET(static_cast<std::size_t>(cpu), &set);
  }
  if (::sched_setaffinity(0, sizeof set, &set) == 0) return;
  if (errno == EINVAL) throw bad_argument("none of the CPUs asked for is here and allowed: see nproc and taskset -p $$");
  throw failed(std::string("the CPUs cannot be set (") + std::strerror(errno) + ")");
}

}  // namespace

void set_threads(std::int32_t threads, const std::vector<std::int32_t>& cpus) {
  if (threads < 1 || threads > kMostThreads) {
    throw bad_argument("threads must lie between 1 and " + std::to_string(kMostThreads) + ", not " +
                       std::to_string(threads));
  }
  keep_runtime_log_off_the_screen();
  if (!cpus.empty()) stay_on(cpus);  // before the pool is made: threads inherit it
  auto* pool = executorch::extension::threadpool::get_threadpool();
  if (pool == nullptr) throw failed("ExecuTorch has no thread pool here (is /sys mounted?)");
  const auto count = static_cast<std::uint32_t>(threads);
  // replacing the pool is unsafe under a running step, so leave one alone that is right already
  if (pool->get_thread_count() == count && cpus.empty()) return;
  pool->_unsafe_destroy_threadpool();
  pool->_unsafe_reset_threadpool(count);
  if (pool->get_thread_count() != count) throw Failure(EDGE_ASR_NO_MEMORY, "no memory for so many threads");
}

}  // namespace edge_asr
