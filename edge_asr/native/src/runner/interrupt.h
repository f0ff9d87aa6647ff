// SIGINT, SIGTERM and SIGHUP: the first ends the stream, the second ends the process.
#pragma once

namespace edge_asr::runner {

// From now on the first of these signals sets a flag and ends a waiting read. A signal more than a moment after it ends
// the process at once. A SIGHUP that is ignored already (nohup) stays ignored.
void catch_interrupts();

bool interrupted();
int interrupt_signal();  // the first that came; 0 where none has

// Waits until `descriptor` can be read, or until the first signal.
void wait_readable(int descriptor);

}  // namespace edge_asr::runner
