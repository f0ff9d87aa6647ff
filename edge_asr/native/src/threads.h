// ExecuTorch's thread pool, which belongs to the process.
#pragma once

#include <cstdint>
#include <vector>

namespace edge_asr {

// The pool's size, the calling thread among them, and the CPUs that both may run on (none: any). Throws Failure.
void set_threads(std::int32_t threads, const std::vector<std::int32_t>& cpus);

}  // namespace edge_asr
