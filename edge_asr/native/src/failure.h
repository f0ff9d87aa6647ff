// What can go wrong, inside the library: a status for the caller and one line for the user.
#pragma once

#include <stdexcept>
#include <string>

#include "edge_asr.h"

namespace edge_asr {

class Failure : public std::runtime_error {
 public:
  Failure(edge_asr_status status, const std::string& line) : std::runtime_error(line), status_(status) {}

  edge_asr_status status() const noexcept { return status_; }

 private:
  edge_asr_status status_;
};

inline Failure bad_file(const std::string& line) { return Failure(EDGE_ASR_BAD_FILE, line); }
inline Failure bad_argument(const std::string& line) { return Failure(EDGE_ASR_BAD_ARGUMENT, line); }
inline Failure failed(const std::string& line) { return Failure(EDGE_ASR_FAILED, line); }

}  // namespace edge_asr
