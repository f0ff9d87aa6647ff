// What ends the program before its time: one line for the user and an exit code.
#pragma once

#include <stdexcept>
#include <string>

namespace edge_asr::runner {

// The exit codes of edge_asr/commands/process.py.
enum ExitCode { kDone = 0, kFailed = 1, kMisused = 2, kInterrupted = 130, kPipeClosed = 141 };

class Trouble : public std::runtime_error {
 public:
  explicit Trouble(const std::string& line, ExitCode code = kFailed) : std::runtime_error(line), code_(code) {}

  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

}  // namespace edge_asr::runner
