// What can be told of a .pte before a runtime maps it: whether it is whole, and as it was written.
#pragma once

#include "open_file.h"

namespace edge_asr {

// Reads the file once, in blocks. Throws Failure where it is not a whole, undamaged program of this contract.
void check_program_file(const OpenFile& file);

}  // namespace edge_asr
