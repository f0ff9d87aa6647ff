// Audio files that are not read here: what they are, and how to convert them.
#pragma once

#include <string>
#include <vector>

namespace edge_asr::runner {

constexpr std::size_t kMagicBytes = 12;  // at the start of a file, which name its kind

// `a FLAC file`, by the first bytes of a file; empty where they are of no known kind.
std::string kind_of(const std::vector<unsigned char>& head);

// `: convert it: ...`, with a command for the shell. `name` is a file's, or `stdin`.
std::string conversion(const std::string& name);

}  // namespace edge_asr::runner
