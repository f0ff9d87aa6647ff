"""What all our command lines share, the profiler's own too: options, streams, progress, signals, exit codes."""
