// ExecuTorch's own log lines: kept from the user's terminal, unless EDGE_ASR_VERBOSE=1.
#pragma once

namespace edge_asr {

bool verbose();

// ExecuTorch has one log for the process; it is taken over once.
void keep_runtime_log_off_the_screen();

}  // namespace edge_asr
