// Ctrl-C.
#pragma once

namespace edge_asr::runner {

// From now on the first Ctrl-C only sets a flag and ends a waiting read; the second ends the process.
void catch_interrupt();

bool interrupted();

}  // namespace edge_asr::runner
