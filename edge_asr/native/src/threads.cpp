#include "threads.h"

#include <sched.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <mutex>
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

// As wide as the pool itself: one of each in a process.
std::mutex pool_lock;
int pool_users = 0;

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

PoolUse::PoolUse() {
  const std::lock_guard<std::mutex> lock(pool_lock);
  ++pool_users;
}

PoolUse::~PoolUse() {
  const std::lock_guard<std::mutex> lock(pool_lock);
  --pool_users;
}

void set_threads(std::int32_t threads, const std::vector<std::int32_t>& cpus) {
  if (threads < 1 || threads > kMostThreads) {
    throw bad_argument("threads must lie between 1 and " + std::to_string(kMostThreads) + ", not " +
                       std::to_string(threads));
  }
  keep_runtime_log_off_the_screen();
  const std::lock_guard<std::mutex> lock(pool_lock);
  auto* pool = executorch::extension::threadpool::get_threadpool();
  if (pool == nullptr) throw failed("ExecuTorch has no thread pool here (is /sys mounted?)");
  const auto count = static_cast<std::uint32_t>(threads);
  if (pool->get_thread_count() == count && cpus.empty()) return;
  if (pool_users > 0) {
    throw bad_argument("the threads belong to the process, and a model is loaded in it with " +
                       std::to_string(pool->get_thread_count()) + ": close it first");
  }
  if (!cpus.empty()) stay_on(cpus);  // before the pool is made: threads inherit it
  pool->_unsafe_destroy_threadpool();
  pool->_unsafe_reset_threadpool(count);
  if (pool->get_thread_count() != count) throw Failure(EDGE_ASR_NO_MEMORY, "no memory for so many threads");
}

}  // namespace edge_asr
