// File descriptors as other programs hand them on: closed, or non-blocking.
#pragma once

#include <string>
#include <string_view>

namespace edge_asr::runner {

// A standard descriptor that is closed would be given to the next file that is opened. /dev/null takes its place, so that
// reading stdin and writing to stdout still fail, and stderr goes nowhere.
void hold_standard_descriptors();

bool can_read(int descriptor);
bool can_write(int descriptor);

// Opens a file, FIFO or device for reading without waiting for a writer; -1 and errno where it cannot be opened.
int open_to_read(const std::string& name);

// Writes all of it, waiting where the descriptor does not block. Returns an errno, or 0.
int write_all(int descriptor, std::string_view text);

}  // namespace edge_asr::runner
