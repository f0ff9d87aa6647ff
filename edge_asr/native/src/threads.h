// ExecuTorch's thread pool, which belongs to the process.
#pragma once

#include <cstdint>
#include <vector>

namespace edge_asr {

// Held by a loaded program, which keeps the pool's address: while one is, the pool is not replaced.
class PoolUse {
 public:
  PoolUse();
  ~PoolUse();
  PoolUse(const PoolUse&) = delete;
  PoolUse& operator=(const PoolUse&) = delete;
};

// The pool's size, the calling thread among them, and the CPUs that both may run on (none: any). Throws Failure, also
// where a program is loaded and the pool would have to be replaced.
void set_threads(std::int32_t threads, const std::vector<std::int32_t>& cpus);

}  // namespace edge_asr
